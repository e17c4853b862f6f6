"""Right and wrong answers to the exercises of notebook 08."""

import statistics

import numpy as np
import torch
from torchvision.ops import box_iou
from ultralytics.utils.metrics import compute_ap

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


def with_epsilon(a, b):
    return overlap(a, b) / (area(a) + area(b) - overlap(a, b) + 1e-9)


def by_early_return(a, b):
    left, top, right, bottom = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    if left >= right or top >= bottom:
        return 0
    both = (right - left) * (bottom - top)
    return both / (area(a) + area(b) - both)


def clipped(width=True, height=True):
    """Whether the sides of the intersection are cut off at 0."""

    def my_iou(a, b):
        w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        both = (max(w, 0) if width else w) * (max(h, 0) if height else h)
        union = area(a) + area(b) - both
        return both / union if union else 0.0

    return my_iou


def and_for_or(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return 0.0 if w < 0 and h < 0 else w * h / (area(a) + area(b) - w * h or 1)


def product_clipped(a, b):
    both = max(overlap(a, b, clip=lambda side: side), 0)
    return both / (area(a) + area(b) - both or 1)


def around(a, b):
    return area([low(pair) for low, pair in zip((min, min, max, max), zip(a, b, strict=True), strict=True)])


def centred(cx, cy, w, h):
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def plain_box_iou(a, b):
    return box_iou(torch.tensor([a]).float(), torch.tensor([b]).float()).item()


IOU_RIGHT = {
    "by hand": plain_iou,
    "torchvision": by_torchvision,
    "epsilon": with_epsilon,
    "early return": by_early_return,
}
IOU_WRONG = {
    "negative sides": (clipped(False, False), said.NEGATIVE),
    "height not clipped": (clipped(height=False), said.NO_DOWN),
    "width not clipped": (clipped(width=False), said.NO_ACROSS),
    "and for or": (and_for_or, said.BOTH_NEGATIVE),
    "product clipped": (product_clipped, said.PRODUCT_CLIPPED),
    "abs": (lambda a, b: plain_iou(a, b, clip=abs), said.ABSOLUTE),
    "sum of areas": (divided(lambda a, b: area(a) + area(b)), said.BOTH_TWICE),
    "subtracted twice": (divided(lambda a, b: area(a) + area(b) - 2 * overlap(a, b)), said.SUBTRACTED_TWICE),
    "Dice": (lambda a, b: 2 * divided(lambda a, b: area(a) + area(b))(a, b), said.DICE),
    "over the first": (divided(lambda a, b: area(a)), said.OVER_ONE),
    "over the second": (divided(lambda a, b: area(b)), said.OVER_ONE),
    "over the smaller": (divided(lambda a, b: min(area(a), area(b))), said.OVER_SMALLER),
    "over the larger": (divided(lambda a, b: max(area(a), area(b))), said.OVER_LARGER),
    "over the box around both": (divided(around), said.ENCLOSING),
    "intersection": (overlap, said.NOT_DIVIDED),
    "outer corners": (lambda a, b: plain_iou(a, b, low=min, high=max), said.WRONG_CORNER),
    "width and height": (lambda a, b: plain_iou(*((x, y, x + w, y + h) for x, y, w, h in (a, b))), said.AS_SIZES),
    "centres": (lambda a, b: plain_iou(centred(*a), centred(*b)), said.AS_CENTRES),
    "pixels counted": (lambda a, b: plain_iou(a, b, more=1), said.PIXEL_ADDED),
    "one": (lambda a, b: 1.0, said.IOU),
    "no area": (lambda a, b: overlap(a, b) / (area(a) + area(b) - overlap(a, b)), said.NO_AREA),
    "no area, torchvision": (plain_box_iou, said.NO_AREA),
    "no area, and over the first": (lambda a, b: overlap(a, b) / area(a), said.OVER_ONE),
    "rounded": (lambda a, b: round(plain_iou(a, b), 4), said.ROUNDED),
    "one box": (lambda a: 1.0, said.IOU_CALL),
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


def by_removal(predictions, truths, threshold):
    """Stops only when there is no truth left at all."""
    left, hits = list(truths), [False] * len(predictions)
    for i, (kind, _, box) in sorted(enumerate(predictions), key=lambda p: p[1][1], reverse=True):
        if not left:
            break
        own = [truth for truth in left if truth[0] == kind]
        best = max(own, key=lambda truth: plain_iou(box, truth[1]), default=None)
        if best and plain_iou(box, best[1]) >= threshold:
            hits[i] = True
            left.remove(best)
    return hits


def looped(*, pick=lambda free: max(free, key=free.get, default=None), any_class=False, stop=False, keep=False):
    """The solution of the notebook, with one thing else."""

    def my_match(predictions, truths, threshold):
        taken, hits = set(), [False] * len(predictions)
        for i in sorted(range(len(predictions)), key=lambda i: -predictions[i][1]):
            kind, _, box = predictions[i]
            free = {
                j: plain_iou(box, truth)
                for j, (true_kind, truth) in enumerate(truths)
                if (any_class or true_kind == kind) and j not in taken
            }
            if stop and not free:
                break
            best = pick(free)
            if best is not None:
                hits[i] = free[best] >= threshold and truths[best][0] == kind
                if hits[i] or keep:
                    taken.add(best)
        return hits

    return my_match


def by_highest_iou(predictions, truths, threshold):
    pairs = [
        (plain_iou(p[2], t[1]), i, j)
        for i, p in enumerate(predictions)
        for j, t in enumerate(truths)
        if p[0] == t[0] and plain_iou(p[2], t[1]) >= threshold
    ]
    found, taken = set(), set()
    for _, i, j in sorted(pairs, key=lambda pair: pair[0], reverse=True):
        if i not in found and j not in taken:
            found.add(i)
            taken.add(j)
    return [i in found for i in range(len(predictions))]


def over_truths(predictions, truths, threshold):
    hits = [False] * len(predictions)
    for kind, truth in truths:
        free = {i: plain_iou(p[2], truth) for i, p in enumerate(predictions) if p[0] == kind and not hits[i]}
        best = max(free, key=free.get, default=None)
        if best is not None and free[best] >= threshold:
            hits[best] = True
    return hits


MATCH_RIGHT = {"free list": matcher(), "tensors": by_tensor, "loop": looped(), "removal": by_removal}
MATCH_WRONG = {
    "order of the list": (matcher(key=lambda p: 0), said.UNSORTED),
    "lowest first": (matcher(key=lambda p: p[1]), said.ASCENDING),
    "truths again": (matcher(again=True), said.REUSED),
    "first that fits": (matcher(pick=lambda options: min(options, key=lambda o: o[1])), said.FIRST_FIT),
    "max without key": (looped(pick=lambda free: max(free, default=None)), said.LAST_FIT),
    "max without key or default": (looped(pick=max), said.LAST_FIT),
    "best is taken": (matcher(stays=True), said.STUCK),
    "any class": (matcher(kinds=False), said.CLASS_IGNORED),
    "class afterwards": (looped(any_class=True), said.CLASS_AFTER),
    "class afterwards, no default": (looped(any_class=True, pick=lambda f: max(f, key=f.get)), said.CLASS_AFTER),
    "more than": (matcher(enough=lambda v, t: v > t), said.STRICT),
    "0.5": (lambda predictions, truths, threshold: looped()(predictions, truths, 0.5), said.FIXED_THRESHOLD),
    "taken without a hit": (looped(keep=True), said.TAKEN_BELOW),
    "break": (looped(stop=True), said.STOPPED),
    "max of nothing": (looped(pick=lambda free: max(free, key=free.get)), said.NONE_FREE),
    "highest IoU first": (by_highest_iou, said.BY_IOU),
    "loop over truths": (over_truths, said.TRUTHS_CHOOSE),
    "0 and 1": (lambda *a: list(map(int, looped()(*a))), said.ZERO_ONE),
    "indices": (lambda *a: [i for i, hit in enumerate(looped()(*a)) if hit], said.INDICES),
    "by rank": (matcher(by_rank=True), said.IN_ORDER_OF_CONFIDENCE),
    "all hits": (lambda predictions, truths, threshold: [True] * len(predictions), said.MATCH),
    "no truths": (lambda *a: looped()(*a) if a[1][0] else None, said.MATCH_CALL),
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


def by_trapezoids(hits, truths):
    """Exact too: where recall rises the envelope is level."""
    envelope = [max(precisions(hits)[i:]) for i in range(len(hits))]
    recall = [0.0] + [sum(hits[: i + 1]) / truths for i in range(len(hits))]
    return float(np.trapezoid([1.0, *envelope], recall))


def by_step(step, heights=lambda p: [max(p[i:]) for i in range(len(p))], every=False):
    return lambda h, n: sum(step(h, n) * p for p, hit in zip(heights(precisions(h)), h, strict=True) if hit or every)


def by_compute_ap(h, n):
    if not h:
        return 0.0
    return compute_ap(np.cumsum(h) / n, np.array(precisions(h)))[0]


AP_RIGHT = {"from the end": from_the_end, "steps": by_steps, "trapezoids": by_trapezoids}
AP_WRONG = {
    "no envelope": (lambda h, n: sum(p for p, hit in zip(precisions(h), h, strict=True) if hit) / n, said.NO_ENVELOPE),
    "envelope backwards": (backwards, said.FORWARD_ENVELOPE),
    "mean precision": (lambda h, n: sum(precisions(h)) / len(h) if h else 0, said.MEAN_PRECISION),
    "no if": (by_step(lambda h, n: 1 / n, every=True), said.EVERY),
    "over the found": (lambda h, n: from_the_end(h, sum(h)) if any(h) else 0, said.BY_FOUND),
    "over the predictions": (by_step(lambda h, n: 1 / len(h)), said.BY_PREDICTIONS),
    "a quarter": (by_step(lambda h, n: 0.25), said.QUARTER),
    "Ultralytics": (by_compute_ap, said.BY_GRID),
    "precision": (lambda h, n: precisions(h)[-1] if h else 0, said.PRECISION_ONLY),
    "recall": (lambda h, n: sum(h) / n, said.RECALL_ONLY),
    "hits sorted": (lambda h, n: from_the_end(sorted(h, reverse=True), n), said.RECALL_ONLY),
    "rounded": (lambda h, n: round(from_the_end(h, n), 4), said.ROUNDED),
    "hits": (lambda h, n: sum(h), said.AP),
    "empty list": (lambda h, n: from_the_end(h, n) + 0 * precisions(h)[-1], said.AP_CALL),
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


def both_lists(freedom):
    def compare(ours, theirs):
        n = len(ours)
        half = T_95[freedom(n)] * ((statistics.stdev(ours) ** 2 + statistics.stdev(theirs) ** 2) / n) ** 0.5
        mean = statistics.mean(ours) - statistics.mean(theirs)
        return mean, half, verdict(mean, half)

    return compare


def worded(word):
    """Right numbers, and word(mean, half, differences)."""

    def compare(ours, theirs):
        mean, half = paired(ours, theirs)
        return mean, half, word(mean, half, [x - y for x, y in zip(ours, theirs, strict=True)])

    return compare


def all_positive(mean, half, differences):
    if all(d > 0 for d in differences):
        return "more"
    return "less" if all(d < 0 for d in differences) else "not told apart"


def by_error(mean, half, differences):
    return verdict(mean, statistics.stdev(differences) / len(differences) ** 0.5)


def tie(mean, half, differences):
    return "more" if mean - half >= 0 else "less" if mean + half <= 0 else "not told apart"


def twice(ours, theirs):
    mean, half = paired(ours, theirs)
    return mean, 2 * half, verdict(mean, half)


def by_numpy(ours, theirs):
    d = np.array(ours) - np.array(theirs)
    mean, half = d.mean(), T_95[len(d) - 1] * d.std(ddof=1) / np.sqrt(len(d))
    return mean, half, "more" if 0 < mean - half else "less" if mean + half < 0 else "not told apart"


def by_pstdev(ours, theirs):
    """The root of n - 1 makes up for the division by n."""
    return comparer(spread=statistics.pstdev, root=lambda n: (n - 1) ** 0.5)(ours, theirs)


COMPARE_RIGHT = {"results": by_results, "by hand": comparer(), "numpy": by_numpy, "pstdev, n - 1": by_pstdev}
COMPARE_WRONG = {
    "two lists": (both_lists(lambda n: n - 1), said.UNPAIRED),
    "two lists, 2n - 2": (both_lists(lambda n: 2 * n - 2), said.UNPAIRED),
    "sorted": (lambda a, b: by_results(sorted(a), sorted(b)), said.SORTED),
    "divided by n": (comparer(spread=statistics.pstdev), said.POPULATION),
    "variance": (comparer(spread=statistics.variance), said.VARIANCE),
    "variance over n": (comparer(spread=statistics.variance, root=lambda n: n), said.VARIANCE),
    "no root": (comparer(root=lambda n: 1), said.NO_ROOT),
    "n for its root": (comparer(root=lambda n: n), said.BY_N),
    "root of n - 1": (comparer(root=lambda n: (n - 1) ** 0.5), said.BY_N_MINUS_1),
    "no t": (comparer(t=lambda n: 1), said.NO_T),
    "1.96": (comparer(t=lambda n: 1.96), said.NORMAL),
    "4.303": (comparer(t=lambda n: 4.303), said.T_OF_THREE),
    "n degrees": (comparer(t=lambda n: T_95[n]), said.T_FROM_N),
    "theirs minus ours": (comparer(sign=-1), said.TURNED),
    "whole width": (comparer(width=2), said.WHOLE_WIDTH),
    "whole width, right word": (twice, said.WHOLE_WIDTH),
    "always a winner": (comparer(zero=False), said.ALWAYS_WINNER),
    "words swapped": (comparer(words=("less", "more")), said.WORDS_SWAPPED),
    "all positive": (worded(all_positive), said.ALL_ONE_SIGN),
    "standard error": (worded(by_error), said.BY_ERROR),
    "equal lists": (worded(tie), said.TIE),
    "other words": (worded(lambda mean, half, d: verdict(mean, half).replace("not told", "Not told")), said.ONLY_WORD),
    "rounded": (lambda a, b: [x if isinstance(x, str) else round(x, 3) for x in by_results(a, b)], said.ROUNDED),
    "half of nothing": (lambda a, b: (by_results(a, b)[0], 0.1, by_results(a, b)[2]), said.ONLY_HALF),
    "means only": (lambda a, b: (statistics.mean(a), statistics.mean(b), "more"), said.PAIRS),
    "one list": (lambda differences: differences, said.PAIRS_CALL),
    "nine degrees": (lambda a, b: T_95[9], said.PAIRS_CALL),
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
