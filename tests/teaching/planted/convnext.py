"""Right and wrong answers to the exercises of notebook 04, spelled as somebody else would."""

from functools import partial

import numpy as np
import torch
from torch import nn

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check


# ---------------------------------------------------------------- exercise 1
def by_linspace(depths, last):
    return [part.tolist() for part in torch.linspace(0, last, sum(depths), dtype=torch.float64).split(list(depths))]


def by_counter(depths, last, step=None, number=0):
    step, stages = last / max(sum(depths) - 1, 1) if step is None else step, []
    for depth in depths:
        stages.append(tuple(step * (number + i) for i in range(depth)))
        number += depth
    return stages


def by_numpy(depths, last):
    return np.split(np.arange(sum(depths)) * last / max(sum(depths) - 1, 1), np.cumsum(depths)[:-1])


# ---------------------------------------------------------------- exercise 2
def by_building(depths, dims, num_classes=1000):
    with torch.device("meta"):
        return sum(p.numel() for p in cnx.ConvNeXt(depths, dims, num_classes=num_classes).parameters())


def by_formula(depths, dims, num_classes=1000, less=lambda d, c, n: 0):
    c = dims[-1]
    total = 51 * dims[0] + 2 * c + (c + 1) * num_classes
    total += sum(2 * a + (4 * a + 1) * b for a, b in zip(dims, dims[1:], strict=False))
    return (
        total + sum(n * c * (8 * c + 58) for n, c in zip(depths, dims, strict=True)) - less(depths, dims, num_classes)
    )


class Count:
    def __call__(self, depths, dims, num_classes=1000, extra=0):
        return np.int64(by_formula(depths, dims, num_classes)) + extra


# ---------------------------------------------------------------- exercise 3
BLOCK = {"0": "dwconv", "2": "norm", "3": "pwconv1", "5": "pwconv2"}


def by_parts(name, norm_first=("norm", "conv"), first=0, gamma="gamma", head=("norm", "", "head")):
    kind, *parts = name.split(".")
    if kind == "classifier":
        return f"{head[int(parts[0])]}.{parts[1]}"
    place, number = divmod(int(parts[0]), 2)
    if number:
        block = f"stages.{place + first}.{parts[1]}"
        return f"{block}.{gamma}" if parts[2] == "layer_scale" else f"{block}.{BLOCK[parts[3]]}.{parts[4]}"
    if place:
        return f"downsamples.{place - 1}.{norm_first[int(parts[1])]}.{parts[2]}"
    return f"stem.{('conv', 'norm')[int(parts[1])]}.{parts[2]}"


def by_replacing(name):
    for number in range(1, 8):
        new = f"stages.{number // 2}" if number % 2 else f"downsamples.{number // 2 - 1}"
        name = name.replace(f"features.{number}.", f"{new}.")
    for old, new in BLOCK.items():
        name = name.replace(f"block.{old}.", f"{new}.")
    if name.startswith("downsamples"):
        name = ".".join(
            {"0": "norm", "1": "conv"}.get(part, part) if i == 2 else part for i, part in enumerate(name.split("."))
        )
    name = (
        name.replace("features.0.0", "stem.conv").replace("features.0.1", "stem.norm").replace("layer_scale", "gamma")
    )
    return name.replace("classifier.0", "norm").replace("classifier.2", "head")


# ---------------------------------------------------------------- exercise 4
def by_search(budget, depth=2, start=8, step=8, end=4000, less=0, thrice=3):
    depths = (depth, depth, thrice * depth, depth)
    widths = [c for c in range(start, end, step) if by_formula(depths, (c, 2 * c, 4 * c, 8 * c)) <= budget - less]
    c = max(widths)
    return depths, (c, 2 * c, 4 * c, 8 * c)


RIGHT = {
    check.drop_path_rates: {"linspace": by_linspace, "counting": by_counter, "NumPy": by_numpy},
    check.parameters: {"built": by_building, "partial": partial(by_formula), "an object": Count()},
    check.rename: {"parts": by_parts, "replacing": by_replacing, "partial": partial(by_parts, first=0)},
    check.widest: {"search": by_search, "lists": lambda b, d=2: [list(part) for part in by_search(b, d)], "NumPy": lambda b, d=2: np.array(by_search(b, d))},
}  # fmt: skip
WRONG = {
    check.drop_path_rates: {
        "anew in each stage": (lambda d, r: [torch.linspace(0, r, n, dtype=torch.float64).tolist() for n in d], "starts anew in each stage"),
        "n steps": (lambda d, r: by_counter(d, r, step=r / sum(d)), "n - 1 steps"),
        "flat": (lambda d, r: sum(map(list, by_counter(d, r)), []), "in one list"),
        "constant": (lambda d, r: [[r] * n for n in d], "every block has the last rate"),
        "divides by nothing": (lambda d, r: by_counter(d, r, step=r / (sum(d) - 1)), "no steps to divide by"),
    },
    check.parameters: {
        "no stem": (partial(by_formula, less=lambda d, c, n: 51 * c[0]), "the stem is missing"),
        "no gamma": (partial(by_formula, less=lambda d, c, n: sum(x * y for x, y in zip(d, c, strict=True))), "layer scale is missing"),
        "no biases of the classes": (partial(by_formula, less=lambda d, c, n: n), "the classifier's biases are missing"),
        "1000 classes": (lambda d, c, n=1000: by_formula(d, c), "num_classes is not used"),
        "doubled": (lambda d, c, n=1000: by_formula(d, [c[0] * 2**i for i in range(len(c))], n), "read them from dims"),
    },
    check.rename: {
        "stages from one": (partial(by_parts, first=1), "the number of the stage is one too high"),
        "convolution first": (partial(by_parts, norm_first=("conv", "norm")), "a downsampling layer is norm, then convolution"),
        "layer_scale": (partial(by_parts, gamma="layer_scale"), "called gamma here"),
        "head first": (partial(by_parts, head=("head", "", "norm")), "the classifier's 0 is the norm"),
        "as it is": (lambda name: name, "the input came back as it was"),
    },
    check.widest: {
        "starts at 40": (lambda b, d=2: by_search(max(b, by_formula((d, d, 3 * d, d), (40, 80, 160, 320))), d, start=40), "begin with 8"),
        "stops at 192": (partial(by_search, end=193), "the search ends too early"),
        "exact budgets refused": (lambda b, d=2: by_search(b, d, less=1) if b > by_formula((d, d, 3 * d, d), (8, 16, 32, 64)) else by_search(b, d), "fits too: <="),
        "depth 2 always": (lambda b, d=2: by_search(max(b, by_formula((2, 2, 6, 2), (8, 16, 32, 64)))), "the depth argument is not used"),
        "even depths": (partial(by_search, thrice=1), "three times as many blocks"),
    },
}  # fmt: skip
NONSENSE = [lambda *a: [[object()]], lambda *a: {1: nn.ReLU}, lambda *a: ((0, 0), None)]
