"""Checkers of notebook 09: GRN, tensors carried over, the way into a network, a V2 detector."""

import copy
import math

import numpy as np
import torch

from cnx_tutorial.teaching.checks.asking import CHANGED_INPUT, ask
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable
from cnx_tutorial.teaching.checks.yolov8_yaml import _expect_rows

NO_INPUT = "x itself is not added: y = w * (x * n) + b + x"
NO_BIAS = "the bias is not added"
NO_ROOT = "the strength is the root of the sum of squares"
MEAN_SQUARE = "the strength is a sum over the pixels, not a mean (the same up to eps, and eps is seen where x is small)"
PIXEL_STRENGTH = "the strength was taken over the channels of each pixel; it runs over H and W, for each channel"
BATCH_MEAN = "the mean of the strengths ran over the images too; it runs over the channels of each image"
BATCH_STRENGTH = "the strength ran over the images too; each image is for itself"
NOT_RELATIVE = "the strength was not divided by the mean over the channels"
LAYER_SCALED = "that is layer scale, w * x: the relative strength is missing"
NO_EPS = "an image of zeros gives not a number: add 1e-6 to the mean before you divide"
FIRST_AXES = "x is (N, H, W, C): H and W are the axes 1 and 2, the channels are the last"
ONE_AXIS = "the strength runs over H and W, not over one of them"
ABSOLUTE = "the strength is the root of the sum of squares, not a sum of absolute values"
DEVIATION = "the strength is the root of the sum of squares; no mean is taken off"
SUM_OF_STRENGTHS = "the strength was divided by the sum over the channels; it is divided by their mean"
LARGEST = "the strength was divided by the largest of the channels; it is divided by their mean"
EPS_LARGER = "eps is 1e-6, not 1e-5, which is seen where x is small"
EPS_IN_ROOT = "eps was added inside the root, which is seen where x is small; it is added to the mean strength, before the division"
EPS_LATE = (
    "eps was added after the division, which is seen where x is small; it is added to the mean strength, before it"
)
X_LOST = "x is not multiplied by the relative strength: w * (x * n), not w * n"
BRACKET = "the bias was multiplied by w too: w * (x * n) + b + x"
SWAPPED_ARGUMENTS = "weight and bias are swapped"
DTYPE = "stay in the dtype of x: no .float(), no .half()"
GRN = "none of the usual mistakes; try (3, 4) and (0, 1): strengths 5 and 1, relative 1.667 and 0.333"
GRN_CALL = "it takes x, weight and bias of shapes (N, H, W, C), (C,) and (C,); a sum keeps its axes, and fits x, with keepdim=True"

COUNTED_TENSORS = "those are tensors; asked are the numbers in them: the product of each shape"
NAME_ONLY = "a tensor of the same name and another shape is not carried over"
SHAPE_ONLY = "a tensor of the same shape and another name is not carried over"
OLD_COUNTED = "count the new model's numbers; what only the old one has is lost"
SUMMED_SHAPE = "a shape's numbers are its product, not its sum"
SCALAR_LOST = "the shape () is one number: its product is 1"
SWAPPED = "the two numbers are swapped: carried over first, then fresh"
FRESH_BY_NAME = "a tensor of a known name and another shape starts afresh, too"
ALL_OF_NEW = "the second number is what starts afresh, not all of the new model"
AS_MANY = "as many numbers are not enough: (2, 2) and (4,) are different shapes"
AXES_COUNTED = "those are axes; asked are the numbers in the tensors: the product of each shape"
PAIR = "return two numbers: carried over, fresh"
CARRIED = "none of the usual mistakes; write both lists of names below each other"
CARRIED_CALL = (
    "it takes old and new, dictionaries of shapes; a name may be missing in one of them, and a shape may be ()"
)

NO_FLIP = "blue is still first: turn the last axis round with [..., ::-1]"
ROWS_FLIPPED = "rows or columns were turned round, not the colours: the colours are the last axis"
NOT_DIVIDED = "numbers from 0 to 255: divide by 255"
DIVIDED_256 = "divide by 255, the largest value, so that white is 1"
CHANNELS_LAST = "the channels are still last: transpose(2, 0, 1)"
RESHAPED = "reshape cuts memory into pieces; to move an axis use transpose(2, 0, 1)"
TURNED = "rows and columns are swapped: transpose(2, 0, 1) keeps H before W"
NO_BATCH = "the axis of the batch is missing: [None] adds it in front"
CENTRED = "the numbers go from 0 to 1, without a mean taken off"
FLIPPED_LATE = "after transpose the last axis is W: turn the colours round before it, or as [:, ::-1] after it"
WHOLE = "only whole numbers are left, that is 0 and, for white, 1: divide with /, and stay with floats"
HALVES = "those are 16-bit numbers: astype(np.float32)"
NO_FLOAT32 = "the file takes 32-bit floats and refuses others: astype(np.float32)"
NO_ARRAY = "ONNX Runtime takes NumPy arrays: tensor.numpy(), or np.array of a list"
INPUT = "none of the usual mistakes; try a single blue pixel, [[[255, 0, 0]]]: its result is 0, 0, 1"
INPUT_CALL = "it takes one NumPy array of shape (H, W, 3)"

