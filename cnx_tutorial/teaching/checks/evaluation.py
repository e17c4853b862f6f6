"""Checkers of notebook 08: IoU, matching, average precision, and what a paired difference allows to say.

Each exercise has a table of mistakes: a sentence, and a function that makes this mistake. What the learner's function gives for all questions, its
errors too, is compared with what each of them gives; the sentence of the first that explains everything is said.
"""

import copy
import math
import operator
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, product

import numpy as np

from cnx_tutorial.teaching.checks.asking import CHANGED_INPUT, plain, same
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable
from cnx_tutorial.teaching.results import T_95

ROUNDED = "the result was rounded: return the number as it is, and round only what you print"

NEGATIVE = "boxes that do not touch have negative sides, whose product is positive: take max(side, 0)"
PRODUCT_CLIPPED = "the product of two negative sides is positive: take max(side, 0) of each side, before the product"
NO_DOWN = "only the width of the intersection is cut off at 0; boxes one above the other have a negative height"
NO_ACROSS = "only the height of the intersection is cut off at 0; boxes side by side have a negative width"
BOTH_NEGATIVE = "one negative side is enough: two boxes that lie side by side have nothing in common either"
ABSOLUTE = "a negative side means that there is no intersection; abs() makes one of it"
BOTH_TWICE = "the intersection is counted twice in the union: subtract it once"
SUBTRACTED_TWICE = "the intersection is counted twice in the sum of the areas: subtract it once, not twice"
DICE = "that is twice the intersection over the sum of the areas (Dice); IoU divides the intersection by the union"
OVER_ONE = "that is the intersection over one of the two boxes alone; divide by the union"
OVER_SMALLER = "that is the intersection over the smaller box; divide by the union"
OVER_LARGER = "that is the intersection over the larger box; divide by the union"
ENCLOSING = "that is the intersection over the smallest box around both; the union is both areas, the common part once"
NOT_DIVIDED = "that is the intersection; divide it by the union"
WRONG_CORNER = "the upper left corner of the intersection is the larger of the two, the lower right the smaller"
AS_SIZES = "the last two numbers are a corner, not width and height"
AS_CENTRES = "the four numbers are two corners, not a centre with width and height"
PIXEL_ADDED = "one pixel too many: corners are places here, so that the width is x2 - x1"
NO_AREA = "two boxes without area have no union to divide by (0 / 0): look first, and return 0"
IOU = "none of the usual mistakes; (0, 0, 4, 4) and (2, 0, 6, 4) have 8 in common and 24 together: 1/3"
IOU_CALL = "the error says what it stumbled on; a and b are boxes of four numbers each"

UNSORTED = "predictions were taken in the order of the list; begin with the highest confidence"
ASCENDING = "the lowest confidence came first; begin with the highest"
REUSED = "one truth was found twice: the second prediction of the same truth is a false positive"
FIRST_FIT = "the order of the truths decides, the first that fits; a prediction takes the free truth of highest IoU"
LAST_FIT = "max() without key gives the largest index, not the truth of highest IoU: max(free, key=free.get)"
STUCK = "a prediction whose best truth is taken may still take another one that fits"
CLASS_IGNORED = "a prediction of another class cannot find the truth"
CLASS_AFTER = "the best truth of all classes was chosen, and its class compared afterwards; choose among its own class"
STRICT = "an IoU of exactly the threshold is enough: >="
FIXED_THRESHOLD = "the threshold argument is not used: 0.5 stands in its place"
TAKEN_BELOW = "a truth was taken by a prediction that does not reach the threshold; it stays free for the next one"
STOPPED = "the loop ends at the first prediction that has no free truth; later ones of another class may have: continue"
NONE_FREE = "a prediction may have no free truth of its class, and max() of nothing is an error: look first"
BY_IOU = "the pair of highest IoU was matched first; the most confident prediction chooses first, whatever its IoU"
TRUTHS_CHOOSE = "the truths chose their predictions; it is the predictions that choose, the most confident first"
ZERO_ONE = "the answers are right, but 0 and 1; asked are True and False"
INDICES = "those are indices; asked is True or False for each prediction"
IN_ORDER_OF_CONFIDENCE = "the answers stand in the order of confidence; give them in the order of the predictions"
MATCH = "none of the usual mistakes; go through the call above with paper, the most confident prediction first"
MATCH_CALL = "the error says what it stumbled on; there may be no truths, no predictions, or no truth of a class"

