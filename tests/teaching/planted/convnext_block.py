"""Right and wrong answers to the exercises of notebook 03, spelled as somebody else would."""

import random
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check
from tests.teaching.planted.common import endless


# ---------------------------------------------------------------- exercises 1 and 2
def by_building(dim, kernel_size=7, expansion=4):
    return sum(p.numel() for p in cnx.ConvNeXtBlock(dim, kernel_size, expansion).parameters())


def by_hand(dim, kernel_size=7, expansion=4, more=lambda c, k, e: 0):
    parts = dim * kernel_size**2 + dim + 2 * dim + 2 * expansion * dim**2 + expansion * dim + dim + dim
    return parts + more(dim, kernel_size, expansion)


def by_dot(dim, kernel_size=7, expansion=4):
    return np.dot([kernel_size**2 + 5 + expansion, 2 * expansion], [dim, dim**2])


def by_pixel(dim, height, width, kernel_size=7, expansion=4, more=lambda c, k, e: 0):
    return sum(
        kernel_size**2 * dim + 2 * expansion * dim**2 + more(dim, kernel_size, expansion) for _ in range(height * width)
    )


def by_layers(dim, height, width, kernel_size=7, expansion=4):
    layers = {"deep": (dim, kernel_size**2), "widen": (expansion * dim, dim), "narrow": (dim, expansion * dim)}
    return torch.tensor([outputs * inputs for outputs, inputs in layers.values()]).sum() * height * width


# ---------------------------------------------------------------- exercise 3
def draw(x, p, *shape):
    return (torch.rand(shape or (len(x), *[1] * (x.ndim - 1)), dtype=x.dtype) >= p).to(x.dtype)


def dropping(formula):
    return lambda x, drop_prob, training: formula(x, drop_prob) if training and drop_prob else x


def by_samples(x, drop_prob, training):
    if not training or drop_prob == 0.0:
        return x
    return torch.stack([s / (1 - drop_prob) if random.random() >= drop_prob else torch.zeros_like(s) for s in x])


def by_layer(x, drop_prob, training):
    return cnx.DropPath(drop_prob).train(training)(x)


def exactly(x, p):
    kept = torch.ones(len(x), *[1] * (x.ndim - 1), dtype=x.dtype)
    kept[torch.randperm(len(x))[: round(p * len(x))]] = 0
    return x * kept / (1 - p)


# ---------------------------------------------------------------- exercise 4
class Block(nn.Module):
    """Right; the wrong ones change a part of it."""

    hidden, groups = 4, True

    def __init__(self, dim, drop_path=0.0, layer_scale=1e-6):
        super().__init__()
        self.p = drop_path
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim if self.groups else 1)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(dim, self.hidden * dim), nn.Linear(self.hidden * dim, dim)
        self.gamma = nn.Parameter(layer_scale * torch.ones(dim))

    act = staticmethod(F.gelu)

    def branch(self, x):
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        return (self.gamma * self.pwconv2(self.act(self.pwconv1(y)))).permute(0, 3, 1, 2)

    def drop(self, y):
        return by_samples(y, self.p, self.training)

    def forward(self, x):
        return x + self.drop(self.branch(x))


class ByMovedim(Block):
    def branch(self, x):
        y = torch.movedim(self.dwconv(x), 1, -1)
        y = F.layer_norm(y, y.shape[-1:], self.norm.weight, self.norm.bias, 1e-6)
        y = torch.einsum("nhwc,c->nchw", self.pwconv2(self.act(self.pwconv1(y))), self.gamma)
        return y


class FromLibrary(cnx.ConvNeXtBlock):
    def __init__(self, dim, drop_path=0.0, layer_scale=1e-6):
        super().__init__(dim, drop_path=drop_path, layer_scale=layer_scale)


def changed(**members):
    return type("Changed", (Block,), members)


