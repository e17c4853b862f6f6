"""Misconceptions of notebook 09: matching, average precision, what a paired difference allows to say, and which of several designs may be called better."""

import math
import operator
import statistics
from itertools import accumulate, product

import numpy as np
from scipy import stats

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.results import T_95, verdict


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


IOU = Steps(
    "a, b",
    across=lambda a, b: min(a[2], b[2]) - max(a[0], b[0]),
    down=lambda a, b: min(a[3], b[3]) - max(a[1], b[1]),
    both=lambda across, down: max(across, 0) * max(down, 0),
    areas=lambda a, b: (area(a), area(b)),
    union=lambda areas, both: sum(areas) - both,
    result=lambda both, union: both / union if union else 0.0,
)


# ---------------------------------------------------------------- exercise 1
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


INDICES = "those are indices; the exercise asks for True or False for each prediction"
match = function(
    "match",
    "which predictions are true positives",
    "true and false positives of all scenes, as Ultralytics matches them",
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


# ---------------------------------------------------------------- exercise 2
def precision(tp):
    return [sum(tp[: i + 1]) / (i + 1) for i in range(len(tp))]


def envelope(tp):
    return [max(precision(tp)[i:]) for i in range(len(tp))]


def curve_area(tp, truths, *, heights=envelope, step=lambda tp, truths: 1 / truths, every=False):
    return sum((p * step(tp, truths) for p, hit in zip(heights(tp), tp, strict=True) if hit or every), 0.0)


def at_101_recalls(tp, truths):
    recall = [0.0] + [sum(tp[: i + 1]) / truths for i in range(len(tp))]
    heights = np.interp(np.linspace(0, 1, 101), [*recall, recall[-1], 1.0], [1.0, *envelope(tp), 0.0, 0.0])
    return float(sum(heights[1:] + heights[:-1])) / 200


def ranking(rng):
    tp = [bool(hit) for hit in rng.random(rng.integers(0, 9)) < 0.5]
    return tp, max(sum(tp) + int(rng.integers(0, 3)), 1)


BY_GRID = "that is the area as Ultralytics reads it, at 101 recalls; the exercise asks for the exact one"
EVERY = "every prediction added to the area; recall rises at true positives only"
average_precision = function(
    "average_precision",
    "the area under the precision envelope",
    "the area under the envelope, for rankings of any length",
    right=curve_area,
    rows=[
        ("precision was taken as it is; the envelope is the best precision from here on", {"heights": precision}),
        ("the envelope looks forward: the best precision at this recall or a higher one", {"heights": lambda tp: list(accumulate(precision(tp), max))}),
        ("the envelope is the best precision from here on, not only the better of this one and the next", {"heights": lambda tp: [max(precision(tp)[i : i + 2]) for i in range(len(tp))]}),
        ("that is the mean precision over all predictions; only steps of recall count", lambda tp, truths: statistics.mean(precision(tp) or [0.0])),
        (EVERY, {"every": True}),
        (EVERY, {"every": True, "heights": precision}),
        ("the area was divided by the truths that were found; divide by all of them", {"step": lambda tp, truths: 1 / sum(tp)}),
        ("the area was divided by the number of predictions; a true positive raises recall by 1 / truths", {"step": lambda tp, truths: 1 / len(tp)}),
        ("0.25 was the step of four cells; recall rises by 1 / truths", {"step": lambda tp, truths: 0.25}),
        ("each true positive raises recall by 1 / truths: divide the sum by truths", {"step": lambda tp, truths: 1}),
        (BY_GRID, at_101_recalls),
        (BY_GRID, lambda tp, truths: at_101_recalls(tp, truths) if tp else 0.0),
        ("that is the precision at the end: one point of the curve, not the area", lambda tp, truths: sum(tp) / len(tp) if tp else 0.0),
        ("that is the recall at the end, which would be the area if all true positives came first; the order of `tp` stays as it is", lambda tp, truths: sum(tp) / truths),
    ],
    pinned=[([True, False, True], 2), ([True, True, False, False, True, False], 4), ([], 3), ([False, False], 2)],
    draw=ranking,
    in_error="the error says what it stumbled on; tp may be empty, and then the area is 0",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
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
        ("the sum of squares was divided by n; for a sample divide by n - 1 (statistics.stdev)", {"spread": lambda differences: statistics.pstdev(differences)}),
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
        *(("that is the whole width of the interval; the exercise asks for half of it", changes) for changes in ({"half": lambda t, error: 2 * t * error}, {"result": lambda mean, half, word: (mean, 2 * half, word)})),
        (ALWAYS, {"word": lambda mean: "higher" if mean > 0 else "lower"}),
        (ALWAYS, {"word": lambda mean: "higher" if mean >= 0 else "lower"}),
        (ALWAYS, {"word": lambda mean: verdict(mean, 0)}),
        ('the words are swapped: a positive difference is "higher"', {"word": lambda mean, half: verdict(-mean, half)}),
        ("all differences have one sign, and the interval may contain 0 all the same: compare mean with half", {"word": lambda mean, half, error, differences: one_sign(mean, half, error, differences)}),
        ("the word compares the mean with its spread; compare it with half, which is Student's t times that", {"word": lambda mean, error: verdict(mean, error)}),
        (TIE, {"word": lambda mean, half: "higher" if mean >= half else verdict(mean, half)}),
        (TIE, {"word": lambda mean, half: "lower" if mean <= -half else verdict(mean, half)}),
        *(("the word is one of the three in the exercise, letter by letter", {"word": lambda mean, half, spelled=spelled: spelled(verdict(mean, half))}) for spelled in (str.capitalize, lambda word: word.replace("no", "No"))),
    ],
    pinned=[([0.52, 0.5, 0.54], [0.5, 0.49, 0.5]), ([0.5, 0.52, 0.51], [0.5, 0.52, 0.51]), ([0.55, 0.54, 0.49], [0.5, 0.5, 0.5])],
    draw=scores,
    in_error="the error says what it stumbled on; results.T_95 knows 1 to 5 degrees of freedom, and n pairs have n - 1",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
def p_paired(ours, theirs):
    differences = np.subtract(ours, theirs)
    n = len(differences)
    return float(2 * stats.t.sf(abs(differences.mean()) / (differences.std(ddof=1) / n**0.5), n - 1))


def p_unpaired(ours, theirs):
    return float(stats.ttest_ind(ours, theirs).pvalue)


def holm(raw, factor=lambda n, rank: n - rank, never_below=True, order=sorted):
    corrected, least = {}, 0.0
    for rank, name in enumerate(order(raw, key=raw.get)):
        corrected[name] = raw[name] * factor(len(raw), rank)
        least = corrected[name] = max(least, corrected[name]) if never_below else corrected[name]
    return corrected


def designs(rng):
    """A few designs whose seeds scatter together with the control's, with gaps between none and clear."""
    n = int(rng.integers(3, 7))
    control = rng.normal(0.5, 0.02, n)
    found = {}
    for name in list("ABCDE")[: rng.integers(2, 6)]:
        gap, noise = rng.choice([0.0, 0.006, 0.01, 0.015, 0.02, -0.02]), rng.choice([0.003, 0.006, 0.012])
        found[name] = [round(float(score), 4) for score in control + gap + noise * rng.normal(size=n)]
    return [round(float(score), 4) for score in control], found


BETTER = Steps(
    "control, candidates",
    raw=lambda control, candidates: {name: p_paired(scores, control) for name, scores in candidates.items()},
    corrected=lambda raw: holm(raw),
    gains=lambda control, candidates: {name: statistics.mean(scores) - statistics.mean(control) for name, scores in candidates.items()},
    result=lambda candidates, corrected, gains: [name for name in candidates if corrected[name] < 0.05 and gains[name] > 0],
)
UNCORRECTED = "the p-values are not corrected for their number: of many designs that are no better, one looks better by chance"
TIMES_N = "every p-value was multiplied by n (Bonferroni); Holm multiplies the smallest by n, the next by n - 1, and so on"
MEAN_ONLY = "a higher mean alone is no evidence: the p-value decides, after the correction"
ALL_SEEDS = "higher with every seed is no test: of two equal designs one is ahead with all three seeds once in four times"
better = function(
    "better",
    "which designs may be called better than the control",
    "for all sets of designs: paired, corrected for their number, and higher",
    right=BETTER,
    rows=[
        (UNCORRECTED, {"corrected": lambda raw: raw}),
        (TIMES_N, {"corrected": lambda raw: holm(raw, lambda n, rank: n)}),
        ("a corrected p-value is never below the one before it: once a p-value has failed, all larger ones fail too", {"corrected": lambda raw: holm(raw, never_below=False)}),
        ("the smallest p-value is multiplied by n and the largest by 1, not the other way round", {"corrected": lambda raw: holm(raw, lambda n, rank: rank + 1)}),
        ("the smallest p-value is multiplied by n, not by n - 1: the first rank is 0", {"corrected": lambda raw: holm(raw, lambda n, rank: n - rank - 1)}),
        ("the smallest p-value is multiplied by n, not by n + 1", {"corrected": lambda raw: holm(raw, lambda n, rank: n - rank + 1)}),
        ("n / (rank + 1) is the correction of Benjamini and Hochberg, which allows more false alarms; Holm's factor is n - rank", {"corrected": lambda raw: holm(raw, lambda n, rank: n / (rank + 1), never_below=False)}),
        ("the p-values were corrected in the order of the dictionary; begin with the smallest", {"corrected": lambda raw: holm(raw, order=lambda names, key: list(names))}),
        ("the largest p-value came first; begin with the smallest", {"corrected": lambda raw: holm(raw, order=lambda names, key: sorted(names, key=key, reverse=True))}),
        ("the two lists belong together seed by seed: the test for pairs is ttest_rel, not ttest_ind", {"raw": lambda control, candidates: {name: p_unpaired(scores, control) for name, scores in candidates.items()}}),
        ("the p-value was halved: it was not known beforehand which side a design would fall on, so both sides count", {"raw": lambda control, candidates: {name: p_paired(scores, control) / 2 for name, scores in candidates.items()}}),
        ("a difference can be clear and negative: the mean has to be higher, too", {"result": lambda candidates, corrected: [name for name in candidates if corrected[name] < 0.05]}),
        ("these are the designs that are lower than the control", {"gains": lambda control, candidates: {name: statistics.mean(control) - statistics.mean(scores) for name, scores in candidates.items()}}),
        (MEAN_ONLY, {"result": lambda candidates, gains: [name for name in candidates if gains[name] > 0]}),
        (ALL_SEEDS, {"result": lambda control, candidates: [name for name, scores in candidates.items() if all(a > b for a, b in zip(scores, control, strict=True))]}),
        ("the names stand in the order of their p-values; give them in the order of the dictionary", {"result": lambda candidates, corrected, gains: sorted((name for name in candidates if corrected[name] < 0.05 and gains[name] > 0), key=corrected.get)}),
        ("that is one design, the best; the exercise asks for all that may be called better", {"result": lambda candidates, corrected, gains: [name for name in candidates if corrected[name] < 0.05 and gains[name] == max(gains.values()) > 0]}),
    ],
    pinned=[
        ([0.5, 0.52, 0.51, 0.53], {"A": [0.53, 0.548, 0.541, 0.562], "B": [0.5, 0.53, 0.5, 0.54]}),
        ([0.5, 0.52, 0.51, 0.53], {"A": [0.47, 0.488, 0.481, 0.502], "B": [0.52, 0.541, 0.529, 0.551]}),
        ([0.5, 0.52, 0.51, 0.53], {"A": [0.504, 0.531, 0.529, 0.542], "B": [0.518, 0.523, 0.519, 0.542]}),
        ([0.5, 0.52, 0.51, 0.53], {"A": [0.505, 0.514, 0.516, 0.532], "B": [0.505, 0.533, 0.521, 0.536]}),
        ([0.5, 0.52, 0.48], {"A": [0.501, 0.522, 0.483]}),
    ],
    draw=designs,
    drawn=60,
    in_error="the error says what it stumbled on; candidates is a dictionary from a name to a list of scores, one for each seed of the control",
)  # fmt: skip