NO_ENVELOPE = "precision was taken as it is; the envelope is the best precision from here on"
FORWARD_ENVELOPE = "the envelope looks forward: the best precision at this recall or a higher one"
MEAN_PRECISION = "that is the mean precision over all predictions; only steps of recall count"
EVERY = "every prediction added to the area; recall rises at hits only"
BY_FOUND = "the area was divided by the truths that were found; divide by all of them"
BY_PREDICTIONS = "the area was divided by the number of predictions; a hit raises recall by 1 / truths"
QUARTER = "0.25 was the step of four cells; recall rises by 1 / truths"
BY_GRID = "that is the area as Ultralytics reads it, at 101 recalls; asked is the exact one"
PRECISION_ONLY = "that is the precision at the end: one point of the curve, not the area"
RECALL_ONLY = (
    "that is the recall at the end, which would be the area if all hits came first; the order of `hits` stays as it is"
)
AP = "none of the usual mistakes; hits [True, False, True] of 2 truths give 0.5 * 1 + 0.5 * 2/3 = 0.8333"
AP_CALL = "the error says what it stumbled on; hits may be empty, and then the area is 0"

UNPAIRED = "the spread of both lists was taken; the pairs have one seed each: subtract first, then take the spread"
SORTED = "the lists were sorted before they were subtracted; numbers at the same place belong to one seed"
POPULATION = "the spread was divided by n; for a sample divide by n - 1 (statistics.stdev)"
VARIANCE = "the variance is the square of the spread: take statistics.stdev"
NO_ROOT = "the spread of the mean is smaller than that of one difference: divide by the root of n"
BY_N = "the spread was divided by n; the spread of the mean is smaller by the root of n only"
BY_N_MINUS_1 = "the spread was divided by the root of n - 1; divide by the root of n"
NO_T = "that is the spread of the mean; half the interval is that times Student's t"
NORMAL = "1.96 is for many pairs; for few use Student's t with n - 1 degrees of freedom"
T_OF_THREE = "4.303 belongs to three pairs; take results.T_95[n - 1] for n of them"
T_FROM_N = "Student's t has n - 1 degrees of freedom, not n"
TURNED = "the sign is turned: ours minus theirs"
WHOLE_WIDTH = "that is the whole width of the interval; asked is half of it"
ALWAYS_WINNER = 'the interval contains 0, so nothing may be said: "not told apart"'
WORDS_SWAPPED = 'the words are swapped: a positive difference is "more"'
ALL_ONE_SIGN = "all differences have one sign, and the interval may contain 0 all the same: compare mean with half"
BY_ERROR = "the word compares the mean with its spread; compare it with half, which is Student's t times that"
TIE = "an interval that ends at 0 contains it: equal lists are not told apart"
ONLY_WORD = (
    "the numbers are right, the word is not: does the interval from mean - half to mean + half contain 0? "
    "And the word is one of the three in the exercise, letter by letter"
)
ONLY_HALF = "the mean is right, and half is not: Student's t times the spread of the differences, by the root of n"
PAIRS = "none of the usual mistakes; [0.52, 0.5, 0.54] and [0.5, 0.49, 0.5] give 0.0233 and 0.0379"
PAIRS_CALL = "the error says what it stumbled on; results.T_95 knows 1 to 5 degrees of freedom, and n pairs have n - 1"

Mistakes = Sequence[tuple[str, Callable]]


# ---------------------------------------------------------------- asking
class _Failed(str):
    """What stands for a result where a call ended with an error: its name. A nan is a division that failed."""


def _settled(value: object) -> object:
    if isinstance(value, list):
        return [_settled(item) for item in value]
    return _Failed("ZeroDivisionError") if isinstance(value, float) and math.isnan(value) else value


def _outcome(function: Callable, question: tuple) -> object:
    try:
        return _settled(plain(function(*copy.deepcopy(question))))
    except Exception as error:
        return _Failed(type(error).__name__)


