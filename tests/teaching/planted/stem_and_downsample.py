"""Right and wrong answers to the exercises of notebook 02, spelled as somebody else would."""

import math
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check
from tests.teaching.planted.common import endless


# ---------------------------------------------------------------- exercise 1
def by_building(size, k, s, p=0, d=1):
    with torch.device("meta"):
        return nn.Conv1d(1, 1, k, s, p, d)(torch.empty(1, 1, size)).shape[-1]


def by_counting(size, k, s, p=0, d=1):
    last = d * (k - 1)
    return len(range(-p, size + p - last, s))


def formula(size, k, s, p=0, d=1, sides=2, rounding=math.floor, one=1):
    return rounding((size + sides * p - d * (k - 1) - 1) / s) + one


# ---------------------------------------------------------------- exercise 2
def by_unfold(image, k, step=None, back=True):
    patches = F.unfold(image, k, stride=step or k)
    return patches.transpose(1, 2) if back else patches


def by_loop(image, k, order=lambda patch: patch):
    _, _, height, width = image.shape
    corners = [(i, j) for i in range(0, height - k + 1, k) for j in range(0, width - k + 1, k)]
    return torch.stack([order(image[:, :, i : i + k, j : j + k]).flatten(1) for i, j in corners], 1)


def by_tensor_unfold(image, k):
    cut = image.unfold(2, k, k).unfold(3, k, k)  # (N, C, rows, columns, k, k)
    return cut.permute(0, 2, 3, 1, 4, 5).flatten(1, 2).flatten(2)


# ---------------------------------------------------------------- exercise 3
def in_a_loop(rows, start=1, place=2):
    stride, found = start, []
    for _, _, name, arguments in rows:
        if name != "ConvNeXtBlock":
            stride *= arguments[place]
        found.append(stride)
    return found


def by_cumprod(rows):
    return np.cumprod([arguments[2] if len(arguments) > 1 else 1 for *_, arguments in rows])


def before(rows):
    found = in_a_loop(rows)
    return [1, *found[:-1]]


