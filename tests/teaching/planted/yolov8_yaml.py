"""Right and wrong answers to the exercises of notebook 06, spelled as somebody else would."""

import copy
import math
from functools import partial

import numpy as np
import torch

from cnx_tutorial.teaching import check


# ---------------------------------------------------------------- exercise 1
def scaled(c, width, max_channels, eights=math.ceil, last=lambda c, limit: c, first=min):
    return last(8 * eights(first(c, max_channels) * width / 8), max_channels)


# ---------------------------------------------------------------- exercise 2
def by_index(rows, image=3, keeps=("Concat", "nn.Upsample"), total=sum):
    out, read = {-1: image}, []
    for i, (source, _, name, arguments) in enumerate(rows):
        sources = [source] if isinstance(source, int) else source
        read.append(total([out[i - 1 if j == -1 else j] for j in sources]))
        out[i] = read[-1] if name in keeps else arguments[0]
    return read


def with_tensors(rows):
    out, read = [], []
    for i, (source, *_, name, arguments) in enumerate(rows):
        sources = torch.tensor(source).reshape(-1).tolist()
        read.append(torch.tensor([3 if i == 0 else out[j] for j in sources]).sum())
        out.append(int(read[-1]) if name in ("Concat", "nn.Upsample") else arguments[0])
    return torch.stack(read)


class Reader:
    def __call__(self, rows, image=3):
        return tuple(np.int64(c) for c in by_index(rows, image))


# ---------------------------------------------------------------- exercise 3
def repaired(d, name="C2f", channels=256, lower=1, heads=("Concat", "Detect"), own=copy.deepcopy):
    d = own(d)
    for part in ("backbone", "head"):
        for row in d[part]:
            if row[2] == "C2F":
                row[2] = name
            if row[2] == "ConvNeXtBlock":
                row[3] = [channels]
            if part == "head" and row[2] in heads:
                row[0] = [j if j < 0 else j - lower for j in row[0]]
    return d


def rebuilt(d):
    """A new dictionary, row by row."""
    rows = [
        [source, number, "C2f" if name == "C2F" else name, [256] if name == "ConvNeXtBlock" else list(arguments)]
        for source, number, name, arguments in d["backbone"]
    ]
    head = [[[j - (j > 0) for j in s] if isinstance(s, list) else s, *map(copy.copy, rest)] for s, *rest in d["head"]]
    return {**d, "backbone": rows, "head": head}


# ---------------------------------------------------------------- exercise 4
def own(nc=3, width=0.25, blocks=(1, 1), strides=(2, 2), detect=None, last="Detect", eight=384, sixteen=512):
    """A small detector with ConvNeXt rows, for small things."""
    rows = [
        ("Conv", [64, 3, 2]),
        ("Conv", [128, 3, 2]),
        ("ConvNeXtDownsample", [eight, strides[0], strides[0]]),
        ("ConvNeXtBlock" if blocks[0] else "Conv", [eight]),
        ("ConvNeXtDownsample", [sixteen, strides[1], strides[1]]),
        ("ConvNeXtBlock" if blocks[1] else "Conv", [sixteen]),
    ]
    repeats = {3: max(blocks[0], 1), 5: max(blocks[1], 1)}
    return {
        "nc": nc,
        "scales": {"n": [1.0, width, 1024]},
        "backbone": [[-1, repeats.get(i, 1), *row] for i, row in enumerate(rows)],
        "head": [[detect or [1, 3, 5], 1, last, ["nc"]]],
    }


def with_neck():
    """The same with a way back up, which Concat rows read."""
    d = own()
    d["head"] = [
        [5, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[6, 3], 1, "Concat", [1]],
        [-1, 1, "C2f", [192]],
        [[1, 8, 5], 1, "Detect", ["nc"]],
    ]
    return d


RIGHT = {
    check.scaled_channels: {"ceil": scaled, "floor division": lambda c, width, limit, *_: int(-(min(c, limit) * width // -8) * 8), "NumPy": lambda c, width, limit: np.int64(8) * math.ceil(np.minimum(c, limit) * width / 8)},
    check.c1_of_rows: {"index": by_index, "tensors": with_tensors, "an object": Reader()},
    check.repair: {"a copy": repaired, "rebuilt": rebuilt, "partial": partial(repaired, lower=1)},
    check.my_yaml: {"three maps": own, "a stem of patches": lambda: own() | {"backbone": [[-1, 1, "ConvNeXtStem", [128, 4, 4]], [-1, 1, "nn.Identity", []], *own()["backbone"][2:]]}, "deeper": partial(own, blocks=(2, 2)), "a neck": with_neck},
}  # fmt: skip
WRONG = {
    check.scaled_channels: {
        "nearest": (partial(scaled, eights=round), "rounded to the nearest multiple"),
        "down": (partial(scaled, eights=math.floor), "rounded down"),
        "at least 16": (lambda c, w, m: max(scaled(c, w, m), 16), "nothing says that 16 is the least"),
        "the larger": (partial(scaled, first=max), "a limit is min()"),
        "the limit last": (partial(scaled, first=lambda c, m: c, last=min), "parse_model limits first"),
    },
    check.c1_of_rows: {
        "no image": (partial(by_index, image=0), "row 0 reads the image"),
        "the first of a list": (partial(by_index, total=lambda c: c[0]), "Concat reads all rows"),
        "Concat's argument": (partial(by_index, keeps=("nn.Upsample",)), "its argument 1 is the axis"),
        "Upsample's argument": (partial(by_index, keeps=("Concat",)), "its first argument, None"),
        "always the row before": (lambda rows: by_index([[-1, *row[1:]] for row in rows]), "look at its `from`"),
    },
    check.repair: {
        "the name left": (partial(repaired, name="C2F"), "a mistyped name is left"),
        "64 channels": (partial(repaired, channels=64), "before scaling"),
        "Detect left": (partial(repaired, heads=("Concat",)), "Detect still points one row too far"),
        "in place": (partial(repaired, own=dict), "d itself was changed"),
        "by two": (partial(repaired, lower=2), "the numbers went down by two"),
    },
    check.my_yaml: {
        "80 classes": (partial(own, nc=80), "set nc to 3"),
        "too wide": (partial(own, width=0.5), "too large"),
        "no blocks": (partial(own, blocks=(0, 0)), "put ConvNeXtBlock rows into the backbone"),
        "blocks at one stride": (partial(own, blocks=(0, 3)), "into a stage of another stride too"),
        "narrow": (partial(own, eight=256), "got 64 channels in row 3"),
        "96 before scaling": (partial(own, eight=96), "a YAML's numbers are before scaling"),
        "strides 4 16 32": (partial(own, strides=(4, 2)), "other strides"),
        "no row 9": (partial(own, detect=[1, 3, 9]), "points at a row that is not there"),
        "80 classes in Detect": (lambda: own() | {"head": [[[1, 3, 5], 1, "Detect", [80]]]}, "the row follows the key"),
        "coarse first": (partial(own, detect=[5, 3, 1]), "from fine to coarse"),
        "too early": (partial(own, detect=[1, 2, 5]), "Detect reads a map before its end"),
        "a Concat too early": (lambda: with_neck() | {"head": [with_neck()["head"][0], [[6, 2], 1, "Concat", [1]], *with_neck()["head"][2:]]}, "a Concat reads a stage before its end"),
    },
}  # fmt: skip
NONSENSE = [lambda *a: {"nc": 3, "backbone": [1], "head": [2]}, lambda *a: {"nc": 3, "backbone": [], "head": []}]
