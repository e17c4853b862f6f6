"""Right and wrong answers to the exercises of notebook 08."""

import statistics

import torch
from torchvision.ops import box_iou

from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import evaluation as said
from cnx_tutorial.teaching.results import T_95, paired, verdict

CHECKS = said


# ---------------------------------------------------------------- exercise 1: iou
def overlap(a, b, low=max, high=min, clip=lambda side: max(side, 0), more=0):
    width = clip(high(a[2], b[2]) - low(a[0], b[0]) + more)
    height = clip(high(a[3], b[3]) - low(a[1], b[1]) + more)
    return width * height


def area(box, more=0):
    return (box[2] - box[0] + more) * (box[3] - box[1] + more)


def plain_iou(a, b, **options):
    both = overlap(a, b, **options)
    union = area(a, options.get("more", 0)) + area(b, options.get("more", 0)) - both
    return 0 if union == 0 else both / union


def by_torchvision(a, b):
    return box_iou(torch.tensor([a], dtype=torch.float64), torch.tensor([b], dtype=torch.float64)).nan_to_num(0).item()


def divided(by):
    return lambda a, b: overlap(a, b) / by(a, b) if by(a, b) else 0


IOU_RIGHT = {"by hand": plain_iou, "torchvision": by_torchvision}
IOU_WRONG = {
    "negative sides": (lambda a, b: plain_iou(a, b, clip=lambda side: side), said.NEGATIVE),
    "sum of areas": (divided(lambda a, b: area(a) + area(b)), said.BOTH_TWICE),
    "over the first": (divided(lambda a, b: area(a)), said.OVER_FIRST),
    "over the smaller": (divided(lambda a, b: min(area(a), area(b))), said.OVER_SMALLER),
    "intersection": (overlap, said.NOT_DIVIDED),
    "outer corners": (lambda a, b: plain_iou(a, b, low=min, high=max), said.WRONG_CORNER),
    "width and height": (lambda a, b: plain_iou(*((x, y, x + w, y + h) for x, y, w, h in (a, b))), said.AS_SIZES),
    "pixels counted": (lambda a, b: plain_iou(a, b, more=1), said.PIXEL_ADDED),
    "one": (lambda a, b: 1.0, said.IOU),
    "no area": (lambda a, b: overlap(a, b) / (area(a) + area(b) - overlap(a, b)), said.IOU_CALL),
}


# ---------------------------------------------------------------- exercise 2: match
def matcher(
    *, key=lambda p: -p[1], again=False, pick=max, stays=False, kinds=True, enough=lambda v, t: v >= t, by_rank=False
):
    def match(predictions, truths, threshold):
        free, result = list(range(len(truths))), {}
        for i in sorted(range(len(predictions)), key=lambda i: key(predictions[i])):
            kind, _, box = predictions[i]
            pool = range(len(truths)) if again or stays else free
            options = [(plain_iou(box, truths[j][1]), j) for j in pool if truths[j][0] == kind or not kinds]
            options = [option for option in options if enough(option[0], threshold)]
            chosen = pick(options)[1] if options else None
            result[i] = chosen is not None and (again or chosen in free)
            if result[i] and chosen in free:
                free.remove(chosen)
        return list(result.values()) if by_rank else [result[i] for i in range(len(predictions))]

    return match


def by_tensor(predictions, truths, threshold):
    hits, taken = torch.zeros(len(predictions), dtype=torch.bool), torch.zeros(len(truths), dtype=torch.bool)
    for i in torch.tensor([p[1] for p in predictions]).argsort(descending=True).tolist():
        scores = [
            0.0 if taken[j] or truths[j][0] != predictions[i][0] else plain_iou(predictions[i][2], truths[j][1])
            for j in range(len(truths))
        ]
        if scores and max(scores) >= threshold:
            hits[i] = taken[scores.index(max(scores))] = True
    return hits


MATCH_RIGHT = {"free list": matcher(), "tensors": by_tensor}
MATCH_WRONG = {
    "order of the list": (matcher(key=lambda p: 0), said.UNSORTED),
    "lowest first": (matcher(key=lambda p: p[1]), said.ASCENDING),
    "truths again": (matcher(again=True), said.REUSED),
    "first that fits": (matcher(pick=lambda options: min(options, key=lambda o: o[1])), said.FIRST_FIT),
    "best is taken": (matcher(stays=True), said.STUCK),
    "any class": (matcher(kinds=False), said.CLASS_IGNORED),
    "more than": (matcher(enough=lambda v, t: v > t), said.STRICT),
    "by rank": (matcher(by_rank=True), said.IN_ORDER_OF_CONFIDENCE),
    "all hits": (lambda predictions, truths, threshold: [True] * len(predictions), said.MATCH),
    "no truths": (
        lambda predictions, truths, threshold: [truths[0][0] == kind for kind, _, _ in predictions],
        said.MATCH_CALL,
    ),
}