def _equal(mine: object, theirs: object) -> bool:
    return isinstance(mine, _Failed) == isinstance(theirs, _Failed) and same(mine, theirs, 1e-6)


def _rounded(value: object, digits: int) -> object:
    if isinstance(value, (list, tuple)):
        return [_rounded(item, digits) for item in value]
    return round(value, digits) if isinstance(value, float) else value


def _text(value: object) -> str:
    """A value as one writes it in Python; seven digits of numbers."""
    if isinstance(value, (tuple, list)):
        inside = ", ".join(map(_text, value))
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    return f"{value:.7g}" if isinstance(value, float) else repr(value)[:120]


def _ask(
    answer: object,
    questions: Sequence[tuple],
    right: Callable,
    mistakes: Mistakes,
    otherwise: Callable[[list, list], str],
    in_error: str,
) -> None:
    """Raise Mismatch unless answer(*question) is right(*question) for all questions.

    Args:
        mistakes: the first that gives what the answer gave, for all questions or at least for those without an error, is named.
        otherwise: makes the hint, where none does, of what is right and what was given.
        in_error: the hint where the call fails, and none does.
    """
    expect_callable(answer, "function")
    got, errors = [], {}
    for number, question in enumerate(questions):
        given, words = copy.deepcopy(question), ", ".join(map(_text, question))
        try:
            got.append(_settled(plain(call(answer, *given, what=f"for {words}"), words)))
        except Mismatch as stopped:
            if stopped.__cause__ is None:
                raise
            errors[number] = stopped.__cause__
            got.append(_Failed(type(stopped.__cause__).__name__))
        if plain(given) != plain(question):
            raise Mismatch("your code changed its input", words, ", ".join(map(_text, given)), CHANGED_INPUT)
    want = [_outcome(right, question) for question in questions]
    wrong = [i for i in range(len(questions)) if not _equal(got[i], want[i])]
    if not wrong:
        return
    rounded = [(ROUNDED, lambda *a, digits=digits: _rounded(right(*a), digits)) for digits in range(6)]

    def named(asked: Sequence[int]) -> str | None:
        every = (*mistakes, *rounded)
        return next((s for s, m in every if all(_equal(_outcome(m, questions[i]), got[i]) for i in asked)), None)

    likely, first = named(range(len(questions))), wrong[0]
    wrong_results = [i for i in wrong if i not in errors]
    if not likely and wrong_results:
        likely, first = named([i for i in range(len(questions)) if i not in errors]), wrong_results[0]
    words = ", ".join(map(_text, questions[first]))
    if first in errors:
        said = f"{type(errors[first]).__name__}: {errors[first]}"[:160]
        raise Mismatch(f"it stops with an error for {words}", "a result", said, likely or in_error)
    mine = "nan" if isinstance(got[first], _Failed) else _text(got[first])
    raise Mismatch(f"the result is wrong for {words}", _text(want[first]), mine, likely or otherwise(want, got))


