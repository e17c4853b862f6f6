"""Right and wrong answers to the exercises of notebook 01."""

import time

import torch
import torch.nn.functional as F
from torch import nn

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import layernorm as said
from tests.teaching.planted.common import endless

CHECKS = said

SENTENCES = {
    "in-place operation",
    "return the tensor itself",
    "an axis was lost or moved",
    "is no nn.Parameter",
    "is missing: the layer has two parameters",
    "weight 1, bias 0",
    "no statistics and no buffers",
    "data_format is not checked",
    "quote the value",
    "forward refuses it",
    "the check lets other names pass",
    "raise ValueError(f",
    "one number per channel; view it",
    "write class MyLayerNorm(nn.Module)",
    "calls super().__init__()",
    "axis 0 alone",
    "axis 3 is W",
    "BatchNorm's axes: one mean per channel",
    "ConvNeXt's LayerNorm: one mean per pixel",
    "InstanceNorm's axes: one mean",
    "GroupNorm(1)'s axes: one mean",
    "everything shares one mean",
    "left out: ",
    "too many: ",
    "compare the name letter by letter",
    "instead of over C alone",
    "ran along H, not along C",
    "ran along W, not along C",
    "N is axis 0",
    "the four names",
    "uses its default",
    "not their names",
    "not a fixed number",
    "takes such a list",
    "a loop that never ends",
    "without parentheses",
    "read the last line of the error",
}


# ---------------------------------------------------------------- exercise 1: normalize
def centered(x, dim=-1):
    return x - x.mean(dim, keepdim=True)


def var(x, dim=-1):
    return centered(x, dim).square().mean(dim, keepdim=True)


def normalize_by_loop(x, eps=1e-6):
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return torch.stack([(value - mean) / torch.sqrt(variance + eps) for value in x])


def normalize_in_place(x, eps=1e-6):
    x -= x.mean()
    return x / (x.square().mean() + eps).sqrt()


def one_pass(x, dim=-1):
    return x.square().mean(dim, keepdim=True) - x.mean(dim, keepdim=True).square()


def of_the_list(x, eps=1e-6, **kind):
    mean = sum(x.tolist()) / len(x)
    variance = sum((value - mean) ** 2 for value in x.tolist()) / len(x)
    return torch.tensor([(value - mean) / (variance + eps) ** 0.5 for value in x.tolist()], **kind)


def by_eight(x, eps=1e-6):
    mean = sum(x) / 8
    return (x - mean) / (sum((x - mean) ** 2) / 8 + eps).sqrt()


def mean_as_number(x, eps=1e-6):
    return (x - x.mean().item()) / (x.var(correction=0) + eps).sqrt()


def without_graph(x, eps=1e-6):
    with torch.no_grad():
        return F.layer_norm(x, x.shape, eps=eps)


