"""Misconceptions of notebook 01: LayerNorm, and which axes share a mean (weight decay is in weight_decay.py)."""

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from cnx_tutorial.teaching.checks.engine import Steps, function, variant
from cnx_tutorial.teaching.checks.layer_engine import Case, layer
from cnx_tutorial.teaching.checks.runner import Mismatch

ONE_PASS = "E[x^2] - E[x]^2 loses all digits when the mean is large: subtract the mean first, then square"
EPS_ENTERS = "with eps=1e-6 it is right, so look at what happens to the eps argument: it is added to the variance"
SIZE = "a size is written into the code; take it from the input, or from num_channels"
FORMULA = dict(
    mean=lambda x, axis: x.mean(axis, keepdim=True),
    centred=lambda x, mean: x - mean,
    var=lambda centred, axis: centred.square().mean(axis, keepdim=True),
    root=lambda var, eps: (var + eps).sqrt(),
    y=lambda centred, root: centred / root,
)
UNBIASED = "the variance was divided by C - 1 (torch's default); LayerNorm divides by C: use correction=0"
EPS_FIXED = "the eps argument is not used: a fixed number stands in its place"
PARENTHESES = "Python divides before it subtracts: put parentheses around x - mean"
DETACHED = "mean or variance was detached: gradients must flow through both"
WRONG_FORMULA = [
    (UNBIASED, {"var": lambda x, axis: x.var(axis, keepdim=True)}),
    ("the squared differences were added up; the variance is their mean: divide by C", {"var": lambda centred, axis: centred.square().sum(axis, keepdim=True)}),
    (ONE_PASS, {"var": lambda x, axis: x.square().mean(axis, keepdim=True) - x.mean(axis, keepdim=True).square()}),
    ("eps was added to the standard deviation; it belongs inside the root: sqrt(var + eps)", {"root": lambda var, eps: var.sqrt() + eps}),
    ("eps is missing: add it to the variance before the root", {"root": lambda var: var.sqrt()}),
    (EPS_FIXED, {"root": lambda var: (var + 1e-6).sqrt()}),
    (EPS_FIXED, {"root": lambda var: (var + 1e-5).sqrt()}),
    ("eps is 1e-5, PyTorch's default; ConvNeXt uses 1e-6", {"eps": 1e-5}),
    ("divided by the variance; the square root is missing", {"root": lambda var, eps: var + eps}),
    ("the mean was subtracted, and then nothing was divided by the standard deviation", {"root": lambda: 1.0}),
    ("divided by the mean of the absolute differences; the variance is the mean of their squares", {"root": lambda centred, axis, eps: centred.abs().mean(axis, keepdim=True) + eps}),
    ("two mistakes at once: std() divides by C - 1 (use correction=0), and eps belongs inside the root: sqrt(var + eps)", {"root": lambda x, axis, eps: x.std(axis, keepdim=True) + eps}),
    ("two mistakes at once: std() divides by C - 1 (use correction=0), and eps is left out: sqrt(var + eps)", {"root": lambda x, axis: x.std(axis, keepdim=True)}),
    ("the mean was not subtracted before dividing", {"y": lambda x, root: x / root}),
    (PARENTHESES, {"y": lambda x, mean, root: x - mean / root}),
    (PARENTHESES, {"y": lambda x, mean, axis: x - mean / x.std(axis, keepdim=True)}),
    ("eps was added to the result: put parentheses around var + eps", {"root": lambda var: var.sqrt(), "y": lambda centred, root, eps: centred / root + eps}),
    ("that is RMSNorm: the mean is taken out neither before the division nor in the variance", {"var": lambda x, axis: x.square().mean(axis, keepdim=True), "y": lambda x, root: x / root}),
    ("that scales to the range from 0 to 1; LayerNorm uses the mean and the standard deviation", {"y": lambda x, axis: (x - x.amin(axis, True)) / (x.amax(axis, True) - x.amin(axis, True))}),
    (SIZE, {"mean": lambda x, axis: x.sum(axis, keepdim=True) / 8, "var": lambda centred, axis: centred.square().sum(axis, keepdim=True) / 8}),
    (SIZE, {"var": lambda centred, axis: centred.square().sum(axis, keepdim=True) / 8}),
    (DETACHED, {"mean": lambda x, axis: x.mean(axis, keepdim=True).detach()}),
    (DETACHED, {"var": lambda centred, axis: centred.square().mean(axis, keepdim=True).detach()}),
    (DETACHED, {"mean": lambda x, axis: x.mean(axis, keepdim=True).detach(), "var": lambda x, axis: x.var(axis, correction=0, keepdim=True).detach()}),
]  # fmt: skip


