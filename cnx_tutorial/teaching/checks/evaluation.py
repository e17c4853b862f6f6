"""Misconceptions of notebook 09: IoU, matching, average precision, and what a paired difference allows to say."""

import math
import operator
import statistics
from itertools import accumulate, product

import numpy as np

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.results import T_95, verdict


# ---------------------------------------------------------------- exercise 1
def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def box_on_grid(rng, high=9):
    """Whole corners out of few, so that boxes touch, lie in each other, are equal and have no area now and then."""
    (x1, x2), (y1, y2) = (sorted(int(place) for place in rng.integers(0, high, 2)) for _ in range(2))
    return (x1, y1, x2, y2) if rng.random() < 0.8 else (x1 + 0.5, y1, x2 + 0.5, y2 + 0.25)


def as_sizes(x, y, w, h):
    return x, y, x + w, y + h


def as_centre(x, y, w, h):
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


IOU = Steps(
    "a, b",
    read=lambda a, b: (a, b),
    across=lambda read: min(read[0][2], read[1][2]) - max(read[0][0], read[1][0]),
    down=lambda read: min(read[0][3], read[1][3]) - max(read[0][1], read[1][1]),
    both=lambda across, down: max(across, 0) * max(down, 0),
    areas=lambda read: (area(read[0]), area(read[1])),
    union=lambda areas, both: sum(areas) - both,
    result=lambda both, union: both / union if union else 0.0,
)
NO_IOU_AREA = "two boxes without area have no union to divide by (0 / 0): look first, and return 0"
WRONG_IOU = [
    ("boxes that do not touch have negative sides, whose product is positive: take max(side, 0)", {"both": lambda across, down: across * down}),
    ("the product of two negative sides is positive: take max(side, 0) of each side, before the product", {"both": lambda across, down: max(across * down, 0)}),
    ("only the width of the intersection is cut off at 0; boxes one above the other have a negative height", {"both": lambda across, down: max(across, 0) * down}),
    ("only the height of the intersection is cut off at 0; boxes side by side have a negative width", {"both": lambda across, down: across * max(down, 0)}),
    ("one negative side is enough: two boxes that lie side by side have nothing in common either", {"both": lambda across, down: 0 if across < 0 and down < 0 else across * down}),
    ("one negative side is enough: two boxes that lie side by side have nothing in common either", {"both": lambda across, down: 0 if across <= 0 and down <= 0 else across * down}),
    ("a negative side means that there is no intersection; abs() makes one of it", {"both": lambda across, down: abs(across) * abs(down)}),
    ("the intersection is counted twice in the union: subtract it once", {"union": lambda areas: sum(areas)}),
    ("the intersection is counted twice in the sum of the areas: subtract it once, not twice", {"union": lambda areas, both: sum(areas) - 2 * both}),
    ("that is twice the intersection over the sum of the areas (Dice); IoU divides the intersection by the union", {"union": lambda areas: sum(areas) / 2}),
    ("that is the intersection over one of the two boxes alone; divide by the union", {"union": lambda areas: areas[0]}),
    ("that is the intersection over one of the two boxes alone; divide by the union", {"union": lambda areas: areas[1]}),
    ("that is the intersection over the smaller box; divide by the union", {"union": lambda areas: min(areas)}),
    ("that is the intersection over the larger box; divide by the union", {"union": lambda areas: max(areas)}),
    ("that is the intersection over the smallest box around both; the union is both areas, the common part once", {"union": lambda read: area([*map(min, *(box[:2] for box in read)), *map(max, *(box[2:] for box in read))])}),
    ("that is the intersection; divide it by the union", {"result": lambda both: both}),
    ("the upper left corner of the intersection is the larger of the two, the lower right the smaller", {"across": lambda read: max(read[0][2], read[1][2]) - min(read[0][0], read[1][0]), "down": lambda read: max(read[0][3], read[1][3]) - min(read[0][1], read[1][1])}),
    ("the last two numbers are a corner, not width and height", {"read": lambda a, b: (as_sizes(*a), as_sizes(*b))}),
    ("the four numbers are two corners, not a centre with width and height", {"read": lambda a, b: (as_centre(*a), as_centre(*b))}),
    ("one pixel too many: corners are places here, so that the width is x2 - x1", {"read": lambda a, b: ((*a[:2], a[2] + 1, a[3] + 1), (*b[:2], b[2] + 1, b[3] + 1))}),
    (NO_IOU_AREA, {"result": lambda both, union: both / union}),
    (NO_IOU_AREA, {"result": lambda both, union: both / union if union else 1.0}),
    ("a small number was added to the union: it changes every result; look for 0 instead", {"result": lambda both, union: both / (union + 1e-6)}),
]  # fmt: skip
iou = function(
    "iou",
    "intersection over union of two boxes",
    "boxes apart in each direction, touching, one in the other, without area",
    right=IOU,
    rows=WRONG_IOU,
    pinned=[((0, 0, 4, 4), (2, 0, 6, 4)), ((0, 0, 2, 2), (5, 5, 8, 9)), ((1, 1, 1, 4), (1, 1, 1, 4)), ((0, 0, 3, 3), (3, 0, 6, 3)), ((0, 0, 0.02, 0.02), (0.01, 0, 0.03, 0.02))],
    draw=lambda rng: (box_on_grid(rng), box_on_grid(rng)),
    in_error="the error says what it stumbled on; a and b are boxes of four numbers each",
)


