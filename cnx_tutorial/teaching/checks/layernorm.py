"""Checkers of notebook 01: LayerNorm.

A wrong answer is diagnosed by comparison: what the usual mistakes give is computed here too, and the one that equals
the learner's output is named. The inputs tell all mistakes apart: float64, pixels of spread 1 and of spread 0.001 (so
that eps shows), and equal axis lengths first (so that a wrong axis gives wrong numbers instead of an error). Where no
mistake fits, the hint is one that holds whatever the learner wrote.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations, product

import torch
from torch import Tensor, nn

from cnx_tutorial.teaching.checks.runner import (
    Mismatch,
    NotAttempted,
    call,
    exercise,
    expect_callable,
    expect_tensor,
    expect_untouched,
)

EPS = 1e-6
UNBIASED = "the variance was divided by C - 1 (torch's default); LayerNorm divides by C: use correction=0"
EPS_OUTSIDE = "eps was added to the standard deviation; it belongs inside the root: sqrt(var + eps)"
BOTH_IN_STD = (
    "two mistakes at once: std() divides by C - 1 (use correction=0), and eps belongs inside the root: sqrt(var + eps)"
)
PLAIN_STD = "two mistakes at once: std() divides by C - 1 (use correction=0), and eps is left out: sqrt(var + eps)"
NO_EPS = "eps is missing: add it to the variance before the root"
EPS_1E5 = "eps is 1e-5, PyTorch's default; ConvNeXt uses 1e-6"
EPS_FIXED = "the eps argument is not used: a fixed number stands in its place"
EPS_LAST = "eps was added to the result: put parentheses around var + eps"
EPS_ENTERS = "with eps=1e-6 it is right, so look at what happens to the eps argument: it is added to the variance"
NO_ROOT = "divided by the variance; the square root is missing"
PARENTHESES = "Python divides before it subtracts: put parentheses around x - mean"
SUMMED = "the squared differences were added up; the variance is their mean: divide by C"
ABSOLUTE = "divided by the mean of the absolute differences; the variance is the mean of their squares"
MIN_MAX = "that scales to the range from 0 to 1; LayerNorm uses the mean and the standard deviation"
NOT_CENTERED = "the mean was not subtracted before dividing"
NOT_SCALED = "the mean was subtracted, and then nothing was divided by the standard deviation"
RMS = "that is RMSNorm: the mean is taken out neither before the division nor in the variance"
GROUP_NORM = "the mean was taken over C, H and W together (that is GroupNorm(1)), instead of over C alone"
NO_AXIS = "the mean or the variance was taken over all numbers at once: give mean() and var() the axis of the channels"
LAST_AXIS = "normalised over the last axis, which is W here; the channels are axis 1"
FIRST_AXIS = "normalised over axis 1, which is H here; in channels_last the channels are the last axis"
INSTANCE_NORM = "the mean was taken over H and W (that is InstanceNorm), instead of over C"
BATCH_NORM = "the mean was taken over N, H and W (that is BatchNorm), instead of over C"
NO_KEEPDIM = (
    "keepdim=True is missing: without it three axes meet four and line up from the right, "
    "so other pixels' means were taken"
)
NOT_BACK = "permuted to (N, H, W, C) and not back: the result needs .permute(0, 3, 1, 2)"
WRONG_BACK = "the right numbers with their axes in the wrong order: undo your permute, so that the axes stand as in x"
NO_AFFINE = "weight and bias are not applied"
NO_BIAS = "bias is not added"
NO_WEIGHT = "weight is not multiplied in"
BIAS_FIRST = "bias was added before multiplying by weight; it comes last: x * weight + bias"
SWAPPED_AFFINE = "weight and bias are swapped: the weight multiplies, the bias is added"
AS_FIRST = "this is the result for channels_first: look at the line that chooses between the two layouts"
AS_LAST = "this is the result for channels_last: look at the line that chooses between the two layouts"
DEFAULT_LAST = 'data_format has another default; without the argument it is "channels_last"'
DTYPE = "stay in the input's dtype: .float(), .half() and torch.tensor(a list) change it"
ROUNDED = (
    "right to about six digits only, as if computed in float32: use the input's dtype throughout, without .float()"
)
CUT = "something cuts the graph: .detach(), .data, .item(), .tolist(), .numpy(), torch.tensor() or torch.no_grad()"
DETACHED = "mean or variance was detached: gradients must flow through both"
CONSTANT = "the values are right and the gradient is not: something was taken for a constant (.detach(), .item())"
ONE_PASS = "E[x^2] - E[x]^2 loses all digits when the mean is large: subtract the mean first, then square"
ONE_AXIS = "the error says what it stumbled on; mind that x has one axis here, (C,), so mean() and var() need no axis"
FIXED_SHAPE = "a size is written into the code; take it from the input or from num_channels"
OTHER_SIZES = "it ran where N, C, H and W are equal: a size is written into the code, or one axis is taken for another"
BY_HAND = (
    "none of the usual mistakes; print mean, variance and result for two small pixels: [2, 6] has mean 4 and variance 4 "
    "and becomes [-1, 1]; [0.001, -0.001] has mean 0 and variance 1e-6 and becomes [0.71, -0.71]"
)
OTHER_C = "it is right for eight numbers and not for five: look at what in the code depends on C"
BY_LOOP = (
    "none of the usual mistakes; compare with a loop over n, h and w, which takes one pixel's channels at a time: "
    "(pixel - pixel.mean()) / (pixel.var(correction=0) + eps).sqrt() * weight + bias"
)


# ---------------------------------------------------------------- what the mistakes give
def _normalized(x: Tensor, dim: int | tuple[int, ...], eps: float = EPS, constant: str = "") -> Tensor:
    """Normalised x; `constant` names what no gradient flows through: "mean", "var" or both."""
    mean, var = x.mean(dim, keepdim=True), x.var(dim, keepdim=True, correction=0)
    mean, var = mean.detach() if "mean" in constant else mean, var.detach() if "var" in constant else var
    return (x - mean) / (var + eps).sqrt()


def _roots(*variances: Tensor) -> list[Tensor]:
    """What people divide by: with eps inside the root, outside of it, and without."""
    return [root for var in variances for root in ((var + EPS).sqrt(), var.sqrt() + EPS, var.sqrt())]


def _wrong_formulas(x: Tensor, dim: int) -> list[tuple[str, Tensor]]:
    """Mistakes in the formula, each before weight and bias."""
    mean, low, high = x.mean(dim, keepdim=True), x.amin(dim, keepdim=True), x.amax(dim, keepdim=True)
    centered = x - mean
    squares = centered.square().sum(dim, keepdim=True)
    var, unbiased = squares / x.shape[dim], squares / (x.shape[dim] - 1)
    _, outside, std = _roots(var)
    unbiased_root, both, plain_std = _roots(unbiased)
    return [
        (UNBIASED, centered / unbiased_root),
        (EPS_OUTSIDE, centered / outside),
        (BOTH_IN_STD, centered / both),
        (PLAIN_STD, centered / plain_std),
        (NO_EPS, centered / std),
        (EPS_1E5, _normalized(x, dim, eps=1e-5)),
        (EPS_LAST, centered / std + EPS),
        *((NO_ROOT, centered / (some + eps)) for some in (var, unbiased) for eps in (EPS, 0)),
        *((NOT_CENTERED, x / root) for root in _roots(var, unbiased)),
        (NOT_SCALED, centered),
        (RMS, x / (x.square().mean(dim, keepdim=True) + EPS).sqrt()),
        *((PARENTHESES, x - mean / root) for root in _roots(var, unbiased)),
        *((SUMMED, centered / root) for root in _roots(squares)),
        (ABSOLUTE, centered / (centered.abs().mean(dim, keepdim=True) + EPS)),
        (ABSOLUTE, centered / centered.abs().mean(dim, keepdim=True)),
        (MIN_MAX, (x - low) / (high - low)),
        (MIN_MAX, (x - low) / (high - low + EPS)),
    ]


def _wrong_axes(x: Tensor, layout: str) -> Iterator[tuple[str, Tensor]]:
    """Normalised over every set of axes but the right one; `layout` is "NCHW" or "NHWC"."""
    named = {"CHW": GROUP_NORM, "HW": INSTANCE_NORM, "NHW": BATCH_NORM, "NCHW": NO_AXIS}
    named |= {"W": LAST_AXIS} if layout == "NCHW" else {"H": FIRST_AXIS}
    for axes in (axes for count in (1, 2, 3, 4) for axes in combinations(range(4), count)):
        letters = "".join(sorted((layout[axis] for axis in axes), key="NCHW".index))
        mistake = named.get(letters, f"the mean was taken over {' and '.join(letters)}, instead of over C alone")
        if letters != "C":
            variances = [x.var(axes, keepdim=True, correction=correction) for correction in (0, 1)]
            yield from ((mistake, (x - x.mean(axes, keepdim=True)) / root) for root in _roots(*variances))
    axis = layout.index("C")
    yield from ((NO_AXIS, (x - x.mean()) / root) for root in _roots(x.var(axis, keepdim=True, correction=0)))
    for root in _roots(x.var(correction=0), x.var()):
        yield NO_AXIS, (x - x.mean(axis, keepdim=True)) / root


def _without_keepdim(x: Tensor, axis: int) -> Iterator[tuple[str, Tensor]]:
    """keepdim forgotten in the mean, in the variance or in both; with equal axis lengths that broadcasts silently."""
    for in_mean, in_var in ((False, False), (False, True), (True, False)):
        centered = x - x.mean(axis, keepdim=in_mean)
        variances = [x.var(axis, keepdim=in_var, correction=correction) for correction in (0, 1)]
        for root in _roots(*variances, centered.square().mean(axis, keepdim=in_var)):
            yield NO_KEEPDIM, centered / root


def _wrong_affines(layout: str, cube: bool) -> Iterator[tuple[str, Callable[[Tensor, Tensor, Tensor], Tensor]]]:
    """Mistakes with weight and bias, as functions of the normalised x and the two of shape (C,)."""

    def along(letter: str, numbers: Tensor) -> Tensor:
        return numbers.reshape(-1, *[1] * (3 - layout.index(letter)))

    yield NO_AFFINE, lambda y, w, b: y
    yield NO_BIAS, lambda y, w, b: y * along("C", w)
    yield NO_WEIGHT, lambda y, w, b: y + along("C", b)
    yield BIAS_FIRST, lambda y, w, b: (y + along("C", b)) * along("C", w)
    yield SWAPPED_AFFINE, lambda y, w, b: y * along("C", b) + along("C", w)
    cure = "(C, 1, 1) lines up with (N, C, H, W)" if layout == "NCHW" else "(C,) lines up with (N, H, W, C)"
    for p, q in product(layout, repeat=2) if cube else ():  # only a cube broadcasts without an error
        who = "bias" if p == "C" else "weight" if q == "C" else "weight and bias"
        where = " and ".join(dict.fromkeys(letter for letter in (p, q) if letter != "C"))
        if where:
            yield (
                f"{who} ran along {where}, not along C: {cure}",
                lambda y, w, b, p=p, q=q: y * along(p, w) + along(q, b),
            )


def _affine_on(layout: str, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    return (weight[:, None, None], bias[:, None, None]) if layout == "NCHW" else (weight, bias)


def _wrong_results(x: Tensor, weight: Tensor, bias: Tensor, layout: str) -> Iterator[tuple[str, Tensor]]:
    """One mistake, in the normalising or with weight and bias; then one of each, under the name of the first."""
    axis, cube = layout.index("C"), len(set(x.shape)) == 1
    w, b = _affine_on(layout, weight, bias)
    good = _normalized(x, axis)
    normals = [*_wrong_formulas(x, axis), *_wrong_axes(x, layout), *(_without_keepdim(x, axis) if cube else ())]
    affines = list(_wrong_affines(layout, cube))
    yield from ((mistake, normal * w + b) for mistake, normal in normals)
    yield from ((mistake, affine(good, weight, bias)) for mistake, affine in affines)
    if layout == "NCHW":
        yield NOT_BACK, (good * w + b).permute(0, 2, 3, 1)
    for order in ((1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)):
        yield WRONG_BACK, (good * w + b).permute(0, *order)
    for (mistake, normal), (_, affine) in product(normals, affines):
        yield mistake, affine(normal, weight, bias)


# ---------------------------------------------------------------- what is asked of an answer
def _close(got: Tensor, want: Tensor, atol: float = 1e-7) -> bool:
    return got.shape == want.shape and torch.allclose(got, want, rtol=1e-7, atol=atol, equal_nan=True)


def _expect_values(
    got: object, want: Tensor, *, where: str, otherwise: str, wrong: Iterable[tuple[str, Tensor]] = ()
) -> None:
    """Raise Mismatch unless `got` is `want`; names the first of `wrong` that it is, or says `otherwise`."""
    kinds = [(t.device, t.dtype, t.shape) if isinstance(t, Tensor) else None for t in (got, want)]
    if kinds[0] != kinds[1]:
        if isinstance(got, Tensor) and got.device == want.device and got.dtype != want.dtype:
            raise Mismatch(f"the dtype changed {where}", str(want.dtype), str(got.dtype), DTYPE)
        expect_tensor(got, want, where=where, wrong=list(wrong))
    if _close(got, want):
        return
    likely = next((mistake for mistake, value in wrong if _close(got, value)), None)
    likely = likely or (ROUNDED if _close(got, want, atol=1e-5) else otherwise)
    worst = (got - want).abs().nan_to_num(torch.inf).argmax()
    index = tuple(int(i) for i in torch.unravel_index(worst, want.shape))
    right, mine = want[index].item(), got[index].item()
    digits = next((count for count in range(4, 17) if f"{right:.{count}g}" != f"{mine:.{count}g}"), 17)
    at = f"{right:.{digits}g} at {list(index)}"
    raise Mismatch(f"the values are wrong {where}", at, f"{mine:.{digits}g}", likely)


def _pixels(*shape: int, spread_axes: tuple[int, ...], seed: int = 0) -> Tensor:
    """Random numbers in float64, with pixels of spread 1 and of spread 0.001 in turn."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64) + 0.5
    size = [shape[axis] if axis in spread_axes else 1 for axis in range(len(shape))]
    spread = 1e-3 ** (torch.arange(math.prod(size), dtype=x.dtype) % 2)
    return x * spread.reshape(size)


