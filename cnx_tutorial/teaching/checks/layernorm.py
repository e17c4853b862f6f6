"""Checkers of notebook 01: LayerNorm.

A wrong answer is diagnosed by comparison: what the usual mistakes give is computed here too, and the one that equals
the learner's output is named. The inputs tell all mistakes apart: float64, pixels of spread 1 and of spread 0.001 (so
that eps shows), and equal axis lengths first (so that a wrong axis gives wrong numbers instead of an error).
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cnx_tutorial.teaching.checks.runner import (
    Mismatch,
    call,
    exercise,
    expect_callable,
    expect_gradients,
    expect_tensor,
    expect_untouched,
)

EPS = 1e-6
UNBIASED = "the variance was divided by C - 1 (torch's default); LayerNorm divides by C: use correction=0"
EPS_OUTSIDE = "eps was added to the standard deviation; it belongs inside the root: sqrt(var + eps)"
NO_EPS = "eps is missing: add it to the variance before the root"
EPS_1E5 = "eps is 1e-5, PyTorch's default; ConvNeXt uses 1e-6"
EPS_FIXED = "the eps argument is not used: a fixed number stands in its place"
NO_ROOT = "divided by the variance; the square root is missing"
NOT_CENTERED = "the mean was not subtracted before dividing"
NOT_SCALED = "the mean was subtracted, and then nothing was divided by the standard deviation"
RMS = "that is RMSNorm: the mean is taken out neither before the division nor in the variance"
GROUP_NORM = "the mean was taken over C, H and W together (that is GroupNorm(1)), instead of over C alone"
LAST_AXIS = "normalised over the last axis, which is W here; the channels are axis 1"
FIRST_AXIS = "normalised over axis 1, which is H here; in channels_last the channels are the last axis"
INSTANCE_NORM = "the mean was taken over H and W (that is InstanceNorm), instead of over C"
BATCH_NORM = "the mean was taken over N, H and W (that is BatchNorm), instead of over C"
NOT_BACK = "permuted to (N, H, W, C) and not back: the result needs .permute(0, 3, 1, 2)"
NO_AFFINE = "weight and bias are not applied"
NO_BIAS = "bias is not added"
NO_WEIGHT = "weight is not multiplied in"
BIAS_FIRST = "bias was added before multiplying by weight; it comes last: x * weight + bias"
AFFINE_ON_W = "weight and bias ran along W: view them as (C, 1, 1) so that they run along C"
DETACHED = "mean or variance was detached: gradients must flow through both"
ONE_PASS = "E[x^2] - E[x]^2 loses all digits when the mean is large: subtract the mean first, then square"
BOTH_IN_STD = (
    "two mistakes at once: std() divides by C - 1 (use correction=0), and eps belongs inside the root: sqrt(var + eps)"
)
NO_KEEPDIM = (
    "keepdim=True is missing: (N, C, H, W) - (N, H, W) lines up from the right, so other pixels' means were taken"
)
ONE_AXIS = "the error says what it stumbled on; mind that x has one axis here, (C,), so mean() and var() need no axis"
FIXED_SHAPE = "a size is written into the code; take it from the input or from num_channels"


def _normalized(x: Tensor, dim: int | tuple[int, ...], eps: float = EPS, detach: bool = False) -> Tensor:
    mean, var = x.mean(dim, keepdim=True), x.var(dim, keepdim=True, correction=0)
    if detach:
        mean, var = mean.detach(), var.detach()
    return (x - mean) / (var + eps).sqrt()


def _wrong_formulas(x: Tensor, dim: int) -> list[tuple[str, Tensor]]:
    """What the usual mistakes in the formula give, each before weight and bias."""
    centered = x - x.mean(dim, keepdim=True)
    var = x.var(dim, keepdim=True, correction=0)
    return [
        (UNBIASED, centered / (x.var(dim, keepdim=True, correction=1) + EPS).sqrt()),
        (EPS_OUTSIDE, centered / (var.sqrt() + EPS)),
        (BOTH_IN_STD, centered / (x.std(dim, keepdim=True) + EPS)),
        (NO_EPS, centered / var.sqrt()),
        (EPS_1E5, _normalized(x, dim, eps=1e-5)),
        (NO_ROOT, centered / (var + EPS)),
        (NOT_CENTERED, x / (var + EPS).sqrt()),
        (NOT_SCALED, centered),
        (RMS, x / (x.square().mean(dim, keepdim=True) + EPS).sqrt()),
    ]


def _wrong_axes(x: Tensor, channels_first: bool) -> list[tuple[str, Tensor]]:
    """What normalising over the wrong axes of a 4-D input gives."""
    height, width = (2, 3) if channels_first else (1, 2)
    return [
        (GROUP_NORM, _normalized(x, (1, 2, 3))),
        (INSTANCE_NORM, _normalized(x, (height, width))),
        (BATCH_NORM, _normalized(x, (0, height, width))),
        (LAST_AXIS if channels_first else FIRST_AXIS, _normalized(x, 3 if channels_first else 1)),
    ]


def _wrong_affine(good: Tensor, weight: Tensor, bias: Tensor) -> list[tuple[str, Tensor]]:
    """Mistakes with weight and bias; all arguments broadcast against `good`."""
    return [
        (NO_AFFINE, good),
        (NO_BIAS, good * weight),
        (NO_WEIGHT, good + bias),
        (BIAS_FIRST, (good + bias) * weight),
    ]


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


@exercise("mean 0, variance 1, eps inside the root, gradients, and a mean of 10,000 in float32")
def normalize(answer: object) -> None:
    """Check `normalize(x, eps=1e-6)`: x of shape (C,) -> (C,), mean 0 and variance 1, without weight and bias."""
    expect_callable(answer, "function")
    for x in (_pixels(8, spread_axes=()), _pixels(8, spread_axes=()) * 1e-3, _pixels(5, spread_axes=())):
        where = f"on {len(x)} numbers of spread {x.std():.2g}"
        before = x.clone()
        got = call(answer, x, what=where, likely=FIXED_SHAPE if len(x) == 5 else ONE_AXIS)
        expect_untouched(x, before)
        expect_tensor(got, _normalized(x, -1), where=where, wrong=_wrong_formulas(x, -1))
    _expect_eps(lambda eps: call(answer, x, eps=eps, what="with eps=0.1"), lambda eps: _normalized(x, -1, eps))
    _expect_stable(lambda x: call(answer, x, what="in float32 with mean 10,000"), dim=-1, shape=(64,))
    _expect_gradient(lambda x: call(answer, x, what="when x requires a gradient"), _pixels(8, spread_axes=()), dim=-1)


@exercise("each of the four norms shares its mean over the right axes")
def axes_that_share(answer: object) -> None:
    """Check `axes_that_share(norm)`: axes of (N, C, H, W) over which batch, layer, instance or group1 averages."""
    expect_callable(answer, "function")
    shape = (2, 4, 3, 3)
    axes_of = {"batch": {0, 2, 3}, "layer": {1}, "instance": {2, 3}, "group1": {1, 2, 3}}
    known = {
        (0, 2, 3): "those are BatchNorm's axes: one mean per channel",
        (1,): "that is ConvNeXt's LayerNorm: one mean per pixel",
        (2, 3): "those are InstanceNorm's axes: one mean per image and channel",
        (1, 2, 3): "those are GroupNorm(1)'s axes: one mean per image",
        (0,): "axis 0 alone leaves every position its own mean; BatchNorm pools H and W as well",
        (3,): "axis 3 is W: the last axis holds the channels in channels_last only",
        (0, 1, 2, 3): "then everything shares one mean, and none of the four norms does that",
    }
    for norm, want in axes_of.items():
        got = call(
            answer, norm, what=f'for "{norm}"', likely="it has to know the four names batch, layer, instance, group1"
        )
        axes = _as_axes(got, norm)
        if axes != want:
            count = math.prod(shape[axis] for axis in axes)
            right = math.prod(shape[axis] for axis in want)
            raise Mismatch(
                f'the axes of "{norm}" are wrong',
                f"{right} numbers of a {shape} input share a mean",
                f"{tuple(sorted(axes))}: {count} numbers",
                known.get(tuple(sorted(axes)), "count which numbers share one mean in the picture above"),
            )


def _as_axes(got: object, norm: str) -> set[int]:
    axes = [got] if isinstance(got, int) else list(got) if isinstance(got, (tuple, list, set)) else None
    if axes is None or not all(type(axis) is int and -4 <= axis < 4 for axis in axes):
        raise Mismatch(
            f'no axes for "{norm}"',
            "a tuple of axis numbers from 0 to 3",
            repr(got)[:60],
            "N is axis 0, C is 1, H is 2, W is 3",
        )
    return {axis % 4 for axis in axes}


@exercise("axis 1 normalised, weight and bias along C, input untouched, gradients, and a mean of 10,000 in float32")
def layer_norm_channels_first(answer: object) -> None:
    """Check `layer_norm_channels_first(x, weight, bias, eps=1e-6)`: (N, C, H, W) -> (N, C, H, W)."""
    expect_callable(answer, "function")
    for shape in ((4, 4, 4, 4), (2, 3, 4, 5)):
        x, (weight, bias) = _pixels(*shape, spread_axes=(0, 2, 3)), _affine(shape[1])
        _expect_affine_values(
            lambda x, w=weight, b=bias, s=shape: call(answer, x, w, b, what=f"on a {s} input"), x, weight, bias
        )
    column = weight[:, None, None], bias[:, None, None]
    _expect_eps(
        lambda eps: call(answer, x, weight, bias, eps=eps, what="with eps=0.1"),
        lambda eps: _normalized(x, 1, eps) * column[0] + column[1],
    )
    one, zero = torch.ones(64), torch.zeros(64)
    _expect_stable(lambda x: call(answer, x, one, zero, what="in float32 with mean 10,000"), dim=1, shape=(2, 64, 3, 3))
    one, zero = torch.ones(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    _expect_gradient(lambda x: call(answer, x, one, zero, what="when x requires a gradient"), x, dim=1)


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
    for data_format, axis in (("channels_last", -1), ("channels_first", 1)):
        for shape in ((4, 4, 4, 4), (2, 3, 4, 5) if axis == 1 else (2, 4, 5, 3)):
            x, (weight, bias) = _pixels(*shape, spread_axes=(0, 2, 3) if axis == 1 else (0, 1, 2)), _affine(shape[axis])
            layer = make(shape[axis], data_format=data_format)
            _expect_parameters(layer, shape[axis])
            layer = layer.double()
            layer.load_state_dict({"weight": weight, "bias": bias})
            what = f"on a {shape} input in {data_format}"
            _expect_affine_values(lambda x, f=layer, w=what: call(f, x, what=w), x, weight, bias, axis, what)
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
            lambda x, f=layer: call(f, x, what="when x requires a gradient"),
            x,
            dim=axis,
            parameters=dict(layer.named_parameters()),
        )
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
                "a new layer changes nothing: weight 1, bias 0",
            )
    extra = sorted(set(layer.state_dict()) - {"weight", "bias"})
    if extra:
        raise Mismatch(
            "the layer keeps too much",
            "weight and bias alone",
            ", ".join(extra),
            "LayerNorm stores no statistics and no buffers",
        )


def _expect_affine_values(
    run: Callable[[Tensor], object], x: Tensor, weight: Tensor, bias: Tensor, axis: int = 1, where: str | None = None
) -> None:
    """Values on x with weight and bias along `axis`, told apart from every mistake in this module."""
    first = axis == 1
    where = where or f"on a {tuple(x.shape)} input"
    w, b = (weight[:, None, None], bias[:, None, None]) if first else (weight, bias)
    good = _normalized(x, axis)
    wrong = [(mistake, value * w + b) for mistake, value in [*_wrong_formulas(x, axis), *_wrong_axes(x, first)]]
    wrong += _wrong_affine(good, w, b)
    if len(set(x.shape)) == 1:  # only then does it broadcast without an error
        lost = (x - x.mean(axis)) / (x.var(axis, correction=0) + EPS).sqrt()
        half_lost = (x - x.mean(axis, keepdim=True)) / (x.var(axis, correction=0) + EPS).sqrt()
        wrong += [(NO_KEEPDIM, lost * w + b), (NO_KEEPDIM, half_lost * w + b)]
    if first:
        wrong.append((NOT_BACK, (good * w + b).permute(0, 2, 3, 1)))
        if x.shape[1] == x.shape[3]:
            wrong += [(AFFINE_ON_W, good * weight + bias), (LAST_AXIS, _normalized(x, 3) * weight + bias)]
    before = x.clone()
    got = run(x)
    expect_untouched(x, before)
    expect_tensor(got, good * w + b, where=where, wrong=wrong)


def _expect_eps(run: Callable[[float], object], want: Callable[[float], Tensor]) -> None:
    expect_tensor(run(0.1), want(0.1), where="with eps=0.1", wrong=[(EPS_FIXED, want(EPS)), (EPS_FIXED, want(1e-5))])


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
        expect_tensor(got, truth, where="in float32", atol=0.01)


def _expect_gradient(
    run: Callable[[Tensor], object], x: Tensor, dim: int, parameters: Mapping[str, Tensor] | None = None
) -> None:
    """Gradients of input and parameters, with weight 1 and bias 0."""
    x = x.detach().clone().requires_grad_()
    seed = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype)
    good = _normalized(x, dim)
    (want,) = torch.autograd.grad(good, x, seed, retain_graph=True)
    (detached,) = torch.autograd.grad(_normalized(x, dim, detach=True), x, seed)
    centered = x - x.mean(dim, keepdim=True)
    (half,) = torch.autograd.grad(centered / (x.var(dim, keepdim=True, correction=0).detach() + EPS).sqrt(), x, seed)
    others = [axis for axis in range(x.ndim) if axis != dim % x.ndim]
    targets = {"weight": (seed * good.detach()).sum(others), "bias": seed.sum(others)} if parameters else {}
    inputs = [x, *((parameters or {})[name] for name in targets)]
    expect_gradients(
        run(x), inputs, ["x", *targets], [want, *targets.values()], seed, [(DETACHED, detached), (DETACHED, half)]
    )


def _expect_refusal(answer: Callable) -> None:
    try:
        answer(4, data_format="NCHW")
    except ValueError as error:
        if "NCHW" in str(error):
            return
        got, likely = (
            f"ValueError: {error}",
            "quote the value that was given in the message: it saves the reader a search",
        )
    except Exception as error:
        got, likely = type(error).__name__, 'raise ValueError(f"... got {data_format!r}")'
    else:
        got, likely = "a layer", "data_format is not checked: a typing mistake would silently pick one of the layouts"
    raise Mismatch('data_format="NCHW" is not refused', "ValueError that quotes NCHW, raised in __init__", got, likely)


@exercise("every parameter once; weights decay; biases, norms and layer scale do not")
def parameter_groups(answer: object) -> None:
    """Check `parameter_groups(model, weight_decay)`: two optimiser groups; tensors of one axis get no decay."""
    expect_callable(answer, "function")
    block = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.LayerNorm(4), nn.Linear(4, 8))
    block.gamma = nn.Parameter(torch.ones(4))  # layer scale: one axis, and no layer type that gives it away
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), block)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    got = call(answer, model, 0.3, what="on a small ConvNeXt-like model")
    if not isinstance(got, (list, tuple)) or not all(isinstance(group, dict) and "params" in group for group in got):
        raise Mismatch(
            "this is no list of groups",
            'a list of dicts with "params" and "weight_decay"',
            type(got).__name__,
            "torch.optim.AdamW takes such a list",
        )
    decay: dict[str, float] = {}
    for group in got:
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
        for member in members:
            if names[id(member)] in decay:
                raise Mismatch(
                    "a parameter comes twice",
                    "every parameter once",
                    names[id(member)],
                    "the two conditions overlap: use if and else",
                )
            decay[names[id(member)]] = group["weight_decay"]
    missing = sorted(set(names.values()) - set(decay))
    if missing:
        raise Mismatch(
            "parameters are missing",
            f"{len(names)} parameters",
            f"{len(decay)}; not there: {', '.join(missing[:3])}",
            "the search does not reach every layer: use model.parameters()",
        )
    matrices = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
    decayed = {name for name, value in decay.items() if value != 0}
    _expect_right_decay(decayed, matrices, set(decay))
    wrong = {name: decay[name] for name in matrices if decay[name] != 0.3}
    if wrong:
        raise Mismatch(
            "the decay is not the one asked for",
            "0.3",
            f"{next(iter(wrong.values()))}",
            "use the weight_decay argument, not a fixed number",
        )


def _expect_right_decay(decayed: set[str], matrices: set[str], everything: set[str]) -> None:
    if decayed == matrices:
        return
    biases = {name for name in everything if name.endswith("bias")}
    likely = "go by the number of axes of each tensor: parameter.ndim"
    if decayed == everything:
        likely = "everything decays: tensors of one axis must not"
    elif not decayed:
        likely = "nothing decays: matrices and convolution kernels must"
    elif decayed == everything - matrices:
        likely = "the two groups are swapped"
    elif decayed == everything - biases:
        likely = "only biases were spared: the weights of norms and the layer scale have one axis too"
    elif decayed - matrices == {"2.gamma"}:
        likely = "layer scale decays: going by name or by layer type misses it"
    elif decayed - matrices <= biases:
        likely = "biases decay: going by the type of the layer misses those of convolutions and linear layers"
    wrong = sorted(decayed ^ matrices)
    raise Mismatch(
        "the wrong tensors decay",
        ", ".join(sorted(matrices)),
        ", ".join(sorted(decayed)) or "none",
        f"{likely} (look at {wrong[0]})",
    )
