"""Right and wrong answers to the exercises of notebook 00."""

import torch

from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import start_here as said

CHECKS = said


# ---------------------------------------------------------------- exercise 1: places_of
def by_slicing(height, width, strides=(8, 16, 32)):
    pixels = torch.empty(height, width, device="meta")
    return sum(pixels[::stride, ::stride].numel() for stride in strides)


def replaced(height, width, strides=(8, 16, 32)):
    for stride in strides:
        places = height // stride * (width // stride)
    return places


PLACES_RIGHT = {"formula": lambda h, w, strides=(8, 16, 32): sum(h * w // s**2 for s in strides), "sliced": by_slicing}
PLACES_WRONG = {
    "height only": (lambda h, w, strides=(8, 16, 32): sum(h // s for s in strides), said.ONE_SIDE),
    "square": (lambda h, w, strides=(8, 16, 32): by_slicing(h, h, strides), said.SQUARE),
    "square of the width": (lambda h, w, strides=(8, 16, 32): by_slicing(w, w, strides), said.NO_HEIGHT),
    "replaced": (replaced, said.COARSEST),
    "a list": (lambda h, w, strides=(8, 16, 32): [by_slicing(h, w, (s,)) for s in strides], said.LISTED),
    "stride once": (lambda h, w, strides=(8, 16, 32): sum(h * w // s for s in strides), said.STRIDE_ONCE),
    "finest map": (lambda h, w, strides=(8, 16, 32): by_slicing(h, w, strides[:1]), said.FINEST),
    "added": (lambda h, w, strides=(8, 16, 32): sum((h + w) // s for s in strides), said.ADDED),
    "always 8 16 32": (lambda h, w, strides=None: by_slicing(h, w), said.STRIDES_FIXED),
    "pixels": (lambda h, w, strides=None: h * w, said.PLACES),
    "no default": (lambda h, w, strides: by_slicing(h, w, strides), said.PLACES_CALL),
}


# ---------------------------------------------------------------- exercise 2: counted
def by_sum(found, names, least):
    return {name: sum(kind == i and confidence >= least for kind, confidence in found) for i, name in enumerate(names)}


def by_loop(found, names, least, *, start=None, test=lambda c, t: c >= t, key=None, step=lambda c: 1):
    count = {name: 0 for name in names} if start is None else start()
    for kind, confidence in found:
        if test(confidence, least):
            name = names[kind] if key is None else key(kind)
            count.setdefault(name, 0)
            count[name] += step(confidence)
    return count


def by_class(found, names, least):
    count = {name: 0 for name in names}
    for kind, confidence in found:
        count[kind] += confidence >= least
    return count


def from_nothing(found, names, least):
    count = {}
    for kind, confidence in found:
        if confidence >= least:
            count[names[kind]] += 1
    return count


def three_names(found, names, least):
    count = {"Platelets": 0, "RBC": 0, "WBC": 0}
    for kind, confidence in found:
        if confidence >= least:
            count[list(count)[kind]] += 1
    return count


COUNTED_RIGHT = {"sum": by_sum, "loop": by_loop}
COUNTED_WRONG = {
    "more than": (lambda f, n, t: by_loop(f, n, t, test=lambda c, t: c > t), said.MORE_THAN),
    "all": (lambda f, n, t: by_loop(f, n, -1), said.NO_LEAST),
    "no zeros": (lambda f, n, t: by_loop(f, n, t, start=dict), said.NO_ZEROS),
    "indices": (lambda f, n, t: by_loop(f, n, t, start=lambda: {i: 0 for i in range(len(n))}, key=int), said.INDICES),
    "sum of confidences": (lambda f, n, t: by_loop(f, n, t, step=float), said.SUMMED),
    "the others": (lambda f, n, t: by_loop(f, n, t, test=lambda c, t: c < t), said.OTHER_WAY),
    "all classes": (lambda f, n, t: {name: len([c for _, c in f if c >= t]) for name in n}, said.ALL_CLASSES),
    "nothing": (lambda f, n, t: {name: 0 for name in n}, said.COUNTED),
    "a list": (lambda f, n, t: list(by_sum(f, n, t).values()), said.NO_DICTIONARY),
    "three names": (three_names, said.NAMES_FIXED),
    "class as key": (by_class, said.COUNTED_CALL),
    "from an empty dictionary": (from_nothing, said.COUNTED_CALL),
    "first cell": (lambda f, n, t: {n[f[0][0]]: 1}, said.COUNTED_CALL),
}


# ---------------------------------------------------------------- exercise 3: offset_of
def by_strides(shape, n, c, h, w):
    return sum(i * step for i, step in zip((n, c, h, w), torch.empty(shape, device="meta").stride(), strict=True))


def by_arange(shape, n, c, h, w):
    return torch.arange(torch.Size(shape).numel()).reshape(shape)[n, c, h, w]


OFFSET_RIGHT = {"strides": by_strides, "arange": by_arange}
OFFSET_WRONG = {
    "column by row": (
        lambda s, n, c, h, w: n * s[1] * s[2] * s[3] + c * s[2] * s[3] + w * s[2] + h,
        said.LAST_AXES_SWAPPED,
    ),
    "channels last": (lambda s, n, c, h, w: by_arange((s[0], s[2], s[3], s[1]), n, h, w, c), said.CHANNELS_LAST),
    "first image": (lambda s, n, c, h, w: by_arange(s, 0, c, h, w), said.NO_IMAGE),
    "first channel": (lambda s, n, c, h, w: by_arange(s, n, 0, h, w), said.NO_CHANNEL),
    "from one": (lambda s, n, c, h, w: by_arange(s, n, c, h, w) + 1, said.FROM_ONE),
    "sides swapped": (
        lambda s, n, c, h, w: n * s[1] * s[2] * s[3] + c * s[2] * s[3] + h * s[2] + w,
        said.SIDES_SWAPPED,
    ),
    "images by N": (lambda s, n, c, h, w: n * s[0] * s[2] * s[3] + c * s[2] * s[3] + h * s[3] + w, said.CHANNELS_BY_N),
    "first index fastest": (
        lambda s, n, c, h, w: torch.arange(torch.Size(s).numel()).reshape(s[::-1])[w, h, c, n],
        said.FIRST_FASTEST,
    ),
    "own lengths": (
        lambda s, *index: sum(i * length for i, length in zip(index, s, strict=True)),
        said.OWN_LENGTH,
    ),
    "indices added": (lambda s, n, c, h, w: n + c + h + w, said.ADDED_INDICES),
    "all numbers": (lambda s, n, c, h, w: torch.Size(s).numel(), said.OFFSET),
    "one index": (lambda s, index: 0, said.OFFSET_CALL),
}

RIGHT = {check.places_of: PLACES_RIGHT, check.counted: COUNTED_RIGHT, check.offset_of: OFFSET_RIGHT}
WRONG = {check.places_of: PLACES_WRONG, check.counted: COUNTED_WRONG, check.offset_of: OFFSET_WRONG}