def norm_first(self, x):
    y = self.dwconv(self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return (self.gamma * self.pwconv2(self.act(self.pwconv1(y)))).permute(0, 3, 1, 2)


def overwritten(self, x):
    x = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
    x = self.gamma * self.pwconv2(self.act(self.pwconv1(x)))
    return x + self.drop(x.permute(0, 3, 1, 2))


class Stub(nn.Module):
    def __init__(self, dim, drop_path=0.0, layer_scale=1e-6):
        super().__init__()
        raise NotImplementedError()


class HalfStub(Block):
    def forward(self, x):
        raise NotImplementedError()


# ---------------------------------------------------------------- exercise 5
def every_pair(dim, budget, field, kernels=range(1, 62, 2), expansions=range(2, 400), blocks=2, choose=min):
    k = choose(k for k in kernels if 2 * k - 1 >= field and blocks * by_hand(dim, k, 2) <= budget)
    return k, max(e for e in expansions if blocks * by_hand(dim, k, e) <= budget)


def by_division(dim, budget, field):
    """Half of the field, rounded up to an odd number; then what is left by the price of one more expansion."""
    k = (field + 2) // 2 | 1
    return np.array([k, 2 + (budget - 2 * by_hand(dim, k, 2)) // (2 * (2 * dim**2 + dim))])


def step_by_step(dim, budget, field, spend=True):
    k, e = 1, 2
    while k + (k - 1) < field:
        k += 2
    while spend and 2 * by_building(dim, k, e + 1) <= budget:
        e += 1
    return [k, e]


RIGHT = {
    check.count_parameters: {"built": by_building, "partial": partial(by_hand), "NumPy": by_dot},
    check.macs: {"by pixel": by_pixel, "by layers, a tensor": by_layers, "partial": partial(by_pixel, more=lambda c, k, e: 0)},
    check.drop_path: {"sample by sample": by_samples, "the library's": by_layer, "dropout of the mask": lambda x, p, t: x * F.dropout(x.new_ones(len(x), *[1] * (x.ndim - 1)), p, t)},
    check.block: {"by hand": Block, "movedim and einsum": ByMovedim, "the library's": FromLibrary},
    check.two_blocks: {"every pair": every_pair, "division, NumPy": by_division, "step by step": step_by_step},
}  # fmt: skip
WRONG = {
    check.count_parameters: {
        "dense": (partial(by_hand, more=lambda c, k, e: k * k * c * (c - 1)), "counted as a dense one"),
        "no norm": (partial(by_hand, more=lambda c, k, e: -2 * c), "2 * C too few"),
        "one linear layer": (partial(by_hand, more=lambda c, k, e: -e * c * c), "there are two 1x1 convolutions"),
        "kernel 7 always": (lambda dim, kernel_size=7, expansion=4: by_hand(dim, 7, expansion), "does not depend on kernel_size, "),
        "a float": (lambda *a, **k: float(by_hand(*a, **k)), "the exercise asks for whole numbers"),
    },
    check.macs: {
        "FLOPs": (lambda *a: 2 * by_pixel(*a), "that is FLOPs"),
        "one pixel": (lambda dim, height, width, *a: by_pixel(dim, 1, 1, *a), "the cost of one pixel"),
        "a square map": (lambda dim, height, width, *a: by_pixel(dim, height, height, *a), "height and width differ"),
        "biases too": (partial(by_pixel, more=lambda c, k, e: (2 + e) * c), "biases were counted"),
        "no depthwise": (partial(by_pixel, more=lambda c, k, e: -k * k * c), "the depthwise convolution is missing"),
    },
    check.drop_path: {
        "one draw": (dropping(lambda x, p: x * (torch.rand(()) >= p) / (1 - p)), "one draw decided for the whole batch"),
        "dropout": (dropping(lambda x, p: F.dropout(x, p)), "that is dropout"),
        "not rescaled": (dropping(lambda x, p: x * draw(x, p)), "is not divided by 1 - drop_prob"),
        "the share that stays": (dropping(lambda x, p: x * draw(x, 1 - p) / (1 - p)), "the probability to keep"),
        "always": (lambda x, p, training: x * draw(x, p) / (1 - p), "samples were dropped outside training"),
        "four axes": (dropping(lambda x, p: x * draw(x, p, len(x), 1, 1, 1) / (1 - p)), "four axes alone"),
        "exactly so many": (dropping(exactly), "drops the same number of samples"),
        "detached": (dropping(lambda x, p: x.detach() * draw(x, p) / (1 - p)), "stands in the way"),
    },
    check.block: {
        "dense": (changed(groups=False), "say groups=dim"),
        "narrow": (changed(hidden=2), "four times as wide"),
        "ReLU": (changed(act=staticmethod(F.relu)), "that is ReLU"),
        "norm first": (changed(branch=norm_first), "the norm came before the depthwise convolution"),
        "x overwritten": (changed(forward=overwritten), "x was overwritten on the way"),
        "no sum": (changed(forward=lambda self, x: self.drop(self.branch(x))), "the input is not added"),
        "drop path on the sum": (changed(forward=lambda self, x: self.drop(x + self.branch(x))), "applied to the sum"),
        "no drop path": (changed(drop=lambda self, y: y), "the drop_path argument is not used"),
        "gamma at 1": (changed(__init__=lambda self, dim, drop_path=0.0, layer_scale=1e-6: Block.__init__(self, dim, drop_path, 1.0)), "gamma starts at layer_scale"),
    },
    check.two_blocks: {
        "one block's price": (partial(every_pair, blocks=1), "what one block could spend"),
        "one block's field": (lambda dim, budget, field: step_by_step(dim, budget, 2 * field - 1), "that is the field of one block"),
        "left over": (partial(step_by_step, spend=False), "what it leaves over buys a wider expansion"),
        "swapped": (lambda *question: every_pair(*question)[::-1], "the two numbers are swapped"),
        "even": (partial(every_pair, kernels=range(1, 62)), "the kernel is even"),
        "as far as possible": (partial(every_pair, choose=max), "the kernel is larger than the field asks for"),
        "published": (lambda dim, budget, field: step_by_step(dim, budget, 13), "kernel 7 is the published one"),
    },
}  # fmt: skip
STUBS = {check.block: Stub}
ENDLESS = {check.block: changed(forward=lambda self, x: endless())}
NONSENSE = [lambda *a: (3, object()), lambda *a: "74", lambda *a: (3.5, None), lambda *a: {7: 4}]
