"""Right and wrong answers to the exercises of notebook 01, spelled as somebody else would."""

import torch
import torch.nn.functional as F
from torch import nn

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check
from tests.teaching.planted.common import endless


# ---------------------------------------------------------------- exercise 1
def by_loop(x, eps=1e-6):
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return torch.stack([(value - mean) / torch.sqrt(variance + eps) for value in x])


class Normalizer:
    """A callable object."""

    def __call__(self, x, eps=1e-6, shift=0.0):
        y = x - x.mean()
        return y * torch.rsqrt(y @ y / len(y) + eps) + shift


def in_place(x, eps=1e-6):
    x -= x.mean()
    return x / (x.square().mean() + eps).sqrt()


def from_a_list(x, eps=1e-6):
    values = x.tolist()
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    return torch.tensor([(value - mean) / (variance + eps) ** 0.5 for value in values], dtype=x.dtype)


# ---------------------------------------------------------------- exercise 3
AXES = {"batch": (0, 2, 3), "layer": (1,), "instance": (2, 3), "group1": (1, 2, 3)}


def axes_but(**changed):
    return lambda norm: {**AXES, **changed}[norm]


def with_ifs(norm):
    if norm == "batch":
        return [3, 0, 2]
    if norm == "layer":
        return 1
    return {-2, -1} if norm == "instance" else range(1, 4)


# ---------------------------------------------------------------- exercise 2
def permuted(x, weight, bias, eps=1e-6, back=(0, 3, 1, 2)):
    y = F.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, bias, eps)
    return y.permute(*back) if back else y


def as_einsum(x, weight, bias, eps=1e-6, dim=1, keepdim=True):
    variance, mean = torch.var_mean(x, dim, correction=0, keepdim=keepdim)
    return torch.einsum("nchw,c->nchw", (x - mean) / (variance + eps).sqrt(), weight) + bias.view(-1, 1, 1)


def pixel_by_pixel(x, weight, bias, eps=1e-6):
    flat = x.flatten(2).transpose(1, 2)  # (N, H * W, C)
    rows = torch.stack([torch.stack([by_loop(pixel, eps) for pixel in image]) for image in flat]) * weight + bias
    return rows.transpose(1, 2).reshape(x.shape)


# ---------------------------------------------------------------- exercise 4
class ByHand(nn.Module):
    """Right; the wrong ones change a part of it."""

    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        super().__init__()
        self.refuse(data_format)
        self.weight, self.bias = nn.Parameter(torch.ones(num_channels)), nn.Parameter(torch.zeros(num_channels))
        self.eps, self.data_format = eps, data_format

    def refuse(self, data_format):
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"data_format must be channels_last or channels_first, got {data_format!r}")

    def norm(self, x, axis):
        return (x - x.mean(axis, keepdim=True)) / (x.var(axis, keepdim=True, correction=0) + self.eps).sqrt()

    def forward(self, x):
        if self.data_format == "channels_last":
            return self.norm(x, 3) * self.weight + self.bias
        return self.norm(x, 1) * self.weight[:, None, None] + self.bias[:, None, None]


class WithF(ByHand):
    def forward(self, x):
        last = self.data_format == "channels_last"
        x = x if last else x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)
        return x if last else x.permute(0, 3, 1, 2)


class GroupNormFirst(ByHand):
    def norm(self, x, axis):
        return super().norm(x, axis if axis == 3 else (1, 2, 3))


class Unbiased(ByHand):
    def norm(self, x, axis):
        return (x - x.mean(axis, keepdim=True)) / (x.var(axis, keepdim=True) + self.eps).sqrt()


class Unchecked(ByHand):
    def refuse(self, data_format):
        pass


class NoBias(ByHand):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.bias = None


class PlainTensors(ByHand):
    def __init__(self, num_channels, *args, **options):
        super().__init__(num_channels, *args, **options)
        del self.weight
        self.weight = torch.ones(num_channels)