NORMALIZE_RIGHT = {
    "PyTorch": lambda x, eps=1e-6: F.layer_norm(x, x.shape, eps=eps),
    "by loop": normalize_by_loop,
    "with var": lambda x, eps=1e-6: (x - x.mean()) * torch.rsqrt(x.var(correction=0) + eps),
    "with std": lambda x, eps=1e-6: centered(x) / torch.sqrt(x.std(unbiased=False) ** 2 + eps),
}
NORMALIZE_WRONG = {
    "unbiased": (lambda x, eps=1e-6: centered(x) / (x.var() + eps).sqrt(), said.UNBIASED),
    "eps outside": (lambda x, eps=1e-6: centered(x) / (var(x).sqrt() + eps), said.EPS_OUTSIDE),
    "unbiased and eps outside": (lambda x, eps=1e-6: centered(x) / (x.std() + eps), said.BOTH_IN_STD),
    "a name that is not there": (lambda x, eps=1e-6: centered(x) / (var(x) + epsilon).sqrt(), said.ONE_AXIS),  # noqa: F821
    "an axis that is not there": (lambda x, eps=1e-6: x - x.mean(1), said.ONE_AXIS),
    "no eps": (lambda x, eps=1e-6: centered(x) / var(x).sqrt(), said.NO_EPS),
    "eps 1e-5": (lambda x, eps=1e-5: centered(x) / (var(x) + eps).sqrt(), said.EPS_1E5),
    "eps fixed": (lambda x, eps=1e-6: centered(x) / (var(x) + 1e-6).sqrt(), said.EPS_FIXED),
    "no root": (lambda x, eps=1e-6: centered(x) / (var(x) + eps), said.NO_ROOT),
    "not centered": (lambda x, eps=1e-6: x / (var(x) + eps).sqrt(), said.NOT_CENTERED),
    "not scaled": (lambda x, eps=1e-6: centered(x), said.NOT_SCALED),
    "RMSNorm": (lambda x, eps=1e-6: x / (x.square().mean() + eps).sqrt(), said.RMS),
    "std as it comes": (lambda x, eps=1e-6: (x - x.mean()) / x.std(), said.PLAIN_STD),
    "parentheses": (lambda x, eps=1e-6: x - x.mean() / (x.var(correction=0) + eps).sqrt(), said.PARENTHESES),
    "parentheses, std": (lambda x, eps=1e-6: x - x.mean() / x.std(), said.PARENTHESES),
    "eps at the end": (lambda x, eps=1e-6: centered(x) / var(x).sqrt() + eps, said.EPS_LAST),
    "sum of squares": (lambda x, eps=1e-6: centered(x) / ((centered(x) ** 2).sum() + eps).sqrt(), said.SUMMED),
    "F.normalize": (lambda x, eps=1e-6: F.normalize(centered(x), dim=0), said.SUMMED),
    "mean absolute difference": (lambda x, eps=1e-6: centered(x) / (centered(x).abs().mean() + eps), said.ABSOLUTE),
    "minimum and maximum": (lambda x, eps=1e-6: (x - x.min()) / (x.max() - x.min()), said.MIN_MAX),
    "another way": (lambda x, eps=1e-6: x.softmax(0), said.BY_HAND),
    "divided by 8": (by_eight, said.FIXED_SHAPE),
    "odd C": (lambda x, eps=1e-6: F.layer_norm(x, x.shape, eps=eps) * (1 + len(x) % 2), said.OTHER_C),
    "eps squared": (lambda x, eps=1e-6: centered(x) / (var(x) + eps**2 * 1e6).sqrt(), said.EPS_ENTERS),
    "from a list, in float32": (of_the_list, said.DTYPE),
    "from a list": (lambda x, eps=1e-6: of_the_list(x, eps, dtype=x.dtype), said.CUT),
    "mean as a number": (mean_as_number, said.DETACHED),
    "float32 inside": (lambda x, eps=1e-6: F.layer_norm(x.float(), x.shape, eps=eps).to(x.dtype), said.ROUNDED),
    "hard-coded 8": (lambda x, eps=1e-6: F.layer_norm(x, (8,), eps=eps), said.FIXED_SHAPE),
    "one pass": (lambda x, eps=1e-6: centered(x) / (one_pass(x) + eps).sqrt(), said.ONE_PASS),
    "variance detached": (lambda x, eps=1e-6: centered(x) / (var(x).detach() + eps).sqrt(), said.DETACHED),
    "statistics detached": (
        lambda x, eps=1e-6: (x - x.mean().detach()) / (var(x).detach() + eps).sqrt(),
        said.DETACHED,
    ),
    "no_grad": (without_graph, said.CUT),
    "in place": (normalize_in_place, "in-place operation"),
    "numpy": (lambda x, eps=1e-6: F.layer_norm(x, x.shape, eps=eps).numpy(), "return the tensor itself"),
    "tuple": (lambda x, eps=1e-6: (F.layer_norm(x, x.shape, eps=eps), x.mean()), "return the tensor itself"),
    "float32": (lambda x, eps=1e-6: F.layer_norm(x.float(), x.shape, eps=eps), said.DTYPE),
    "one number": (lambda x, eps=1e-6: F.layer_norm(x, x.shape, eps=eps).mean(), "an axis was lost or moved"),
}


# ---------------------------------------------------------------- exercise 2: axes_that_share
AXES = {"batch": (0, 2, 3), "layer": (1,), "instance": (2, 3), "group1": (1, 2, 3)}


def axes_with_ifs(norm):
    if norm == "batch":
        return [3, 0, 2]
    if norm == "layer":
        return 1
    return {-2, -1} if norm == "instance" else (-3, -2, -1)


def axes_without_group1(norm):
    if norm == "group":
        return (1, 2, 3)
    return None if norm == "group1" else AXES[norm]