# ---------------------------------------------------------------- exercise 2
def by_confidence(predictions):
    return sorted(range(len(predictions)), key=lambda i: -predictions[i][1])


def best(free, threshold):
    return max(free, key=free.get, default=None)


def find_hits(
    predictions, truths, threshold, *, order=by_confidence, pick=best, again=False, stuck=False, classes="first", enough=operator.ge,
    least=None, below=False, stop=False, handed=lambda hits, order: hits,
):  # fmt: skip
    taken, hits = set(), {}
    for i in order(predictions):
        kind, _, box = predictions[i]
        free = {j: IOU(box, true_box) for j, (true_kind, true_box) in enumerate(truths) if (classes != "first" or kind == true_kind) and (again or stuck or j not in taken)}
        if stop and not free:
            break
        found = pick(free, threshold)
        hits[i] = found is not None and enough(free[found], threshold if least is None else least) and (again or found not in taken)
        hits[i] = hits[i] and (classes != "after" or truths[found][0] == kind)
        if hits[i] or (below and found is not None):
            taken.add(found)
    return handed([hits.get(i, False) for i in range(len(predictions))], by_confidence(predictions))


def greedy(predictions, truths, threshold, key):
    """Matched pair by pair, in the order of the key: {prediction: truth}."""
    every = product(enumerate(predictions), enumerate(truths))
    pairs = [(IOU(p[2], t[1]), i, j) for (i, p), (j, t) in every if p[0] == t[0]]
    chosen = {}
    for _, i, j in sorted((pair for pair in pairs if pair[0] >= threshold), key=lambda pair: key(predictions, *pair)):
        if i not in chosen and j not in chosen.values():
            chosen[i] = j
    return chosen


def greedy_hits(key):
    return lambda p, t, threshold: [i in greedy(p, t, threshold, key) for i in range(len(p))]


def truth_of_each(nothing):
    order = lambda predictions, iou, i, j: (-predictions[i][1], -iou)  # noqa: E731
    return lambda p, t, threshold: [greedy(p, t, threshold, order).get(i, nothing) for i in range(len(p))]


def scene(rng):
    """Truths on a coarse grid, predictions a little beside them, each with a confidence of its own."""
    truths = [(int(rng.integers(0, 2)), (x, y, x + 4, y + 4)) for x, y in (map(int, rng.integers(0, 8, 2)) for _ in range(rng.integers(0, 4)))]
    predictions = []
    for confidence in rng.permutation(np.arange(1, 10))[: rng.integers(0, 6)] / 10:
        kind, box = truths[rng.integers(len(truths))] if truths and rng.random() < 0.8 else (0, (0, 0, 4, 4))
        dx, dy = (int(move) for move in rng.choice([0, 0, 1, 2], 2))
        kind = kind if rng.random() < 0.8 else 1 - kind
        predictions.append((kind, float(confidence), (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)))
    return predictions, truths, float(rng.choice([0.3, 0.5, 0.75]))