V2_CALL = "it takes no arguments and returns a dictionary"
V2_KEYS = "return a dictionary with nc, backbone and head, as yaml_model_load gives it"
V2_CLASSES = "set nc to 2: squares and discs"
V2_BLOCKS = "there is no ConvNeXtBlock row in the backbone"
V2_GRN = "not every block has GRN: set the key grn to True, and no False in a row"
V2_STRIDES = "the maps that Detect reads have other strides: keep the strides of stem and downsampling rows"
V2_BUDGET = "too large: make it narrower with the width of n in scales, the first scale there"
V2_BUILD = (
    "build it yourself with DetectionModel(my_v2()); where a row was taken away, the numbers in the head change too"
)
V2_BUDGET_SIZE = 800_000


# ---------------------------------------------------------------- exercise 1
def _grn(
    x,
    weight,
    bias,
    *,
    axes=(1, 2),
    mean=-1,
    root=True,
    average=False,
    relative=True,
    plus=True,
    shift=True,
    eps=1e-6,
    scale=None,
    strength=None,
    part=None,
):
    squares = x.square()
    if strength is None:
        strength = squares.mean(dim=axes, keepdim=True) if average else squares.sum(dim=axes, keepdim=True)
        strength = strength.sqrt() if root else strength
    whole = part(strength) if part else strength.mean(dim=mean, keepdim=True)
    n = strength / (whole + eps) if relative else strength
    y = weight * (x if scale else x * n)
    return y + (bias if shift else 0) + (x if plus else 0)


def _late(x, weight, bias):
    strength = x.square().sum((1, 2), keepdim=True).sqrt()
    n = strength / strength.mean(-1, keepdim=True) + 1e-6
    return _named(weight * x * n + bias + x)


def _in_root(x, weight, bias):
    strength = (x.square().sum((1, 2), keepdim=True) + 1e-6).sqrt()
    return _grn(x, weight, bias, strength=strength, eps=0.0)


def _x_lost(x, weight, bias):
    strength = x.square().sum((1, 2), keepdim=True).sqrt()
    return weight * strength / (strength.mean(-1, keepdim=True) + 1e-6) + bias + x


def _maps() -> tuple:
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    one, none = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    return (
        (torch.zeros(1, 1, 2, 2, dtype=torch.float64), one, none),
        (torch.tensor([[[[3.0, 0.0], [4.0, 1.0]]]], dtype=torch.float64), one, none),  # the two channels of section 4
        (draw(2, 3, 4, 5), draw(5), draw(5)),
        (1e-6 * draw(3, 2, 2, 2), draw(2), torch.zeros(2, dtype=torch.float64)),
    )


WRONG_GRN = {
    NO_INPUT: lambda *a: _grn(*a, plus=False),
    NO_BIAS: lambda *a: _grn(*a, shift=False),
    NO_ROOT: lambda *a: _grn(*a, root=False),
    MEAN_SQUARE: lambda *a: _grn(*a, average=True),
    PIXEL_STRENGTH: lambda *a: _grn(*a, axes=(3,), mean=(1, 2)),
    BATCH_MEAN: lambda *a: _grn(*a, mean=(0, 3)),
    BATCH_STRENGTH: lambda *a: _grn(*a, axes=(0, 1, 2)),
    NOT_RELATIVE: lambda *a: _grn(*a, relative=False),
    LAYER_SCALED: lambda *a: _grn(*a, scale=True),
    NO_EPS: lambda *a: _named(_grn(*a, eps=0.0)),
    FIRST_AXES: lambda *a: _grn(*a, axes=(2, 3), mean=1),
    ONE_AXIS: lambda *a: _grn(*a, axes=(1,)),
    ABSOLUTE: lambda x, w, b: _grn(x, w, b, strength=x.abs().sum((1, 2), keepdim=True)),
    DEVIATION: lambda x, w, b: _grn(x, w, b, strength=x.std((1, 2), keepdim=True)),
    SUM_OF_STRENGTHS: lambda *a: _grn(*a, part=lambda s: s.sum(-1, keepdim=True)),
    LARGEST: lambda *a: _grn(*a, part=lambda s: s.amax(-1, keepdim=True)),
    EPS_LARGER: lambda *a: _grn(*a, eps=1e-5),
    EPS_IN_ROOT: _in_root,
    EPS_LATE: _late,
    X_LOST: _x_lost,
    BRACKET: lambda x, w, b: _grn(x, w, w * b),
    SWAPPED_ARGUMENTS: lambda x, w, b: _grn(x, b, w),
}