def axes_but(**changed):
    return lambda norm: {**AXES, **changed}[norm]


AXES_RIGHT = {
    "table": lambda norm: AXES[norm],
    "ifs, lists, sets, negative axes": axes_with_ifs,
    "range": lambda norm: range(1, 4) if norm == "group1" else AXES[norm],
}
AXES_WRONG = {
    "layer as GroupNorm(1)": (axes_but(layer=(1, 2, 3)), "GroupNorm(1)'s axes: one mean"),
    "layer on the last axis": (axes_but(layer=(-1,)), "axis 3 is W"),
    "batch over N alone": (axes_but(batch=(0,)), "axis 0 alone"),
    "batch over everything": (axes_but(batch=(0, 1, 2, 3)), "everything shares one mean"),
    "instance as batch": (axes_but(instance=(0, 2, 3)), "BatchNorm's axes: one mean per channel"),
    "group1 as layer": (axes_but(group1=(1,)), "ConvNeXt's LayerNorm: one mean per pixel"),
    "group1 as instance": (axes_but(group1=(2, 3)), "InstanceNorm's axes: one mean"),
    "instance over W alone": (axes_but(instance=(3,)), "left out: H"),
    "group1 over C and W": (axes_but(group1=(1, 3)), "left out: H"),
    "layer over C and H": (axes_but(layer=(1, 2)), "too many: H"),
    "another name": (axes_without_group1, "compare the name letter by letter"),
    "letters": (lambda norm: tuple("NHW"), "N is axis 0"),
    "axis 4": (axes_but(batch=(0, 3, 4)), "N is axis 0"),
    "a name missing": (lambda norm: {"batch": (0, 2, 3), "layer": (1,)}[norm], "the four names"),
}


# ---------------------------------------------------------------- exercise 3: layer_norm_channels_first
def column(t):
    return t[:, None, None]


def first(normal):
    """A channels-first answer made of a function (x, eps) -> normalised x, with weight and bias put on rightly."""
    return lambda x, weight, bias, eps=1e-6: normal(x, eps) * column(weight) + column(bias)


def over(dim):
    return first(lambda x, eps: centered(x, dim) / (var(x, dim) + eps).sqrt())


def good_first(x, eps=1e-6):
    return centered(x, 1) / (var(x, 1) + eps).sqrt()


def permuted(x, weight, bias, eps=1e-6, back=True):
    y = F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],), weight, bias, eps)
    return y.permute(0, 3, 1, 2) if back else y


def moved(x, weight, bias, eps=1e-6):
    return F.layer_norm(x.movedim(1, -1), weight.shape, weight, bias, eps).movedim(-1, 1)


def put_on(affine):
    """A channels-first answer that normalises rightly and does something else with weight and bias."""
    return lambda x, weight, bias, eps=1e-6: affine(good_first(x, eps), weight, bias)


def permuted_wrongly(*back):
    return lambda x, w, b, eps=1e-6: permuted(x, w, b, eps, back=False).permute(*back)


def first_in_place(x, weight, bias, eps=1e-6):
    x.sub_(x.mean(1, keepdim=True)).div_((x.square().mean(1, keepdim=True) + eps).sqrt())
    return x * column(weight) + column(bias)


