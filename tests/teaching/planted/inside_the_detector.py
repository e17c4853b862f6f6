"""Right and wrong answers to the exercises of notebook 05, spelled as another person would."""

from functools import partial

import numpy as np
import torch
from torchvision.ops import batched_nms, box_iou
from ultralytics.utils.tal import TaskAlignedAssigner

from cnx_tutorial.teaching import check


def by_pooling(k, times):
    """Counted on a row with one bright number."""
    row = torch.zeros(1, 1, 1, 2 * times * k + 1)
    row[..., times * k] = 1
    pool = torch.nn.MaxPool2d((1, k), 1, (0, k // 2))
    for _ in range(times):
        row = pool(row)
    return int(row.sum())


def by_loop(k, times, more=1, first=1):
    window = first
    for _ in range(times):
        window += k - more
    return window


def by_torch(logits, column, row, stride, half=0.5, of=-1, scale=True, dtype=torch.float64):
    chances = torch.tensor(logits, dtype=dtype).softmax(of)
    left, top, right, bottom = chances @ torch.arange(chances.shape[-1], dtype=dtype)
    centre = torch.tensor([column + half, row + half], dtype=dtype)
    corners = torch.cat([centre - torch.stack([left, top]), centre + torch.stack([right, bottom])])
    return corners * stride if scale else corners


def by_numpy(logits, column, row, stride):
    powers = np.exp(np.array(logits) - np.max(logits, axis=1, keepdims=True))
    sides = powers @ np.arange(powers.shape[1]) / powers.sum(1)
    return tuple(stride * (np.array([column, row, column, row]) + 0.5 + np.array([-1, -1, 1, 1]) * sides))


def most_likely(logits, column, row, stride):
    left, top, right, bottom = np.argmax(logits, axis=1)
    return [
        stride * (column + 0.5 - left),
        stride * (row + 0.5 - top),
        stride * (column + 0.5 + right),
        stride * (row + 0.5 + bottom),
    ]


def picked(scores, overlaps, centres, box, topk, powers=(0.5, 6.0), enough=lambda a, b: a < b, both=True):
    ranked = []
    for i, (x, y) in enumerate(centres):
        across, down = enough(box[0], x) and enough(x, box[2]), enough(box[1], y) and enough(y, box[3])
        if across and (down or not both):
            ranked.append((scores[i] ** powers[0] * overlaps[i] ** powers[1], i))
    return [i for _, i in sorted(ranked, reverse=True)[:topk]]


def by_tensors(scores, overlaps, centres, box, topk):
    at, box = torch.tensor(centres).double(), torch.tensor(box).double()
    metric = torch.tensor(scores).double().sqrt() * torch.tensor(overlaps).double() ** 6
    metric[~((at > box[:2]) & (at < box[2:])).all(1)] = -1
    best = metric.argsort(descending=True)[:topk]
    return best[metric[best] >= 0]


def by_ultralytics(scores, overlaps, centres, box, topk):
    assigner = TaskAlignedAssigner(topk=topk, num_classes=1, alpha=0.5, beta=6.0, stride=[0])
    at, true = torch.tensor(centres).double(), torch.tensor([[box]]).double()
    mask = assigner.select_candidates_in_gts(at, true, torch.ones(1, 1, 1))[0, 0]
    metric = torch.tensor(scores).double() ** assigner.alpha * torch.tensor(overlaps).double() ** assigner.beta
    return [i for i in metric.argsort(descending=True).tolist() if mask[i]][:topk]


def top_first(scores, overlaps, centres, box, topk):
    return [
        i
        for i in picked(scores, overlaps, centres, (-99, -99, 99, 99), topk)
        if i in picked(scores, overlaps, centres, box, 99)
    ]


def by_torchvision(boxes, scores, classes, threshold, shift=True, more=0.0):
    kinds = torch.tensor(classes) * int(shift)
    return batched_nms(torch.tensor(boxes).double(), torch.tensor(scores).double(), kinds, threshold + more)


def removed_in_turn(boxes, scores, classes, threshold, alike=lambda a, b: a == b, first=True):
    left = sorted(range(len(boxes)), key=scores.__getitem__, reverse=first)
    stays = []
    while left:
        best, *left = left
        stays.append(best)
        overlap = {i: float(box_iou(*(torch.tensor([boxes[j]]).double() for j in (best, i)))) for i in left}
        left = [i for i in left if overlap[i] <= threshold or not alike(classes[i], classes[best])]
    return stays


def one_class_only(boxes, scores, classes, threshold):
    """The condition on the classes inside of all(...): a kept box of another class removes the box."""
    overlaps = box_iou(*[torch.tensor(boxes).double().reshape(-1, 4)] * 2)
    stays = []
    for i in np.argsort(scores)[::-1].tolist():
        if all(overlaps[i, j] <= threshold and classes[i] == classes[j] for j in stays):
            stays.append(i)
    return stays


def each_class(boxes, scores, classes, threshold):
    stays = []
    for kind in set(classes):
        mine = [i for i, other in enumerate(classes) if other == kind]
        stays += [
            mine[i]
            for i in removed_in_turn([boxes[i] for i in mine], [scores[i] for i in mine], [0] * len(mine), threshold)
        ]
    return np.array(sorted(stays, key=lambda i: -scores[i]), dtype=int)


def at_once(boxes, scores, classes, threshold):
    """Fast NMS: what was removed still removes others."""
    order = np.argsort(scores)[::-1]
    overlap = box_iou(*[torch.tensor([boxes[i] for i in order]).double().reshape(-1, 4)] * 2)
    worse = [
        any(overlap[j, i] > threshold and classes[order[i]] == classes[order[j]] for j in range(i))
        for i in range(len(order))
    ]
    return [int(i) for i, gone in zip(order, worse, strict=True) if not gone]


RIGHT = {
    check.pooled_window: {"pooled": by_pooling, "loop": by_loop, "formula": lambda k, times: times * k - times + 1},
    check.decode_box: {"torch": by_torch, "NumPy": by_numpy, "float32": partial(by_torch, dtype=torch.float32)},
    check.chosen: {"loop": picked, "tensors": by_tensors, "Ultralytics": by_ultralytics},
    check.nms: {"torchvision": by_torchvision, "in turn": removed_in_turn, "class by class": each_class},
}  # fmt: skip
WRONG = {
    check.pooled_window: {
        "k each": (partial(by_loop, more=0), "each pool adds k - 1 grid cells, not k"),
        "product": (lambda k, times: k * times, "the sizes were added"),
        "power": (lambda k, times: k**times, "the sizes were multiplied"),
        "one side": (lambda k, times: times * (k // 2) + 1, "the window grows at both ends"),
        "starts at k": (lambda k, times: by_loop(k, times, first=k), "one pool too many"),
        "three": (lambda k, times: by_loop(k, 3), "3 is what SPPF takes"),
    },
    check.decode_box: {
        "strides": (partial(by_torch, scale=False), "the box is in strides"),
        "corner": (partial(by_torch, half=0.0), "count from the grid cell's centre"),
        "sides": (partial(by_torch, of=0), "the softmax was taken over the four sides;"),
        "most likely": (most_likely, "the most likely bin was taken"),
        "turned": (lambda logits, column, row, stride: by_torch(logits, row, column, stride), "column and row are swapped"),
        "distances": (lambda logits, *rest: (torch.tensor(logits).double().softmax(1) @ torch.arange(len(logits[0])).double()) * rest[-1], "those are the four distances"),
    },
    check.chosen: {
        "swapped": (partial(picked, powers=(6.0, 0.5)), "the exponents are swapped"),
        "product": (partial(picked, powers=(1, 1)), "the exponents are missing"),
        "edge": (partial(picked, enough=lambda a, b: a <= b), "a centre on the edge"),
        "x alone": (partial(picked, both=False), "only x was compared"),
        "top first": (top_first, "those outside the box removed afterwards"),
        "in order": (lambda *a: sorted(picked(*a)), "give the best first"),
    },
    check.nms: {
        "all classes": (partial(by_torchvision, shift=False), "boxes of different classes do not suppress each other"),
        "other classes": (partial(removed_in_turn, alike=lambda a, b: a != b), "only boxes of different classes"),
        "same class demanded": (one_class_only, "boxes of another class are skipped"),
        "lowest": (partial(removed_in_turn, first=False), "the lowest score came first"),
        "fast": (at_once, "a box that was removed suppresses nothing any more"),
        "at the threshold": (partial(by_torchvision, more=-1e-9), "an IoU of exactly the threshold"),
        "in order": (lambda *a: sorted(removed_in_turn(*a)), "give the best first"),
    },
}  # fmt: skip
