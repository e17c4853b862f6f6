"""Checkers of notebook 09: GRN, tensors carried over, the way into a network, a V2 detector."""

import math

import numpy as np
import torch

from cnx_tutorial.teaching.checks.asking import ask
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable
from cnx_tutorial.teaching.checks.yolov8_yaml import _built, _expect_rows

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
GRN = "none of the usual mistakes; try (3, 4) and (0, 1): strengths 5 and 1, relative 1.667 and 0.333"
GRN_CALL = "it takes x, weight and bias; the shapes are (N, H, W, C), (C,) and (C,)"

COUNTED_TENSORS = "those are tensors; asked are the numbers in them: the product of each shape"
NAME_ONLY = "a tensor of the same name and another shape is not carried over"
SHAPE_ONLY = "a tensor of the same shape and another name is not carried over"
OLD_COUNTED = "count the new model's numbers; what only the old one has is lost"
SUMMED_SHAPE = "a shape's numbers are its product, not its sum"
SCALAR_LOST = "the shape () is one number: its product is 1"
SWAPPED = "the two numbers are swapped: carried over first, then fresh"
CARRIED = "none of the usual mistakes; write both lists of names below each other"
CARRIED_CALL = "it takes old and new, dictionaries of shapes; a name may be missing in one of them"

NO_FLIP = "blue is still first: turn the last axis round with [..., ::-1]"
ROWS_FLIPPED = "rows or columns were turned round, not the colours: the colours are the last axis"
NOT_DIVIDED = "numbers from 0 to 255: divide by 255"
DIVIDED_256 = "divide by 255, the largest value, so that white is 1"
CHANNELS_LAST = "the channels are still last: transpose(2, 0, 1)"
RESHAPED = "reshape cuts memory into pieces; to move an axis use transpose(2, 0, 1)"
TURNED = "rows and columns are swapped: transpose(2, 0, 1) keeps H before W"
NO_BATCH = "the axis of the batch is missing: [None] adds it in front"
CENTRED = "the numbers go from 0 to 1, without a mean taken off"
NO_FLOAT32 = "the numbers are 64-bit, which the file refuses: astype(np.float32)"
INPUT = "none of the usual mistakes; try a single blue pixel, [[[255, 0, 0]]]: its result is 0, 0, 1"
INPUT_CALL = "it takes one NumPy array of shape (H, W, 3)"

V2_CALL = "it takes no arguments and returns a dictionary"
V2_KEYS = "return a dictionary with nc, backbone and head, as yaml_model_load gives it"
V2_CLASSES = "set nc to 2: squares and discs"
V2_BLOCKS = "there is no ConvNeXtBlock row in the backbone"
V2_GRN = "not every block has GRN: set the key grn to True, and no False in a row"
V2_STRIDES = "the maps that Detect reads have other strides: keep the strides of stem and downsampling rows"
V2_BUDGET = "too large: make it narrower with the width in scales"
V2_BUDGET_SIZE = 1_500_000


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
):
    squares = x.square()
    strength = squares.mean(dim=axes, keepdim=True) if average else squares.sum(dim=axes, keepdim=True)
    strength = strength.sqrt() if root else strength
    n = strength / (strength.mean(dim=mean, keepdim=True) + eps) if relative else strength
    y = weight * (x if scale else x * n)
    return y + (bias if shift else 0) + (x if plus else 0)


def _maps() -> tuple:
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return (
        (draw(2, 3, 4, 5), draw(5), draw(5)),
        (torch.zeros(1, 2, 2, 3, dtype=torch.float64), draw(3), draw(3)),
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
    NO_EPS: lambda *a: _grn(*a, eps=0.0).nan_to_num(-7.0),
}


def _without_nan(answer):
    """The learner's function, with a number in the place of NaN, which equals nothing."""
    if not callable(answer) or isinstance(answer, type):
        return answer

    def grn(x, weight, bias):
        result = answer(x, weight, bias)
        return result.detach().nan_to_num(-7.0) if isinstance(result, torch.Tensor) and not result.is_sparse else result

    return grn


@exercise("raised by relative strength, for three batches, also of zeros and of tiny numbers")
def response_norm(answer: object) -> None:
    """Check `grn(x, weight, bias)`: global response normalisation on (N, H, W, C)."""
    ask(_without_nan(answer), _maps(), _grn, WRONG_GRN, GRN, arguments=GRN_CALL, tolerance=1e-12)


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
}


@exercise("the numbers carried over, for three pairs of models")
def carried_over(answer: object) -> None:
    """Check `carried_over(old, new)`: numbers that come from the old model, and fresh ones."""
    ask(answer, MODELS, _carried, WRONG_CARRIED, CARRIED, arguments=CARRIED_CALL, tolerance=0.0)


# ---------------------------------------------------------------- exercise 3
def _input(image):
    return (image[..., ::-1].transpose(2, 0, 1)[None] / 255).astype(np.float32)


IMAGES = tuple(
    (np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8),)
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
}


@exercise("red first, channels first, 0 to 1, 32 bits, for three images")
def to_input(answer: object) -> None:
    """Check `to_input(image)`: an OpenCV image made ready for the ONNX file."""
    ask(answer, IMAGES, _input, WRONG_INPUT, INPUT, arguments=INPUT_CALL)
    result = answer(IMAGES[0][0].copy())
    if isinstance(result, np.ndarray) and result.dtype != np.float32:
        raise Mismatch("the numbers have the wrong type", "float32", str(result.dtype), NO_FLOAT32)


# ---------------------------------------------------------------- exercise 4
@exercise("V2 blocks everywhere, strides 8 16 32, and at most 1,500,000 parameters")
def my_v2(answer: object) -> None:
    """Check `my_v2()`: a small V2 detector for two classes that really builds."""
    expect_callable(answer, "function")
    d = call(answer, what="", likely=V2_CALL)
    if not isinstance(d, dict) or not {"nc", "backbone", "head"} <= set(d):
        raise Mismatch(
            "this is no model YAML",
            "a dictionary with nc, backbone and head",
            f"an object of type {type(d).__name__}",
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
    strides, parameters = _built(d)
    if strides != [8, 16, 32]:
        raise Mismatch("the strides are wrong", "[8, 16, 32]", str(strides), V2_STRIDES)
    if parameters > V2_BUDGET_SIZE:
        raise Mismatch("it is too large", f"at most {V2_BUDGET_SIZE:,} parameters", f"{parameters:,}", V2_BUDGET)