# ---------------------------------------------------------------- exercise 1
def _sides(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def _clipped(across, down):
    return max(across, 0) * max(down, 0)


def _iou(a, b, *, common=_clipped, under=lambda a, b, both: _area(a) + _area(b) - both, times=1):
    both = common(*_sides(a, b))
    union = under(a, b, both)
    return times * both / union if union else 0.0


def _around(a, b):
    return _area((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))


def _wrong_corner(a, b):
    both = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    union = _area(a) + _area(b) - both
    return both / union if union else 0.0


def _with_pixel(a, b):
    both = _clipped(*(side + 1 for side in _sides(a, b)))
    union = sum((box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)) - both
    return both / union if union else 0.0


def _unlooked(a, b):
    both = _clipped(*_sides(a, b))
    return both / (_area(a) + _area(b) - both)


def _read_as(corners):
    return lambda a, b: _iou(corners(*a), corners(*b))


PAIRS_OF_BOXES = (
    ((0, 0, 4, 4), (2, 0, 6, 4)),
    ((0, 0, 2, 2), (5, 5, 8, 9)),
    ((0, 0, 4, 4), (0, 10, 4, 14)),
    ((0, 0, 4, 4), (9, 1, 14, 4)),
    ((1, 2, 7, 9), (3, 4, 5, 6)),
    ((0, 0, 3, 3), (3, 0, 6, 3)),
    ((2.5, 1, 4.5, 6), (2, 2, 4, 7.5)),
    ((1, 1, 1, 4), (1, 1, 1, 4)),
)
WRONG_IOU = (
    (NEGATIVE, partial(_iou, common=lambda across, down: across * down)),
    (PRODUCT_CLIPPED, partial(_iou, common=lambda across, down: max(across * down, 0))),
    (NO_DOWN, partial(_iou, common=lambda across, down: max(across, 0) * down)),
    (NO_ACROSS, partial(_iou, common=lambda across, down: across * max(down, 0))),
    (BOTH_NEGATIVE, partial(_iou, common=lambda across, down: 0 if across < 0 and down < 0 else across * down)),
    (BOTH_NEGATIVE, partial(_iou, common=lambda across, down: 0 if across <= 0 and down <= 0 else across * down)),
    (ABSOLUTE, partial(_iou, common=lambda across, down: abs(across) * abs(down))),
    (BOTH_TWICE, partial(_iou, under=lambda a, b, both: _area(a) + _area(b))),
    (SUBTRACTED_TWICE, partial(_iou, under=lambda a, b, both: _area(a) + _area(b) - 2 * both)),
    (DICE, partial(_iou, under=lambda a, b, both: _area(a) + _area(b), times=2)),
    (OVER_ONE, partial(_iou, under=lambda a, b, both: _area(a))),
    (OVER_ONE, partial(_iou, under=lambda a, b, both: _area(b))),
    (OVER_SMALLER, partial(_iou, under=lambda a, b, both: min(_area(a), _area(b)))),
    (OVER_LARGER, partial(_iou, under=lambda a, b, both: max(_area(a), _area(b)))),
    (ENCLOSING, partial(_iou, under=lambda a, b, both: _around(a, b))),
    (NOT_DIVIDED, partial(_iou, under=lambda a, b, both: 1)),
    (WRONG_CORNER, _wrong_corner),
    (AS_SIZES, _read_as(lambda x, y, w, h: (x, y, x + w, y + h))),
    (AS_CENTRES, _read_as(lambda x, y, w, h: (x - w / 2, y - h / 2, x + w / 2, y + h / 2))),
    (PIXEL_ADDED, _with_pixel),
    (NO_AREA, _unlooked),
)


@exercise("the IoU of eight pairs of boxes: apart in each direction, touching, one in the other, without area")
def iou(answer: object) -> None:
    """Check `iou(a, b)`: intersection over union of two boxes."""
    _ask(answer, PAIRS_OF_BOXES, _iou, WRONG_IOU, lambda want, got: IOU, IOU_CALL)


# ---------------------------------------------------------------- exercise 2
def _by_confidence(predictions):
    return sorted(range(len(predictions)), key=lambda i: -predictions[i][1])


def _first_fit(free, threshold):
    return min((j for j in free if free[j] >= threshold), default=None)


def _match(
    predictions,
    truths,
    threshold,
    *,
    order=_by_confidence,
    pick=lambda free, threshold: max(free, key=free.get, default=None),
    again=False,
    stuck=False,
    classes="first",
    enough=operator.ge,
    below=False,
    stop=False,
):
    taken, hits = set(), {}
    for i in order(predictions):
        kind, _, box = predictions[i]
        free = {
            j: _iou(box, true_box)
            for j, (true_kind, true_box) in enumerate(truths)
            if (classes != "first" or kind == true_kind) and (again or stuck or j not in taken)
        }
        if stop and not free:
            break
        best = pick(free, threshold)
        hits[i] = (
            best is not None
            and enough(free[best], threshold)
            and (again or best not in taken)
            and (classes != "after" or truths[best][0] == kind)
        )
        if hits[i] or (below and best is not None):
            taken.add(best)
    return [hits.get(i, False) for i in range(len(predictions))]


def _fitting(predictions, truths, threshold):
    """(IoU, prediction, truth) of all pairs of one class that reach the threshold."""
    every = product(enumerate(predictions), enumerate(truths))
    pairs = [(_iou(p[2], t[1]), i, j) for (i, p), (j, t) in every if p[0] == t[0]]
    return [pair for pair in pairs if pair[0] >= threshold]


def _greedy(predictions, truths, threshold, key):
    """Matched pair by pair, in the order of the key; {prediction: truth}."""
    chosen: dict[int, int] = {}
    for _, i, j in sorted(_fitting(predictions, truths, threshold), key=key):
        if i not in chosen and j not in chosen.values():
            chosen[i] = j
    return chosen


def _greedy_hits(key):
    def match(predictions, truths, threshold):
        chosen = _greedy(predictions, truths, threshold, lambda pair: key(predictions, *pair))
        return [i in chosen for i in range(len(predictions))]

    return match


def _truth_of_each(nothing):
    def match(predictions, truths, threshold):
        chosen = _greedy(predictions, truths, threshold, lambda pair: (-predictions[pair[1]][1], -pair[0]))
        return [chosen.get(i, nothing) for i in range(len(predictions))]

    return match


SCENES = (
    (
        [
            (1, 0.6, (0, 0, 4, 4)),
            (1, 0.9, (0, 0, 4, 5)),
            (0, 0.8, (10, 0, 14, 4)),
            (1, 0.7, (10, 0, 14, 4)),
            (1, 0.5, (20, 0, 24, 2)),
        ],
        [(1, (0, 0, 4, 4)), (1, (10, 0, 14, 4)), (1, (20, 0, 24, 4))],
        0.5,
    ),
    (
        [(0, 0.9, (0, 0, 10, 10)), (0, 0.8, (1, 0, 11, 10)), (0, 0.3, (2, 0, 12, 10))],
        [(0, (3, 0, 13, 10)), (0, (0, 0, 10, 10))],
        0.5,
    ),
    ([(0, 0.9, (0, 0, 10, 10)), (0, 0.8, (6, 0, 16, 10))], [(0, (3, 0, 13, 10)), (0, (0, 0, 10, 10))], 0.5),
    ([(0, 0.9, (0, 0, 10, 10))], [(1, (0, 0, 10, 10)), (0, (2, 0, 12, 10))], 0.5),
    ([(0, 0.6, (0, 0, 10, 10)), (0, 0.9, (6, 0, 16, 10))], [(0, (0, 0, 10, 10)), (0, (30, 0, 40, 10))], 0.5),
    ([(2, 0.9, (0, 0, 4, 4)), (0, 0.8, (0, 0, 4, 4)), (1, 0.1, (7, 0, 9, 2))], [(0, (0, 0, 4, 4))], 0.5),
    ([(2, 0.4, (0, 0, 2, 2))], [], 0.5),
    ([], [(1, (0, 0, 2, 2))], 0.75),
    ([(0, 0.2, (0, 0, 4, 4)), (0, 0.7, (1, 0, 5, 4)), (0, 0.5, (0, 0, 4, 4))], [(0, (0, 0, 4, 4))], 0.75),
    ([(0, 0.9, (2, 0, 6, 4)), (0, 0.8, (0, 0, 4, 4))], [(0, (0, 0, 4, 4))], 0.3),
)
WRONG_MATCH = (
    (UNSORTED, partial(_match, order=lambda p: range(len(p)))),
    (ASCENDING, partial(_match, order=lambda p: _by_confidence(p)[::-1])),
    (REUSED, partial(_match, again=True)),
    (FIRST_FIT, partial(_match, pick=_first_fit)),
    (LAST_FIT, partial(_match, pick=lambda free, threshold: max(free, default=None))),
    (STUCK, partial(_match, stuck=True)),
    (CLASS_IGNORED, partial(_match, classes="any")),
    (CLASS_AFTER, partial(_match, classes="after")),
    (STRICT, partial(_match, enough=operator.gt)),
    (FIXED_THRESHOLD, lambda p, t, threshold: _match(p, t, 0.5)),
    (TAKEN_BELOW, partial(_match, below=True)),
    (STOPPED, partial(_match, stop=True)),
    (NONE_FREE, partial(_match, pick=lambda free, threshold: max(free, key=free.get))),
    (BY_IOU, _greedy_hits(lambda predictions, iou, i, j: -iou)),
    (TRUTHS_CHOOSE, _greedy_hits(lambda predictions, iou, i, j: (j, -iou))),
    (ZERO_ONE, lambda *a: [int(hit) for hit in _match(*a)]),
    (INDICES, lambda *a: [i for i, hit in enumerate(_match(*a)) if hit]),
    (INDICES, lambda p, *a: [i for i in _by_confidence(p) if _match(p, *a)[i]]),
    (INDICES, _truth_of_each(None)),
    (INDICES, _truth_of_each(-1)),
    (IN_ORDER_OF_CONFIDENCE, lambda p, *a: [_match(p, *a)[i] for i in _by_confidence(p)]),
)


@exercise("hits and false positives of ten scenes, as Ultralytics matches them")
def match(answer: object) -> None:
    """Check `match(predictions, truths, threshold)`: which predictions are hits."""
    _ask(answer, SCENES, _match, WRONG_MATCH, lambda want, got: MATCH, MATCH_CALL)


# ---------------------------------------------------------------- exercise 3
def _precision(hits):
    return [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))]


