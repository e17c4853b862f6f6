"""Checkers of notebook 08: IoU, matching, average precision, and what a paired difference allows to say."""

import statistics

from cnx_tutorial.teaching.checks.asking import ask
from cnx_tutorial.teaching.checks.runner import exercise
from cnx_tutorial.teaching.results import T_95

NEGATIVE = "boxes that do not touch have negative sides, whose product is positive: take max(side, 0)"
BOTH_TWICE = "the intersection is counted twice in the union: subtract it once"
OVER_FIRST = "that is the intersection over the first box alone; divide by the union"
OVER_SMALLER = "that is the intersection over the smaller box; divide by the union"
NOT_DIVIDED = "that is the intersection; divide it by the union"
WRONG_CORNER = "the upper left corner of the intersection is the larger of the two, the lower right the smaller"
AS_SIZES = "the last two numbers are a corner, not width and height"
PIXEL_ADDED = "one pixel too many: corners are places here, so that the width is x2 - x1"
IOU = "none of the usual mistakes; (0, 0, 4, 4) and (2, 0, 6, 4) have 8 in common and 24 together: 1/3"
IOU_CALL = "it takes two boxes of four numbers each; two boxes without area have the IoU 0"

UNSORTED = "predictions were taken in the order of the list; begin with the highest confidence"
ASCENDING = "the lowest confidence came first; begin with the highest"
REUSED = "one truth was found twice: the second prediction of the same truth is a false positive"
FIRST_FIT = "a prediction takes the free truth of highest IoU, not the first that fits"
STUCK = "a prediction whose best truth is taken may still take another one that fits"
CLASS_IGNORED = "a prediction of another class cannot find the truth"
STRICT = "an IoU of exactly the threshold is enough: >="
IN_ORDER_OF_CONFIDENCE = "the answers stand in the order of confidence; give them in the order of the predictions"
MATCH = "none of the usual mistakes; go through the example of section 2 with paper"
MATCH_CALL = "it takes predictions, truths and the threshold; there may be no truths, or no predictions"

NO_ENVELOPE = "precision was taken as it is; the envelope is the best precision from here on"
FORWARD_ENVELOPE = "the envelope looks forward: the best precision at this recall or a higher one"
MEAN_PRECISION = "that is the mean precision over all predictions; only steps of recall count"
BY_FOUND = "the area was divided by the truths that were found; divide by all of them"
PRECISION_ONLY = "that is the precision at the end: one point of the curve, not the area"
RECALL_ONLY = "that is the recall at the end: one point of the curve, not the area"
AP = "none of the usual mistakes; hits [True, False, True] of 2 truths give 0.5 * 1 + 0.5 * 2/3 = 0.8333"
AP_CALL = "it takes hits and the number of truths; without predictions the area is 0"

UNPAIRED = "the spread of both lists was taken; the pairs have one seed each: subtract first, then take the spread"
POPULATION = "the spread was divided by n; for a sample divide by n - 1 (statistics.stdev)"
NO_ROOT = "the spread of the mean is smaller than that of one difference: divide by the root of n"
NORMAL = "1.96 is for many pairs; for few use Student's t with n - 1 degrees of freedom"
T_FROM_N = "Student's t has n - 1 degrees of freedom, not n"
TURNED = "the sign is turned: ours minus theirs"
WHOLE_WIDTH = "that is the whole width of the interval; asked is half of it"
ALWAYS_WINNER = 'the interval contains 0, so nothing may be said: "not told apart"'
WORDS_SWAPPED = 'the words are swapped: a positive difference is "more"'
PAIRS = "none of the usual mistakes; [0.52, 0.5, 0.54] and [0.5, 0.49, 0.5] give 0.0233 and 0.0379"
PAIRS_CALL = "it takes ours and theirs, lists of equal length, and returns mean, half width and a word"