def numbers(rng, *shape) -> Tensor:
    return torch.from_numpy(rng.normal(0.5, 1, shape))


def fixed(*shape, seed=0) -> Tensor:
    """Random numbers in float64; every second image is weak, so that eps shows."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5
    if len(shape) > 1:
        x[1::2] *= 1e-3
    return x


def far(*shape) -> Tensor:
    return (torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 1e4).float()


# ---------------------------------------------------------------- exercise 1
normalize = function(
    "normalize",
    "x of shape (C,) with mean 0 and variance 1, without weight and bias",
    "mean 0, variance 1, eps inside the root, gradients, and a mean of 10,000 in float32",
    right=Steps("x, eps=1e-6", axis=lambda: -1, **FORMULA),
    rows=WRONG_FORMULA,
    pinned=[(fixed(5) * 1e-3, 1e-6), (fixed(8), 1e-6), (fixed(8) * 1e-3,), (fixed(5), 0.1), (far(64),)],
    draw=lambda rng: (numbers(rng, int(rng.integers(2, 12))) * 10.0 ** rng.integers(-3, 3), 1e-6),
    drawn=8,
    in_error="the error says what it stumbled on; mind that x has one axis here, (C,), so mean() and var() need no axis",
    alone={3: EPS_ENTERS, 4: ONE_PASS},
)

# ---------------------------------------------------------------- exercise 3
AXES = {"batch": [0, 2, 3], "layer": [1], "instance": [2, 3], "group1": [1, 2, 3]}
OTHER_AXES = {
    (0, 2, 3): "those are BatchNorm's axes: one mean per channel",
    (1,): "that is ConvNeXt's LayerNorm: one mean per pixel",
    (2, 3): "those are InstanceNorm's axes: one mean per image and channel",
    (1, 2, 3): "those are GroupNorm(1)'s axes: one mean per image",
    (0, 1, 2, 3): "then everything shares one mean, and none of the four norms does that",
    (0,): "axis 0 alone leaves every position its own mean; BatchNorm pools H and W as well",
    (3,): "axis 3 is W: the last axis holds the channels in channels_last only",
}


def as_axes(result: object, question: tuple) -> list[int]:
    axes = [result] if isinstance(result, int) else list(result) if isinstance(result, (tuple, list, set, range)) else None
    if axes is None or not all(type(axis) is int and -4 <= axis < 4 for axis in axes):
        raise Mismatch(f'no axes for "{question[0]}"', "a tuple of axis numbers from 0 to 3", repr(result)[:60], "N is axis 0, C is 1, H is 2, W is 3")
    return sorted({axis % 4 for axis in axes})


def constant(value: object):
    return lambda: value


def one_wrong() -> Iterator[tuple[str, dict]]:
    for norm, right in AXES.items():
        for axes in (some for count in (1, 2, 3, 4) for some in combinations(range(4), count) if list(some) != right):
            wrong = [f"{letter} is {'too many: leave it out' if i in axes else 'missing: add it'}" for i, letter in enumerate("NCHW") if (i in axes) != (i in right)]
            said = OTHER_AXES.get(axes) if axes != (3,) or norm == "layer" else None
            yield f'for "{norm}": {said or "; ".join(wrong)}', {norm: lambda axes=axes: list(axes)}
    yield ("the axes that are kept were given; the exercise asks for those over which the mean is taken", {norm: lambda norm=norm: [i for i in range(4) if i not in AXES[norm]] for norm in AXES})
    yield "H and W are axes 2 and 3 of (N, C, H, W): those are the axes of channels_last", {"batch": lambda: [0, 1, 2], "layer": lambda: [3], "instance": lambda: [1, 2], "group1": lambda: [1, 2, 3]}  # fmt: skip


axes_that_share = function(
    "axes_that_share",
    "the axes of (N, C, H, W) over which batch, layer, instance or group1 averages",
    "each of the four norms shares its mean over the right axes",
    right=Steps("norm", **{name: constant(axes) for name, axes in AXES.items()}, axes=lambda norm, batch, layer, instance, group1: {"batch": batch, "layer": layer, "instance": instance, "group1": group1}[norm]),
    rows=list(one_wrong()),
    pinned=[(norm,) for norm in AXES],
    see=as_axes,
    hint="write N, C, H, W over the axes 0 to 3: the mean runs over those that share it, and over no other",
    in_error="it has to know the four names batch, layer, instance, group1",
)  # fmt: skip

# ---------------------------------------------------------------- exercises 2 and 4: what both layouts share
NO_KEEPDIM = "keepdim=True is missing: without it three axes meet four and line up from the right, so other pixels' means were taken"
NO_AXIS = "the mean or the variance was taken over all numbers at once: give mean() and var() the axis of the channels"
CUT = "something cuts the graph: .detach(), .data, .item(), .tolist(), .numpy(), torch.tensor() or torch.no_grad()"
MEANS = {
    "CHW": "the mean was taken over C, H and W together (that is GroupNorm(1)), instead of over C alone",
    "HW": "the mean was taken over H and W (that is InstanceNorm), instead of over C",
    "NHW": "the mean was taken over N, H and W (that is BatchNorm), instead of over C",
    "NCHW": NO_AXIS,
}
AFFINE = dict(
    axis=lambda layout, letters: tuple(layout.index(letter) for letter in letters),
    **FORMULA,
    w=lambda weight, along, layout: weight.reshape(-1, *[1] * (3 - layout.index(along[0]))),
    b=lambda bias, along, layout: bias.reshape(-1, *[1] * (3 - layout.index(along[1]))),
    z=lambda y, w: y * w,
    out=lambda z, b: z + b,
)


def wrong_axes(last: str) -> Iterator[tuple[str, dict]]:
    for letters in ("".join(some) for count in (1, 2, 3, 4) for some in combinations("NCHW", count)):
        if letters != "C":
            said = MEANS.get(letters, f"the mean was taken over {' and '.join(letters)}, instead of over C alone")
            yield last if letters == "W" and last else said, {"letters": lambda letters=letters: letters}
    for p, q in ((p, q) for p in "NCHW" for q in "NCHW" if p + q != "CC"):
        who = "bias" if p == "C" else "weight" if q == "C" else "weight and bias"
        where = " and ".join(dict.fromkeys(letter for letter in (p, q) if letter != "C"))
        yield (f"{who} ran along {where}, not along C: (C, 1, 1) lines up with (N, C, H, W), (C,) with (N, H, W, C)", {"along": lambda p=p, q=q: p + q})


def wrong_affine(last: str = "") -> list[tuple[str, dict]]:
    return [
        *WRONG_FORMULA,
        *wrong_axes(last),
        (NO_AXIS, {"var": lambda x: x.var(correction=0)}),
        (NO_AXIS, {"mean": lambda x: x.mean(), "root": lambda x, eps: x.std() + eps}),
        (NO_KEEPDIM, {"mean": lambda x, axis: x.mean(axis), "var": lambda x, axis: x.var(axis, correction=0)}),
        (NO_KEEPDIM, {"mean": lambda x, axis: x.mean(axis), "var": lambda x, axis: x.var(axis, correction=0, keepdim=True)}),
        (NO_KEEPDIM, {"mean": lambda x, axis: x.mean(axis)}),
        (NO_KEEPDIM, {"var": lambda x, axis: x.var(axis, correction=0)}),
        ("weight and bias are not applied", {"z": lambda y: y, "out": lambda z: z}),
        ("bias is not added", {"out": lambda z: z}),
        ("weight is not multiplied in", {"z": lambda y: y}),
        ("bias was added before multiplying by weight; it comes last: x * weight + bias", {"z": lambda y, b: y + b, "out": lambda z, w: z * w}),
        ("weight and bias are swapped: the weight multiplies, the bias is added", {"z": lambda y, bias, along, layout: y * bias.reshape(-1, *[1] * (3 - layout.index("C"))), "out": lambda z, weight, layout: z + weight.reshape(-1, *[1] * (3 - layout.index("C")))}),
        ("permuted and not back: the result has its axes in the order of the input; .permute(0, 3, 1, 2) undoes .permute(0, 2, 3, 1)", {"out": lambda z, b, layout: (z + b).permute(0, 2, 3, 1) if layout == "NCHW" else (z + b).permute(0, 3, 1, 2)}),
        (CUT, {"z": lambda y, w: y * w.detach()}),
        (CUT, {"z": lambda y, w: y * w.detach(), "out": lambda z, b: z + b.detach()}),
        (CUT, {"mean": lambda x, axis: x.detach().mean(axis, keepdim=True), "centred": lambda x, mean: x.detach() - mean}),
    ]  # fmt: skip


def map_question(*shape, channel=1, **options) -> tuple:
    c = shape[channel]
    return fixed(*shape), fixed(c, seed=1).abs() + 0.5, fixed(c, seed=3), *options.values()


OTHER_SIZES = "it ran where N, C, H and W are equal: a size is written into the code, or one axis is taken for another"
layer_norm_channels_first = function(
    "layer_norm_channels_first",
    "x (N, C, H, W), each pixel normalised over its channels, times weight plus bias",
    "axis 1 normalised, weight and bias along C, input untouched, gradients, and a mean of 10,000 in float32",
    right=Steps("x, weight, bias, eps=1e-6", layout=lambda: "NCHW", letters=lambda: "C", along=lambda: "CC", **AFFINE),
    rows=wrong_affine("normalised over the last axis, which is W here; the channels are axis 1"),
    pinned=[map_question(4, 4, 4, 4), map_question(2, 3, 4, 5, eps=1e-6), map_question(4, 4, 4, 4, eps=0.1), (far(2, 64, 3, 3), torch.ones(64), torch.zeros(64))],
    draw=lambda rng: map_question(*(int(side) for side in rng.permutation([2, 3, 4, 5])), eps=1e-6),
    drawn=3,
    in_error=OTHER_SIZES,
    alone={2: EPS_ENTERS, 3: ONE_PASS},
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
def expect_refusal(answer: type) -> None:
    for name in ("NCHW", "channels", "channels_frist"):
        got, likely = "a layer", "data_format is not checked: a typing mistake would silently pick one of the layouts"
        try:
            made = answer(4, data_format=name)
        except ValueError as error:
            if name in str(error):
                continue
            got, likely = (f"ValueError: {error}", "quote the value that was given in the message: it saves the reader a search")
        except Exception as error:
            got, likely = type(error).__name__, 'raise ValueError(f"... got {data_format!r}")'
        else:
            try:
                made(torch.ones(4, 4, 4, 4))
            except ValueError:
                likely = "forward refuses it, with the first image; raise in __init__, where the typing mistake is made"
            except Exception:
                pass
            else:
                likely = likely if name == "NCHW" else "the check lets other names pass: compare with the two whole names"
        raise Mismatch(f'data_format="{name}" is not refused', f"ValueError that quotes {name}, raised in __init__", got, likely)


MY_NORM = Steps(
    'x, p, num_channels, eps=1e-6, data_format="channels_last"',
    weight=lambda p: p["weight"],
    bias=lambda p: p["bias"],
    layout=lambda data_format: {"channels_last": "NHWC", "channels_first": "NCHW"}[data_format],
    letters=lambda: "C",
    along=lambda: "CC",
    **AFFINE,
)


def only(layout: str, rows: list) -> list[tuple[str, object]]:
    """Misconceptions in one of the two layouts alone."""

    def where(changes: dict) -> object:
        mistaken = variant(MY_NORM, changes)
        return lambda *args, **options: (mistaken if options.get("data_format", "channels_last") == layout else MY_NORM)(*args, **options)

    return [(said, where(changes)) for said, changes in rows]


FIRST, LAST = {"data_format": "channels_first"}, {"data_format": "channels_last"}
layernorm = layer(
    "layernorm",
    '`MyLayerNorm(num_channels, eps=1e-6, data_format="channels_last")`, however it is written',
    "parameters, both layouts, eps, input untouched, gradients, a mean of 10,000 in float32, bad layout refused",
    right=MY_NORM,
    rows=[
        ('data_format has another default; without the argument it is "channels_last"', {"data_format": "channels_first"}),
        ("the result for channels_first came in both layouts: look at the line that chooses between the two", {"layout": lambda: "NCHW"}),
        ("the result for channels_last came in both layouts: look at the line that chooses between the two", {"layout": lambda: "NHWC"}),
        ("the two layouts are swapped: look at the line that chooses between them", {"layout": lambda data_format: {"channels_first": "NHWC", "channels_last": "NCHW"}[data_format]}),
        *wrong_affine(),
        *only("channels_first", wrong_affine("normalised over the last axis, which is W here; the channels are axis 1")),
        *only("channels_first", [("the right numbers with their axes in another order: undo your permute, so that the axes stand as in x", {"out": lambda z, b, order=order: (z + b).permute(order)}) for order in ((0, 3, 1, 2), (0, 1, 3, 2))]),
        *only("channels_last", wrong_affine("normalised over axis 1, which is H here; in channels_last the channels are the last axis")),
    ],
    pinned=[
        *(Case((4,), (4, 4, 4, 4), options) for options in ({}, LAST, FIRST)), Case((3,), (2, 4, 5, 3), LAST), Case((3,), (2, 3, 4, 5), FIRST),
        Case((4,), (4, 4, 4, 4), {"eps": 0.1}), Case((3,), (2, 3, 4, 5), {"eps": 0.1, **FIRST}), Case((64,), (2, 3, 3, 64), LAST, mean=1e4), Case((64,), (2, 64, 3, 3), FIRST, mean=1e4),
    ],
    parameters=lambda num_channels: {"weight": (num_channels,), "bias": (num_channels,)},
    tables=[
        ("one number per channel; view it as (C, 1, 1) in forward only", lambda want, c: {name: (c, 1, 1) for name in want}),
        ("bias is missing: the layer has two parameters, weight and bias", lambda want, c: {"weight": (c,)}),
        ("LayerNorm stores no statistics and no buffers", lambda want, c: {**want, "running_mean": (c,), "running_var": (c,), "num_batches_tracked": ()}),
    ],
    starts={"weight": 1.0, "bias": 0.0},
    starts_wrong="a new layer only normalises: weight 1, bias 0",
    in_making="__init__ takes num_channels, eps and data_format, and calls super().__init__()",
    in_error=OTHER_SIZES,
    alone={5: EPS_ENTERS, 6: EPS_ENTERS, 7: ONE_PASS, 8: ONE_PASS},
    also=[expect_refusal],
)  # fmt: skip