def _envelope(hits):
    return [max(_precision(hits)[i:]) for i in range(len(hits))]


def _ap(hits, truths, *, heights=_envelope, step=lambda hits, truths: 1 / truths, every=False):
    return sum((p * step(hits, truths) for p, hit in zip(heights(hits), hits, strict=True) if hit or every), 0.0)


def _at_101_recalls(hits, truths):
    recall = [0.0] + [sum(hits[: i + 1]) / truths for i in range(len(hits))]
    heights = np.interp(np.linspace(0, 1, 101), [*recall, recall[-1], 1.0], [1.0, *_envelope(hits), 0.0, 0.0])
    return float(sum(heights[1:] + heights[:-1])) / 200


RANKINGS = (
    ([True, False, True], 2),
    ([True, True, False, False, True, False], 4),
    ([False, True, True, False, True], 5),
    ([True, True, True], 3),
    ([False, False], 2),
    ([], 3),
)
WRONG_AP = (
    (NO_ENVELOPE, partial(_ap, heights=_precision)),
    (FORWARD_ENVELOPE, partial(_ap, heights=lambda hits: list(accumulate(_precision(hits), max)))),
    (MEAN_PRECISION, lambda hits, truths: statistics.mean(_precision(hits) or [0.0])),
    (EVERY, partial(_ap, every=True)),
    (EVERY, partial(_ap, heights=_precision, every=True)),
    (BY_FOUND, partial(_ap, step=lambda hits, truths: 1 / sum(hits))),
    (BY_PREDICTIONS, partial(_ap, step=lambda hits, truths: 1 / len(hits))),
    (QUARTER, partial(_ap, step=lambda hits, truths: 0.25)),
    (BY_GRID, _at_101_recalls),
    (BY_GRID, lambda hits, truths: _at_101_recalls(hits, truths) if hits else 0.0),
    (PRECISION_ONLY, lambda hits, truths: sum(hits) / len(hits) if hits else 0.0),
    (RECALL_ONLY, lambda hits, truths: sum(hits) / truths),
)