# ---------------------------------------------------------------- exercise 1
def _sides(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def _iou(a, b, *, clip=True, once=True, under=None, extra=0):
    across, down = _sides(a, b)
    both = max(across + extra, 0) * max(down + extra, 0) if clip else across * down
    grown = [(box[2] - box[0] + extra) * (box[3] - box[1] + extra) for box in (a, b)]
    union = under(a, b) if under else sum(grown) - (both if once else 0)
    return both / union if union else 0.0


def _wrong_corner(a, b):
    across, down = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    union = _area(a) + _area(b) - across * down
    return across * down / union if union else 0.0


def _as_sizes(a, b):
    return _iou(*[(x, y, x + w, y + h) for x, y, w, h in (a, b)])


PAIRS_OF_BOXES = (
    ((0, 0, 4, 4), (2, 0, 6, 4)),
    ((0, 0, 2, 2), (5, 5, 8, 9)),
    ((1, 2, 7, 9), (3, 4, 5, 6)),
    ((0, 0, 3, 3), (3, 0, 6, 3)),
    ((2.5, 1, 4.5, 6), (2, 2, 4, 7.5)),
    ((1, 1, 1, 4), (1, 1, 1, 4)),
)
WRONG_IOU = {
    NEGATIVE: lambda a, b: _iou(a, b, clip=False),
    BOTH_TWICE: lambda a, b: _iou(a, b, once=False),
    OVER_FIRST: lambda a, b: _iou(a, b, under=lambda a, b: _area(a)),
    OVER_SMALLER: lambda a, b: _iou(a, b, under=lambda a, b: min(_area(a), _area(b))),
    NOT_DIVIDED: lambda a, b: max(_sides(a, b)[0], 0) * max(_sides(a, b)[1], 0),
    WRONG_CORNER: _wrong_corner,
    AS_SIZES: _as_sizes,
    PIXEL_ADDED: lambda a, b: _iou(a, b, extra=1),
}


@exercise("the IoU of six pairs of boxes, apart, touching and one in the other")
def iou(answer: object) -> None:
    """Check `iou(a, b)`: intersection over union of two boxes."""
    ask(answer, PAIRS_OF_BOXES, _iou, WRONG_IOU, IOU, arguments=IOU_CALL)


# ---------------------------------------------------------------- exercise 2
def _match(
    predictions,
    truths,
    threshold,
    *,
    order=lambda p: sorted(range(len(p)), key=lambda i: -p[i][1]),
    reuse=False,
    first=False,
    stuck=False,
    classes=True,
    enough=lambda overlap, threshold: overlap >= threshold,
    sort_back=True,
):
    taken, hits = set(), {}
    for i in order(predictions):
        kind, _, box = predictions[i]
        fits = {}
        for j, (true_kind, true_box) in enumerate(truths):
            overlap = _iou(box, true_box)
            if (not classes or kind == true_kind) and enough(overlap, threshold) and (reuse or stuck or j not in taken):
                fits[j] = overlap
        best = min(fits) if fits and first else max(fits, key=fits.get, default=None)
        hits[i] = best is not None and (reuse or best not in taken)
        if hits[i]:
            taken.add(best)
    return [hits[i] for i in (range(len(predictions)) if sort_back else order(predictions))]


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
    ([(2, 0.4, (0, 0, 2, 2))], [], 0.5),
    ([], [(1, (0, 0, 2, 2))], 0.75),
    ([(0, 0.2, (0, 0, 4, 4)), (0, 0.7, (1, 0, 5, 4)), (0, 0.5, (0, 0, 4, 4))], [(0, (0, 0, 4, 4))], 0.75),
)
WRONG_MATCH = {
    UNSORTED: lambda *a: _match(*a, order=lambda p: range(len(p))),
    ASCENDING: lambda *a: _match(*a, order=lambda p: sorted(range(len(p)), key=lambda i: p[i][1])),
    REUSED: lambda *a: _match(*a, reuse=True),
    FIRST_FIT: lambda *a: _match(*a, first=True),
    STUCK: lambda *a: _match(*a, stuck=True),
    CLASS_IGNORED: lambda *a: _match(*a, classes=False),
    STRICT: lambda *a: _match(*a, enough=lambda overlap, threshold: overlap > threshold),
    IN_ORDER_OF_CONFIDENCE: lambda *a: _match(*a, sort_back=False),
}


@exercise("hits and false positives of six scenes, as Ultralytics matches them")
def match(answer: object) -> None:
    """Check `match(predictions, truths, threshold)`: which predictions are hits."""
    ask(answer, SCENES, _match, WRONG_MATCH, MATCH, arguments=MATCH_CALL)