def _named(value):
    """The tensor's numbers, with words in the place of NaN, which equals nothing."""
    if isinstance(value, torch.Tensor):
        readable = value.device.type == "cpu" and not value.is_sparse and not value.is_complex()
        return _named(value.tolist()) if readable else value
    if isinstance(value, list):
        return [_named(item) for item in value]
    return "not a number" if isinstance(value, float) and math.isnan(value) else value


@exercise("raised by relative strength, for four batches, also of zeros and of tiny numbers")
def response_norm(answer: object) -> None:
    """Check `grn(x, weight, bias)`: global response normalisation on (N, H, W, C)."""
    expect_callable(answer, "function")
    result = call(answer, *_maps()[0], what="on a (1, 1, 2, 2) tensor", likely=GRN_CALL)
    if isinstance(result, torch.Tensor) and result.dtype in (torch.float16, torch.bfloat16, torch.float32):
        raise Mismatch("the dtype changed on a float64 tensor", "torch.float64", str(result.dtype), DTYPE)
    ask(lambda *a: _named(answer(*a)), _maps(), _grn, WRONG_GRN, GRN, arguments=GRN_CALL, tolerance=1e-12)


# ---------------------------------------------------------------- exercise 2
def _carried(old, new, *, fits=lambda name, shape, old: old.get(name) == shape, count=math.prod, all_of=None):
    carried = sum(count(shape) for name, shape in new.items() if fits(name, shape, old))
    return carried, sum(count(shape) for shape in (all_of or new).values()) - carried


MODELS = (
    (
        {"stem.weight": (8, 3, 4, 4), "stem.bias": (8,), "cls.weight": (3, 8), "cls.bias": (3,), "old.bias": (2, 8)},
        {"stem.weight": (8, 3, 4, 4), "stem.bias": (8,), "cls.weight": (2, 8), "cls.bias": (2,), "new.bias": (3,)},
    ),
    ({"a": (), "b": (2, 2)}, {"a": (), "b": (4,)}),
    ({}, {"a": (5,)}),
)
WRONG_CARRIED = {
    COUNTED_TENSORS: lambda old, new: _carried(old, new, count=lambda shape: 1),
    NAME_ONLY: lambda old, new: _carried(old, new, fits=lambda name, shape, old: name in old),
    SHAPE_ONLY: lambda old, new: _carried(old, new, fits=lambda name, shape, old: shape in old.values()),
    OLD_COUNTED: lambda old, new: _carried(old, new, all_of=old or {"none": (0,)}),
    SUMMED_SHAPE: lambda old, new: _carried(old, new, count=sum),
    SCALAR_LOST: lambda old, new: _carried(old, new, count=lambda shape: math.prod(shape) if shape else 0),
    SWAPPED: lambda old, new: _carried(old, new)[::-1],
    FRESH_BY_NAME: lambda old, new: (
        _carried(old, new)[0],
        sum(math.prod(new[name]) for name in new.keys() - old.keys()),
    ),
    ALL_OF_NEW: lambda old, new: (_carried(old, new)[0], sum(_carried(old, new))),
    AS_MANY: lambda old, new: _carried(
        old, new, fits=lambda name, shape, old: name in old and math.prod(old[name]) == math.prod(shape)
    ),
    AXES_COUNTED: lambda old, new: _carried(old, new, count=len),
    PAIR: lambda old, new: _carried(old, new)[0],
}


@exercise("the numbers carried over, for three pairs of models")
def carried_over(answer: object) -> None:
    """Check `carried_over(old, new)`: numbers that come from the old model, and fresh ones."""
    ask(answer, MODELS, _carried, WRONG_CARRIED, CARRIED, arguments=CARRIED_CALL, tolerance=0.0)


# ---------------------------------------------------------------- exercise 3
def _input(image):
    return (image[..., ::-1].transpose(2, 0, 1)[None] / 255).astype(np.float32)


def _of_arrays(function):
    """The function for lists of rows, which a message can show in one line."""
    return lambda image: function(np.array(image, dtype=np.uint8))