# ---------------------------------------------------------------- exercise 3: average_precision
def precisions(hits):
    return [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))]


def from_the_end(hits, truths):
    best, total = 0.0, 0.0
    for precision, hit in zip(precisions(hits)[::-1], hits[::-1], strict=True):
        best = max(best, precision)
        total += best * hit
    return total / truths


def by_steps(hits, truths):
    p, recall, total, last = precisions(hits), [sum(hits[: i + 1]) / truths for i in range(len(hits))], 0.0, 0.0
    for i in range(len(hits)):
        total += (recall[i] - last) * max(p[i:])
        last = recall[i]
    return total


def backwards(hits, truths):
    p = precisions(hits)
    return sum(max(p[: i + 1]) for i, hit in enumerate(hits) if hit) / truths


AP_RIGHT = {"from the end": from_the_end, "steps": by_steps}
AP_WRONG = {
    "no envelope": (lambda h, n: sum(p for p, hit in zip(precisions(h), h, strict=True) if hit) / n, said.NO_ENVELOPE),
    "envelope backwards": (backwards, said.FORWARD_ENVELOPE),
    "mean precision": (lambda h, n: sum(precisions(h)) / len(h) if h else 0, said.MEAN_PRECISION),
    "over the found": (lambda h, n: from_the_end(h, sum(h)) if any(h) else 0, said.BY_FOUND),
    "precision": (lambda h, n: precisions(h)[-1] if h else 0, said.PRECISION_ONLY),
    "recall": (lambda h, n: sum(h) / n, said.RECALL_ONLY),
    "hits": (lambda h, n: sum(h), said.AP),
    "empty list": (lambda h, n: precisions(h)[-1] * from_the_end(h, n), said.AP_CALL),
}


# ---------------------------------------------------------------- exercise 4: compare
def by_results(ours, theirs):
    mean, half = paired(ours, theirs)
    return mean, half, verdict(mean, half)


def comparer(
    spread=statistics.stdev,
    root=lambda n: n**0.5,
    t=lambda n: T_95[n - 1],
    sign=1,
    width=1,
    words=("more", "less"),
    zero=True,
):
    def compare(ours, theirs):
        d = [sign * (x - y) for x, y in zip(ours, theirs, strict=True)]
        mean, half = sum(d) / len(d), width * t(len(d)) * spread(d) / root(len(d))
        if zero and mean - half <= 0 <= mean + half:
            return mean, half, "not told apart"
        return mean, half, words[0] if mean > 0 else words[1]

    return compare


def both_lists(ours, theirs):
    n = len(ours)
    half = T_95[n - 1] * ((statistics.stdev(ours) ** 2 + statistics.stdev(theirs) ** 2) / n) ** 0.5
    mean = statistics.mean(ours) - statistics.mean(theirs)
    return mean, half, verdict(mean, half)


COMPARE_RIGHT = {"results": by_results, "by hand": comparer()}
COMPARE_WRONG = {
    "two lists": (both_lists, said.UNPAIRED),
    "divided by n": (comparer(spread=statistics.pstdev), said.POPULATION),
    "no root": (comparer(root=lambda n: 1), said.NO_ROOT),
    "1.96": (comparer(t=lambda n: 1.96), said.NORMAL),
    "n degrees": (comparer(t=lambda n: T_95[n]), said.T_FROM_N),
    "theirs minus ours": (comparer(sign=-1), said.TURNED),
    "whole width": (comparer(width=2), said.WHOLE_WIDTH),
    "always a winner": (comparer(zero=False), said.ALWAYS_WINNER),
    "words swapped": (comparer(words=("less", "more")), said.WORDS_SWAPPED),
    "means only": (lambda a, b: (statistics.mean(a), statistics.mean(b), "more"), said.PAIRS),
    "one list": (lambda differences: differences, said.PAIRS_CALL),
}

RIGHT = {
    check.iou: IOU_RIGHT,
    check.match: MATCH_RIGHT,
    check.average_precision: AP_RIGHT,
    check.compare: COMPARE_RIGHT,
}
WRONG = {
    check.iou: IOU_WRONG,
    check.match: MATCH_WRONG,
    check.average_precision: AP_WRONG,
    check.compare: COMPARE_WRONG,
}