@exercise("the area under the envelope, for six rankings")
def average_precision(answer: object) -> None:
    """Check `average_precision(hits, truths)`: the area under the precision envelope."""
    _ask(answer, RANKINGS, _ap, WRONG_AP, lambda want, got: AP, AP_CALL)


# ---------------------------------------------------------------- exercise 4
def _word(mean, half, *_):
    return "more" if mean > half else "less" if mean < -half else "not told apart"


def _winner(mean, *_):
    return "more" if mean > 0 else "less"


def _one_sign(mean, half, error, differences):
    signs = {(difference > 0) - (difference < 0) for difference in differences}
    return {frozenset({1}): "more", frozenset({-1}): "less"}.get(frozenset(signs), "not told apart")


def _compare(
    ours,
    theirs,
    *,
    spread=statistics.stdev,
    root=math.sqrt,
    t=lambda n: T_95[n - 1],
    sign=1,
    width=1,
    word=_word,
    order=list,
):
    differences = [sign * (a - b) for a, b in zip(order(ours), order(theirs), strict=True)]
    mean, error = statistics.mean(differences), spread(differences) / root(len(differences))
    half = width * t(len(differences)) * error
    return mean, half, word(mean, half, error, differences)


def _unpaired(ours, theirs, freedom=lambda n: n - 1):
    n = len(ours)
    error = ((statistics.variance(ours) + statistics.variance(theirs)) / n) ** 0.5
    mean, half = statistics.mean(ours) - statistics.mean(theirs), T_95[freedom(n)] * error
    return mean, half, _word(mean, half)


