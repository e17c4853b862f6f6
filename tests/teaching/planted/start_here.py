"""Right and wrong answers to the exercises of notebook 00, spelled as somebody else would."""

from collections import Counter
from functools import partial

import numpy as np
import torch

from cnx_tutorial.teaching import check


def sliced(height, width, strides=(8, 16, 32), of=slice(None), put=sum):
    pixels = torch.empty(height, width, device="meta")
    return put([pixels[::stride, ::stride].numel() for stride in strides[of]])


class Places:
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


def in_memory(shape, *index, order="C"):
    return np.ravel_multi_index(index, shape, order=order)


RIGHT = {
    check.places_of: {"sliced": sliced, "an object": Places(), "partial": partial(sliced, put=np.sum)},
    check.counted: {"Counter": by_counter, "NumPy": by_numpy, "sums": lambda f, ns, t: {n: sum(ns[k] == n and c >= t for k, c in f) for n in ns}},
    check.offset_of: {"NumPy": in_memory, "storage": lambda s, *i: torch.empty(s)[i].storage_offset(), "partial": partial(in_memory, order="C")},
}  # fmt: skip
WRONG = {
    check.places_of: {
        "squares": (lambda h, w, strides=(8, 16, 32): sliced(h, h, strides), "the image need not be square"),
        "stride once": (lambda h, w, strides=(8, 16, 32): sum(h * w // s for s in strides), "so the area by its square"),
        "the first": (partial(sliced, of=slice(1)), "that is the finest map alone"),
        "a list": (partial(sliced, put=list), "asked is one number, their sum"),
        "fixed": (lambda h, w, *rest: sliced(h, w), "8, 16, 32 is only its default"),
    },
    check.counted: {
        "more than": (partial(by_counter, enough=lambda c, least: c > least), "a confidence equal to least is enough"),
        "no zeros": (partial(by_counter, start=None), "a class of which nothing was found"),
        "confidences": (partial(by_counter, more=0), "confidences were added up"),
        "the first cell": (lambda found, *rest: by_counter(found[:1], *rest), "the loop ends after its first cell"),
        "two mistakes": (partial(by_counter, start=None, enough=lambda c, least: c < least), "two mistakes at once"),
    },
    check.offset_of: {
        "first fastest": (partial(in_memory, order="F"), "there the first index moves fastest"),
        "channels last": (lambda s, n, c, h, w: in_memory((s[0], s[2], s[3], s[1]), n, h, w, c), "the order (N, H, W, C)"),
        "from one": (lambda *a: in_memory(*a) + 1, "positions are counted from 0"),
        "the first image": (lambda s, n, *index: in_memory(s, 0, *index), "the image's number is not used"),
        "with decimals": (lambda *a: float(in_memory(*a)), "asked are whole numbers"),
    },
}  # fmt: skip