INDICES = "those are indices; asked is True or False for each prediction"
match = function(
    "match",
    "which predictions are hits",
    "hits and false positives of all scenes, as Ultralytics matches them",
    right=find_hits,
    rows=[
        ("predictions were taken in the order of the list; begin with the highest confidence", {"order": lambda p: range(len(p))}),
        ("the lowest confidence came first; begin with the highest", {"order": lambda p: by_confidence(p)[::-1]}),
        ("one truth was found twice: the second prediction of the same truth is a false positive", {"again": True}),
        ("the order of the truths decides, the first that fits; a prediction takes the free truth of highest IoU", {"pick": lambda free, threshold: min((j for j in free if free[j] >= threshold), default=None)}),
        ("max() without key gives the largest index, not the truth of highest IoU: max(free, key=free.get)", {"pick": lambda free, threshold: max(free, default=None)}),
        ("a prediction whose best truth is taken may still take another one that fits", {"stuck": True}),
        ("a prediction of another class cannot find the truth", {"classes": "any"}),
        ("the best truth of all classes was chosen, and its class compared afterwards; choose among its own class", {"classes": "after"}),
        ("an IoU of exactly the threshold is enough: >=", {"enough": operator.gt}),
        ("the threshold argument is not used: 0.5 stands in its place", {"least": 0.5}),
        ("a truth was taken by a prediction that does not reach the threshold; it stays free for the next one", {"below": True}),
        ("the loop ends at the first prediction that has no free truth; later ones of another class may have: continue", {"stop": True}),
        ("a prediction may have no free truth of its class, and max() of nothing is an error: look first", {"pick": lambda free, threshold: max(free, key=free.get)}),
        ("the pair of highest IoU was matched first; the most confident prediction chooses first, whatever its IoU", greedy_hits(lambda predictions, iou, i, j: -iou)),
        ("the truths chose their predictions; it is the predictions that choose, the most confident first", greedy_hits(lambda predictions, iou, i, j: (j, -iou))),
        ("the answers stand in the order of confidence; give them in the order of the predictions", {"handed": lambda hits, order: [hits[i] for i in order]}),
        (INDICES, {"handed": lambda hits, order: [i for i, hit in enumerate(hits) if hit]}),
        (INDICES, {"handed": lambda hits, order: [i for i in order if hits[i]]}),
        (INDICES, truth_of_each(None)),
        (INDICES, truth_of_each(-1)),
    ],
    pinned=[
        ([(1, 0.6, (0, 0, 4, 4)), (1, 0.9, (0, 0, 4, 5)), (0, 0.8, (10, 0, 14, 4)), (1, 0.7, (10, 0, 14, 4)), (1, 0.5, (20, 0, 24, 2))], [(1, (0, 0, 4, 4)), (1, (10, 0, 14, 4)), (1, (20, 0, 24, 4))], 0.5),
        ([(0, 0.9, (0, 0, 10, 10)), (0, 0.8, (1, 0, 11, 10)), (0, 0.3, (2, 0, 12, 10))], [(0, (3, 0, 13, 10)), (0, (0, 0, 10, 10))], 0.5),
        ([(0, 0.9, (0, 0, 10, 10)), (0, 0.8, (6, 0, 16, 10))], [(0, (3, 0, 13, 10)), (0, (0, 0, 10, 10))], 0.5),
        ([(0, 0.9, (0, 0, 10, 10))], [(1, (0, 0, 10, 10)), (0, (2, 0, 12, 10))], 0.5),
        ([(0, 0.6, (0, 0, 10, 10)), (0, 0.9, (6, 0, 16, 10))], [(0, (0, 0, 10, 10)), (0, (30, 0, 40, 10))], 0.5),
        ([(2, 0.9, (0, 0, 4, 4)), (0, 0.8, (0, 0, 4, 4)), (1, 0.1, (7, 0, 9, 2))], [(0, (0, 0, 4, 4))], 0.5),
        ([(2, 0.4, (0, 0, 2, 2))], [], 0.5),
        ([], [(1, (0, 0, 2, 2))], 0.75),
        ([(0, 0.9, (2, 0, 6, 4)), (0, 0.8, (0, 0, 4, 4))], [(0, (0, 0, 4, 4))], 0.3),
    ],
    draw=scene,
    in_error="the error says what it stumbled on; there may be no truths, no predictions, or no truth of a class",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
def precision(hits):
    return [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))]


def envelope(hits):
    return [max(precision(hits)[i:]) for i in range(len(hits))]


