"""Right and wrong answers to the exercises of notebook 09, spelled as somebody else would."""

import statistics
from functools import partial

import numpy as np
from scipy import stats
from ultralytics.utils.metrics import compute_ap

from cnx_tutorial.compare.verdicts import holm
from cnx_tutorial.compare.verdicts import paired as tested
from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.results import T_95, paired, verdict


def by_hand(a, b):
    left, top, right, bottom = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    if left >= right or top >= bottom:
        return 0
    both = (right - left) * (bottom - top)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def matched(predictions, truths, threshold, reverse=True, free=True, same=True, strict=False):
    used, answer = [False] * len(truths), [None] * len(predictions)
    for i in sorted(range(len(predictions)), key=lambda i: predictions[i][1], reverse=reverse):
        kind, _, box = predictions[i]
        best, place = -1.0, None
        for j, (true_kind, true_box) in enumerate(truths):
            overlap = by_hand(box, true_box)
            if (kind == true_kind or not same) and not (free and used[j]) and overlap > best:
                best, place = overlap, j
        answer[i] = place is not None and (best > threshold if strict else best >= threshold)
        if answer[i]:
            used[place] = True
    return answer


def area_under(hits, truths, forward=False, by=None):
    total, recall, seen = 0.0, 0.0, 0
    heights = []
    for i, hit in enumerate(hits):
        seen += hit
        heights.append(seen / (i + 1))
    for i in range(len(hits)):
        best = max(heights[: i + 1] if forward else heights[i:])
        new = sum(hits[: i + 1]) / (by or truths)
        total, recall = total + best * (new - recall), new
    return total


def by_steps(hits, truths):
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[np.array(hits, bool)].sum() / truths)


def by_paired(ours, theirs):
    mean, half = paired(ours, theirs)
    return mean, half, verdict(mean, half)


def compared(ours, theirs, minus=1, root=0.5, sign=1, t=None):
    d = sign * (np.array(ours) - np.array(theirs))
    half = (t or T_95[len(d) - 1]) * d.std(ddof=minus) / len(d) ** root
    return d.mean(), half, verdict(d.mean(), half)


def step_down(control, candidates):
    order = sorted((stats.ttest_rel(scores, control).pvalue, name) for name, scores in candidates.items())
    passed = set()
    for i, (p, name) in enumerate(order):
        if p >= 0.05 / (len(order) - i):
            break
        passed.add(name)
    return [name for name in candidates if name in passed and np.mean(candidates[name]) > np.mean(control)]


def chosen(control, candidates, correct=holm, test=lambda a, b: tested(a, b)[3], enough=lambda mean: mean > 0):
    p = correct([test(scores, control) for scores in candidates.values()])
    means = [tested(scores, control)[0] for scores in candidates.values()]
    return [name for name, one, mean in zip(candidates, p, means, strict=True) if one < 0.05 and enough(mean)]


RIGHT = {
    check.match: {"loops": matched, "partial": partial(matched, reverse=True), "NumPy": lambda *a: np.array(matched(*a), dtype=bool)},
    check.average_precision: {"curve": area_under, "NumPy": by_steps, "extra argument": lambda hits, truths, scale=1.0: scale * area_under(hits, truths)},
    check.compare: {"paired": by_paired, "NumPy": compared, "statistics": lambda a, b: compared(a, [float(x) for x in b])},
    check.better: {"step by step": step_down, "cnx compare's": chosen, "a tuple": lambda control, candidates: tuple(chosen(control, candidates))},
}  # fmt: skip
WRONG = {
    check.match: {
        "lowest first": (partial(matched, reverse=False), "the lowest confidence came first"),
        "found twice": (partial(matched, free=False), "one truth was found twice"),
        "any class": (partial(matched, same=False), "a prediction of another class"),
        "above": (partial(matched, strict=True), "exactly the threshold"),
        "0 and 1": (lambda *a: [int(hit) for hit in matched(*a)], "the exercise asks for True and False"),
    },
    check.average_precision: {
        "forward": (partial(area_under, forward=True), "the envelope looks forward"),
        "of those found": (lambda hits, truths: area_under(hits, truths, by=sum(hits) or 1), "divide by all of them"),
        "Ultralytics' grid": (lambda hits, truths: compute_ap([sum(hits[: i + 1]) / truths for i in range(len(hits))], [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))])[0] if hits else 0.0, "at 101 recalls"),
        "mean precision": (lambda hits, truths: statistics.mean([sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))] or [0]), "the mean precision over all"),
        "a list": (lambda hits, truths: [area_under(hits, truths)], "lies in a list of its own"),
    },
    check.compare: {
        "population": (partial(compared, minus=0), "divide by n - 1"),
        "no root": (partial(compared, root=0), "divide by the root of n"),
        "turned": (partial(compared, sign=-1), "ours minus theirs"),
        "always 4.303": (partial(compared, t=4.303), "4.303 belongs to three pairs"),
        "only the mean is right": (lambda a, b: (compared(a, b)[0], 0.1, compared(a, b)[2]), "look at what stands at place 1"),
    },
    check.better: {
        "not corrected": (partial(chosen, correct=list), "not corrected for their number"),
        "Bonferroni": (partial(chosen, correct=lambda p: [one * len(p) for one in p]), "(Bonferroni)"),
        "not paired": (partial(chosen, test=lambda a, b: stats.ttest_ind(a, b).pvalue), "not ttest_ind"),
        "lower too": (partial(chosen, enough=bool), "clear and negative"),
        "by the mean": (lambda control, candidates: [name for name in candidates if sum(candidates[name]) > sum(control)], "a higher mean alone"),
    },
}  # fmt: skip