FIRST_RIGHT = {
    "by hand": over(1),
    "permute and back": permuted,
    "movedim and back": moved,
    "einsum and var": lambda x, w, b, eps=1e-6: (
        torch.einsum("nchw,c->nchw", (x - x.mean(1, True)) * torch.rsqrt(x.var(1, correction=0, keepdim=True) + eps), w)
        + b.view(1, -1, 1, 1)
    ),
    "library": lambda x, w, b, eps=1e-6: torch.func.functional_call(
        cnx.LayerNorm(len(w), eps, "channels_first"), {"weight": w, "bias": b}, (x,)
    ),
}
FIRST_WRONG = {
    "GroupNorm(1)": (lambda x, w, b, eps=1e-6: F.group_norm(x, 1, w, b, eps), said.GROUP_NORM),
    "InstanceNorm": (over((2, 3)), said.INSTANCE_NORM),
    "BatchNorm": (lambda x, w, b, eps=1e-6: F.batch_norm(x, None, None, w, b, True, 0.1, eps), said.BATCH_NORM),
    "last axis": (over(-1), said.LAST_AXIS),
    "no permute at all": (lambda x, w, b, eps=1e-6: F.layer_norm(x, (x.shape[-1],), w, b, eps), said.LAST_AXIS),
    "not permuted back": (lambda x, w, b, eps=1e-6: permuted(x, w, b, eps, back=False), said.NOT_BACK),
    "affine along W": (
        lambda x, w, b, eps=1e-6: good_first(x, eps) * w + b,
        "weight and bias ran along W, not along C",
    ),
    "no affine": (lambda x, w, b, eps=1e-6: good_first(x, eps), said.NO_AFFINE),
    "no bias": (lambda x, w, b, eps=1e-6: good_first(x, eps) * column(w), said.NO_BIAS),
    "no weight": (lambda x, w, b, eps=1e-6: good_first(x, eps) + column(b), said.NO_WEIGHT),
    "affine along H": (put_on(lambda y, w, b: y * w[:, None] + b[:, None]), "ran along H, not along C"),
    "bias along W": (put_on(lambda y, w, b: y * column(w) + b), "bias ran along W, not along C"),
    "weight along W": (put_on(lambda y, w, b: y * w + column(b)), "weight ran along W, not along C"),
    "weight and bias swapped": (put_on(lambda y, w, b: y * column(b) + column(w)), said.SWAPPED_AFFINE),
    "weight detached": (put_on(lambda y, w, b: y * column(w.detach()) + column(b)), said.CUT),
    "weight and bias as data": (put_on(lambda y, w, b: y * column(w.data) + column(b.data)), said.CUT),
    "no axis": (first(lambda x, eps: (x - x.mean()) / (x.var(correction=0) + eps).sqrt()), said.NO_AXIS),
    "no axis, std": (first(lambda x, eps: (x - x.mean()) / (x.std() + eps)), said.NO_AXIS),
    "no axis in the variance": (
        first(lambda x, eps: centered(x, 1) / (x.var(correction=0) + eps).sqrt()),
        said.NO_AXIS,
    ),
    "no axis, no view": (
        lambda x, w, b, eps=1e-6: (x - x.mean()) / (x.var(correction=0) + eps).sqrt() * w + b,
        said.NO_AXIS,
    ),
    "over C and H": (over((1, 2)), "taken over C and H, instead of over C alone"),
    "over H": (over(2), "taken over H, instead of over C alone"),
    "std as it comes": (first(lambda x, eps: centered(x, 1) / x.std(1, keepdim=True)), said.PLAIN_STD),
    "parentheses": (first(lambda x, eps: x - x.mean(1, keepdim=True) / (var(x, 1) + eps).sqrt()), said.PARENTHESES),
    "keepdim forgotten in the mean": (
        first(lambda x, eps: (x - x.mean(1)) / (var(x, 1) + eps).sqrt()),
        said.NO_KEEPDIM,
    ),
    "keepdim forgotten, no view": (
        lambda x, w, b, eps=1e-6: (x - x.mean(1)) / (x.var(1, correction=0) + eps).sqrt() * w + b,
        said.NO_KEEPDIM,
    ),
    "permuted as before": (permuted_wrongly(0, 2, 3, 1), said.WRONG_BACK),
    "H and W exchanged": (permuted_wrongly(0, 3, 2, 1), said.WRONG_BACK),
    "another way": (first(lambda x, eps: x.softmax(1)), said.BY_LOOP),
    "size fixed": (lambda x, w, b, eps=1e-6: over(1)(x.reshape(-1, 4, 4, 4), w, b, eps), said.OTHER_SIZES),
    "bias first": (lambda x, w, b, eps=1e-6: (good_first(x, eps) + column(b)) * column(w), said.BIAS_FIRST),
    "unbiased": (first(lambda x, eps: centered(x, 1) / (x.var(1, keepdim=True) + eps).sqrt()), said.UNBIASED),
    "eps outside": (first(lambda x, eps: centered(x, 1) / (var(x, 1).sqrt() + eps)), said.EPS_OUTSIDE),
    "unbiased and eps outside": (
        first(lambda x, eps: centered(x, 1) / (x.std(1, keepdim=True) + eps)),
        said.BOTH_IN_STD,
    ),
    "keepdim forgotten": (
        first(lambda x, eps: (x - x.mean(1)) / (x.var(1, correction=0) + eps).sqrt()),
        said.NO_KEEPDIM,
    ),
    "keepdim forgotten in the variance": (
        first(lambda x, eps: centered(x, 1) / (x.var(1, correction=0) + eps).sqrt()),
        said.NO_KEEPDIM,
    ),
    "no eps": (first(lambda x, eps: centered(x, 1) / var(x, 1).sqrt()), said.NO_EPS),
    "eps 1e-5": (lambda x, w, b, eps=1e-5: permuted(x, w, b, eps), said.EPS_1E5),
    "eps fixed": (lambda x, w, b, eps=1e-6: permuted(x, w, b), said.EPS_FIXED),
    "one pass": (first(lambda x, eps: centered(x, 1) / (one_pass(x, 1) + eps).sqrt()), said.ONE_PASS),
    "detached": (first(lambda x, eps: centered(x, 1) / (var(x, 1).detach() + eps).sqrt()), said.DETACHED),
    "data": (lambda x, w, b, eps=1e-6: permuted(x.data, w, b, eps), said.CUT),
    "in place": (first_in_place, "in-place operation"),
}


