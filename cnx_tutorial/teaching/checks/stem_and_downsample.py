"""Misconceptions of notebook 02: patches, shapes, strides, the downsampling layer, and a stem that is designed."""

import copy
import functools
import math
from collections.abc import Callable
from itertools import accumulate
from operator import mul

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnx_tutorial.nn import ConvNeXtStem
from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.layer_engine import Case, layer
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable, first_line
from cnx_tutorial.teaching.stem_trial import crops, mistakes

# ---------------------------------------------------------------- exercise 1
output_size = function(
    "output_size",
    "pixels along one axis after a convolution",
    "the size that torch gives, with padding, dilation and sizes that leave a rest",
    right=Steps(
        "size, k, s, p=0, d=1",
        padded=lambda size, p: size + 2 * p,
        span=lambda k, d: d * (k - 1) + 1,
        room=lambda padded, span: padded - span,
        moves=lambda room, s: room // s,
        number=lambda moves: moves + 1,
    ),
    rows=[
        ("the first window was not counted: the steps that fit, plus 1", {"number": lambda moves: moves}),
        ("padding was added on one side only; there are p pixels on both: size + 2p", {"padded": lambda size, p: size + p}),
        ("padding is not used: the padded axis has size + 2p pixels", {"padded": lambda size: size}),
        ("rounded up; a window that does not fit whole is left out: round down, with //", {"moves": lambda room, s: math.ceil(room / s)}),
        ("rounded to the nearest number; a window that does not fit whole is left out: round down, with //", {"moves": lambda room, s: round(room / s)}),
        ("dilation is not used: a window of k pixels, d apart, spans d(k - 1) + 1", {"span": lambda k: k}),
        ("the span of a dilated window was taken as d * k; between k pixels there are k - 1 gaps: d(k - 1) + 1", {"span": lambda k, d: d * k}),
        ("the window was taken as one pixel narrower than it is: subtract d(k - 1) and 1 more", {"span": lambda k, d: d * (k - 1)}),
        ("only the stride was used: that is right for kernel = stride and sizes without a rest", {"number": lambda size, s: size // s}),
        ("padding is 0 and dilation 1 where they are left out: p=0, d=1", {"p": 1}),
        ("divide with //, which rounds down and stays a whole number", {"moves": lambda room, s: room / s}),
    ],
    pinned=[(224, 4, 4, 0, 1), (225, 2, 2), (224, 4, 4), (10, 3, 2, 1, 1), (10, 4, 4, 0, 1), (33, 3, 2, 2, 2), (31, 5, 3, 0, 3), (64, 8, 4, 2, 1)],
    draw=lambda rng: (int(rng.integers(24, 90)), int(rng.integers(1, 9)), int(rng.integers(1, 6)), int(rng.integers(0, 4)), int(rng.integers(1, 4))),
    whole=True,
    in_error="it takes size, k, s, p and d, in this order, and p=0 and d=1 may be left out",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 2
def image(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def squares(x, k):
    """(N, C, H, W) -> (N, H/k, k, W/k, k, C), without what fills no patch."""
    n, c, height, width = x.shape
    x = x[:, :, : height // k * k, : width // k * k]
    return x.reshape(n, c, height // k, k, width // k, k).permute(0, 2, 3, 4, 5, 1)


REST = "the sizes need not be multiples of k: drop what is left over at the right and at the bottom first"
FIXED_K = "the k argument is not used: a fixed number stands in its place"
OVERLAPPING = "the patches overlap: F.unfold steps by 1 unless you say stride=k"
BATCH_LOST = "the images were joined into one row of patches: keep N as the first axis"
patchify = function(
    "patchify",
    "an image (N, C, H, W) as patches (N, H//k * W//k, C*k*k)",
    "each row is one patch in the order (C, k, k), what fills no patch is dropped, and gradients flow",
    right=Steps(
        "image, k",
        size=lambda k: k,
        whole=lambda image: image,
        cut=lambda whole, size: squares(whole, size),
        order=lambda: (0, 1, 3, 5, 2, 4),
        rows=lambda cut, order, image, size: cut.permute(order).reshape(len(image), -1, image.shape[1] * size**2),
        patches=lambda rows: rows,
    ),
    rows=[
        ("each patch was flattened pixel by pixel, in the order (k, k, C); the weight wants (C, k, k)", {"order": lambda: (0, 1, 3, 2, 4, 5)}),
        ("the patches run down the columns; go along each row of patches first", {"order": lambda: (0, 3, 1, 5, 2, 4)}),
        ("rows and columns are swapped inside each patch: the order is (C, row, column)", {"order": lambda: (0, 1, 3, 5, 4, 2)}),
        ("F.unfold gives (N, C*k*k, patches): swap the last two axes with .transpose(1, 2)", {"patches": lambda rows: rows.transpose(1, 2)}),
        *(("a reshape alone cuts memory into runs, not into squares: split both axes, then permute, then join", changes) for changes in ({"rows": lambda image, size: image.reshape(len(image), -1, image.shape[1] * size**2)}, {"order": lambda: (0, 5, 1, 2, 3, 4)})),
        (REST, {"cut": lambda image, size: image.reshape(*image.shape[:2], image.shape[2] // size, size, image.shape[3] // size, size).permute(0, 2, 3, 4, 5, 1)}),
        (OVERLAPPING, {"patches": lambda image, size: F.unfold(image, size).transpose(1, 2)}),
        (OVERLAPPING, {"patches": lambda image, size: F.unfold(image, size)}),
        *((FIXED_K, {"size": lambda fixed=fixed: fixed}) for fixed in (2, 3, 4)),
        (BATCH_LOST, {"patches": lambda rows: rows.flatten(0, 1)}),
        (BATCH_LOST, {"patches": lambda rows: rows.reshape(1, -1, rows.shape[-1])}),
        ("patches are missing at the right or at the bottom: there are H // k times W // k", {"whole": lambda image, k: image[:, :, : image.shape[2] - k, : image.shape[3] - k]}),
        ("what fills no patch was padded to one; a convolution drops it: H // k times W // k patches", {"whole": lambda image, size: F.pad(image, (0, -image.shape[3] % size, 0, -image.shape[2] % size))}),
        ("something cuts the graph: .detach(), .data, .numpy() or torch.no_grad()", {"patches": lambda rows: rows.detach()}),
    ],
    pinned=[(image(2, 3, 4, 6), 2), (image(1, 2, 8, 12), 4), (image(2, 3, 9, 6), 3), (image(2, 3, 7, 9), 2), (image(1, 3, 14, 11), 4)],
    draw=lambda rng: (image(*(int(side) for side in rng.integers((1, 1, 5, 5), (4, 5, 14, 14))), seed=1), int(rng.integers(1, 5))),
    drawn=10,
    in_error=REST,
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
def backbone(rng):
    """Rows of stems, downsampling layers and blocks; strides that do not double, kernels that are not the stride."""
    rows, channels = [], 24
    for i in range(int(rng.integers(1, 6))):
        kind = str(rng.choice(["ConvNeXtBlock", "ConvNeXtDownsample"])) if i else "ConvNeXtStem"
        channels += 8 * (kind != "ConvNeXtBlock")
        kernel, stride = (int(n) for n in (rng.integers(1, 8), rng.choice([1, 2, 3, 4])))
        rows.append([-1, int(rng.integers(1, 5)), kind, [channels] if kind == "ConvNeXtBlock" else [channels, kernel, stride]])
    return (rows,)


USUAL = [[-1, 1, "ConvNeXtStem", [96, 4, 4]], [-1, 3, "ConvNeXtBlock", [96]], [-1, 1, "ConvNeXtDownsample", [192, 2, 2]], [-1, 3, "ConvNeXtBlock", [192]]]
strides = function(
    "strides",
    "the total stride after each row of a YAML backbone",
    "strides multiplied from row to row, blocks kept, the stride read from each row",
    right=Steps(
        "rows",
        own=lambda rows: [1 if row[2] == "ConvNeXtBlock" else row[3][2] for row in rows],
        total=lambda own: list(accumulate(own, mul)),
        answer=lambda total: total,
    ),
    rows=[
        ("the strides were added; stride 2 after stride 4 means every 8th pixel: multiply", {"total": lambda own: list(accumulate(own))}),
        ("that is each row's own stride; multiply it by the strides of the rows before it", {"total": lambda own: own}),
        ("the kernel size was read instead of the stride: the arguments are [channels, kernel, stride]", {"own": lambda rows: [1 if row[2] == "ConvNeXtBlock" else row[3][1] for row in rows]}),
        ("the channels were read instead of the stride: the arguments are [channels, kernel, stride]", {"own": lambda rows: [1 if row[2] == "ConvNeXtBlock" else row[3][0] for row in rows]}),
        ("the repeats were multiplied in; a block has stride 1, however often it is repeated", {"total": lambda own, rows: list(accumulate((s * row[1] for s, row in zip(own, rows, strict=True)), mul))}),
        ("the rows that keep the size were left out: one number for each row", {"answer": lambda total, rows: [s for s, row in zip(total, rows, strict=True) if row[2] != "ConvNeXtBlock"]}),
        ("that is the stride before each row; multiply first, then note the result", {"answer": lambda total: [1, *total[:-1]]}),
        *(("those are levels, the P of P2 to P5; the stride is 2 to the power of the level", {"answer": lambda total, to=to: [to(math.log2(s)) for s in total]}) for to in (round, int, float)),
        ("4 for a stem and 2 for a downsampling layer is the custom, not a rule: read the row's third argument", {"own": lambda rows: [{"ConvNeXtStem": 4, "ConvNeXtDownsample": 2}.get(row[2], 1) for row in rows]}),
        ("return a list with one number for each row, not the last number alone", {"answer": lambda total: total[-1]}),
    ],
    pinned=[(USUAL,), ([[-1, 1, "ConvNeXtStem", [24, 3, 2]], [-1, 1, "ConvNeXtStem", [48, 3, 2]], [-1, 2, "ConvNeXtBlock", [48]], [-1, 1, "ConvNeXtDownsample", [96, 3, 4]]],)],
    draw=backbone,
    in_error="a ConvNeXtBlock row has one argument, its channels: its stride is 1",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
def pixel_norm(x, weight, bias, eps=1e-6):
    return F.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, bias, eps).permute(0, 3, 1, 2)


LAYER_NAMES = ("norm.weight", "norm.bias", "conv.weight", "conv.bias")
NAMES = "name the two layers self.norm and self.conv, so that weights can be copied into them"
OTHER_NAMES = [[f"{first}.weight", f"{first}.bias", f"{second}.weight", f"{second}.bias"] for first, second in (("0", "1"), ("ln", "conv"), ("norm", "down"))]
GROUP_NORM = "the norm took one mean over C, H and W together (that is GroupNorm(1)), instead of over C alone"
WRONG_AXIS = 'the norm ran over the last axis, which is W here: cnx.LayerNorm wants data_format="channels_first"'
ACTIVATED = "there is an activation; ConvNeXt's downsampling layer has none"
downsample = layer(
    "downsample",
    "`MyDownsample(c1, c2)` with its layers `norm` and `conv`, however it is written",
    "a norm of c1 channels, then a 2 x 2 convolution of stride 2, in value and gradients",
    right=Steps(
        "x, p, c1, c2",
        affine=lambda p: (p["norm.weight"], p["norm.bias"]),
        normal=lambda x, affine: pixel_norm(x, *affine),
        stride=lambda: 2,
        padding=lambda: 0,
        conv=lambda p, stride, padding: lambda y: F.conv2d(y, p["conv.weight"], p["conv.bias"], stride=stride, padding=padding),
        result=lambda conv, normal: conv(normal),
    ),
    rows=[
        ("the convolution came first; here the norm stands before it: conv(norm(x))", {"result": lambda x, conv, affine: pixel_norm(conv(x), *affine)}),
        ("the norm is made and not used: conv(norm(x))", {"result": lambda x, conv: conv(x)}),
        (WRONG_AXIS, {"normal": lambda x, affine: F.layer_norm(x, affine[0].shape, *affine, 1e-6)}),
        (WRONG_AXIS, {"normal": lambda x, affine: F.layer_norm(x, affine[0].shape, *affine)}),
        (GROUP_NORM, {"normal": lambda x, affine: F.group_norm(x, 1, *affine, 1e-6)}),
        (GROUP_NORM, {"normal": lambda x, affine: F.group_norm(x, 1, *affine)}),
        ("the norm's eps is 1e-5, PyTorch's default; ConvNeXt uses 1e-6", {"normal": lambda x, affine: pixel_norm(x, *affine, 1e-5)}),
        *((ACTIVATED, {"result": lambda conv, normal, act=act: act(conv(normal))}) for act in (F.gelu, F.relu, F.silu)),
        (ACTIVATED, {"result": lambda conv, normal: conv(F.gelu(normal))}),
        ("the convolution has padding; with kernel = stride the windows tile the map: padding 0", {"padding": lambda: 1}),
        ("the convolution's stride is 1, the default: say stride 2", {"stride": lambda: 1}),
    ],
    pinned=[Case((4, 4), (2, 4, 4, 4)), Case((3, 5), (2, 3, 6, 8)), Case((6, 4), (2, 6, 7, 5))],
    parameters=lambda c1, c2: {"norm.weight": (c1,), "norm.bias": (c1,), "conv.weight": (c2, c1, 2, 2), "conv.bias": (c2,)},
    tables=[
        ("that is BatchNorm, with running statistics; ConvNeXt normalises each pixel by itself", lambda t, c1, c2: {**t, "norm.running_mean": (c1,), "norm.running_var": (c1,), "norm.num_batches_tracked": ()}),
        ("ConvNeXt's convolutions have a bias: leave bias=True", lambda t, c1, c2: {name: t[name] for name in LAYER_NAMES[:3]}),
        ("the norm has c2 numbers; it stands before the convolution, where there are c1 channels", lambda t, c1, c2: {**t, "norm.weight": (c2,), "norm.bias": (c2,)}),
        ("c1 and c2 are swapped in the convolution: it reads c1 and gives c2", lambda t, c1, c2: {**t, "conv.weight": (c1, c2, 2, 2), "conv.bias": (c1,)}),
        *(("the kernel is 2 x 2, which is as wide as the stride", lambda t, c1, c2, k=k: {**t, "conv.weight": (c2, c1, k, k)}) for k in (1, 3, 4)),
        *((NAMES, lambda t, c1, c2, names=names: {new: t[old] for new, old in zip(names, LAYER_NAMES, strict=True)}) for names in OTHER_NAMES),
    ],
    in_making="__init__ takes c1 and c2, calls super().__init__() and makes self.norm and self.conv from them",
    in_error=WRONG_AXIS,
)  # fmt: skip

# ---------------------------------------------------------------- exercise 5
BUDGET = 20_000  # parameters, the norm's among them
SEEDS = range(2)  # trainings of each stem
FEWER = 0.8  # times the patch stem's mistakes; good stems reach half, wide windows alone 1.1
WHOLE_IMAGE = "something mixes the whole image, so that windows mean nothing: normalise each pixel by itself"


@exercise("stride 4, 96 channels, every pixel in at least two windows along each axis, within 20,000 parameters, clearly fewer mistakes than the patch stem", seconds=120)
def small_cell_stem(answer: object) -> str:
    """Check `small_cell_stem()`: a stem (N, 3, H, W) -> (N, 96, H/4, W/4), judged by what it does."""
    expect_callable(answer, "function")
    made = call(answer, what="when called")
    if not isinstance(made, nn.Module):
        got = f"the class {made.__name__}" if isinstance(made, type) else type(made).__name__
        raise Mismatch("this is no layer", "a layer, ready to use", got, "make the layer and return it: a stem with its numbers in parentheses")
    stem = copy.deepcopy(made).double().eval()
    for height, width in ((64, 64), (96, 64)):
        expect_shape(stem, height, width)
    count = sum(parameter.numel() for parameter in stem.parameters())
    if count > BUDGET:
        raise Mismatch(
            "the stem is over its budget",
            f"at most {BUDGET:,} parameters",
            f"{count:,}",
            "a kernel of k x k costs 3 * 96 * k * k weights: find the smallest k that overlaps enough, or use fewer channels in between",
        )
    y = stem(image(2, 3, 64, 64))
    mean, spread = y.mean(1).abs().max().item(), (y.std(1, correction=0) - 1).abs().max().item()
    if not (mean < 1e-3 and spread < 0.1):
        raise Mismatch("the result is not normalised", "mean 0 and variance 1 over each pixel's channels", "others", "a stem ends in LayerNorm over the 96 channels of each pixel")
    for axis, name in ((2, "row"), (3, "column")):
        expect_two_windows(windows_of_pixels(stem, axis), name)
    return expect_fewer_mistakes(answer)


@functools.cache
def mistakes_of_patches() -> float:
    return sum(mistakes(lambda: ConvNeXtStem(3, 96, 4, 4), seed=seed) for seed in SEEDS) / len(SEEDS)


def expect_fewer_mistakes(answer: Callable[[], nn.Module]) -> str:
    """Train the stem and the patch stem alike; what was measured, in words."""
    try:
        mine = sum(mistakes(lambda: copy.deepcopy(answer()), seed=seed) for seed in SEEDS) / len(SEEDS)
    except RuntimeError as error:
        raise Mismatch("it cannot be trained", "gradients for its parameters", f"RuntimeError: {first_line(error)}", "leave requires_grad as it is, and no_grad() and detach() out") from error
    judges, patches = len(crops("train")[1]), mistakes_of_patches()
    if mine > FEWER * patches:
        raise Mismatch(
            f"it makes too many mistakes on {judges} crops of smears",
            f"at most {FEWER * patches:.0f}, four fifths of the patch stem's, on average of {len(SEEDS)} trainings",
            f"{mine:.0f}",
            "wide windows alone do not help, a sum of sums is one sum: two smaller convolutions with an activation between them can tell more",
        )
    return f"{mine:.0f} wrong verdicts on {judges} crops, the patch stem {patches:.0f}"


def expect_shape(stem: nn.Module, height: int, width: int) -> None:
    where, want = f"on a (1, 3, {height}, {width}) image", (1, 96, height // 4, width // 4)
    y = call(stem, image(1, 3, height, width), what=where)
    got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
    if got == want:
        return
    likely = "a stem returns one tensor (N, C, H, W)"
    if isinstance(got, tuple) and len(got) == 4:
        short = want[2] - got[2]
        likely = "the strides of the layers multiplied must give 4"
        if got[1] != 96:
            likely = "the stages behind the stem expect 96 channels"
        elif abs(short) <= 2:
            likely = "the last window does not fit any more: add padding, and use the formula of section 2 to find how much"
            likely = likely if short > 0 else "there is more padding than the kernel needs: use the formula of section 2 with H = 64"
    raise Mismatch(f"the shape is wrong {where}", str(want), str(got), likely)


def windows_of_pixels(stem: nn.Module, axis: int) -> list[int]:
    """For each of 64 pixels along the axis: how many outputs along it have a gradient there, borders of 8 left out."""
    x = image(1, 3, 64, 64).requires_grad_()
    y, pull, seen = stem(x), image(1, 96, 1, 16, seed=2), torch.zeros(64, dtype=torch.int64)
    for i in range(16):
        part = y.narrow(axis, i, 1)
        (grad,) = torch.autograd.grad(part, x, pull.reshape(part.shape), retain_graph=True)
        seen += (grad != 0).any(dim=5 - axis).any(dim=1)[0]
    return seen[8:-8].tolist()


def expect_two_windows(seen: list[int], name: str) -> None:
    worst = min(seen)
    if worst >= 2 and max(seen) <= 8:
        return
    likely = WHOLE_IMAGE
    if max(seen) <= 8:
        likely = "the windows overlap, and still miss some pixels the second time: with stride 4, k = 7 is one too narrow"
        likely = "every pixel lies in one window only, as it does where kernel = stride: the kernel must be wider" if max(seen) == 1 else likely
        likely = "some pixels are seen by no window at all: the kernel is narrower than the stride, or dilated" if worst == 0 else likely
    number = f"{worst} window{'s' * (worst != 1)} for {name} {8 + seen.index(worst)}" if likely != WHOLE_IMAGE else f"{max(seen)} windows"
    raise Mismatch(f"the windows along the {name}s are wrong", "2 to 8 for every pixel", number, likely)