IMAGES = (([[[255, 0, 0]]],),) + tuple(
    (np.random.default_rng(i).integers(0, 256, shape).tolist(),)
    for i, shape in enumerate(((2, 3, 3), (4, 2, 3), (3, 3, 3)))
)
WRONG_INPUT = {
    NO_FLIP: lambda image: image.transpose(2, 0, 1)[None] / 255,
    ROWS_FLIPPED: lambda image: image[::-1].transpose(2, 0, 1)[None] / 255,
    NOT_DIVIDED: lambda image: image[..., ::-1].transpose(2, 0, 1)[None],
    DIVIDED_256: lambda image: image[..., ::-1].transpose(2, 0, 1)[None] / 256,
    CHANNELS_LAST: lambda image: image[..., ::-1][None] / 255,
    RESHAPED: lambda image: image[..., ::-1].reshape(1, 3, *image.shape[:2]) / 255,
    TURNED: lambda image: image[..., ::-1].transpose(2, 1, 0)[None] / 255,
    NO_BATCH: lambda image: image[..., ::-1].transpose(2, 0, 1) / 255,
    CENTRED: lambda image: image[..., ::-1].transpose(2, 0, 1)[None] / 127.5 - 1,
    FLIPPED_LATE: lambda image: image.transpose(2, 0, 1)[None, ..., ::-1] / 255,
    WHOLE: lambda image: image[..., ::-1].transpose(2, 0, 1)[None] // 255,
    HALVES: lambda image: _input(image).astype(np.float16),
}


@exercise("red first, channels first, 0 to 1, 32 bits, for four images")
def to_input(answer: object) -> None:
    """Check `to_input(image)`: an OpenCV image made ready for the ONNX file."""
    expect_callable(answer, "function")
    wrong = {said: _of_arrays(mistake) for said, mistake in WRONG_INPUT.items()}
    ask(_of_arrays(answer), IMAGES, _of_arrays(_input), wrong, INPUT, arguments=INPUT_CALL)
    before = np.array(IMAGES[1][0], dtype=np.uint8)
    image = before.copy()
    result = answer(image)
    if not np.array_equal(image, before):
        raise Mismatch("your code changed its input", "the image as it was", "other numbers in it", CHANGED_INPUT)
    if not isinstance(result, np.ndarray):
        raise Mismatch("the result is no NumPy array", "numpy.ndarray", type(result).__name__, NO_ARRAY)
    if result.dtype != np.float32:
        raise Mismatch("the numbers have the wrong type", "float32", str(result.dtype), NO_FLOAT32)


# ---------------------------------------------------------------- exercise 4
@exercise("V2 blocks everywhere, strides 4 8 16 32, and at most 800,000 parameters")
def my_v2(answer: object) -> None:
    """Check `my_v2()`: a small V2 detector for two classes that really builds."""
    expect_callable(answer, "function")
    d = call(answer, what="", likely=V2_CALL)
    if not isinstance(d, dict) or not {"nc", "backbone", "head"} <= set(d):
        raise Mismatch(
            "this is no model YAML",
            "a dictionary with nc, backbone and head",
            f"one with {list(d)}"[:80] if isinstance(d, dict) else f"an object of type {type(d).__name__}",
            V2_KEYS,
        )
    if d["nc"] != 2:
        raise Mismatch("the number of classes is wrong", "nc: 2", f"nc: {d['nc']!r}"[:40], V2_CLASSES)
    rows = [row for row in _expect_rows(d) if row[2] in ("ConvNeXtBlock", "ConvNeXt_Block")]
    if not rows:
        raise Mismatch("no block is found", "ConvNeXtBlock rows", "none", V2_BLOCKS)
    with_grn = [row[3][5] if len(row[3]) > 5 else d.get("grn", False) for row in rows]
    if not all(value is True for value in with_grn):
        raise Mismatch(
            "a block has no GRN",
            "grn in all of them",
            f"{sum(v is True for v in with_grn)} of {len(rows)} rows",
            V2_GRN,
        )
    model = _model(d)
    strides, parameters = [int(stride) for stride in model.stride], sum(p.numel() for p in model.parameters())
    if strides != [4, 8, 16, 32]:
        raise Mismatch("the strides are wrong", "[4, 8, 16, 32]", str(strides), V2_STRIDES)
    if parameters > V2_BUDGET_SIZE:
        raise Mismatch("it is too large", f"at most {V2_BUDGET_SIZE:,} parameters", f"{parameters:,}", V2_BUDGET)


def _model(d: dict) -> torch.nn.Module:
    """What the dictionary describes, at its first scale if it names none."""
    from cnx_tutorial.yolo import register
    from cnx_tutorial.yolo.parser import tasks

    register()
    scale = {"scale": next(iter(d["scales"]), "")} if d.get("scales") else {}
    try:
        return tasks.DetectionModel({**scale, **copy.deepcopy(d)}, verbose=False)
    except Exception as error:  # rows can be wrong in any way
        said = (str(error).splitlines() or ["no message"])[0][:160]
        raise Mismatch("it cannot be built", "a model", f"{type(error).__name__}: {said}", V2_BUILD) from error