# ---------------------------------------------------------------- exercise 4: layernorm
class ByHand(nn.Module):
    """Right; the planted mistakes are subclasses that change one thing."""

    default_eps, start = 1e-6, 1.0

    def __init__(self, num_channels, eps=None, data_format="channels_last"):
        super().__init__()
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"no such layout: {data_format}")
        self.eps, self.axis = self.default_eps if eps is None else eps, 1 if data_format == "channels_first" else -1
        self.make_parameters(num_channels)

    def make_parameters(self, num_channels):
        self.weight = nn.Parameter(torch.full((num_channels,), self.start))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def normal(self, x):
        return centered(x, self.axis) / (var(x, self.axis) + self.eps).sqrt()

    def affine(self, normal):
        shape = (-1, 1, 1) if self.axis == 1 else (-1,)
        return normal * self.weight.view(shape) + self.bias.view(shape)

    def forward(self, x):
        return self.affine(self.normal(x))


def changed(**members):
    return type("Changed", (ByHand,), members)


def when_first(normal):
    """Wrong in channels_first only."""
    return changed(normal=lambda self, x: normal(x, self.eps) if self.axis == 1 else ByHand.normal(self, x))


def when_first_whole(forward):
    return changed(forward=lambda self, x: forward(self, x) if self.axis == 1 else ByHand.forward(self, x))


def swapped_affine(self, normal):
    shape = (-1, 1, 1) if self.axis == 1 else (-1,)
    return normal * self.bias.view(shape) + self.weight.view(shape)


def plain_tensors(self, num_channels):
    self.weight, self.bias = torch.ones(num_channels), torch.zeros(num_channels)


def no_bias(self, num_channels):
    self.weight = nn.Parameter(torch.ones(num_channels))


def columns(self, num_channels):
    self.weight, self.bias = nn.Parameter(torch.ones(num_channels, 1, 1)), nn.Parameter(torch.zeros(num_channels, 1, 1))


def running_mean(self, num_channels):
    ByHand.make_parameters(self, num_channels)
    self.register_buffer("running_mean", torch.zeros(num_channels))


def module_in_place(self, x):
    x -= x.mean(self.axis, keepdim=True)
    return self.affine(x / (x.square().mean(self.axis, keepdim=True) + self.eps).sqrt())


class AnyLayout(ByHand):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        super().__init__(num_channels, eps, data_format if data_format == "channels_first" else "channels_last")


class Prefix(ByHand):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        if not data_format.startswith("channels"):
            raise ValueError(data_format)
        super().__init__(num_channels, eps, data_format if data_format == "channels_first" else "channels_last")


class RefusesInForward(AnyLayout):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        super().__init__(num_channels, eps, data_format)
        self.data_format = data_format

    def forward(self, x):
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"no such layout: {self.data_format}")
        return super().forward(x)


class DefaultFirst(ByHand):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_first"):
        super().__init__(num_channels, eps, data_format)


class Inverted(ByHand):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        super().__init__(num_channels, eps, data_format)
        self.axis = 1 if data_format == "channels_last" else -1


class RefusesWithAssert(ByHand):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        assert data_format in ("channels_last", "channels_first")
        super().__init__(num_channels, eps, data_format)


