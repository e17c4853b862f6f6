"""Right and wrong answers to the exercises of notebook 00, spelled as somebody else would."""

from collections import Counter
from fractions import Fraction
from functools import partial

import numpy as np
import torch

from cnx_tutorial.teaching import check


def sliced(height, width, strides=(8, 16, 32), of=slice(None), put=sum):
    pixels = torch.empty(height, width, device="meta")
    return put([pixels[::stride, ::stride].numel() for stride in strides[of]])


class GridCells:
    def __call__(self, height, width, strides=(8, 16, 32), *, padded=False):
        return np.sum([height // stride * (width // stride) for stride in strides])


def by_counter(found, names, least, enough=lambda c, least: not c < least, start=0, more=1):
    count = Counter(dict.fromkeys(names, start)) if start is not None else Counter()
    for kind, confidence in found:
        if enough(confidence, least):
            count[names[kind]] += more or confidence
    return count


def by_numpy(found, names, least):
    kinds, confidences = np.array(found, dtype=float).reshape(-1, 2).T
    return dict(zip(names, np.bincount(kinds[confidences >= least].astype(int), minlength=len(names)), strict=True))


def by_arrays(tp, fp, fn):
    wholes = np.array([tp + fp, tp + fn])
    return np.where(wholes > 0, tp / np.maximum(wholes, 1), 0.0)


def by_labels(tp, fp, fn, empty=0.0, order=1):
    boxes, cells = [1] * tp + [0] * fp, [1] * tp + [0] * fn
    return tuple(sum(items) / len(items) if items else empty for items in (boxes, cells)[::order])


RIGHT = {
    check.grid_cells: {"sliced": sliced, "an object": GridCells(), "partial": partial(sliced, put=np.sum)},
    check.precision_recall: {"arrays": by_arrays, "lists": by_labels, "fractions": lambda *n: [float(Fraction(n[0], max(n[0] + i, 1))) for i in n[1:]]},
    check.counted: {"Counter": by_counter, "NumPy": by_numpy, "sums": lambda f, ns, t: {n: sum(ns[k] == n and c >= t for k, c in f) for n in ns}},
}  # fmt: skip
WRONG = {
    check.grid_cells: {
        "squares": (lambda h, w, strides=(8, 16, 32): sliced(h, h, strides), "the image need not be square"),
        "stride once": (lambda h, w, strides=(8, 16, 32): sum(h * w // s for s in strides), "so the area by its square"),
        "the first": (partial(sliced, of=slice(1)), "that is the finest map alone"),
        "a list": (partial(sliced, put=list), "the exercise asks for one number, their sum"),
        "fixed": (lambda h, w, *rest: sliced(h, w), "8, 16, 32 is only its default"),
    },
    check.precision_recall: {
        "swapped": (partial(by_labels, order=-1), "the two are swapped"),
        "one where none": (partial(by_labels, empty=1.0), "the exercise asks for 0.0"),
        "of all": (lambda tp, fp, fn: by_labels(tp, fp + fn, fp + fn), "both were divided by tp + fp + fn"),
        "per cent": (lambda *n: 100 * by_arrays(*n), "those are per cent"),
        "no check": (lambda tp, fp, fn: (tp / (tp + fp), tp / (tp + fn)), "there is nothing to divide by"),
    },
    check.counted: {
        "more than": (partial(by_counter, enough=lambda c, least: c > least), "a confidence equal to least is enough"),
        "no zeros": (partial(by_counter, start=None), "a class of which nothing was found"),
        "confidences": (partial(by_counter, more=0), "confidences were added up"),
        "the first box": (lambda found, *rest: by_counter(found[:1], *rest), "the loop ends after its first box"),
        "two mistakes": (partial(by_counter, start=None, enough=lambda c, least: c < least), "two mistakes at once"),
    },
}  # fmt: skip