def curve_area(hits, truths, *, heights=envelope, step=lambda hits, truths: 1 / truths, every=False):
    return sum((p * step(hits, truths) for p, hit in zip(heights(hits), hits, strict=True) if hit or every), 0.0)


def at_101_recalls(hits, truths):
    recall = [0.0] + [sum(hits[: i + 1]) / truths for i in range(len(hits))]
    heights = np.interp(np.linspace(0, 1, 101), [*recall, recall[-1], 1.0], [1.0, *envelope(hits), 0.0, 0.0])
    return float(sum(heights[1:] + heights[:-1])) / 200


def ranking(rng):
    hits = [bool(hit) for hit in rng.random(rng.integers(0, 9)) < 0.5]
    return hits, max(sum(hits) + int(rng.integers(0, 3)), 1)


BY_GRID = "that is the area as Ultralytics reads it, at 101 recalls; asked is the exact one"
EVERY = "every prediction added to the area; recall rises at hits only"
average_precision = function(
    "average_precision",
    "the area under the precision envelope",
    "the area under the envelope, for rankings of any length",
    right=curve_area,
    rows=[
        ("precision was taken as it is; the envelope is the best precision from here on", {"heights": precision}),
        ("the envelope looks forward: the best precision at this recall or a higher one", {"heights": lambda hits: list(accumulate(precision(hits), max))}),
        ("the envelope is the best precision from here on, not only the better of this one and the next", {"heights": lambda hits: [max(precision(hits)[i : i + 2]) for i in range(len(hits))]}),
        ("that is the mean precision over all predictions; only steps of recall count", lambda hits, truths: statistics.mean(precision(hits) or [0.0])),
        (EVERY, {"every": True}),
        (EVERY, {"every": True, "heights": precision}),
        ("the area was divided by the truths that were found; divide by all of them", {"step": lambda hits, truths: 1 / sum(hits)}),
        ("the area was divided by the number of predictions; a hit raises recall by 1 / truths", {"step": lambda hits, truths: 1 / len(hits)}),
        ("0.25 was the step of four cells; recall rises by 1 / truths", {"step": lambda hits, truths: 0.25}),
        ("each hit raises recall by 1 / truths: divide the sum by truths", {"step": lambda hits, truths: 1}),
        (BY_GRID, at_101_recalls),
        (BY_GRID, lambda hits, truths: at_101_recalls(hits, truths) if hits else 0.0),
        ("that is the precision at the end: one point of the curve, not the area", lambda hits, truths: sum(hits) / len(hits) if hits else 0.0),
        ("that is the recall at the end, which would be the area if all hits came first; the order of `hits` stays as it is", lambda hits, truths: sum(hits) / truths),
    ],
    pinned=[([True, False, True], 2), ([True, True, False, False, True, False], 4), ([], 3), ([False, False], 2)],
    draw=ranking,
    in_error="the error says what it stumbled on; hits may be empty, and then the area is 0",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
def one_sign(mean, half, error, differences):
    signs = {(difference > 0) - (difference < 0) for difference in differences}
    return {frozenset({1}): "higher", frozenset({-1}): "lower"}.get(frozenset(signs), "no detectable difference")


def unpaired(ours, theirs, freedom=lambda n: n - 1):
    n = len(ours)
    error = ((statistics.variance(ours) + statistics.variance(theirs)) / n) ** 0.5
    mean, half = statistics.mean(ours) - statistics.mean(theirs), T_95[freedom(n)] * error
    return mean, half, verdict(mean, half)


def scores(rng):
    n, gap, noise = int(rng.integers(2, 7)), rng.choice([0.0, 0.01, -0.02, 0.05]), rng.choice([0.002, 0.01, 0.03])
    theirs = rng.uniform(0.4, 0.6, n)
    ours = theirs + gap + noise * rng.normal(size=n)
    return [round(float(score), 3) for score in ours], [round(float(score), 3) for score in theirs]


COMPARE = Steps(
    "ours, theirs",
    differences=lambda ours, theirs: [a - b for a, b in zip(ours, theirs, strict=True)],
    n=lambda differences: len(differences),
    mean=lambda differences: statistics.mean(differences),
    spread=lambda differences: statistics.stdev(differences),
    root=lambda n: math.sqrt(n),
    error=lambda spread, root: spread / root,
    t=lambda n: T_95[n - 1],
    half=lambda t, error: t * error,
    word=lambda mean, half: verdict(mean, half),
    result=lambda mean, half, word: (mean, half, word),
)
UNPAIRED = "the spread of both lists was taken; the pairs have one seed each: subtract first, then take the spread"
SORTED = "the lists were sorted before they were subtracted; numbers at the same place belong to one seed"
VARIANCE = "the variance is the square of the spread: take statistics.stdev"
ALWAYS = 'the interval contains 0, so the runs show "no detectable difference"'
TIE = "an interval that ends at 0 contains it: equal lists show no detectable difference"
compare = function(
    "compare",
    "the paired difference and what it allows to say",
    "mean, half width and verdict of all comparisons",
    right=COMPARE,
    rows=[
        (UNPAIRED, unpaired),
        (UNPAIRED, lambda ours, theirs: unpaired(ours, theirs, lambda n: 2 * n - 2)),
        (SORTED, {"differences": lambda ours, theirs: [a - b for a, b in zip(sorted(ours), sorted(theirs), strict=True)]}),
        (SORTED, {"differences": lambda ours, theirs: [a - b for a, b in zip(sorted(ours)[::-1], sorted(theirs)[::-1], strict=True)]}),
        ("the spread was divided by n; for a sample divide by n - 1 (statistics.stdev)", {"spread": lambda differences: statistics.pstdev(differences)}),
        (VARIANCE, {"spread": lambda differences: statistics.variance(differences)}),
        (VARIANCE, {"spread": lambda differences: statistics.variance(differences), "root": lambda n: n}),
        (VARIANCE, {"spread": lambda differences: statistics.variance(differences), "root": lambda: 1}),
        ("the spread of the mean is smaller than that of one difference: divide by the root of n", {"root": lambda: 1}),
        ("the spread was divided by n; the spread of the mean is smaller by the root of n only", {"root": lambda n: n}),
        ("the spread was divided by the root of n - 1; divide by the root of n", {"root": lambda n: math.sqrt(n - 1)}),
        ("that is the spread of the mean; half the interval is that times Student's t", {"t": lambda: 1}),
        ("1.96 is for many pairs; for few use Student's t with n - 1 degrees of freedom", {"t": lambda: 1.96}),
        ("4.303 belongs to three pairs; take results.T_95[n - 1] for n of them", {"t": lambda: T_95[2]}),
        ("Student's t has n - 1 degrees of freedom, not n", {"t": lambda n: T_95[n]}),
        ("the sign is turned: ours minus theirs", {"differences": lambda ours, theirs: [b - a for a, b in zip(ours, theirs, strict=True)]}),
        ("that is the whole width of the interval; asked is half of it", {"half": lambda t, error: 2 * t * error}),
        ("that is the whole width of the interval; asked is half of it", {"result": lambda mean, half, word: (mean, 2 * half, word)}),
        (ALWAYS, {"word": lambda mean: "higher" if mean > 0 else "lower"}),
        (ALWAYS, {"word": lambda mean: "higher" if mean >= 0 else "lower"}),
        (ALWAYS, {"word": lambda mean: verdict(mean, 0)}),
        ('the words are swapped: a positive difference is "higher"', {"word": lambda mean, half: verdict(-mean, half)}),
        ("all differences have one sign, and the interval may contain 0 all the same: compare mean with half", {"word": lambda mean, half, error, differences: one_sign(mean, half, error, differences)}),
        ("the word compares the mean with its spread; compare it with half, which is Student's t times that", {"word": lambda mean, error: verdict(mean, error)}),
        (TIE, {"word": lambda mean, half: "higher" if mean >= half else verdict(mean, half)}),
        (TIE, {"word": lambda mean, half: "lower" if mean <= -half else verdict(mean, half)}),
        ("the word is one of the three in the exercise, letter by letter", {"word": lambda mean, half: verdict(mean, half).capitalize()}),
    ],
    pinned=[([0.52, 0.5, 0.54], [0.5, 0.49, 0.5]), ([0.5, 0.52, 0.51], [0.5, 0.52, 0.51]), ([0.55, 0.54, 0.49], [0.5, 0.5, 0.5])],
    draw=scores,
    in_error="the error says what it stumbled on; results.T_95 knows 1 to 5 degrees of freedom, and n pairs have n - 1",
)  # fmt: skip
