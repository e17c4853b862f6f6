"""Checkers of notebook 02: patches, shapes, strides, the downsampling layer, and a stem that is designed.

As in notebook 01, a wrong answer is diagnosed by comparison: what the usual mistakes give is computed here too, and the
one that equals the learner's is named. Functions on whole numbers are asked many questions first, so that two mistakes
that agree on one of them are told apart by another.
"""

import copy
import math
import operator
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
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

NO_PLUS_ONE = "the first window was not counted: the steps that fit, plus 1"
ONE_PADDING = "padding was added on one side only; there are p pixels on both: size + 2p"
CEILED = "rounded up; a window that does not fit whole is left out: round down, with //"
NO_DILATION = "dilation is not used: a window of k pixels, d apart, spans d(k - 1) + 1"
DILATED_SPAN = "the span of a dilated window was taken as d * k; between k pixels there are k - 1 gaps: d(k - 1) + 1"
ONE_TOO_WIDE = "the window was taken as one pixel narrower than it is: subtract d(k - 1) and 1 more"
ONLY_STRIDE = "only the stride was used: that is right for kernel = stride and sizes without a rest"
NO_PADDING = "padding is not used: the padded axis has size + 2p pixels"
TO_INTEGER = "divide with //, which rounds down and stays a whole number"
FORMULA = "none of the usual mistakes; try it on 10 pixels with a pencil: k=4, s=4 gives 2"
FORMULA_CALL = "it takes size, k, s, p and d, in this order, and p=0 and d=1 may be left out"

CHANNELS_LAST_PATCH = "each patch was flattened pixel by pixel, in the order (k, k, C); the weight wants (C, k, k)"
DOWN_FIRST = "the patches run down the columns; go along each row of patches first"
TURNED_PATCH = "rows and columns are swapped inside each patch: the order is (C, row, column)"
NOT_TRANSPOSED = "F.unfold gives (N, C*k*k, patches): swap the last two axes with .transpose(1, 2)"
MEMORY_RUNS = "a reshape alone cuts memory into runs, not into squares: split both axes, then permute, then join"
OVERLAPPING = "the patches overlap: F.unfold steps by 1 unless you say stride=k"
FIXED_K = "the k argument is not used: a fixed number stands in its place"
BATCH_LOST = "the images were joined into one row of patches: keep N as the first axis"
NO_LAST_ROW = "patches are missing at the right or at the bottom: there are H // k times W // k"
PADDED_REST = "what fills no patch was padded to one; a convolution drops it: H // k times W // k patches"
REST = "the sizes need not be multiples of k: drop what is left over at the right and at the bottom first"

SUMMED = "the strides were added; stride 2 after stride 4 means every 8th pixel: multiply"
ROW_ALONE = "that is each row's own stride; multiply it by the strides of the rows before it"
KERNEL_SIZE = "the kernel size was read instead of the stride: the arguments are [channels, kernel, stride]"
REPEATS = "the repeats were multiplied in; a block has stride 1, however often it is repeated"
BLOCKS_LEFT_OUT = "the rows that keep the size were left out: one number for each row"
BEFORE_ROW = "that is the stride before each row; multiply first, then note the result"
LEVELS = "those are levels, the P of P2 to P5; the stride is 2 to the power of the level"
BY_NAME = "4 for a stem and 2 for a downsampling layer is the custom, not a rule: read the row's third argument"
LAST_ONLY = "return a list with one number for each row, not the last number alone"
BLOCK_ARGUMENTS = "a ConvNeXtBlock row has one argument, its channels: its stride is 1"
ROWS_CHANGED = "an operation that changes the list (pop, append, +=): read from it, and write to a new list"
STRIDES = "none of the usual mistakes; write the size of the map after each row, from 64 pixels on"