class RefusesSilently(ByHand):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError("unknown layout")
        super().__init__(num_channels, eps, data_format)


class NoSuper(nn.Module):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        self.weight = nn.Parameter(torch.ones(num_channels))


class PlainClass:
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        self.weight, self.bias = torch.ones(num_channels), torch.zeros(num_channels)


CLASS_RIGHT = {
    "library": cnx.LayerNorm,
    "subclass of ours": type("OwnNorm", (cnx.LayerNorm,), {}),
    "by hand": ByHand,
    "with PyTorch's function": changed(
        forward=lambda self, x: (
            permuted(x, self.weight, self.bias, self.eps)
            if self.axis == 1
            else F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)
        )
    ),
}
CLASS_WRONG = {
    "GroupNorm(1)": (when_first(lambda x, eps: F.group_norm(x, 1, eps=eps)), said.GROUP_NORM),
    "last axis in both": (when_first(lambda x, eps: centered(x) / (var(x) + eps).sqrt()), said.LAST_AXIS),
    "first axis in both": (
        changed(normal=lambda self, x: centered(x, 1) / (var(x, 1) + self.eps).sqrt()),
        said.FIRST_AXIS,
    ),
    "not permuted back": (
        changed(
            forward=lambda self, x: (
                permuted(x, self.weight, self.bias, self.eps, back=False) if self.axis == 1 else ByHand.forward(self, x)
            )
        ),
        said.NOT_BACK,
    ),
    "unbiased": (
        changed(normal=lambda self, x: centered(x, self.axis) / (x.var(self.axis, keepdim=True) + self.eps).sqrt()),
        said.UNBIASED,
    ),
    "eps outside": (
        changed(normal=lambda self, x: centered(x, self.axis) / (var(x, self.axis).sqrt() + self.eps)),
        said.EPS_OUTSIDE,
    ),
    "eps 1e-5": (changed(default_eps=1e-5), said.EPS_1E5),
    "eps fixed": (
        changed(normal=lambda self, x: centered(x, self.axis) / (var(x, self.axis) + 1e-6).sqrt()),
        said.EPS_FIXED,
    ),
    "no affine": (changed(affine=lambda self, normal: normal), said.NO_AFFINE),
    "layouts inverted": (Inverted, said.AS_FIRST),
    "always channels_last": (
        changed(
            forward=lambda self, x: (
                F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)
                if x.shape[-1] == len(self.weight)
                else x
            )
        ),
        said.AS_LAST,
    ),
    "view in both layouts": (
        changed(affine=lambda self, y: y * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)),
        "weight and bias ran along H, not along C",
    ),
    "no axis": (changed(normal=lambda self, x: (x - x.mean()) / (x.var(correction=0) + self.eps).sqrt()), said.NO_AXIS),
    "weight and bias swapped": (changed(affine=swapped_affine), said.SWAPPED_AFFINE),
    "permuted as before": (
        when_first_whole(lambda self, x: permuted_wrongly(0, 2, 3, 1)(x, self.weight, self.bias, self.eps)),
        said.WRONG_BACK,
    ),
    "H and W exchanged": (
        when_first_whole(lambda self, x: permuted_wrongly(0, 3, 2, 1)(x, self.weight, self.bias, self.eps)),
        said.WRONG_BACK,
    ),
    "float32 inside": (changed(normal=lambda self, x: ByHand.normal(self, x.float())), said.ROUNDED),
    "other default layout": (DefaultFirst, said.DEFAULT_LAST),
    "half a check of the layout": (Prefix, "the check lets other names pass"),
    "refused in forward": (RefusesInForward, "forward refuses it"),
    "affine along W": (
        changed(affine=lambda self, normal: normal * self.weight + self.bias),
        "weight and bias ran along W, not along C",
    ),
    "one pass": (
        changed(normal=lambda self, x: centered(x, self.axis) / (one_pass(x, self.axis) + self.eps).sqrt()),
        said.ONE_PASS,
    ),
    "detached": (
        changed(normal=lambda self, x: centered(x, self.axis) / (var(x, self.axis).detach() + self.eps).sqrt()),
        said.DETACHED,
    ),
    "weight.data": (
        changed(
            affine=lambda self, normal: (
                normal * self.weight.data.view((-1, 1, 1) if self.axis == 1 else (-1,))
                + self.bias.view((-1, 1, 1) if self.axis == 1 else (-1,))
            )
        ),
        said.CUT,
    ),
    "in place": (changed(forward=module_in_place), "in-place operation"),
    "plain tensors": (changed(make_parameters=plain_tensors), "is no nn.Parameter"),
    "no bias parameter": (changed(make_parameters=no_bias), "is missing: the layer has two parameters"),
    "weight of shape (C, 1, 1)": (changed(make_parameters=columns), "one number per channel; view it"),
    "weight starts at 0": (changed(start=0.0), "weight 1, bias 0"),
    "running statistics": (changed(make_parameters=running_mean), "no statistics and no buffers"),
    "layout not checked": (AnyLayout, "data_format is not checked"),
    "layout refused by assert": (RefusesWithAssert, "raise ValueError(f"),
    "layout not quoted": (RefusesSilently, "quote the value"),
    "no super().__init__()": (NoSuper, "calls super().__init__()"),
    "no nn.Module": (PlainClass, "write class MyLayerNorm(nn.Module)"),
    "an object, not the class": (ByHand(4), "without parentheses"),
}