class Stub(nn.Module):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        super().__init__()
        raise NotImplementedError()


class HalfStub(ByHand):
    def forward(self, x):
        raise NotImplementedError()


class Endless(ByHand):
    def forward(self, x):
        return endless()


RIGHT = {
    check.normalize: {"loop": by_loop, "an object": Normalizer(), "PyTorch": lambda x, eps=1e-6: F.layer_norm(x, x.shape, eps=eps)},
    check.axes_that_share: {"ifs, lists, sets, negative axes": with_ifs, "table": AXES.get, "letters": lambda norm: ["NCHW".index(c) for c in {"batch": "NHW", "layer": "C", "instance": "HW", "group1": "CHW"}[norm]]},
    check.layer_norm_channels_first: {"permute": permuted, "einsum": as_einsum, "pixel by pixel": pixel_by_pixel},
    check.layernorm: {"by hand": ByHand, "with PyTorch's function": WithF, "the library's": cnx.LayerNorm},
}  # fmt: skip
WRONG = {
    check.normalize: {
        "unbiased": (lambda x, eps=1e-6: (x - x.mean()) / (x.var() + eps).sqrt(), "divided by C - 1"),
        "eps outside": (lambda x, eps=1e-6: (x - x.mean()) / (x.var(correction=0).sqrt() + eps), "eps was added to the standard deviation"),
        "in place": (in_place, "an operation that changes its input"),
        "a list": (from_a_list, "something cuts the graph"),
        "one pass": (lambda x, eps=1e-6: (x - x.mean()) / (x.square().mean() - x.mean() ** 2 + eps).sqrt(), "loses all digits when the mean is large"),
        "float32 inside": (lambda x, eps=1e-6: F.layer_norm(x.float(), x.shape, eps=eps).to(x.dtype), "about six digits only"),
        "mean detached": (lambda x, eps=1e-6: (x - x.mean().item()) / (x.var(correction=0) + eps).sqrt(), "mean or variance was detached"),
    },
    check.axes_that_share: {
        "layer as GroupNorm(1)": (axes_but(layer=(1, 2, 3)), "GroupNorm(1)'s axes: one mean"),
        "layer on the last axis": (axes_but(layer=(-1,)), "axis 3 is W"),
        "batch over N alone": (axes_but(batch=(0,)), "axis 0 alone"),
        "letters": (lambda norm: tuple("NHW"), "N is axis 0"),
        "no group1": (lambda norm: AXES[norm] if norm != "group1" else None, "no branch of the code returns something"),
    },
    check.layer_norm_channels_first: {
        "GroupNorm(1)": (lambda *a: as_einsum(*a, dim=(1, 2, 3)) if len(a) == 3 else as_einsum(*a[:4], dim=(1, 2, 3)), "that is GroupNorm(1)"),
        "not back": (lambda *a: permuted(*a, back=None) if len(a) == 4 else permuted(*a, 1e-6, None), "permuted and not back"),
        "no keepdim": (lambda x, w, b, eps=1e-6: as_einsum(x, w, b, eps, keepdim=False), "keepdim=True is missing"),
        "bias along W": (lambda x, w, b, eps=1e-6: as_einsum(x, w, torch.zeros_like(b), eps) + b, "bias ran along W"),
        "no weight": (lambda x, w, b, eps=1e-6: as_einsum(x, torch.ones_like(w), b, eps), "weight is not multiplied in"),
    },
    check.layernorm: {
        "GroupNorm(1) in one layout": (GroupNormFirst, "that is GroupNorm(1)"),
        "unbiased": (Unbiased, "divided by C - 1"),
        "layout not checked": (Unchecked, "data_format is not checked"),
        "no bias": (NoBias, "the layer has two parameters"),
        "no parameters": (PlainTensors, "is no nn.Parameter"),
    },
}  # fmt: skip
STUBS = {check.layernorm: Stub}
ENDLESS = {check.layernorm: Endless}