# ---------------------------------------------------------------- exercise 3
def _ap(hits, truths, *, envelope="ahead", found=False):
    if not hits:
        return 0.0
    running = [sum(hits[: i + 1]) for i in range(len(hits))]
    precision = [count / (i + 1) for i, count in enumerate(running)]
    if envelope == "ahead":
        precision = [max(precision[i:]) for i in range(len(hits))]
    elif envelope == "behind":
        precision = [max(precision[: i + 1]) for i in range(len(hits))]
    area = sum(p for p, hit in zip(precision, hits, strict=True) if hit)
    total = sum(hits) if found else truths
    return area / total if total else 0.0


RANKINGS = (
    ([True, False, True], 2),
    ([True, True, False, False, True, False], 4),
    ([False, True, True, False, True], 5),
    ([True, True, True], 3),
    ([False, False], 2),
    ([], 3),
)
WRONG_AP = {
    NO_ENVELOPE: lambda hits, truths: _ap(hits, truths, envelope="none"),
    FORWARD_ENVELOPE: lambda hits, truths: _ap(hits, truths, envelope="behind"),
    MEAN_PRECISION: lambda hits, truths: statistics.mean(
        [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))] or [0.0]
    ),
    BY_FOUND: lambda hits, truths: _ap(hits, truths, found=True),
    PRECISION_ONLY: lambda hits, truths: sum(hits) / len(hits) if hits else 0.0,
    RECALL_ONLY: lambda hits, truths: sum(hits) / truths,
}


@exercise("the area under the envelope, for six rankings")
def average_precision(answer: object) -> None:
    """Check `average_precision(hits, truths)`: the area under the precision envelope."""
    ask(answer, RANKINGS, _ap, WRONG_AP, AP, arguments=AP_CALL)


# ---------------------------------------------------------------- exercise 4
def _word(mean, half):
    return "more" if mean > half else "less" if mean < -half else "not told apart"


def _compare(ours, theirs, *, spread=None, root=True, t=None, sign=1, width=1, word=_word):
    differences = [sign * (a - b) for a, b in zip(ours, theirs, strict=True)]
    n = len(differences)
    error = (spread or statistics.stdev)(differences) / (n**0.5 if root else 1)
    mean, half = statistics.mean(differences), width * (t or T_95[n - 1]) * error
    return mean, half, word(mean, half)


def _unpaired(ours, theirs):
    n = len(ours)
    error = ((statistics.variance(ours) + statistics.variance(theirs)) / n) ** 0.5
    mean, half = statistics.mean(ours) - statistics.mean(theirs), T_95[n - 1] * error
    return mean, half, _word(mean, half)


RUNS = (
    ([0.52, 0.5, 0.54], [0.5, 0.49, 0.5]),
    ([0.50, 0.55, 0.45, 0.52], [0.46, 0.508, 0.412, 0.482]),
    ([0.3, 0.31, 0.29], [0.4, 0.43, 0.38]),
    ([0.6, 0.4], [0.5, 0.45]),
    ([0.508, 0.503, 0.511, 0.505], [0.5, 0.5, 0.5, 0.5]),
)
WRONG_COMPARE = {
    UNPAIRED: _unpaired,
    POPULATION: lambda a, b: _compare(a, b, spread=statistics.pstdev),
    NO_ROOT: lambda a, b: _compare(a, b, root=False),
    NORMAL: lambda a, b: _compare(a, b, t=1.96),
    T_FROM_N: lambda a, b: _compare(a, b, t=T_95[len(a)]),
    TURNED: lambda a, b: _compare(a, b, sign=-1),
    WHOLE_WIDTH: lambda a, b: _compare(a, b, width=2),
    ALWAYS_WINNER: lambda a, b: _compare(a, b, word=lambda mean, half: "more" if mean > 0 else "less"),
    WORDS_SWAPPED: lambda a, b: _compare(a, b, word=lambda mean, half: _word(-mean, half)),
}


@exercise("mean, half width and verdict of five comparisons")
def compare(answer: object) -> None:
    """Check `compare(ours, theirs)`: the paired difference and what it allows to say."""
    ask(answer, RUNS, _compare, WRONG_COMPARE, PAIRS, arguments=PAIRS_CALL)