# ---------------------------------------------------------------- exercise 5: parameter_groups
def groups(decays):
    """An answer that lets those parameters decay of which `decays(name, parameter)` is true."""

    def answer(model, weight_decay):
        named = list(model.named_parameters())
        return [
            {"params": [p for name, p in named if decays(name, p)], "weight_decay": weight_decay},
            {"params": [p for name, p in named if not decays(name, p)], "weight_decay": 0.0},
        ]

    return answer


def one_group_each(model, weight_decay):
    return [{"params": p, "weight_decay": weight_decay * (p.dim() >= 2)} for p in model.parameters()]


def by_layer_type(model, weight_decay):
    norms = {p for m in model.modules() if isinstance(m, (nn.LayerNorm, nn.BatchNorm2d)) for p in m.parameters()}
    return groups(lambda name, p: p not in norms and not name.endswith("bias"))(model, weight_decay)


def norms_only(model, weight_decay):
    norms = {p for m in model.modules() if isinstance(m, (nn.LayerNorm, nn.BatchNorm2d)) for p in m.parameters()}
    return groups(lambda name, p: p not in norms and "gamma" not in name)(model, weight_decay)


def children_only(model, weight_decay):
    mine = [p for layer in model for p in layer.parameters(recurse=False)]
    return [
        {"params": [p for p in mine if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in mine if p.ndim == 1], "weight_decay": 0.0},
    ]


def twice(model, weight_decay):
    return [
        {"params": list(model.parameters()), "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]


def of_every_module(model, weight_decay):
    found = [p for m in model.modules() for _, p in m.named_parameters()]
    return [
        {"params": [p for p in found if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in found if p.ndim == 1], "weight_decay": 0.0},
    ]


def two_conditions(decays, spares):
    """An answer with a condition for each group."""

    def answer(model, weight_decay):
        return [
            {"params": [p for p in model.parameters() if decays(p)], "weight_decay": weight_decay},
            {"params": [p for p in model.parameters() if spares(p)], "weight_decay": 0.0},
        ]

    return answer


def not_in_the_list(model, weight_decay):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    return two_conditions(lambda p: p.ndim > 1, lambda p: p not in decayed)(model, weight_decay)


def layers_that_decay(model, weight_decay):
    kernels = {m.weight for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    return groups(lambda name, p: p in kernels)(model, weight_decay)


def own_layers_only(model, weight_decay):
    known = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.BatchNorm2d))]
    return [{"params": [m.weight, m.bias], "weight_decay": weight_decay} for m in known]


def not_by_name(*words):
    return groups(lambda name, p: not any(word in name for word in words))


def no_second_decay(model, weight_decay):
    good = groups(lambda name, p: p.ndim > 1)(model, weight_decay)
    del good[1]["weight_decay"]
    return good


