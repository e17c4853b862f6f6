"""Right and wrong answers to the exercises of notebook 03."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import convnext_block as said
from tests.teaching.planted.common import endless

CHECKS = said

SENTENCES = {
    value
    for name, value in vars(said).items()
    if name.isupper() and isinstance(value, str) and not name.endswith("_CALL") and name != "BLOCK_RUN"
} | {
    "the defaults are 7 and 4",
    "return one number, and nothing beside it",
    "in-place operation",
    "cuts the graph",
    "return the tensor itself",
    "stay in the input's dtype",
    "a size is written into the code",
    "write class MyBlock(nn.Module)",
    "calls super().__init__()",
    "a loop that never ends",
    "without parentheses",
    "comes first",
    "none of the usual mistakes; compare",
}


# ---------------------------------------------------------------- exercise 1: count_parameters
def by_building(dim, kernel_size=7, expansion=4):
    return sum(p.numel() for p in cnx.ConvNeXtBlock(dim, kernel_size, expansion).parameters())


def by_hand(dim, kernel_size=7, expansion=4):
    return dim * kernel_size**2 + dim + 2 * dim + 2 * expansion * dim**2 + expansion * dim + dim + dim


def plus(difference):
    """by_hand with something added: difference(C, k, e)."""
    return lambda dim, kernel_size=7, expansion=4: (
        by_hand(dim, kernel_size, expansion) + difference(dim, kernel_size, expansion)
    )


COUNT_RIGHT = {
    "by hand": by_hand,
    "by building": by_building,
    "in brackets": lambda dim, kernel_size=7, expansion=4: (
        dim * (kernel_size * kernel_size + 5 + expansion * (2 * dim + 1))
    ),
    "NumPy": lambda dim, kernel_size=7, expansion=4: np.dot(
        [kernel_size**2 + 5 + expansion, 2 * expansion], [dim, dim**2]
    ),
    "a tensor": lambda dim, kernel_size=7, expansion=4: torch.tensor(by_hand(dim, kernel_size, expansion)),
}
COUNT_WRONG = {
    "dense": (plus(lambda c, k, e: k * k * c * c - k * k * c), said.DENSE),
    "k for k squared": (plus(lambda c, k, e: k * c - k * k * c), said.LINE_KERNEL),
    "no bias in dwconv": (plus(lambda c, k, e: -c), said.ONE_PART),
    "no gamma": (plus(lambda c, k, e: -c), said.ONE_PART),
    "norm of C": (plus(lambda c, k, e: -c), said.ONE_PART),
    "no biases in the linear layers": (plus(lambda c, k, e: -e * c - c), said.NO_PW_BIAS),
    "no biases": (plus(lambda c, k, e: -e * c - 2 * c), said.NO_BIASES),
    "C biases in the first": (plus(lambda c, k, e: c - e * c), said.NARROW_BIAS),
    "no norm": (plus(lambda c, k, e: -2 * c), said.NO_NORM),
    "norm of 2 * 4C": (plus(lambda c, k, e: 2 * e * c - 2 * c), said.WIDE_NORM),
    "one linear layer": (plus(lambda c, k, e: -e * c * c - c), said.ONE_POINTWISE),
    "hidden squared": (plus(lambda c, k, e: 2 * (e * c) ** 2 - 2 * e * c * c), said.SQUARE_HIDDEN),
    "kernel always 7": (lambda dim, kernel_size=7, expansion=4: by_hand(dim, 7, expansion), said.FIXED_KERNEL),
    "expansion always 4": (lambda dim, kernel_size=7, expansion=4: by_hand(dim, kernel_size, 4), said.FIXED_EXPANSION),
    "the table's sum": (lambda dim, kernel_size=7, expansion=4: 8 * dim**2 + 58 * dim, said.FIXED_BOTH),
    "the table's sum, gamma forgotten": (
        lambda dim, kernel_size=7, expansion=4: 8 * dim**2 + 57 * dim,
        said.FIXED_BOTH,
    ),
    "weights only": (plus(lambda c, k, e: -5 * c - e * c), said.WEIGHTS_ONLY),
    "no biases in the first": (plus(lambda c, k, e: -e * c), said.NO_FIRST_BIAS),
    "4C biases in the first": (plus(lambda c, k, e: 4 * c - e * c), said.FIXED_BIAS),
    "8CC whatever the expansion": (plus(lambda c, k, e: 8 * c * c - 2 * e * c * c), said.FIXED_WEIGHTS),
    "one linear layer, both biases": (plus(lambda c, k, e: -e * c * c), said.ONE_POINTWISE),
    "one linear layer, narrow bias": (plus(lambda c, k, e: -e * c * c - e * c), said.ONE_POINTWISE),
    "no kernel": (plus(lambda c, k, e: -k * k * c), said.NO_KERNEL),
    "some other sum": (
        plus(lambda c, k, e: 3 * c + e * c),
        f"8 C + 2 expansion * C * C + 2 expansion * C; {said.AS_TERMS}",
    ),
    "another name": (lambda dim, kernel_size=7, expansion=4: dims, said.LAST_LINE),  # noqa: F821
    "divided by zero": (lambda dim, kernel_size=7, expansion=4: dim / 0, said.LAST_LINE),
    "dim alone": (lambda dim: 8 * dim**2 + 58 * dim, said.NUMBER_CALL),
    "off by one": (plus(lambda c, k, e: 1), said.COUNT),
    "a float": (plus(lambda c, k, e: 0.0), said.TO_INTEGER),
    "a pair": (lambda dim, kernel_size=7, expansion=4: (1, 2), "return one number, and nothing beside it"),
    "other defaults": (
        lambda dim, kernel_size=3, expansion=4: by_hand(dim, kernel_size, expansion),
        "the defaults are",
    ),
}


# ---------------------------------------------------------------- exercise 2: macs
def macs(dim, height, width, kernel_size=7, expansion=4):
    return height * width * (kernel_size**2 * dim + 2 * expansion * dim**2)


def macs_by_output(dim, height, width, kernel_size=7, expansion=4):
    depthwise = (dim * height * width) * kernel_size * kernel_size
    widen, narrow = (expansion * dim * height * width) * dim, (dim * height * width) * expansion * dim
    return depthwise + widen + narrow


def more_macs(difference):
    """macs with something added at each pixel: difference(C, k, e)."""
    return lambda dim, height, width, kernel_size=7, expansion=4: (
        macs(dim, height, width, kernel_size, expansion) + height * width * difference(dim, kernel_size, expansion)
    )


def macs_by_numpy(dim, height, width, kernel_size=7, expansion=4):
    depthwise = np.prod([kernel_size, kernel_size, dim, height, width])
    return depthwise + 2 * np.prod([expansion, dim, dim, height, width])


def macs_on(depthwise, widen, narrow):
    """macs with other numbers of pixels, each a function of (height, width)."""
    return lambda dim, height, width, kernel_size=7, expansion=4: (
        depthwise(height, width) * kernel_size**2 * dim
        + (widen(height, width) + narrow(height, width)) * expansion * dim**2
    )


def area(height, width):
    return height * width


def once(height, width):
    return 1


MACS_RIGHT = {"by pixel": macs, "by output": macs_by_output, "NumPy": macs_by_numpy}
MACS_WRONG = {
    "FLOPs": (lambda *a, **k: 2 * macs(*a, **k), said.DOUBLED),
    "dense": (more_macs(lambda c, k, e: k * k * c * c - k * k * c), said.DENSE),
    "k for k squared": (more_macs(lambda c, k, e: k * c - k * k * c), said.LINE_KERNEL),
    "one pixel": (
        lambda dim, height, width, kernel_size=7, expansion=4: macs(dim, 1, 1, kernel_size, expansion),
        said.ONE_PIXEL,
    ),
    "height squared": (
        lambda dim, height, width, kernel_size=7, expansion=4: macs(dim, height, height, kernel_size, expansion),
        said.SQUARE_MAP,
    ),
    "width squared": (macs_on(*[lambda height, width: width * width] * 3), said.SQUARE_MAP),
    "only the height": (macs_on(*[lambda height, width: height] * 3), said.SQUARE_MAP),
    "pixels on the depthwise term": (macs_on(area, once, once), said.SOME_PIXELS),
    "pixels on the linear terms": (macs_on(once, area, area), said.SOME_PIXELS),
    "pixels on the last term": (macs_on(once, once, area), said.SOME_PIXELS),
    "the table's sum": (
        lambda dim, height, width, kernel_size=7, expansion=4: (49 * dim + 8 * dim**2) * height * width,
        said.FIXED_BOTH,
    ),
    "another name": (lambda dim, height, width, kernel_size=7, expansion=4: heigth, said.LAST_LINE),  # noqa: F821
    "no padding": (
        lambda dim, height, width, kernel_size=7, expansion=4: (
            (max(height - kernel_size + 1, 0)) * max(width - kernel_size + 1, 0) * kernel_size**2 * dim
            + height * width * 2 * expansion * dim**2
        ),
        said.BORDER_LOST,
    ),
    "biases": (more_macs(lambda c, k, e: 2 * c + e * c), said.BIASES_COUNTED),
    "all parameters": (more_macs(lambda c, k, e: 5 * c + e * c), said.NORM_COUNTED),
    "one linear layer": (more_macs(lambda c, k, e: -e * c * c), said.ONE_POINTWISE),
    "hidden squared": (more_macs(lambda c, k, e: 2 * (e * c) ** 2 - 2 * e * c * c), said.SQUARE_HIDDEN),
    "no depthwise": (more_macs(lambda c, k, e: -k * k * c), said.NO_DEPTHWISE),
    "kernel always 7": (lambda c, h, w, kernel_size=7, expansion=4: macs(c, h, w, 7, expansion), said.FIXED_KERNEL),
    "expansion always 4": (
        lambda c, h, w, kernel_size=7, expansion=4: macs(c, h, w, kernel_size),
        said.FIXED_EXPANSION,
    ),
    "off by one": (lambda *a, **k: macs(*a, **k) + 1, said.MACS),
    "divided": (lambda *a, **k: 2 * macs(*a, **k) / 2, said.TO_INTEGER),
}


# ---------------------------------------------------------------- exercise 3: drop_path
def mask(x, p, *shape):
    shape = shape or (len(x),) + (1,) * (x.ndim - 1)
    return (torch.rand(shape, dtype=x.dtype) >= p).to(x.dtype)


def dropping(formula):
    """A right answer but for what it does to x in training: formula(x, p)."""
    return lambda x, drop_prob, training: formula(x, drop_prob) if training and drop_prob else x


def by_samples(x, drop_prob, training):
    if not training or drop_prob == 0.0:
        return x
    kept = [sample / (1 - drop_prob) if random.random() >= drop_prob else torch.zeros_like(sample) for sample in x]
    return torch.stack(kept)


def by_dropout(x, drop_prob, training):
    return x * F.dropout(x.new_ones(len(x), *[1] * (x.ndim - 1)), drop_prob, training)


def by_layer(x, drop_prob, training):
    return cnx.DropPath(drop_prob).train(training)(x)


def by_where(x, drop_prob, training):
    if not training:
        return x
    kept = mask(x, drop_prob).bool()
    return torch.where(kept, x / (1 - drop_prob), torch.zeros_like(x))


def draws(x):
    return torch.rand(len(x), *[1] * (x.ndim - 1), dtype=x.dtype)


def exactly(x, p):
    kept = torch.ones(len(x), *[1] * (x.ndim - 1), dtype=x.dtype)
    kept[torch.randperm(len(x))[: round(p * len(x))]] = 0
    return x * kept / (1 - p)


def every_call_the_same(x, p):
    torch.manual_seed(0)
    return x * mask(x, p) / (1 - p)


def in_place(x, drop_prob, training):
    return x.mul_(mask(x, drop_prob) / (1 - drop_prob)) if training and not x.requires_grad else x


DROP_RIGHT = {
    "library": by_layer,
    "sample by sample": by_samples,
    "dropout of the mask": by_dropout,
    "with where": by_where,
    "with floor": dropping(lambda x, p: x / (1 - p) * (1 - p + draws(x)).floor()),
    "a float32 draw, compared": dropping(lambda x, p: x * (torch.rand(len(x), *[1] * (x.ndim - 1)) >= p) / (1 - p)),
}
DROP_WRONG = {
    "one draw": (dropping(lambda x, p: x * (torch.rand(()) >= p) / (1 - p)), said.PER_BATCH),
    "dropout": (dropping(lambda x, p: F.dropout(x, p)), said.PER_ELEMENT),
    "dropout2d": (dropping(lambda x, p: x * mask(x, p, *x.shape[:2], *[1] * (x.ndim - 2)) / (1 - p)), said.PER_CHANNEL),
    "not rescaled": (dropping(lambda x, p: x * mask(x, p)), said.NOT_RESCALED),
    "times keep": (dropping(lambda x, p: x * mask(x, p) * (1 - p)), said.TIMES_KEEP),
    "over p": (dropping(lambda x, p: x * mask(x, p) / p), said.OVER_PROB),
    "p as keep": (dropping(lambda x, p: x * mask(x, 1 - p) / (1 - p)), said.SWAPPED_PROB),
    "p as keep, and divided by p": (dropping(lambda x, p: x * mask(x, 1 - p) / p), said.SWAPPED_PROB),
    "never drops": (lambda x, drop_prob, training: x, said.NEVER_DROPS),
    "never drops, but divides": (dropping(lambda x, p: x / (1 - p)), said.NEVER_DROPS),
    "drops in use": (lambda x, drop_prob, training: x * mask(x, drop_prob) / (1 - drop_prob), said.DROPS_ALWAYS),
    "scales in use": (
        lambda x, drop_prob, training: x * mask(x, drop_prob) if training else x * (1 - drop_prob),
        said.SCALED_IN_USE,
    ),
    "turned round": (lambda x, drop_prob, training: by_layer(x, drop_prob, not training), said.TURNED_ROUND),
    "a seed inside": (dropping(every_call_the_same), said.EVERY_OTHER),
    "four axes": (dropping(lambda x, p: x * mask(x, p, len(x), 1, 1, 1) / (1 - p)), said.ONLY_IMAGES),
    "one axis": (dropping(lambda x, p: x * mask(x, p, len(x)) / (1 - p)), "read the last line of the error"),
    "in place": (in_place, "in-place operation"),
    "detached": (dropping(lambda x, p: x.detach() * mask(x, p) / (1 - p)), said.DETACHED),
    "scale detached": (
        dropping(lambda x, p: half_detached(x, p)),
        said.DETACHED,
    ),
    "a pair": (dropping(lambda x, p: (x, p)), "return the tensor itself"),
    "samples removed": (dropping(lambda x, p: x[torch.rand(len(x)) >= p] / (1 - p)), said.REMOVED),
    "the mask": (dropping(lambda x, p: mask(x, p)), said.ONLY_MASK),
    "the mask, divided": (dropping(lambda x, p: mask(x, p) / (1 - p)), said.ONLY_MASK),
    "a mask of bools": (dropping(lambda x, p: draws(x) >= p), said.ONLY_MASK),
    "the first sample": (dropping(lambda x, p: x[0]), said.SAME_SHAPE),
    "a float32 mask": (
        dropping(lambda x, p: x * (torch.rand(len(x), *[1] * (x.ndim - 1)) >= p).float() / (1 - p)),
        said.WIDER_DTYPE,
    ),
    "exactly so many": (dropping(exactly), said.SAME_COUNT),
    "divides without dropping at 0": (
        lambda x, drop_prob, training: by_where(x, drop_prob, training) + (training and not drop_prob),
        said.NO_PROB,
    ),
    "all zeros": (dropping(lambda x, p: x * 0), said.DROP_PATH),
    "float": (dropping(lambda x, p: (x * mask(x, p) / (1 - p)).float()), "stay in the input's dtype"),
}


def half_detached(x, p):
    kept = x * mask(x, p)
    return kept + (kept * (1 / (1 - p) - 1)).detach()


# ---------------------------------------------------------------- exercise 4: MyBlock
class Block(nn.Module):
    """A right answer in pieces, each of which a planted mistake replaces."""

    conv_options, hidden, eps, start, whole = {}, 4, 1e-6, None, None

    def __init__(self, dim, drop_path=0.0, layer_scale=1e-6):
        super().__init__()
        self.p = drop_path
        self.dwconv = nn.Conv2d(dim, dim, **{"kernel_size": 7, "padding": 3, "groups": dim, **self.conv_options})
        self.make_norm(dim)
        self.make_linear(dim, self.hidden * dim)
        self.make_gamma(dim, layer_scale if self.start is None else self.start)

    def make_norm(self, dim):
        self.norm = nn.LayerNorm(dim, eps=self.eps)

    def make_linear(self, dim, hidden):
        self.pwconv1, self.pwconv2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def make_gamma(self, dim, start):
        self.gamma = nn.Parameter(torch.full((dim,), float(start)))

    def act(self, y):
        return F.gelu(y)

    def mix(self, y):
        return self.pwconv2(self.act(self.pwconv1(y)))

    def branch(self, x):
        return first(self.gamma * self.mix(self.norm(last(self.dwconv(x)))))

    def drop(self, y):
        return by_where(y, self.p, self.training)

    def forward(self, x):
        return x + self.drop(self.branch(x))


def last(x):
    return x.permute(0, 2, 3, 1)


def first(y):
    return y.permute(0, 3, 1, 2)


def changed(**members):
    return type("Changed", (Block,), members)


def batch_norm(self, dim):
    self.norm = nn.BatchNorm2d(dim)


def conv_pointwise(self, dim, hidden):
    self.pwconv1, self.pwconv2 = nn.Conv2d(dim, hidden, 1), nn.Conv2d(hidden, dim, 1)


def gamma_column(self, dim, start):
    self.gamma = nn.Parameter(torch.full((dim, 1, 1), float(start)))


def gamma_plain(self, dim, start):
    self.gamma = torch.full((dim,), float(start))


def gamma_buffer(self, dim, start):
    self.register_buffer("gamma", torch.full((dim,), float(start)))


def no_gamma(self, dim, start):
    pass


def other_names(self, dim, hidden):
    self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)


class FixedDim(Block):
    def make_linear(self, dim, hidden):
        self.pwconv1, self.pwconv2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.norm = nn.LayerNorm(4, eps=1e-6)


class WideNorm(Block):
    def make_norm(self, dim):
        self.norm = cnx.LayerNorm(4 * dim)

    def mix(self, y):
        return self.pwconv2(self.act(self.norm(self.pwconv1(y))))

    def branch(self, x):
        return first(self.gamma * self.mix(last(self.dwconv(x))))


class OneMore(Block):
    def make_norm(self, dim):
        self.norm, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim)


class Overwritten(Block):
    def forward(self, x):
        x = self.branch(x)
        return x + self.drop(x)


class OverwrittenOnce(Block):
    def forward(self, x):
        x = self.dwconv(x)
        return x + self.drop(first(self.gamma * self.mix(self.norm(last(x)))))


def ordered(start, end):
    """A block with other ways to the last axis and back."""
    return changed(branch=lambda self, x: end(self.gamma * self.mix(self.norm(start(self.dwconv(x)))), x))


def as_it_is(y, x=None):
    return y


def to_last_by_reshape(y):
    n, c, h, w = y.shape
    return y.reshape(n, h, w, c)


def no_linear_bias(self, dim, hidden):
    self.pwconv1, self.pwconv2 = nn.Linear(dim, hidden, bias=False), nn.Linear(hidden, dim)


def group_norm(self, dim):
    self.norm = nn.GroupNorm(1, dim)


def plain_norm(self, dim):
    self.norm = nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)


def drop_path(x, drop_prob, training):
    raise NotImplementedError()


def count_parameters(dim, kernel_size=7, expansion=4):
    raise NotImplementedError()


class InPlace(Block):
    def forward(self, x):
        branch = self.drop(self.branch(x))
        with torch.no_grad():
            x += branch
        return x


class NoSuper(nn.Module):
    def __init__(self, dim, drop_path=0.0, layer_scale=1e-6):
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)


class PlainClass:
    def __init__(self, dim, drop_path=0.0, layer_scale=1e-6):
        pass


class WithCnxLayers(Block):
    def __init__(self, dim, drop_path=0.0, layer_scale=1e-6):
        super().__init__(dim, drop_path, layer_scale)
        self.norm, self.path = cnx.LayerNorm(dim), cnx.DropPath(drop_path)

    def drop(self, y):
        return self.path(y)


class Permuted(Block):
    def branch(self, x):
        y = self.dwconv(x)
        y = torch.movedim(y, 1, -1)
        y = 0.5 * (h := self.pwconv1(self.norm(y))) * (1 + torch.erf(h / 2**0.5))
        return torch.einsum("nhwc,c->nchw", self.pwconv2(y), self.gamma)


CLASS_RIGHT = {
    "library": cnx.ConvNeXtBlock,
    "by hand": Block,
    "with the library's layers": WithCnxLayers,
    "movedim, erf and einsum": Permuted,
    "another permute, its own inverse": ordered(lambda y: y.permute(0, 3, 2, 1), lambda y, x: y.permute(0, 3, 2, 1)),
    "padding same": changed(conv_options={"padding": "same"}),
}
CLASS_WRONG = {
    "no residual": (changed(forward=lambda self, x: self.branch(x)), said.NO_RESIDUAL),
    "norm before dwconv": (
        changed(branch=lambda self, x: first(self.gamma * self.mix(last(self.dwconv(first(self.norm(last(x)))))))),
        said.NORM_FIRST,
    ),
    "norm not used": (
        changed(branch=lambda self, x: first(self.gamma * self.mix(last(self.dwconv(x))))),
        said.NO_NORM_RUN,
    ),
    "BatchNorm": (changed(make_norm=batch_norm), said.BATCH_NORM),
    "dense": (changed(conv_options={"groups": 1}), said.NOT_DEPTHWISE),
    "kernel 3": (changed(conv_options={"kernel_size": 3, "padding": 1}), said.WRONG_KERNEL),
    "no bias": (changed(conv_options={"bias": False}), said.NO_CONV_BIAS),
    "no padding": (changed(conv_options={"padding": 0}), said.NO_PADDING),
    "padding 1": (changed(conv_options={"padding": 1}), said.NO_PADDING),
    "norm after pwconv1": (WideNorm, said.NORM_WIDE),
    "no bias in pwconv1": (changed(make_linear=no_linear_bias), said.NO_LINEAR_BIAS),
    "norm without weight": (changed(make_norm=plain_norm), said.NO_NORM_WEIGHT),
    "a second norm": (OneMore, said.TOO_MANY),
    "GroupNorm(1)": (
        changed(
            make_norm=group_norm, branch=lambda self, x: first(self.gamma * self.mix(last(self.norm(self.dwconv(x)))))
        ),
        said.GROUP_NORM,
    ),
    "self.gelu": (changed(act=lambda self, y: self.gelu(y)), said.NO_ATTRIBUTE),
    "another name": (changed(act=lambda self, y: gleu(y)), said.LAST_LINE),  # noqa: F821
    "no permute": (ordered(as_it_is, as_it_is), said.NOT_LAST),
    "only the last permute": (ordered(as_it_is, lambda y, x: first(y)), said.NOT_LAST),
    "wrong first permute": (ordered(lambda y: y.permute(0, 2, 1, 3), lambda y, x: first(y)), said.NOT_LAST),
    "wrong last permute": (ordered(last, lambda y, x: y.permute(0, 3, 2, 1)), said.WRONG_BACK),
    "last permute as the first": (ordered(last, lambda y, x: last(y)), said.WRONG_BACK),
    "reshape first": (ordered(to_last_by_reshape, lambda y, x: first(y)), said.RESHAPED),
    "reshape last": (ordered(last, lambda y, x: y.reshape(x.shape)), said.RESHAPED),
    "gamma after the permute": (
        changed(branch=lambda self, x: self.gamma * first(self.mix(self.norm(last(self.dwconv(x)))))),
        said.GAMMA_SHAPE,
    ),
    "sizes of a cube": (
        changed(branch=lambda self, x: Block.branch(self, x).reshape(-1, 4, 4, 4)),
        said.CUBE_ONLY,
    ),
    "x overwritten": (Overwritten, said.OVERWRITTEN),
    "x overwritten by dwconv": (OverwrittenOnce, said.OVERWRITTEN),
    "gamma on x": (
        changed(forward=lambda self, x: first(self.gamma * last(x) + self.mix(self.norm(last(self.dwconv(x)))))),
        said.GAMMA_ON_X,
    ),
    "gamma before the linear layers": (
        changed(branch=lambda self, x: first(self.mix(self.gamma * self.norm(last(self.dwconv(x)))))),
        said.GAMMA_EARLY,
    ),
    "norm after pwconv2": (
        changed(branch=lambda self, x: first(self.gamma * self.norm(self.mix(last(self.dwconv(x)))))),
        said.NORM_LATE,
    ),
    "twice the branch": (changed(forward=lambda self, x: x + 2 * self.drop(self.branch(x))), said.BLOCK_OTHER),
    "dwconv detached": (
        changed(branch=lambda self, x: first(self.gamma * self.mix(self.norm(last(self.dwconv(x).detach()))))),
        said.BRANCH_DETACHED,
    ),
    "half of the gradient": (
        changed(mix=lambda self, y: Block.mix(self, y) / 2 + Block.mix(self, y).detach() / 2),
        said.GRADIENT,
    ),
    "exercise 3 not written": (
        changed(drop=lambda self, y: drop_path(y, self.p, self.training)),
        "exercise 3 comes first",
    ),
    "drop path of channels": (
        changed(drop=lambda self, y: F.dropout2d(y, self.p, self.training)),
        said.DROP_SINGLE,
    ),
    "drop path divided twice": (
        changed(
            drop=lambda self, y: by_where(y, self.p, self.training) / (1 - self.p) if self.training and self.p else y
        ),
        said.DROP_OTHER,
    ),
    "1x1 convolutions": (changed(make_linear=conv_pointwise), said.CONV_POINTWISE),
    "expansion 2": (changed(hidden=2), said.NOT_WIDENED),
    "other names": (changed(make_linear=other_names), said.BLOCK_NAMES),
    "gamma (C, 1, 1)": (changed(make_gamma=gamma_column), said.GAMMA_SHAPE),
    "gamma a plain tensor": (changed(make_gamma=gamma_plain), said.GAMMA_PLAIN),
    "gamma a buffer": (changed(make_gamma=gamma_buffer), said.GAMMA_PLAIN),
    "no gamma": (changed(make_gamma=no_gamma), said.GAMMA_MISSING),
    "gamma starts at 1": (changed(start=1.0), said.GAMMA_START),
    "layer_scale not used": (changed(start=1e-6), said.GAMMA_START),
    "no activation": (changed(act=lambda self, y: y), said.NO_ACT),
    "ReLU": (changed(act=lambda self, y: y.relu()), said.RELU),
    "SiLU": (changed(act=lambda self, y: F.silu(y)), said.SILU),
    "GELU first": (changed(mix=lambda self, y: self.pwconv2(self.pwconv1(F.gelu(y)))), said.ACT_FIRST),
    "tanh GELU": (changed(act=lambda self, y: F.gelu(y, approximate="tanh")), said.TANH_GELU),
    "GELU last": (changed(mix=lambda self, y: F.gelu(self.pwconv2(self.pwconv1(y)))), said.ACT_LAST),
    "two GELUs": (changed(mix=lambda self, y: F.gelu(self.pwconv2(F.gelu(self.pwconv1(y))))), said.TWO_ACTS),
    "GELU after the sum": (changed(forward=lambda self, x: F.gelu(x + self.drop(self.branch(x)))), said.TWO_ACTS),
    "gamma not used": (
        changed(branch=lambda self, x: first(self.mix(self.norm(last(self.dwconv(x)))))),
        said.NO_SCALE,
    ),
    "gamma on the sum": (
        changed(forward=lambda self, x: first(self.gamma * (last(x) + self.mix(self.norm(last(self.dwconv(x))))))),
        said.SCALED_SUM,
    ),
    "eps 1e-5": (changed(eps=1e-5), said.EPS_1E5),
    "not permuted back": (
        changed(forward=lambda self, x: last(x) + last(self.branch(x))),
        said.NOT_BACK,
    ),
    "not permuted back, added all the same": (changed(forward=lambda self, x: x + last(self.branch(x))), said.NOT_BACK),
    "drop path on the sum": (changed(forward=lambda self, x: self.drop(x + self.branch(x))), said.DROPPED_SUM),
    "drop path for the batch": (
        changed(drop=lambda self, y: y * (torch.rand(()) >= self.p) / (1 - self.p) if self.training else y),
        said.DROP_BATCH,
    ),
    "drop path not rescaled": (
        changed(drop=lambda self, y: y * mask(y, self.p) if self.training else y),
        said.DROP_UNSCALED,
    ),
    "no drop path": (changed(drop=lambda self, y: y), said.NO_DROP),
    "drop path in use": (changed(drop=lambda self, y: by_where(y, self.p, True)), said.DROP_IN_USE),
    "dropout": (changed(drop=lambda self, y: F.dropout(y, self.p, self.training)), said.DROP_SINGLE),
    "in place": (InPlace, "in-place operation"),
    "branch detached": (changed(forward=lambda self, x: x + self.drop(self.branch(x).detach())), said.BRANCH_DETACHED),
    "sum detached": (changed(forward=lambda self, x: x.detach() + self.drop(self.branch(x))), said.SUM_DETACHED),
    "gamma.data": (
        changed(branch=lambda self, x: first(self.gamma.data * self.mix(self.norm(last(self.dwconv(x)))))),
        "cuts the graph",
    ),
    "norm always 4": (FixedDim, "a size is written into the code"),
    "no super().__init__()": (NoSuper, "calls super().__init__()"),
    "no nn.Module": (PlainClass, "write class MyBlock(nn.Module)"),
    "an object, not the class": (Block(4), "without parentheses"),
}


# ---------------------------------------------------------------- exercise 5: two_blocks
def search(cost=by_hand, blocks=2, least=2, odd=2, strict=0):
    """Raise the kernel, then the expansion, while they fit."""

    def answer(dim, budget):
        k, e = 1, least
        while blocks * cost(dim, k + odd, e) <= budget - strict:
            k += odd
        while blocks * cost(dim, k, e + 1) <= budget - strict:
            e += 1
        return k, e

    return answer


def every_pair(dim, budget):
    pairs = [(k, e) for k in range(1, 60, 2) for e in range(2, 40) if 2 * by_hand(dim, k, e) <= budget]
    return max(pairs)


def solved(dim, budget):
    rest = budget // 2 - 5 * dim - 2 * (2 * dim**2 + dim)
    k = int((rest / dim) ** 0.5)
    k -= 1 - k % 2
    e = (budget // 2 - dim * k * k - 5 * dim) // (2 * dim**2 + dim)
    return [k, e]


def wide_first(dim, budget):
    e, k = 2, 1
    while 2 * by_hand(dim, 1, e + 1) <= budget:
        e += 1
    while 2 * by_hand(dim, k + 2, e) <= budget:
        k += 2
    return k, e


def with_width_4(dim, budget):
    k = 1
    while 2 * by_hand(dim, k + 2, 4) <= budget:
        k += 2
    return k, 4


def with_kernel_7(dim, budget):
    e = 2
    while 2 * by_hand(dim, 7, e + 1) <= budget:
        e += 1
    return 7, e


def capped(*kernels):
    def answer(dim, budget):
        k, e = max(k for k in kernels if k == kernels[0] or 2 * by_hand(dim, k, 2) <= budget), 2
        while 2 * by_hand(dim, k, e + 1) <= budget:
            e += 1
        return k, e

    return answer


def one_smaller_when_wide(dim, budget):
    k, e = best(dim, budget)
    return (k - 2 if dim == 96 else k), e


def overshoots(what):
    """Tests a pair and then steps on, in the loop over "k" or over "e"."""

    def answer(dim, budget):
        k, e = best(dim, budget)
        return (k + 2, 2) if what == "k" else (k, e + 1)

    return answer


def with_exercise_1(dim, budget):
    return 1, count_parameters(dim)


best = search()
TWO_RIGHT = {
    "two loops": best,
    "all pairs": every_pair,
    "solved for k": solved,
    "NumPy": lambda c, b: tuple(np.int64(number) for number in best(c, b)),
}
TWO_WRONG = {
    "swapped": (lambda c, b: best(c, b)[::-1], said.PAIR_SWAPPED),
    "receptive field": (lambda c, b: (2 * best(c, b)[0] - 1, best(c, b)[1]), said.FIELD_FOR_KERNEL),
    "even kernels": (search(odd=1), said.EVEN),
    "expansion 1": (search(least=1), said.TOO_NARROW),
    "one block": (search(blocks=1), said.ONE_BLOCK),
    "dense": (search(plus(lambda c, k, e: k * k * c * c - k * k * c)), said.HALF_SPENT),
    "weights only": (search(plus(lambda c, k, e: -5 * c - e * c)), said.SMALL_PARTS),
    "strictly below": (search(strict=1), said.STRICT),
    "expansion first": (wide_first, said.WIDE_FIRST),
    "rest not spent": (lambda c, b: (best(c, b)[0], 2), said.NOT_SPENT),
    "expansion 4": (with_width_4, said.PUBLISHED_WIDTH),
    "kernel 7": (with_kernel_7, said.PUBLISHED_KERNEL),
    "cap 13": (capped(*range(1, 14, 2)), said.UNDER),
    "cap 15": (capped(*range(1, 16, 2)), said.UNDER),
    "cap 21": (capped(*range(1, 22, 2)), said.UNDER),
    "cap 23": (capped(*range(1, 24, 2)), said.UNDER),
    "a list of six": (capped(3, 5, 7, 9, 11, 13), said.UNDER),
    "k - 2 for 96 channels": (one_smaller_when_wide, said.UNDER),
    "start at 7": (capped(*range(7, 60, 2)), said.LARGE_START),
    "start at 9": (capped(*range(9, 60, 2)), said.LARGE_START),
    "one step too far in k": (overshoots("k"), said.TOO_FAR),
    "one step too far in e": (overshoots("e"), said.TOO_FAR),
    "exercise 1 not written": (with_exercise_1, "exercise 1 comes first"),
    "another name": (lambda dim, budget: bugdet, said.LAST_LINE),  # noqa: F821
    "one argument": (lambda dim: (7, 4), said.TWO_CALL),
    "a set": (lambda c, b: set(best(c, b)), said.PAIR),
    "always (7, 4)": (lambda c, b: (7, 4), said.UNDER),
    "always (31, 2)": (lambda c, b: (31, 2), said.OVER),
    "only the kernel": (lambda c, b: best(c, b)[0], said.PAIR),
    "floats": (lambda c, b: (float(best(c, b)[0]), 2.0), said.PAIR),
    "kernel 1000001": (lambda c, b: (1_000_001, 2), said.OVER),
}

RIGHT = {
    check.count_parameters: COUNT_RIGHT,
    check.macs: MACS_RIGHT,
    check.drop_path: DROP_RIGHT,
    check.block: CLASS_RIGHT,
    check.two_blocks: TWO_RIGHT,
}
WRONG = {
    check.count_parameters: COUNT_WRONG,
    check.macs: MACS_WRONG,
    check.drop_path: DROP_WRONG,
    check.block: CLASS_WRONG,
    check.two_blocks: TWO_WRONG,
}


class Stub(nn.Module):
    def __init__(self, dim, drop_path=0.0, layer_scale=1e-6):
        raise NotImplementedError()


class HalfStub(Block):
    def forward(self, x):
        raise NotImplementedError()


STUBS = {check.block: Stub}
ENDLESS = {check.block: changed(forward=endless)}
NONSENSE = [
    changed(forward=lambda self, x: "text"),
    changed(forward=lambda self, x: x[0]),
    changed(forward=lambda self, x: x * float("nan")),
]