NORM_C2 = "the norm has c2 numbers; it stands before the convolution, where there are c1 channels"
SWAPPED_CHANNELS = "c1 and c2 are swapped in the convolution: it reads c1 and gives c2"
KERNEL = "the kernel is 2 x 2, which is as wide as the stride"
NO_CONV_BIAS = "ConvNeXt's convolutions have a bias: leave bias=True"
BATCH_NORM = "that is BatchNorm, with running statistics; ConvNeXt normalises each pixel by itself"
NAMES = "name the two layers self.norm and self.conv, so that weights can be copied into them"
NORM_AFTER = "the convolution came first; here the norm stands before it: conv(norm(x))"
NORM_UNUSED = "the norm is made and not used: conv(norm(x))"
WRONG_AXIS = 'the norm ran over the last axis, which is W here: cnx.LayerNorm wants data_format="channels_first"'
GROUP_NORM = "the norm took one mean over C, H and W together (that is GroupNorm(1)), instead of over C alone"
EPS_1E5 = "the norm's eps is 1e-5, PyTorch's default; ConvNeXt uses 1e-6"
ACTIVATED = "there is an activation; ConvNeXt's downsampling layer has none"
PADDED = "the convolution has padding; with kernel = stride the windows tile the map: padding 0"
STRIDE_ONE = "the convolution's stride is 1, the default: say stride 2"
LAYER_CALL = "__init__ takes c1 and c2, calls super().__init__() and makes self.norm and self.conv from them"

BUDGET = 20_000  # parameters of exercise 5, the norm's among them
OBJECT_NOT_CLASS = "make the layer and return it: a stem with its numbers in parentheses"
OTHER_CHANNELS = "the stages behind the stem expect 96 channels"
OTHER_STRIDE = "the strides of the layers multiplied must give 4"
ONE_SHORT = "the last window does not fit any more: add padding, and use the formula of section 2 to find how much"
TOO_LONG = "there is more padding than the kernel needs: use the formula of section 2 with H = 64"
OVER_BUDGET = "a kernel of k x k costs 3 * 96 * k * k weights: find the smallest k that overlaps enough, or use fewer channels in between"
NOT_NORMALISED = "a stem ends in LayerNorm over the 96 channels of each pixel"
TILES = "every pixel lies in one window only, as it does where kernel = stride: the kernel must be wider"
SOME_ONCE = "the windows overlap, and still miss some pixels the second time: with stride 4, k = 7 is one too narrow"
HOLES = "some pixels are seen by no window at all: the kernel is narrower than the stride, or dilated"
WHOLE_IMAGE = "something mixes the whole image, so that windows mean nothing: normalise each pixel by itself"


# ---------------------------------------------------------------- exercise 1
def _output_size(size: int, k: int, s: int, p: int = 0, d: int = 1) -> int:
    return (size + 2 * p - d * (k - 1) - 1) // s + 1


SIZES = (  # size, k, s, p, d
    (224, 4, 4, 0, 1), (224, 7, 2, 3, 1), (225, 2, 2, 0, 1), (10, 3, 2, 1, 1), (10, 4, 4, 0, 1), (64, 3, 1, 1, 1),
    (33, 3, 2, 2, 2), (50, 7, 4, 3, 1), (31, 5, 3, 0, 3), (64, 8, 4, 2, 1),
)  # fmt: skip
WRONG_SIZES: dict[str, Callable[[int, int, int, int, int], float]] = {
    NO_PLUS_ONE: lambda size, k, s, p, d: _output_size(size, k, s, p, d) - 1,
    ONE_PADDING: lambda size, k, s, p, d: (size + p - d * (k - 1) - 1) // s + 1,
    NO_PADDING: lambda size, k, s, p, d: _output_size(size, k, s, 0, d),
    CEILED: lambda size, k, s, p, d: math.ceil((size + 2 * p - d * (k - 1) - 1) / s) + 1,
    NO_DILATION: lambda size, k, s, p, d: _output_size(size, k, s, p, 1),
    DILATED_SPAN: lambda size, k, s, p, d: (size + 2 * p - d * k) // s + 1,
    ONE_TOO_WIDE: lambda size, k, s, p, d: (size + 2 * p - d * (k - 1)) // s + 1,
    ONLY_STRIDE: lambda size, k, s, p, d: size // s,
}


@exercise("the size that torch gives, with padding, dilation and sizes that leave a rest")
def output_size(answer: object) -> None:
    """Check `output_size(size, k, s, p=0, d=1)`: pixels along one axis after a convolution."""
    expect_callable(answer, "function")
    got = []
    for size, k, s, p, d in SIZES:
        what = f"for size={size}, k={k}, s={s}, p={p}, d={d}"
        value = call(answer, size, k, s, p, d, what=what, likely=FORMULA_CALL)
        got.append(_whole(value, what, _output_size(size, k, s, p, d)))
    want = [_output_size(*case) for case in SIZES]
    _expect_numbers(
        [f"for size={size}, k={k}, s={s}, p={p}, d={d}" for size, k, s, p, d in SIZES],
        got,
        want,
        {mistake: [formula(*case) for case in SIZES] for mistake, formula in WRONG_SIZES.items()},
        FORMULA,
    )
    without = call(answer, 224, 4, 4, what="without p and d", likely=FORMULA_CALL)
    if without != 56:
        raise Mismatch("p and d left out give the wrong size", "56", repr(without)[:40], FORMULA_CALL)