GROUPS_RIGHT = {
    "by ndim": groups(lambda name, p: p.ndim > 1),
    "one group for each parameter": one_group_each,
    "by shape": two_conditions(lambda p: len(p.shape) >= 2, lambda p: len(p.shape) < 2),
}
GROUPS_WRONG = {
    "all decay": (groups(lambda name, p: True), said.ALL_DECAY),
    "none decays": (groups(lambda name, p: False), said.NONE_DECAY),
    "swapped": (groups(lambda name, p: p.ndim == 1), said.SWAPPED_GROUPS),
    "biases spared only": (groups(lambda name, p: not name.endswith("bias")), said.ONLY_BIASES),
    "by type of layer": (by_layer_type, said.BY_TYPE),
    "norms spared only": (norms_only, said.BIASES),
    "direct children only": (children_only, said.UNREACHED),
    "1-D tensors in both": (twice, said.OVERLAP),
    "four axes decay, the rest is spared": (groups(lambda name, p: p.ndim == 4), said.ONLY_KERNELS),
    "two axes decay, the rest is spared": (groups(lambda name, p: p.ndim == 2), said.ONLY_MATRICES),
    "four axes decay, one is spared": (two_conditions(lambda p: p.ndim == 4, lambda p: p.ndim == 1), said.GAP),
    "two axes decay, one is spared": (two_conditions(lambda p: p.ndim == 2, lambda p: p.ndim == 1), said.GAP),
    "no group for the spared": (lambda m, wd: groups(lambda name, p: p.ndim > 1)(m, wd)[:1], said.NO_SPARED_GROUP),
    "no group for the decayed": (lambda m, wd: groups(lambda name, p: p.ndim > 1)(m, wd)[1:], said.NO_DECAYED_GROUP),
    "parameters of every module": (of_every_module, said.AGAIN),
    "not in the list": (not_in_the_list, said.IN_COMPARES),
    "by name": (not_by_name("bias", "norm"), said.BY_NAME),
    "by name, with gamma": (not_by_name("bias", "norm", "gamma"), said.BY_NAME),
    "layer scale by name only": (groups(lambda name, p: p.ndim > 1 or "gamma" in name), said.LAYER_SCALE),
    "by the name weight": (groups(lambda name, p: name.endswith("weight")), said.BY_WEIGHT),
    "weights of convolutions and linear layers": (layers_that_decay, said.NO_LAYERS_WEIGHT),
    "layers of known types": (own_layers_only, said.EVERY),
    "frozen ones left out": (
        two_conditions(lambda p: p.requires_grad and p.ndim > 1, lambda p: p.requires_grad and p.ndim == 1),
        said.FROZEN,
    ),
    "frozen ones spared": (groups(lambda name, p: p.requires_grad and p.ndim > 1), said.BY_NDIM),
    "second group without decay": (no_second_decay, "uses its default"),
    "decay fixed at 0.05": (lambda m, wd: groups(lambda name, p: p.ndim > 1)(m, 0.05), "not a fixed number"),
    "names": (
        lambda m, wd: [{"params": [name for name, _ in m.named_parameters()], "weight_decay": wd}],
        "not their names",
    ),
    "a dict": (lambda m, wd: {"params": list(m.parameters()), "weight_decay": wd}, "takes such a list"),
}

RIGHT = {
    check.normalize: NORMALIZE_RIGHT,
    check.axes_that_share: AXES_RIGHT,
    check.layer_norm_channels_first: FIRST_RIGHT,
    check.layernorm: CLASS_RIGHT,
    check.parameter_groups: GROUPS_RIGHT,
}
WRONG = {
    check.normalize: NORMALIZE_WRONG,
    check.axes_that_share: AXES_WRONG,
    check.layer_norm_channels_first: FIRST_WRONG,
    check.layernorm: CLASS_WRONG,
    check.parameter_groups: GROUPS_WRONG,
}


def ellipsis(*args, **options):
    return ...


class Stub(nn.Module):
    def __init__(self, num_channels, eps=1e-6, data_format="channels_last"):
        raise NotImplementedError()


class HalfStub(ByHand):
    def forward(self, x):
        raise NotImplementedError()


def endless_and_swallowing(*args, **options):
    while True:
        try:
            time.sleep(0.01)
        except:  # noqa: E722 - the worst that a learner can write
            pass
        if not WATCHED["running"]:
            return None


WATCHED = {"running": True}


STUBS = {check.layernorm: Stub}
ENDLESS = {check.layernorm: changed(forward=endless)}
NONSENSE = [lambda *a, **k: [{"params": 5, "weight_decay": None}]]