# ---------------------------------------------------------------- exercise 4
class ByHand(nn.Module):
    """Right; the wrong ones change a part of it."""

    def __init__(self, c1, c2):
        super().__init__()
        self.norm, self.conv = nn.LayerNorm(c1, eps=1e-6), nn.Conv2d(c1, c2, 2, 2)

    def normal(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def forward(self, x):
        return self.conv(self.normal(x))


class WithCnx(nn.Module):
    def __init__(self, c1, c2, k=2):
        super().__init__()
        self.add_module("norm", cnx.LayerNorm(c1, data_format="channels_first"))
        self.add_module("conv", nn.Conv2d(c1, c2, k, k))

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x


class NoBias(ByHand):
    def __init__(self, c1, c2):
        super().__init__(c1, c2)
        self.conv = nn.Conv2d(c1, c2, 2, 2, bias=False)


class Swapped(ByHand):
    def __init__(self, c1, c2):
        super().__init__(c1, c2)
        self.conv = nn.Conv2d(c2, c1, 2, 2)


class GroupNorm(ByHand):
    def normal(self, x):
        return F.group_norm(x, 1, self.norm.weight, self.norm.bias, 1e-6)


class Active(ByHand):
    def forward(self, x):
        return F.gelu(super().forward(x))


class Unused(ByHand):
    def normal(self, x):
        return x


class Stub(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        raise NotImplementedError()


class HalfStub(ByHand):
    def forward(self, x):
        raise NotImplementedError()


class Endless(ByHand):
    def forward(self, x):
        return endless()


# ---------------------------------------------------------------- exercise 5
def stem(*channels, kernel=3, norm=True, stride=2, bias=True):
    """Convolutions of stride 2 with so many channels, then a norm."""
    convs = [
        nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=bias) for a, b in zip((3, *channels), channels, strict=False)
    ]
    return nn.Sequential(*convs, *([cnx.LayerNorm(channels[-1], data_format="channels_first")] if norm else []))


def with_activation(act, width=16, kernels=(5, 3), bias=True):
    """Two convolutions of stride 2, each with a norm, and an activation between them."""
    a, b = (nn.Conv2d(i, o, k, 2, k // 2, bias=bias) for i, o, k in ((3, width, kernels[0]), (width, 96, kernels[1])))
    norms = [cnx.LayerNorm(channels, data_format="channels_first") for channels in (width, 96)]
    return nn.Sequential(a, norms[0], act, b, norms[1])


RIGHT = {
    check.output_size: {"built": by_building, "counted": by_counting, "a tensor": lambda *a: torch.tensor(by_counting(*a))},
    check.patchify: {"F.unfold": by_unfold, "a loop": by_loop, "Tensor.unfold": by_tensor_unfold},
    check.strides: {"loop": in_a_loop, "NumPy": by_cumprod, "tuple": lambda rows: tuple(map(float, in_a_loop(rows)))},
    check.downsample: {"by hand": ByHand, "the library's parts": WithCnx, "subclass": type("Own", (ByHand,), {})},
    check.small_cell_stem: {"GELU": lambda: with_activation(nn.GELU()), "ReLU, no bias": lambda: with_activation(nn.ReLU(), bias=False), "a lambda with a default": lambda width=20: with_activation(nn.SiLU(), width)},
}  # fmt: skip
WRONG = {
    check.output_size: {
        "no plus one": (partial(formula, one=0), "the first window was not counted"),
        "rounded up": (partial(formula, rounding=math.ceil), "rounded up"),
        "padding on one side": (partial(formula, sides=1), "padding was added on one side only"),
        "a float": (partial(formula, rounding=lambda x: x), "divide with //"),
        "d * k": (lambda size, k, s, p=0, d=1: (size + 2 * p - d * k) // s + 1, "between k pixels there are k - 1 gaps"),
    },
    check.patchify: {
        "not transposed": (partial(by_unfold, back=False), "swap the last two axes"),
        "step 1": (partial(by_unfold, step=1), "the patches overlap"),
        "pixel by pixel": (partial(by_loop, order=lambda patch: patch.permute(0, 2, 3, 1)), "flattened pixel by pixel"),
        "turned": (partial(by_loop, order=lambda patch: patch.transpose(2, 3)), "rows and columns are swapped inside"),
        "one batch": (lambda image, k: by_loop(image, k).flatten(0, 1), "keep N as the first axis"),
    },
    check.strides: {
        "kernels": (partial(in_a_loop, place=1), "the kernel size was read"),
        "before": (before, "the stride before each row"),
        "added": (lambda rows: np.cumsum([row[3][2] if len(row[3]) > 1 else 1 for row in rows]), "the strides were added"),
        "the last": (lambda rows: in_a_loop(rows)[-1], "not the last number alone"),
        "blocks left out": (lambda rows: [s for s, row in zip(in_a_loop(rows), rows, strict=True) if row[2] != "ConvNeXtBlock"], "the rows that keep the size were left out"),
    },
    check.downsample: {
        "no bias": (NoBias, "leave bias=True"),
        "channels swapped": (Swapped, "c1 and c2 are swapped"),
        "GroupNorm": (GroupNorm, "that is GroupNorm(1)"),
        "GELU": (Active, "there is an activation"),
        "norm unused": (Unused, "the norm is made and not used"),
    },
    check.small_cell_stem: {
        "the article's": (lambda: cnx.ConvNeXtStem(3, 96, 4, 4), "every pixel lies in one window only"),
        "7x7": (lambda: cnx.ConvNeXtStem(3, 96, 7, 4, 3), "k = 7 is one too narrow"),
        "8x8": (lambda: cnx.ConvNeXtStem(3, 96, 8, 4, 2), "wide windows alone do not help"),
        "two wide ones": (lambda: stem(96, 96), "at most 20,000"),
        "no norm": (lambda: stem(16, 96, norm=False), "a stem ends in LayerNorm"),
        "48 channels": (lambda: stem(16, 48), "expect 96 channels"),
        "the class": (lambda: cnx.ConvNeXtStem, "with its numbers in parentheses"),
    },
}  # fmt: skip
STUBS = {check.downsample: Stub}
ENDLESS = {check.downsample: Endless}