def _whole(value: object, what: str, want: int) -> int:
    """The value as an int; a float or anything else is refused, even where it is nearly right."""
    if isinstance(value, (int, Tensor)) and not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    likely = TO_INTEGER if isinstance(value, (float, Tensor)) else "return one number, and nothing beside it"
    raise Mismatch(f"this is no whole number {what}", str(want), f"{type(value).__name__} {_shown(value)}", likely)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else ""


def _expect_numbers(
    questions: Sequence[str], got: Sequence, want: Sequence, wrong: Mapping[str, Sequence], otherwise: str
) -> None:
    """All answers at once: the mistake that gives every one of them is named, and shown on the first wrong one."""
    for question, mine, right in zip(questions, got, want, strict=True):
        if mine != right:
            likely = next((mistake for mistake, values in wrong.items() if list(values) == list(got)), otherwise)
            raise Mismatch(f"the answer is wrong {question}", str(right), str(mine), likely)


# ---------------------------------------------------------------- exercise 2
def _patchify(image: Tensor, k: int) -> Tensor:
    return F.unfold(image, k, stride=k).transpose(1, 2)  # (N, C, H, W) -> (N, patches, C*k*k)


def _squares(image: Tensor, k: int) -> Tensor:
    """(N, C, H, W) -> (N, H/k, k, W/k, k, C), the image cut on both axes, without what fills no patch."""
    n, c, height, width = image.shape
    image = image[:, :, : height // k * k, : width // k * k]
    return image.reshape(n, c, height // k, k, width // k, k).permute(0, 2, 3, 4, 5, 1)


def _wrong_patches(image: Tensor, k: int) -> list[tuple[str, Tensor]]:
    n, c, height, width = image.shape
    cut, length = _squares(image, k), c * k * k
    up = F.pad(image, (0, -width % k, 0, -height % k))
    wrong = [
        (CHANNELS_LAST_PATCH, cut.permute(0, 1, 3, 2, 4, 5).reshape(n, -1, length)),
        (DOWN_FIRST, cut.permute(0, 3, 1, 5, 2, 4).reshape(n, -1, length)),
        (TURNED_PATCH, cut.permute(0, 1, 3, 5, 4, 2).reshape(n, -1, length)),
        (NOT_TRANSPOSED, F.unfold(image, k, stride=k)),
        (OVERLAPPING, F.unfold(image, k).transpose(1, 2)),
        (OVERLAPPING, F.unfold(image, k)),
        (BATCH_LOST, _patchify(image, k).flatten(0, 1)),
        (BATCH_LOST, _patchify(image, k).reshape(1, -1, length)),
        (PADDED_REST, _patchify(up, k)),
        *((FIXED_K, _patchify(image, fixed)) for fixed in (2, 3, 4) if fixed != k and min(height, width) >= fixed),
    ]
    if height % k == 0 and width % k == 0:
        wrong.append((MEMORY_RUNS, image.reshape(n, -1, length)))
    if height > k and width > k:
        wrong.append((NO_LAST_ROW, _patchify(image[:, :, :-k, :-k], k)))
    return wrong


@exercise("each row is one patch in the order (C, k, k), what fills no patch is dropped, and gradients flow")
def patchify(answer: object) -> None:
    """Check `patchify(image, k)`: (N, C, H, W) -> (N, H//k * W//k, C*k*k)."""
    expect_callable(answer, "function")
    for shape, k in (((2, 3, 4, 6), 2), ((1, 2, 8, 12), 4), ((2, 3, 9, 6), 3), ((2, 3, 7, 9), 2), ((1, 3, 14, 11), 4)):
        image = _image(*shape)
        where = f"on a {shape} image with k={k}"
        before = image.clone()
        rest = shape[2] % k or shape[3] % k
        likely = REST if rest else "read the last line of the error"
        got = call(answer, image, k, what=where, likely=likely)
        expect_untouched(image, before)
        expect_tensor(got, _patchify(image, k), where=where, wrong=_wrong_patches(image, k))
    image = _image(2, 3, 4, 6).requires_grad_()
    got = call(answer, image, 2, what="when the image requires a gradient")
    seed = _image(2, 6, 12, seed=1)
    (want,) = torch.autograd.grad(_patchify(image, 2), image, seed)
    expect_gradients(got, [image], ["image"], [want], seed, [])


def _image(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------- exercise 3
ROWS = {
    "the usual backbone": [
        [-1, 1, "ConvNeXtStem", [96, 4, 4]],
        [-1, 3, "ConvNeXtBlock", [96]],
        [-1, 1, "ConvNeXtDownsample", [192, 2, 2]],
        [-1, 3, "ConvNeXtBlock", [192]],
        [-1, 1, "ConvNeXtDownsample", [384, 2, 2]],
        [-1, 9, "ConvNeXtBlock", [384]],
    ],
    "a backbone whose kernels overlap": [
        [-1, 1, "ConvNeXtStem", [48, 7, 4]],
        [-1, 2, "ConvNeXtBlock", [48]],
        [-1, 1, "ConvNeXtDownsample", [96, 3, 2]],
    ],
    "a stem in two steps": [
        [-1, 1, "ConvNeXtStem", [24, 3, 2]],
        [-1, 1, "ConvNeXtStem", [48, 3, 2]],
        [-1, 2, "ConvNeXtBlock", [48]],
        [-1, 1, "ConvNeXtDownsample", [96, 4, 4]],
    ],
}


def _own_strides(rows: Sequence) -> list[int]:
    return [1 if row[2] == "ConvNeXtBlock" else row[3][2] for row in rows]


def _running_product(steps: Sequence[int]) -> list[int]:
    return [math.prod(steps[: i + 1]) for i in range(len(steps))]


def _wrong_strides(rows: Sequence) -> dict[str, list]:
    own = _own_strides(rows)
    right = _running_product(own)
    names = [row[2] for row in rows]
    return {
        SUMMED: [sum(own[: i + 1]) for i in range(len(own))],
        ROW_ALONE: own,
        KERNEL_SIZE: _running_product([1 if row[2] == "ConvNeXtBlock" else row[3][1] for row in rows]),
        REPEATS: _running_product([step * row[1] for step, row in zip(own, rows, strict=True)]),
        BLOCKS_LEFT_OUT: [stride for stride, name in zip(right, names, strict=True) if name != "ConvNeXtBlock"],
        BEFORE_ROW: [1, *right[:-1]],
        LEVELS: [round(math.log2(stride)) for stride in right],
        BY_NAME: _running_product([{"ConvNeXtStem": 4, "ConvNeXtDownsample": 2}.get(name, 1) for name in names]),
    }


@exercise("strides multiplied from row to row, blocks kept, the stride read from each row")
def strides(answer: object) -> None:
    """Check `strides(rows)`: the total stride after each row of a YAML backbone."""
    expect_callable(answer, "function")
    got = []
    for title, rows in ROWS.items():
        given = copy.deepcopy(rows)
        value = call(answer, given, what=f"on {title}", likely=BLOCK_ARGUMENTS)
        if given != rows:
            raise Mismatch(
                "your code changed the rows that it was given", "the rows as they were", "others", ROWS_CHANGED
            )
        if not isinstance(value, (list, tuple)):
            likely = LAST_ONLY if isinstance(value, (int, float, Tensor)) else "return a plain list of numbers"
            raise Mismatch(f"this is no list on {title}", f"{len(rows)} numbers", type(value).__name__, likely)
        if not all(isinstance(number, (int, float)) for number in value):
            kind = next(type(number).__name__ for number in value if not isinstance(number, (int, float)))
            raise Mismatch(
                f"the list holds no numbers on {title}", "whole numbers", kind, "read the row's third argument"
            )
        got.append(list(value))
    tables = [_wrong_strides(rows) for rows in ROWS.values()]
    _expect_numbers(
        [f"on {title}" for title in ROWS],
        got,
        [_running_product(_own_strides(rows)) for rows in ROWS.values()],
        {mistake: [table[mistake] for table in tables] for mistake in tables[0]},
        STRIDES,
    )


# ---------------------------------------------------------------- exercise 4
def _channel_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-6) -> Tensor:
    y = F.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, bias, eps)
    return y.permute(0, 3, 1, 2)


def _downsample(x: Tensor, state: Mapping[str, Tensor], **options) -> Tensor:
    x = _channel_norm(x, state["norm.weight"], state["norm.bias"], **options)
    return F.conv2d(x, state["conv.weight"], state["conv.bias"], stride=2)


def _wrong_downsamples(x: Tensor, state: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    norm, kernel = (state["norm.weight"], state["norm.bias"]), (state["conv.weight"], state["conv.bias"])
    good, normal = _downsample(x, state), _channel_norm(x, *norm)
    wrong = [
        (NORM_UNUSED, F.conv2d(x, *kernel, stride=2)),
        (GROUP_NORM, F.conv2d(F.group_norm(x, 1, *norm, 1e-6), *kernel, stride=2)),
        (GROUP_NORM, F.conv2d(F.group_norm(x, 1, *norm), *kernel, stride=2)),
        (EPS_1E5, _downsample(x, state, eps=1e-5)),
        (ACTIVATED, F.gelu(good)),
        (ACTIVATED, F.relu(good)),
        (ACTIVATED, F.silu(good)),
        (ACTIVATED, F.conv2d(F.gelu(normal), *kernel, stride=2)),
        (PADDED, F.conv2d(normal, *kernel, stride=2, padding=1)),
        (STRIDE_ONE, F.conv2d(normal, *kernel)),
    ]
    if len(norm[0]) == len(kernel[1]):
        wrong.append((NORM_AFTER, _channel_norm(F.conv2d(x, *kernel, stride=2), *norm)))
    if x.shape[-1] == len(norm[0]):
        for eps in (1e-6, 1e-5):
            last = F.layer_norm(x, norm[0].shape, *norm, eps)
            wrong.append((WRONG_AXIS, F.conv2d(last, *kernel, stride=2)))
    return wrong


@exercise("a norm of c1 channels, then a 2 x 2 convolution of stride 2, in value and gradients")
def downsample(answer: object) -> None:
    """Check the class `MyDownsample(c1, c2)` with its layers `norm` and `conv`, however it is written."""
    expect_callable(answer, "class")
    for c1, c2, height, width in ((4, 4, 4, 4), (3, 5, 6, 8), (6, 4, 7, 5)):  # equal numbers first: wrong order or axis
        made = f"{answer.__name__}({c1}, {c2})"  # then gives wrong values, not an error
        layer = call(answer, c1, c2, what=f"when made: {made}", likely=LAYER_CALL)
        _expect_two_layers(layer, c1, c2, made)
        layer = layer.double()
        shapes = {"norm.weight": (c1,), "norm.bias": (c1,), "conv.weight": (c2, c1, 2, 2), "conv.bias": (c2,)}
        state = {name: _image(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
        layer.load_state_dict(state)
        x = _image(2, c1, height, width, seed=9)
        x = x * torch.tensor([1.0, 1e-3], dtype=x.dtype).view(2, 1, 1, 1)  # a weak image beside a strong one: eps shows
        where = f"of {made} on a {tuple(x.shape)} input"
        before = x.clone()
        got = call(layer, x, what=where, likely=WRONG_AXIS)
        expect_untouched(x, before)
        expect_tensor(got, _downsample(x, state), where=where, wrong=_wrong_downsamples(x, state))
        x = before.requires_grad_()
        parameters = {name: value.clone().requires_grad_() for name, value in state.items()}
        good, mine = _downsample(x, parameters), dict(layer.named_parameters())
        seed = _image(*good.shape, seed=5)
        want = torch.autograd.grad(good, [x, *parameters.values()], seed)
        inputs = [x, *(mine[name] for name in parameters)]
        expect_gradients(call(layer, x, what=where), inputs, ["x", *parameters], want, seed, [])


def _expect_two_layers(layer: object, c1: int, c2: int, made: str) -> None:
    if not isinstance(layer, nn.Module):
        raise Mismatch(
            "this is no layer", "a subclass of nn.Module", type(layer).__name__, "write class MyDownsample(nn.Module)"
        )
    want = {"norm.weight": (c1,), "norm.bias": (c1,), "conv.weight": (c2, c1, 2, 2), "conv.bias": (c2,)}
    have = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    likely = None
    if "norm.running_mean" in have:
        likely = BATCH_NORM
    elif set(have) == set(want) - {"conv.bias"}:
        likely = NO_CONV_BIAS
    elif set(have) != set(want):
        likely = NAMES
    elif c1 != c2 and have["norm.weight"] == (c2,):
        likely = NORM_C2
    elif c1 != c2 and have["conv.weight"][:2] == (c1, c2):
        likely = SWAPPED_CHANNELS
    elif len(have["conv.weight"]) == 4 and have["conv.weight"][2:] != (2, 2):
        likely = KERNEL
    elif have != want:
        likely = "a size is written into the code; take it from c1 and c2"
    if likely:
        wrong = next((name for name in want if have.get(name) != want[name]), next(iter(set(have) - set(want)), ""))
        got = f"{wrong} {have[wrong]}" if wrong in have else f"no {wrong}, but {', '.join(have) or 'nothing'}"
        expected = f"{wrong} {want[wrong]}" if wrong in want else "weight and bias of norm and conv alone"
        raise Mismatch(f"the parameters of {made} are wrong", expected, got, likely)


# ---------------------------------------------------------------- exercise 5
@exercise("stride 4, 96 channels, every pixel in at least two windows along each axis, within 20,000 parameters")
def small_cell_stem(answer: object) -> None:
    """Check `small_cell_stem()`: a stem (N, 3, H, W) -> (N, 96, H/4, W/4), judged by what it does."""
    expect_callable(answer, "function")
    stem = call(answer, what="when called")
    if not isinstance(stem, nn.Module):
        got = f"the class {stem.__name__}" if isinstance(stem, type) else type(stem).__name__
        raise Mismatch("this is no layer", "a layer, ready to use", got, OBJECT_NOT_CLASS)
    stem = copy.deepcopy(stem).double().eval()
    for height, width in ((64, 64), (96, 64)):
        _expect_stem_shape(stem, height, width)
    count = sum(parameter.numel() for parameter in stem.parameters())
    if count > BUDGET:
        raise Mismatch("the stem is over its budget", f"at most {BUDGET:,} parameters", f"{count:,}", OVER_BUDGET)
    image = _image(2, 3, 64, 64)
    y = stem(image)
    mean, spread = y.mean(1).abs().max().item(), (y.std(1, correction=0) - 1).abs().max().item()
    if not (mean < 1e-3 and spread < 0.1):
        raise Mismatch(
            "the result is not normalised", "mean 0 and variance 1 over each pixel's channels", "others", NOT_NORMALISED
        )
    for axis, name in ((2, "row"), (3, "column")):
        _expect_two_windows(_windows_of_pixels(stem, axis), name)


def _expect_stem_shape(stem: nn.Module, height: int, width: int) -> None:
    y = call(stem, _image(1, 3, height, width), what=f"on a (1, 3, {height}, {width}) image")
    want, where = (1, 96, height // 4, width // 4), f"on a (1, 3, {height}, {width}) image"
    got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
    if got == want:
        return
    likely = "a stem returns one tensor (N, C, H, W)"
    if isinstance(got, tuple) and len(got) == 4:
        short = want[2] - got[2]
        likely = OTHER_CHANNELS if got[1] != 96 else OTHER_STRIDE
        if got[1] == 96 and abs(short) <= 2:
            likely = ONE_SHORT if short > 0 else TOO_LONG
    raise Mismatch(f"the shape is wrong {where}", str(want), str(got), likely)


def _windows_of_pixels(stem: nn.Module, axis: int) -> list[int]:
    """For each of 64 pixels along the axis: how many outputs along it have a gradient there, borders of 8 left out."""
    image = _image(1, 3, 64, 64).requires_grad_()
    y = stem(image)
    pull = _image(1, 96, 1, 16, seed=2)
    seen = torch.zeros(64, dtype=torch.int64)
    for i in range(16):
        part = y.narrow(axis, i, 1)
        (grad,) = torch.autograd.grad(part, image, pull.reshape(part.shape), retain_graph=True)
        seen += (grad != 0).any(dim=5 - axis).any(dim=1)[0]
    return seen[8:-8].tolist()


def _expect_two_windows(seen: list[int], name: str) -> None:
    worst = min(seen)
    if worst >= 2 and max(seen) <= 8:
        return
    likely = (
        WHOLE_IMAGE if worst > 8 or max(seen) > 8 else HOLES if worst == 0 else TILES if max(seen) == 1 else SOME_ONCE
    )
    place = f"{name} {8 + seen.index(worst)}"
    number = f"{worst} window{'s' * (worst != 1)}" if likely != WHOLE_IMAGE else f"{max(seen)} windows"
    raise Mismatch(
        f"the windows along the {name}s are wrong", "2 to 8 for every pixel", f"{number} for {place}", likely
    )
