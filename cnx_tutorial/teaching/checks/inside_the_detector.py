"""Misconceptions of notebook 05: the window of repeated pools, decoding a box, the grid cells that learn, non-maximum suppression."""

import math
import operator

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.evaluation import IOU

# ---------------------------------------------------------------- exercise 1
pooled_window = function(
    "pooled_window",
    "the side of the one pool that does what several do one after the other",
    "the window of any number of pools of any odd size",
    right=Steps(
        "k, times",
        more=lambda k: k - 1,
        grown=lambda more, times: times * more,
        window=lambda grown: 1 + grown,
    ),
    rows=[
        ("the sizes were added; neighbouring windows share grid cells: each pool adds k - 1", {"more": lambda k: k, "window": lambda grown: grown}),
        ("each pool adds k - 1 grid cells, not k: one of its k is already there", {"more": lambda k: k}),
        ("the sizes were multiplied; a pool of stride 1 adds the same number each time", {"grown": lambda k, times: k**times, "window": lambda grown: grown}),
        ("the window grows at both ends: by k // 2 at the left and by k // 2 at the right", {"more": lambda k: k // 2}),
        ("the window grows at both ends: each further pool adds k // 2 at the left and k // 2 at the right", {"grown": lambda k, times: (times - 1) * (k // 2), "window": lambda grown, k: k + grown}),
        ("those are the grid cells that were added; the one in the middle counts too", {"window": lambda grown: grown}),
        ("the first pool was left out: one pool of k has the window k", {"grown": lambda more, times: (times - 1) * more}),
        ("one pool too many: one pool of k has the window k", {"window": lambda grown, k: k + grown}),
        ("`times` is not used: each further pool adds k - 1", {"grown": lambda more: more}),
        ("`times` is not used: 3 is what SPPF takes, the exercise asks for any number", {"grown": lambda more: 3 * more}),
        ("the window doubles with each pool only if the map is halved in between; a pool of stride 1 adds k - 1", {"grown": lambda k, times: k * 2 ** (times - 1), "window": lambda grown: grown}),
        ("that is the area; the exercise asks for the side", {"window": lambda grown: (1 + grown) ** 2}),
    ],
    pinned=[(5, 1), (5, 2), (5, 3), (3, 4), (7, 0), (1, 5)],
    draw=lambda rng: (2 * int(rng.integers(0, 7)) + 1, int(rng.integers(0, 8))),
    whole=True,
    in_error="it takes k and times, both whole numbers, and times may be 0",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 2
def softmax(numbers):
    powers = [math.exp(number - max(numbers)) for number in numbers]
    return [power / sum(powers) for power in powers]


def across_sides(logits):
    """The softmax over the four sides, for each bin."""
    return [list(side) for side in zip(*(softmax(four) for four in zip(*logits, strict=True)), strict=True)]


def as_ratios(logits):
    return [[number / (sum(side) or 1.0) for number in side] for side in logits]


def expectation(chances):
    return [sum(i * chance for i, chance in enumerate(side)) for side in chances]


def around(x, y, sides):
    left, top, right, bottom = sides
    return x - left, y - top, x + right, y + bottom


def head_numbers(rng):
    """Four sides of one length, a grid cell and a stride; now and then a side that is nearly certain."""
    bins, sure = int(rng.choice([2, 4, 8])), rng.choice([1.0, 5.0])
    logits = [[round(float(value), 2) for value in sure * rng.normal(size=bins)] for _ in range(4)]
    return logits, int(rng.integers(0, 10)), int(rng.integers(0, 10)), int(rng.choice([4, 8, 16, 32]))


ONE_STRIDE = "the centre and the distances both count in strides: multiply both"
decode_box = function(
    "decode_box",
    "the corners of the box that a grid cell predicts, in pixels",
    "boxes of any grid cell, for any stride and any number of bins",
    right=Steps(
        "logits, column, row, stride",
        chances=lambda logits: [softmax(side) for side in logits],
        sides=lambda chances: expectation(chances),
        half=lambda: 0.5,
        x=lambda column, half: column + half,
        y=lambda row, half: row + half,
        corners=lambda x, y, sides: around(x, y, sides),
        box=lambda corners, stride: [corner * stride for corner in corners],
    ),
    rows=[
        ("the box is in strides; multiply it by the stride to get pixels", {"box": lambda corners: list(corners)}),
        (ONE_STRIDE, {"x": lambda column, half, stride: (column + half) / stride, "y": lambda row, half, stride: (row + half) / stride}),
        (ONE_STRIDE, {"sides": lambda chances, stride: [side / stride for side in expectation(chances)]}),
        ("the distances count from the grid cell's centre, half a stride from its corner: column + 0.5, row + 0.5", {"half": lambda: 0.0}),
        ("the distances count from the grid cell's centre, not from its far corner", {"half": lambda: 1.0}),
        ("0.5 pixels were added in place of 0.5 strides: add 0.5 first, and multiply by the stride afterwards", {"x": lambda column, half, stride: column + half / stride, "y": lambda row, half, stride: row + half / stride}),
        ("the largest logit is no distance; the distance is the expectation, the sum of bin times probability", {"sides": lambda logits: [max(side) for side in logits]}),
        ("the largest probability is no distance; the distance is the expectation, the sum of bin times probability", {"sides": lambda chances: [max(side) for side in chances]}),
        ("the most likely bin was taken; the distance is the expectation, the sum of bin times probability", {"sides": lambda chances: [side.index(max(side)) for side in chances]}),
        ("the logits are no probabilities yet: take the softmax of each side first", {"chances": lambda logits: logits}),
        ("the logits were divided by their sum; that is no softmax: take exp first", {"chances": as_ratios}),
        ("each bin went through a sigmoid; the bins of a side share one probability: softmax", {"chances": lambda logits: [[1 / (1 + math.exp(-number)) for number in side] for side in logits]}),
        ("the softmax was taken over the four sides; take it over the bins of each side", {"chances": across_sides}),
        ("the softmax was taken over all four sides together; each side is a distribution of its own", {"chances": lambda logits: [softmax(sum(map(list, logits), []))[i * len(side) : (i + 1) * len(side)] for i, side in enumerate(logits)]}),
        ("bins count from 0: the first one means the distance 0", {"sides": lambda chances: [side + 1 for side in expectation(chances)]}),
        ("the mean over the bins was taken; the probabilities add up to 1 already", {"sides": lambda chances: [side / len(chances[0]) for side in expectation(chances)]}),
        ("column and row are swapped: the column counts along x", {"x": lambda row, half: row + half, "y": lambda column, half: column + half}),
        ("the order of the sides is left, top, right, bottom", {"corners": lambda x, y, sides: around(x, y, [sides[0], sides[2], sides[1], sides[3]])}),
        ("left and top are subtracted from the centre: x1 = x - left", {"corners": lambda x, y, sides: (x + sides[0], y + sides[1], x + sides[2], y + sides[3])}),
        ("right and bottom are added to the centre: x2 = x + right", {"corners": lambda x, y, sides: (x - sides[0], y - sides[1], x - sides[2], y - sides[3])}),
        ("right and bottom count from the centre too, not from the left and upper edge", {"corners": lambda x, y, sides: (x - sides[0], y - sides[1], x - sides[0] + sides[2], y - sides[1] + sides[3])}),
        ("those are corner, width and height; the exercise asks for two corners", {"corners": lambda x, y, sides: (x - sides[0], y - sides[1], sides[0] + sides[2], sides[1] + sides[3])}),
        ("those are centre, width and height; the exercise asks for two corners", {"corners": lambda x, y, sides: (x + (sides[2] - sides[0]) / 2, y + (sides[3] - sides[1]) / 2, sides[0] + sides[2], sides[1] + sides[3])}),
        ("those are the four distances; go from the centre by them to get two corners", {"corners": lambda sides: sides}),
    ],
    pinned=[
        ([[0.0, 0.0]] * 4, 0, 0, 8),
        ([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [1.0, 0.0, 2.0]], 3, 1, 4),
        ([[700.0, 0.0, 0.0], [0.0, 700.0, 0.0], [0.0, 0.0, 700.0], [0.0, 700.0, 0.0]], 2, 5, 16),
    ],
    draw=head_numbers,
    tolerance=1e-4,
    in_error="it takes four lists of numbers, column, row and stride; a list may have any number of bins, not only 8; exp of a large number overflows, so subtract the largest number of a side first, or use torch.softmax",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
def inside(box, centre):
    return box[0] < centre[0] < box[2] and box[1] < centre[1] < box[3]


def scene(rng):
    """The grid cells of a small map, with scores and overlaps of their own, and a box whose edges run through some centres."""
    stride, columns, rows = int(rng.choice([4, 8])), int(rng.integers(2, 5)), int(rng.integers(2, 4))
    centres = [((i + 0.5) * stride, (j + 0.5) * stride) for j in range(rows) for i in range(columns)]
    x1, y1 = (float(stride) * int(rng.integers(-1, 3)) / 2 for _ in range(2))
    box = (x1, y1, x1 + stride * int(rng.integers(2, 8)) / 2, y1 + stride * int(rng.integers(2, 6)) / 2)
    lows = rng.choice([0.02, 0.4, 0.8]), rng.choice([0.2, 0.6, 0.9])  # narrow ranges too, so that now the one decides and now the other
    scores, overlaps = ([round(float(low + (1 - low) * v / 200), 4) for v in rng.permutation(200)[: len(centres)]] for low in lows)  # none twice
    return scores, overlaps, centres, box, int(rng.integers(1, 7))


CANDIDATES_FIRST = "the best were chosen among all grid cells, and those outside the box removed afterwards; look for the candidates first, then choose among them"
chosen = function(
    "chosen",
    "which grid cells learn one true cell",
    "the grid cells that the task-aligned metric chooses, best first",
    right=Steps(
        "scores, overlaps, centres, box, topk",
        metric=lambda scores, overlaps: [s**0.5 * u**6 for s, u in zip(scores, overlaps, strict=True)],
        candidates=lambda centres, box: [i for i, centre in enumerate(centres) if inside(box, centre)],
        ranked=lambda candidates, metric: sorted(candidates, key=lambda i: -metric[i]),
        best=lambda ranked, topk: ranked[:topk],
    ),
    rows=[
        ("every grid cell was a candidate; only those whose centre lies inside the box are", {"candidates": lambda centres: list(range(len(centres)))}),
        (CANDIDATES_FIRST, {"candidates": lambda centres: list(range(len(centres))), "best": lambda ranked, topk, box, centres: [i for i in ranked[:topk] if inside(box, centres[i])]}),
        ("grid cells outside the box got the metric 0 and were chosen all the same where too few lie inside; leave them out", {"candidates": lambda centres: list(range(len(centres))), "metric": lambda scores, overlaps, centres, box: [s**0.5 * u**6 if inside(box, c) else 0.0 for s, u, c in zip(scores, overlaps, centres, strict=True)]}),
        ("a centre on the edge of the box is not inside it: <, not <=", {"candidates": lambda centres, box: [i for i, (x, y) in enumerate(centres) if box[0] <= x <= box[2] and box[1] <= y <= box[3]]}),
        ("only x was compared; the centre must lie between top and bottom, too", {"candidates": lambda centres, box: [i for i, (x, _) in enumerate(centres) if box[0] < x < box[2]]}),
        ("only y was compared; the centre must lie between left and right, too", {"candidates": lambda centres, box: [i for i, (_, y) in enumerate(centres) if box[1] < y < box[3]]}),
        ("the last two numbers of the box are a corner, not width and height", {"candidates": lambda centres, box: [i for i, centre in enumerate(centres) if inside((*box[:2], box[0] + box[2], box[1] + box[3]), centre)]}),
        ("x and y are swapped: the box is (left, top, right, bottom), a centre is (x, y)", {"candidates": lambda centres, box: [i for i, centre in enumerate(centres) if inside(box, centre[::-1])]}),
        ("the exponents are swapped: the score to 0.5, the overlap to 6", {"metric": lambda scores, overlaps: [s**6 * u**0.5 for s, u in zip(scores, overlaps, strict=True)]}),
        ("the exponents are missing: the score to 0.5, the overlap to 6", {"metric": lambda scores, overlaps: [s * u for s, u in zip(scores, overlaps, strict=True)]}),
        ("the score has an exponent, too: 0.5", {"metric": lambda scores, overlaps: [s * u**6 for s, u in zip(scores, overlaps, strict=True)]}),
        ("the overlap has an exponent, too: 6", {"metric": lambda scores, overlaps: [s**0.5 * u for s, u in zip(scores, overlaps, strict=True)]}),
        ("the two factors were added; the metric is their product", {"metric": lambda scores, overlaps: [s**0.5 + u**6 for s, u in zip(scores, overlaps, strict=True)]}),
        ("exponents multiply nothing: s ** 0.5 * u ** 6, not 0.5 * s + 6 * u", {"metric": lambda scores, overlaps: [0.5 * s + 6 * u for s, u in zip(scores, overlaps, strict=True)]}),
        ("only the score was used; the metric asks for the overlap, too", {"metric": lambda scores: scores}),
        ("only the overlap was used; the metric asks for the score, too", {"metric": lambda overlaps: overlaps}),
        ("the lowest metric came first; the highest is the best", {"ranked": lambda candidates, metric: sorted(candidates, key=lambda i: metric[i])}),
        ("the candidates were not ranked: those with the highest metric come first", {"ranked": lambda candidates: candidates}),
        ("`topk` is not used: at most so many grid cells are chosen", {"best": lambda ranked: ranked}),
        ("`topk` is not used: 10 is Ultralytics' number, the exercise asks for any", {"best": lambda ranked: ranked[:10]}),
        ("one too few: topk grid cells are chosen", {"best": lambda ranked, topk: ranked[: topk - 1]}),
        ("one too many: topk grid cells are chosen", {"best": lambda ranked, topk: ranked[: topk + 1]}),
        ("the right grid cells, in the order of the map; give the best first", {"best": lambda ranked, topk: sorted(ranked[:topk])}),
        ("those are metrics; the exercise asks for the numbers of the grid cells", {"best": lambda ranked, topk, metric: [metric[i] for i in ranked[:topk]]}),
        ("those are centres; the exercise asks for the numbers of the grid cells", {"best": lambda ranked, topk, centres: [centres[i] for i in ranked[:topk]]}),
        ("the numbers count among the candidates; count among all grid cells", {"best": lambda ranked, topk, candidates: [candidates.index(i) for i in ranked[:topk]]}),
    ],
    pinned=[
        ([0.9, 0.55, 0.8, 0.1], [0.5, 0.9, 0.6, 0.95], [(4, 4), (12, 4), (4, 12), (12, 12)], (0, 0, 16, 16), 2),
        ([0.9, 0.8, 0.7], [0.6, 0.9, 0.8], [(2, 2), (6, 2), (10, 2)], (2, 0, 10, 4), 3),
        ([0.5], [0.5], [(4, 4)], (10, 10, 12, 12), 5),
        ([0.8, 0.79], [0.5, 0.99], [(4, 4), (12, 4)], (0, 0, 16, 8), 1),
        ([0.1, 0.9], [0.8, 0.79], [(4, 4), (12, 4)], (0, 0, 16, 8), 1),
        ([0.2, 0.9], [0.9, 0.72], [(4, 4), (12, 4)], (0, 0, 16, 8), 1),
        ([0.2 + 0.05 * i for i in range(12)], [0.95 - 0.02 * i for i in range(12)], [(4 * i + 2, 2) for i in range(12)], (0, 0, 48, 4), 12),
    ],
    draw=scene,
    drawn=60,
    whole=True,
    in_error="it takes scores, overlaps, centres, box and topk; there may be no candidate, and fewer than topk",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
def by_score(scores):
    return sorted(range(len(scores)), key=lambda i: -scores[i])


def suppress(
    boxes, scores, classes, threshold, *, order=by_score, against=lambda kept, seen: kept, over=operator.gt, overlap=IOU, rivals=operator.eq, least=None,
    handed=lambda kept: kept,
):  # fmt: skip
    kept, seen = [], []
    for i in order(scores):
        limit = threshold if least is None else least
        if not any(rivals(classes[j], classes[i]) and over(overlap(boxes[j], boxes[i]), limit) for j in against(kept, seen)):
            kept.append(i)
        seen.append(i)
    return handed(kept)


def of_the_smaller(a, b):
    both = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return both / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def crowd(rng):
    """Boxes of four to six pixels around few points, so that many overlap; no score twice."""
    count = int(rng.integers(1, 8))
    at = rng.integers(0, 7, (count, 2))
    boxes = [(int(x), int(y), int(x) + int(rng.integers(4, 7)), int(y) + int(rng.integers(4, 7))) for x, y in at]
    scores = [float(score) / 20 for score in rng.permutation(19)[:count] + 1]
    return boxes, scores, [int(kind) for kind in rng.choice([0, 0, 1], count)], float(rng.choice([0.2, 0.45, 0.7]))


def same_class_demanded(boxes, scores, classes, threshold):
    """Stays only where every kept box is of its class and overlaps it little."""
    kept = []
    for i in by_score(scores):
        if all(classes[i] == classes[j] and IOU(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


ROW_OF_THREE = ([(0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10)], [0.9, 0.8, 0.7], [0, 0, 0], 0.4)
nms = function(
    "nms",
    "which boxes stay after non-maximum suppression",
    "the boxes that stay, best first, each class for itself",
    right=suppress,
    rows=[
        ("boxes of different classes do not suppress each other", {"rivals": lambda a, b: True}),
        ("only boxes of different classes suppressed each other; it is those of one class that do", {"rivals": operator.ne}),
        ("a box goes where a kept box of its own class overlaps it; boxes of another class are skipped, however much or little they overlap", same_class_demanded),
        ("the boxes were taken in the order of the list; the highest score comes first", {"order": lambda scores: range(len(scores))}),
        ("the lowest score came first; the highest does", {"order": lambda scores: by_score(scores)[::-1]}),
        ("a box that was removed suppresses nothing any more: compare with those that stay", {"against": lambda kept, seen: seen}),
        ("each box was compared with the last one that stays; compare it with all that stay", {"against": lambda kept, seen: kept[-1:]}),
        ("each box was compared with the best one alone; compare it with all that stay", {"against": lambda kept, seen: kept[:1]}),
        ("each box was compared with the one just before it; compare it with all that stay", {"against": lambda kept, seen: seen[-1:]}),
        ("an IoU of exactly the threshold is allowed: a box goes where the IoU is larger", {"over": operator.ge}),
        ("boxes that overlap little were removed; those that overlap more than the threshold go", {"over": operator.lt}),
        ("the threshold argument is not used: 0.7 stands in its place", {"least": 0.7}),
        ("the threshold argument is not used: 0.45 stands in its place", {"least": 0.45}),
        ("every box that touches a better one was removed; it may overlap up to the threshold", {"least": 0.0}),
        ("the common area was divided by the area of the smaller box; IoU divides by the union", {"overlap": of_the_smaller}),
        ("the common area was divided by the area of one box; IoU divides by the union", {"overlap": lambda a, b: IOU.changed(union=lambda areas: areas[0])(a, b)}),
        ("nothing was removed: a box goes that overlaps a better one too much", {"against": lambda kept, seen: []}),
        ("the right boxes, in the order of the list; give the best first", {"handed": sorted}),
        ("the result is a list of numbers; those are flags", lambda boxes, scores, *rest: [i in suppress(boxes, scores, *rest) for i in range(len(boxes))]),
        ("those are boxes; the exercise asks for their numbers in the list", lambda boxes, *rest: [boxes[i] for i in suppress(boxes, *rest)]),
        ("those are scores; the exercise asks for the boxes' numbers in the list", lambda boxes, scores, *rest: [scores[i] for i in suppress(boxes, scores, *rest)]),
        ("those are the boxes that go; the exercise asks for those that stay", lambda boxes, scores, *rest: [i for i in by_score(scores) if i not in suppress(boxes, scores, *rest)]),
        ("only one box of each class stays; a second cell of the class has a box of its own", lambda boxes, scores, classes, threshold: [i for n, i in enumerate(by_score(scores)) if classes[i] not in [classes[j] for j in by_score(scores)[:n]]]),
        ("class came after class; give the best first, whatever its class", lambda boxes, scores, classes, threshold: sorted(suppress(boxes, scores, classes, threshold), key=lambda i: classes[i])),
        ("the loop ends at the first box that goes; later ones may stay: continue", lambda boxes, scores, *rest: [i for n, i in enumerate(by_score(scores)) if suppress(boxes, scores, *rest)[: n + 1] == by_score(scores)[: n + 1]]),
        ("the numbers count in the order of the scores; count in the order of the list", lambda boxes, scores, *rest: [by_score(scores).index(i) for i in suppress(boxes, scores, *rest)]),
    ],
    pinned=[
        ROW_OF_THREE,
        ([(0, 0, 10, 10), (20, 0, 30, 10), (0, 0, 10, 10)], [0.5, 0.6, 0.9], [1, 1, 1], 0.7),
        ([(0, 0, 10, 10), (1, 0, 11, 10)], [0.4, 0.9], [0, 2], 0.5),
        ([(0, 0, 4, 4), (2, 0, 6, 4), (0, 0, 4, 2)], [0.9, 0.8, 0.7], [0, 0, 0], 0.5),
        ([(0, 0, 10, 10), (7, 0, 17, 10), (14, 0, 24, 10), (15, 0, 25, 10)], [0.9, 0.8, 0.7, 0.6], [0, 0, 0, 0], 0.3),
    ],
    draw=crowd,
    whole=True,
    in_error="it takes boxes, scores, classes and threshold; boxes are tuples of four whole numbers, and torchvision's functions want tensors of one floating dtype",
)  # fmt: skip