RUNS = (
    ([0.52, 0.5, 0.54], [0.5, 0.49, 0.5]),
    ([0.50, 0.55, 0.45, 0.52], [0.46, 0.508, 0.412, 0.482]),
    ([0.3, 0.31, 0.29], [0.4, 0.43, 0.38]),
    ([0.46, 0.43, 0.44], [0.48, 0.50, 0.49]),
    ([0.6, 0.4], [0.5, 0.45]),
    ([0.55, 0.54, 0.49], [0.5, 0.5, 0.5]),
    ([0.508, 0.503, 0.511, 0.505], [0.5, 0.5, 0.5, 0.5]),
    ([0.5, 0.52, 0.51], [0.5, 0.52, 0.51]),
)
WRONG_COMPARE = (
    (UNPAIRED, _unpaired),
    (UNPAIRED, partial(_unpaired, freedom=lambda n: 2 * n - 2)),
    (SORTED, partial(_compare, order=sorted)),
    (SORTED, partial(_compare, order=lambda scores: sorted(scores, reverse=True))),
    (POPULATION, partial(_compare, spread=statistics.pstdev)),
    (VARIANCE, partial(_compare, spread=statistics.variance)),
    (VARIANCE, partial(_compare, spread=statistics.variance, root=lambda n: n)),
    (VARIANCE, partial(_compare, spread=statistics.variance, root=lambda n: 1)),
    (NO_ROOT, partial(_compare, root=lambda n: 1)),
    (BY_N, partial(_compare, root=lambda n: n)),
    (BY_N_MINUS_1, partial(_compare, root=lambda n: math.sqrt(n - 1))),
    (NO_T, partial(_compare, t=lambda n: 1)),
    (NORMAL, partial(_compare, t=lambda n: 1.96)),
    (T_OF_THREE, partial(_compare, t=lambda n: T_95[2])),
    (T_FROM_N, partial(_compare, t=lambda n: T_95[n])),
    (TURNED, partial(_compare, sign=-1)),
    (WHOLE_WIDTH, partial(_compare, width=2)),
    (WHOLE_WIDTH, partial(_compare, width=2, word=lambda mean, half, *_: _word(mean, half / 2))),
    (ALWAYS_WINNER, partial(_compare, word=_winner)),
    (ALWAYS_WINNER, partial(_compare, word=lambda mean, *_: "more" if mean >= 0 else "less")),
    (ALWAYS_WINNER, partial(_compare, word=lambda mean, *_: _word(mean, 0))),
    (WORDS_SWAPPED, partial(_compare, word=lambda mean, half, *_: _word(-mean, half))),
    (ALL_ONE_SIGN, partial(_compare, word=_one_sign)),
    (BY_ERROR, partial(_compare, word=lambda mean, half, error, _: _word(mean, error))),
    (TIE, partial(_compare, word=lambda mean, half, *_: "more" if mean >= half else _word(mean, half))),
    (TIE, partial(_compare, word=lambda mean, half, *_: "less" if mean <= -half else _word(mean, half))),
)


def _about_comparison(want: list, got: list) -> str:
    """What can be said of results that no mistake explains."""

    def right(k: int) -> bool:
        pairs = zip(want, got, strict=True)
        return all(
            isinstance(mine, list) and len(mine) == 3 and same(mine[k], theirs[k], 1e-6) for theirs, mine in pairs
        )

    return PAIRS if not right(0) else ONLY_WORD if right(1) else ONLY_HALF


@exercise("mean, half width and verdict of eight comparisons")
def compare(answer: object) -> None:
    """Check `compare(ours, theirs)`: the paired difference and what it allows to say."""
    _ask(answer, RUNS, _compare, WRONG_COMPARE, _about_comparison, PAIRS_CALL)