def _affine(channels: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    weight = torch.rand(channels, generator=generator, dtype=torch.float64) + 0.5
    return weight, torch.randn(channels, generator=generator, dtype=torch.float64)


def _expect_affine_values(
    run: Callable[[Tensor], object],
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    where: str,
    layout: str = "NCHW",
    other_layout: str | None = None,
) -> None:
    """Values on x with weight and bias; `other_layout` is what to say if the layout was taken for the other one."""
    w, b = _affine_on(layout, weight, bias)

    def wrong() -> Iterator[tuple[str, Tensor]]:
        if other_layout and len(set(x.shape)) == 1:
            w, b = _affine_on("NHWC" if layout == "NCHW" else "NCHW", weight, bias)
            yield other_layout, _normalized(x, 3 if layout == "NCHW" else 1) * w + b
        yield from _wrong_results(x, weight, bias, layout)

    before = x.clone()
    got = run(x)
    expect_untouched(x, before)
    _expect_values(got, _normalized(x, layout.index("C")) * w + b, where=where, wrong=wrong(), otherwise=BY_LOOP)


def _expect_eps(run: Callable[[float], object], want: Callable[[float], Tensor]) -> None:
    fixed = [(EPS_FIXED, want(EPS)), (EPS_FIXED, want(1e-5))]
    _expect_values(run(0.1), want(0.1), where="with eps=0.1", wrong=fixed, otherwise=EPS_ENTERS)


def _expect_stable(run: Callable[[Tensor], object], dim: int, shape: tuple[int, ...]) -> None:
    """In float32 at mean 10,000 the answer stays within 0.01 of the truth; one-pass variance is off by over 0.1."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2)) + 1e4
    truth = _normalized(x.double(), dim).float()
    got = run(x)
    if isinstance(got, Tensor) and got.shape == truth.shape and got.dtype == truth.dtype:
        error = (got - truth).abs().max().item()
        if not error < 0.01:
            raise Mismatch("float32 fails when the mean is 10,000", "an error below 0.01", f"{error:.2g}", ONE_PASS)
    else:
        _expect_values(got, truth, where="in float32", otherwise=BY_LOOP)


def _expect_gradient(
    run: Callable[[Tensor], object], x: Tensor, dim: int, parameters: Mapping[str, Tensor] | None = None
) -> None:
    """Gradients of the input and of the parameters, which are weight 1 and bias 0."""
    x = x.detach().clone().requires_grad_()
    seed = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype)

    def of_x(constant: str) -> Tensor:
        return torch.autograd.grad(_normalized(x, dim, constant=constant), x, seed)[0]

    others = [axis for axis in range(x.ndim) if axis != dim % x.ndim]
    want = {"x": of_x("")}
    if parameters:
        want |= {"weight": (seed * _normalized(x.detach(), dim)).sum(others), "bias": seed.sum(others)}
    got, leaves = run(x), {"x": x, **(parameters or {})}
    grads = [None] * len(want)
    if got.requires_grad:
        grads = torch.autograd.grad(got, [leaves[name] for name in want], seed, allow_unused=True)
    for (name, target), grad in zip(want.items(), grads, strict=True):
        if grad is None:
            raise Mismatch(f"no gradient reaches {name}", "a gradient", "none", CUT)
        wrong = [(DETACHED, of_x(constant)) for constant in ("mean", "var", "mean, var")] if name == "x" else []
        _expect_values(grad, target, where=f"in the gradient of {name}", wrong=wrong, otherwise=CONSTANT)


# ---------------------------------------------------------------- exercise 1
@exercise("mean 0, variance 1, eps inside the root, gradients, and a mean of 10,000 in float32")
def normalize(answer: object) -> None:
    """Check `normalize(x, eps=1e-6)`: x of shape (C,) -> (C,), mean 0 and variance 1, without weight and bias."""
    expect_callable(answer, "function")
    strong = _pixels(8, spread_axes=())
    for x in (strong * 1e-3, strong, _pixels(5, spread_axes=())):  # weak first: there every mistake shows
        where, five = f"on {len(x)} numbers of spread {x.std():.1g}", len(x) == 5
        before = x.clone()
        got = call(answer, x, what=where, likely=FIXED_SHAPE if five else ONE_AXIS)
        expect_untouched(x, before)
        wrong = [*_wrong_formulas(x, -1), *(_eight_for_five(x) if five else ())]
        _expect_values(got, _normalized(x, -1), where=where, wrong=wrong, otherwise=OTHER_C if five else BY_HAND)
    _expect_eps(lambda eps: call(answer, x, eps=eps, what="with eps=0.1"), lambda eps: _normalized(x, -1, eps))
    _expect_stable(lambda x: call(answer, x, what="in float32 with mean 10,000"), dim=-1, shape=(64,))
    _expect_gradient(lambda x: call(answer, x, what="when x requires a gradient"), strong, dim=-1)


def _eight_for_five(x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Sums divided by 8, whatever the length of x."""
    for mean in (x.mean(), x.sum() / 8):
        for var in ((x - mean).square().mean(), (x - mean).square().sum() / 8):
            yield FIXED_SHAPE, (x - mean) / (var + EPS).sqrt()


# ---------------------------------------------------------------- exercise 2
AXES = {"batch": {0, 2, 3}, "layer": {1}, "instance": {2, 3}, "group1": {1, 2, 3}}
OTHER_AXES = {
    (0, 2, 3): "those are BatchNorm's axes: one mean per channel",
    (1,): "that is ConvNeXt's LayerNorm: one mean per pixel",
    (2, 3): "those are InstanceNorm's axes: one mean per image and channel",
    (1, 2, 3): "those are GroupNorm(1)'s axes: one mean per image",
    (0, 1, 2, 3): "then everything shares one mean, and none of the four norms does that",
}


@exercise("each of the four norms shares its mean over the right axes")
def axes_that_share(answer: object) -> None:
    """Check `axes_that_share(norm)`: axes of (N, C, H, W) over which batch, layer, instance or group1 averages."""
    expect_callable(answer, "function")
    likely = "it has to know the four names batch, layer, instance, group1"
    got, untouched = {}, {}
    for norm in AXES:
        try:
            got[norm] = call(answer, norm, what=f'for "{norm}"', likely=likely)
        except NotAttempted as nothing:
            untouched[norm] = nothing
    if not got:
        raise untouched["batch"]
    for norm, want in AXES.items():
        if norm in untouched:
            likely = f'no branch of the code returns something for "{norm}": compare the name letter by letter'
            raise Mismatch(f'nothing comes back for "{norm}"', "a tuple of axes", "None", likely)
        axes = _as_axes(got[norm], norm)
        if axes != want:
            shape = (2, 4, 3, 3)
            count, right = (math.prod(shape[axis] for axis in which) for which in (axes, want))
            raise Mismatch(
                f'the axes of "{norm}" are wrong',
                f"{right} numbers of a {shape} input share a mean",
                f"{tuple(sorted(axes))}: {count} numbers",
                _about_axes(norm, axes, want),
            )


def _about_axes(norm: str, axes: set[int], want: set[int]) -> str:
    special = {
        ("batch", (0,)): "axis 0 alone leaves every position its own mean; BatchNorm pools H and W as well",
        ("layer", (3,)): "axis 3 is W: the last axis holds the channels in channels_last only",
    }
    key = tuple(sorted(axes))
    missing, surplus = (", ".join("NCHW"[axis] for axis in sorted(some)) for some in (want - axes, axes - want))
    parts = [f"{text}: {letters}" for text, letters in (("left out", missing), ("too many", surplus)) if letters]
    return special.get((norm, key)) or OTHER_AXES.get(key) or "; ".join(parts)


def _as_axes(got: object, norm: str) -> set[int]:
    axes = [got] if isinstance(got, int) else list(got) if isinstance(got, (tuple, list, set, range)) else None
    if axes is None or not all(type(axis) is int and -4 <= axis < 4 for axis in axes):
        raise Mismatch(
            f'no axes for "{norm}"',
            "a tuple of axis numbers from 0 to 3",
            repr(got)[:60],
            "N is axis 0, C is 1, H is 2, W is 3",
        )
    return {axis % 4 for axis in axes}


# ---------------------------------------------------------------- exercise 3
@exercise("axis 1 normalised, weight and bias along C, input untouched, gradients, and a mean of 10,000 in float32")
def layer_norm_channels_first(answer: object) -> None:
    """Check `layer_norm_channels_first(x, weight, bias, eps=1e-6)`: (N, C, H, W) -> (N, C, H, W)."""
    expect_callable(answer, "function")
    for shape, likely in (((4, 4, 4, 4), {}), ((2, 3, 4, 5), {"likely": OTHER_SIZES})):
        x, (weight, bias) = _pixels(*shape, spread_axes=(0, 2, 3)), _affine(shape[1])
        where = f"on a {shape} input"

        def run(x, weight=weight, bias=bias, where=where, likely=likely):
            return call(answer, x, weight, bias, what=where, **likely)

        _expect_affine_values(run, x, weight, bias, where)
    column = _affine_on("NCHW", weight, bias)
    _expect_eps(
        lambda eps: call(answer, x, weight, bias, eps=eps, what="with eps=0.1"),
        lambda eps: _normalized(x, 1, eps) * column[0] + column[1],
    )
    one, zero = torch.ones(64), torch.zeros(64)
    _expect_stable(lambda x: call(answer, x, one, zero, what="in float32 with mean 10,000"), dim=1, shape=(2, 64, 3, 3))
    leaves = {"weight": torch.ones(3, dtype=x.dtype), "bias": torch.zeros(3, dtype=x.dtype)}
    leaves = {name: leaf.requires_grad_() for name, leaf in leaves.items()}
    _expect_gradient(lambda x: call(answer, x, *leaves.values(), what="when all three require gradients"), x, 1, leaves)


# ---------------------------------------------------------------- exercise 4
@exercise("parameters, both layouts, eps, input untouched, gradients, a mean of 10,000 in float32, bad layout refused")
def layernorm(answer: object) -> None:
    """Check the class `MyLayerNorm(num_channels, eps=1e-6, data_format="channels_last")`, however it is written."""
    expect_callable(answer, "class")

    def make(channels: int, **options) -> nn.Module:
        arguments = ", ".join([str(channels), *(f"{name}={value!r}" for name, value in options.items())])
        what = f"when made: {answer.__name__}({arguments})"
        return call(
            answer,
            channels,
            what=what,
            likely="__init__ takes num_channels, eps and data_format, and calls super().__init__()",
            **options,
        )

    layer = make(6)
    _expect_parameters(layer, 6)
    for data_format, layout in (("channels_last", "NHWC"), ("channels_first", "NCHW")):
        axis, other_layout = layout.index("C"), AS_LAST if layout == "NCHW" else AS_FIRST
        for shape in ((4, 4, 4, 4), (2, 3, 4, 5) if axis == 1 else (2, 4, 5, 3)):
            x = _pixels(*shape, spread_axes=tuple({0, 1, 2, 3} - {axis}))
            weight, bias = _affine(shape[axis])
            layer = make(shape[axis], data_format=data_format)
            _expect_parameters(layer, shape[axis])
            layer = layer.double()
            layer.load_state_dict({"weight": weight, "bias": bias})
            what = f"on a {shape} input in {data_format}"
            likely = {} if shape[0] == 4 else {"likely": OTHER_SIZES}

            def run(x, layer=layer, what=what, likely=likely):
                return call(layer, x, what=what, **likely)

            _expect_affine_values(run, x, weight, bias, what, layout, other_layout)
        layer = make(shape[axis], eps=0.1, data_format=data_format).double()
        _expect_eps(
            lambda eps, f=layer, x=x: call(f, x, what="with eps=0.1"), lambda eps, x=x, a=axis: _normalized(x, a, eps)
        )
        layer = make(64, data_format=data_format)
        _expect_stable(
            lambda x, f=layer: call(f, x, what="in float32 with mean 10,000"),
            dim=axis,
            shape=(2, 64, 3, 3) if axis == 1 else (2, 3, 3, 64),
        )
        layer = make(shape[axis], data_format=data_format).double()
        _expect_gradient(
            lambda x, f=layer: call(f, x, what="when x requires a gradient"), x, axis, dict(layer.named_parameters())
        )
    x = _pixels(4, 4, 4, 4, spread_axes=(0, 1, 2))
    got = call(make(4).double(), x, what="without data_format")
    _expect_values(got, _normalized(x, -1), where="without data_format", otherwise=DEFAULT_LAST)
    _expect_refusal(answer)


def _expect_parameters(layer: object, channels: int) -> None:
    if not isinstance(layer, nn.Module):
        raise Mismatch(
            "this is no layer", "a subclass of nn.Module", type(layer).__name__, "write class MyLayerNorm(nn.Module)"
        )
    for name, start in (("weight", 1.0), ("bias", 0.0)):
        value = getattr(layer, name, None)
        parameter = dict(layer.named_parameters()).get(name)
        if parameter is None:
            got = "nothing of that name" if value is None else f"a {type(value).__name__}"
            likely = (
                f"{name} is missing: the layer has two parameters, weight and bias"
                if value is None
                else (f"{name} is no nn.Parameter: an optimiser would never see it")
            )
            raise Mismatch(f"the layer has no parameter {name}", f"an nn.Parameter of shape ({channels},)", got, likely)
        if tuple(parameter.shape) != (channels,):
            raise Mismatch(
                f"{name} has the wrong shape",
                f"({channels},)",
                str(tuple(parameter.shape)),
                "one number per channel; view it as (C, 1, 1) in forward only",
            )
        if not torch.equal(parameter.detach().float().cpu(), torch.full((channels,), start)):
            raise Mismatch(
                f"{name} starts wrong",
                f"all {start:g}",
                f"{parameter.flatten()[0].item():.4g}",
                "a new layer only normalises: weight 1, bias 0",
            )
    extra = sorted(set(layer.state_dict()) - {"weight", "bias"})
    if extra:
        raise Mismatch(
            "the layer keeps too much",
            "weight and bias alone",
            ", ".join(extra),
            "LayerNorm stores no statistics and no buffers",
        )


def _expect_refusal(answer: Callable) -> None:
    for name in ("NCHW", "channels", "channels_frist"):
        got, likely = "a layer", "data_format is not checked: a typing mistake would silently pick one of the layouts"
        try:
            layer = answer(4, data_format=name)
        except ValueError as error:
            if name in str(error):
                continue
            got = f"ValueError: {error}"
            likely = "quote the value that was given in the message: it saves the reader a search"
        except Exception as error:
            got, likely = type(error).__name__, 'raise ValueError(f"... got {data_format!r}")'
        else:
            if _refuses_late(layer):
                likely = "forward refuses it, with the first image; raise in __init__, where the typing mistake is made"
            elif name != "NCHW":
                likely = "the check lets other names pass: compare with the two whole names"
        raise Mismatch(
            f'data_format="{name}" is not refused', f"ValueError that quotes {name}, raised in __init__", got, likely
        )


def _refuses_late(layer: Callable) -> bool:
    try:
        layer(torch.ones(4, 4, 4, 4))
    except ValueError:
        return True
    except Exception:
        pass
    return False


# ---------------------------------------------------------------- exercise 5
IN_COMPARES = (
    "`in` and == compare the numbers inside tensors, not which tensor it is: ask each p.ndim, with if and else"
)
NOT_SAID = "the error says what it stumbled on; model.parameters() gives tensors, model.named_parameters() pairs"
OVERLAP = "the two conditions overlap: use if and else"
AGAIN = "it was found again: parameters() of a layer includes those of the layers inside; ask model.parameters() once"
NO_SPARED_GROUP = "the spared tensors need a group too, with weight_decay 0.0: what is in no group is never trained"
NO_DECAYED_GROUP = "the tensors that decay need a group too: what is in no group is never trained"
GAP = "a tensor that meets neither of two conditions is in no group: use if and else"
UNREACHED = "the search does not reach every layer: use model.parameters()"
FROZEN = "requires_grad=False is no reason to leave a parameter out: it may be switched on later"
EVERY = "go through model.parameters() once, and let else take what the condition does not"
ALL_DECAY = "everything decays: tensors of one axis must not"
NONE_DECAY = "nothing decays: matrices and convolution kernels must"
SWAPPED_GROUPS = "the two groups are swapped"
ONLY_BIASES = "only biases were spared: the weights of norms and the layer scale have one axis too"
ONLY_KERNELS = "tensors of two axes were spared: matrices decay, as kernels do"
ONLY_MATRICES = "tensors of four axes were spared: kernels decay, as matrices do"
LAYER_SCALE = "layer scale decays: neither its name nor the type of its layer gives it away, but its one axis does"
BY_NAME = "a norm decays whose name has no norm in it: go by the number of axes"
BY_TYPE = "a norm decays that is of no type in torch.nn: go by the number of axes"
BY_WEIGHT = (
    "whatever is called weight decays, and nothing else: the weights of norms are called so, a matrix need not be"
)
NO_LAYERS_WEIGHT = "a matrix was spared that is the weight of no layer: go by the number of axes, not by types or names"
BIASES = "biases decay: each has one axis, in whatever layer it is"
BY_NDIM = "go by the number of axes of each tensor: parameter.ndim"


class _OwnNorm(nn.Module):
    """As in exercise 4: a norm that no type in torch.nn gives away."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))


def _small_model() -> nn.Module:
    """Two axes, four axes and one; a norm without a telling name, one without a telling type; parameters of no layer; a frozen one."""
    block = nn.Module()
    block.dwconv, block.norm, block.pwconv = nn.Conv2d(4, 4, 3, groups=4), _OwnNorm(4), nn.Linear(4, 8)
    block.gamma, block.mix = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4, 4))
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), block)
    model[0].requires_grad_(False)
    return model


@exercise("every parameter once; weights decay; biases, norms and layer scale do not")
def parameter_groups(answer: object) -> None:
    """Check `parameter_groups(model, weight_decay)`: two optimiser groups; tensors of one axis get no decay."""
    expect_callable(answer, "function")
    model = _small_model()
    axes = {name: parameter.ndim for name, parameter in model.named_parameters()}
    decay = _decay_by_name(_groups(answer, model), model)
    matrices = {name for name in axes if axes[name] > 1}
    vectors, kernels = set(axes) - matrices, {name for name in axes if axes[name] == 4}
    missing = set(axes) - set(decay)
    if missing:
        likely = {
            frozenset(vectors): NO_SPARED_GROUP,
            frozenset(matrices): NO_DECAYED_GROUP,
            frozenset(kernels): GAP,
            frozenset(matrices - kernels): GAP,
            frozenset(name for name in axes if name.count(".") == 2): UNREACHED,
        }.get(frozenset(missing), FROZEN if missing <= {"0.weight", "0.bias"} else EVERY)
        got = f"{len(decay)}; not there: {', '.join(sorted(missing)[:3])}"
        raise Mismatch("parameters are missing", f"{len(axes)} parameters", got, likely)
    decayed = {name for name, value in decay.items() if value != 0}
    wrong = decayed ^ matrices
    if wrong:
        likely = f"{_about_decay(wrong, matrices, vectors, kernels)} (look at {min(wrong)})"
        got = ", ".join(sorted(decayed)) or "none"
        raise Mismatch("the wrong tensors decay", ", ".join(sorted(matrices)), got, likely)
    other = {decay[name] for name in matrices} - {0.3}
    if other:
        likely = "use the weight_decay argument, not a fixed number"
        raise Mismatch("the decay is not the one asked for", "0.3", f"{other.pop()}", likely)


def _about_decay(wrong: set[str], matrices: set[str], vectors: set[str], kernels: set[str]) -> str:
    """What to say of the tensors that decay and should not, or should and do not."""
    biases = {name for name in vectors if name.endswith("bias")}
    exactly = [
        (ALL_DECAY, vectors),
        (NONE_DECAY, matrices),
        (SWAPPED_GROUPS, vectors | matrices),
        (ONLY_BIASES, vectors - biases),
        (ONLY_KERNELS, matrices - kernels),
        (ONLY_MATRICES, kernels),
        (LAYER_SCALE, {"2.gamma"}),
        (BY_NAME, {"1.weight"}),
        (BY_NAME, {"1.weight", "2.gamma"}),
        (BY_TYPE, {"2.norm.weight"}),
        (BY_TYPE, {"2.norm.weight", "2.gamma"}),
        (BY_WEIGHT, {"1.weight", "2.norm.weight", "2.mix"}),
        (NO_LAYERS_WEIGHT, {"2.mix"}),
    ]
    otherwise = BIASES if wrong <= vectors and wrong & biases else BY_NDIM
    return next((said for said, names in exactly if names == wrong), otherwise)


def _groups(answer: Callable, model: nn.Module) -> list[dict]:
    what = "on a small ConvNeXt-like model"
    try:
        got = call(answer, model, 0.3, what=what, likely=NOT_SAID)
    except Mismatch as stopped:
        error = stopped.__cause__
        if isinstance(error, RuntimeError) and ("must match the size" in str(error) or "Boolean value" in str(error)):
            raise Mismatch(f"it stops with an error {what}", "a result", f"{error}", IN_COMPARES) from error
        raise
    if not isinstance(got, (list, tuple)) or not all(isinstance(group, dict) and "params" in group for group in got):
        raise Mismatch(
            "this is no list of groups",
            'a list of dicts with "params" and "weight_decay"',
            type(got).__name__,
            "torch.optim.AdamW takes such a list",
        )
    return got


def _decay_by_name(groups: list[dict], model: nn.Module) -> dict[str, float]:
    """The weight decay of each parameter that is in a group."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay: dict[str, float] = {}
    for group in groups:
        members = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        if not all(id(member) in names for member in members):
            kind = next(type(member).__name__ for member in members if id(member) not in names)
            raise Mismatch(
                "a group holds a stranger",
                "the model's own parameters",
                f"a {kind}",
                "put the tensors in, not their names or copies",
            )
        if "weight_decay" not in group:
            raise Mismatch(
                "a group says nothing of weight_decay",
                '"weight_decay" in each group',
                "none",
                "the optimiser then uses its default, 0.01 in AdamW",
            )
        for name in (names[id(member)] for member in members):
            if name in decay:
                likely = AGAIN if decay[name] == group["weight_decay"] else OVERLAP
                raise Mismatch("a parameter comes twice", "every parameter once", name, likely)
            decay[name] = group["weight_decay"]
    return decay
