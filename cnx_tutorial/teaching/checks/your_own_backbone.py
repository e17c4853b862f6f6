"""Misconceptions of notebook 10: GRN, tensors carried over, the way into a network, a V2 detector."""

import math

import numpy as np
import torch

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable


# ---------------------------------------------------------------- exercise 1
def maps(*shape, scale=1.0, seed=0):
    draw = torch.Generator().manual_seed(seed)
    x, weight, bias = (torch.randn(size, generator=draw, dtype=torch.float64) for size in (shape, shape[-1:], shape[-1:]))
    return scale * x, weight, bias * scale


ONE, NONE = torch.tensor([1.0, 1.0], dtype=torch.float64), torch.tensor([0.0, 0.0], dtype=torch.float64)
KEEPDIM = "a sum and a mean keep their axes with keepdim=True; without it the shapes fit for one image at most"
SEEN_SMALL = ", which is seen where x is small"
EPS = f"eps is 1e-6, and no other number{SEEN_SMALL}"
response_norm = function(
    "response_norm",
    "global response normalisation of x (N, H, W, C)",
    "raised by relative strength, also of zeros and of tiny numbers, with gradients",
    right=Steps(
        "x, weight, bias",
        axes=lambda: (1, 2),
        squares=lambda x, axes: x.square().sum(axes, keepdim=True),
        strength=lambda squares: squares.sqrt(),
        whole=lambda strength: strength.mean(-1, keepdim=True),
        n=lambda strength, whole: strength / (whole + 1e-6),
        raised=lambda x, n: x * n,
        y=lambda raised, weight: weight * raised,
        result=lambda y, bias, x: y + bias + x,
    ),
    rows=[
        ("x itself is not added: y = w * (x * n) + b + x", {"result": lambda y, bias: y + bias}),
        ("the bias is not added", {"result": lambda y, x: y + x}),
        ("the strength is the root of the sum of squares", {"strength": lambda squares: squares}),
        (f"the strength is a sum over the pixels, not a mean (the same up to eps{SEEN_SMALL})", {"squares": lambda x, axes: x.square().mean(axes, keepdim=True)}),
        ("the strength was taken over the channels of each pixel; it runs over H and W, for each channel", {"axes": lambda: (3,), "whole": lambda strength: strength.mean((1, 2), keepdim=True)}),
        ("the mean of the strengths ran over the images too; it runs over the channels of each image", {"whole": lambda strength: strength.mean((0, 3), keepdim=True)}),
        ("the strength ran over the images too; each image is for itself", {"axes": lambda: (0, 1, 2)}),
        ("the strength was not divided by the mean over the channels", {"n": lambda strength: strength}),
        ("that is layer scale, w * x: the relative strength is missing", {"raised": lambda x: x}),
        ("an image of zeros gives not a number: add 1e-6 to the mean before you divide", {"n": lambda strength, whole: strength / whole}),
        ("x is (N, H, W, C): H and W are the axes 1 and 2, the channels are the last", {"axes": lambda: (2, 3), "whole": lambda strength: strength.mean(1, keepdim=True)}),
        ("the strength runs over H and W, not over one of them", {"axes": lambda: (1,)}),
        ("the strength runs over H and W, not over one of them", {"axes": lambda: (2,)}),
        (KEEPDIM, {"squares": lambda x, axes: x.square().sum(axes)}),
        (KEEPDIM, {"whole": lambda strength: strength.mean(-1)}),
        (KEEPDIM, {"squares": lambda x, axes: x.square().sum(axes), "whole": lambda strength: strength.mean(-1)}),
        ("the strength is the root of the sum of squares, not a sum of absolute values", {"strength": lambda x, axes: x.abs().sum(axes, keepdim=True)}),
        ("the strength is the root of the sum of squares; no mean is taken off", {"strength": lambda x, axes: ((x - x.mean(axes, keepdim=True)).square().sum(axes, keepdim=True) / (math.prod(x.shape[a] for a in axes) - 1)).sqrt()}),
        ("the strength was divided by the sum over the channels; it is divided by their mean", {"whole": lambda strength: strength.sum(-1, keepdim=True)}),
        ("the strength was divided by the largest of the channels; it is divided by their mean", {"whole": lambda strength: strength.amax(-1, keepdim=True)}),
        (EPS, {"n": lambda strength, whole: strength / (whole + 1e-5)}),
        (EPS, {"n": lambda strength, whole: strength / (whole + 1e-7)}),
        (EPS, {"n": lambda strength, whole: strength / (whole + 1e-8)}),
        (f"eps was added inside the root{SEEN_SMALL}; it is added to the mean strength, before the division", {"strength": lambda squares: (squares + 1e-6).sqrt(), "n": lambda strength, whole: strength / whole}),
        (f"eps was added after the division{SEEN_SMALL}; it is added to the mean strength, before it", {"n": lambda strength, whole: strength / whole + 1e-6}),
        ("x is not multiplied by the relative strength: w * (x * n), not w * n", {"raised": lambda n: n}),
        ("the bias was multiplied by w too: w * (x * n) + b + x", {"result": lambda y, bias, weight, x: y + weight * bias + x}),
        ("x is added as it is: w multiplies x * n alone", {"raised": lambda x, n: x * n + x, "result": lambda y, bias: y + bias}),
        ("x is added as it is, without n: w * (x * n) + b + x", {"result": lambda y, bias, raised: y + bias + raised}),
        ("weight and bias are swapped", {"y": lambda raised, bias: bias * raised, "result": lambda y, weight, x: y + weight + x}),
        ("the relative strength was taken for a constant (.detach()): the gradient flows through it, too", {"raised": lambda x, n: x * n.detach()}),
    ],
    pinned=[(torch.tensor([[[[3.0, 0.0], [4.0, 1.0]]]], dtype=torch.float64), ONE, NONE), maps(2, 3, 4, 5), maps(3, 2, 2, 2, scale=1e-6), (torch.zeros(1, 2, 2, 2, dtype=torch.float64), ONE, NONE)],
    draw=lambda rng: maps(*(int(side) for side in rng.integers((1, 2, 2, 2), 6)), scale=float(rng.choice([1.0, 1e-5])), seed=int(rng.integers(99))),
    drawn=8,
    grown=(0,),
    in_error="it takes x, weight and bias of shapes (N, H, W, C), (C,) and (C,); a sum keeps its axes, and fits x, with keepdim=True",
)  # fmt: skip

# ---------------------------------------------------------------- exercise 2
SHAPES = [(), (4,), (8,), (2, 2), (2, 8), (8, 2), (3, 8), (8, 3, 2, 2)]


def two_models(rng):
    """Few shapes, so that some of them come more than once; a name of both has its old shape, the shape turned round, or another."""
    names = [f"{layer}.{part}" for layer in "abcd" for part in ("weight", "bias")]
    shapes = [SHAPES[i] for i in rng.integers(0, len(SHAPES), 4)]
    old, new = ({str(name): shapes[rng.integers(4)] for name in rng.permutation(names)[: rng.integers(0, 8)]} for _ in range(2))
    kept = rng.random(len(new))
    return old, {name: shape if name not in old or p > 0.7 else old[name] if p < 0.5 else old[name][::-1] for (name, shape), p in zip(new.items(), kept, strict=True)}


carried_over = function(
    "carried_over",
    "how many numbers come from the old model, and how many are fresh",
    "the numbers carried over, for models of any shapes",
    right=Steps(
        "old, new",
        size=lambda: math.prod,
        same=lambda old: lambda name, shape: old.get(name) == shape,
        carried=lambda new, same, size: sum(size(shape) for name, shape in new.items() if same(name, shape)),
        whole=lambda new, size: sum(map(size, new.values())),
        fresh=lambda whole, carried: whole - carried,
        pair=lambda carried, fresh: (carried, fresh),
    ),
    rows=[
        ("those are tensors; asked are the numbers in them: the product of each shape", {"size": lambda: lambda shape: 1}),
        ("a tensor of the same name and another shape is not carried over", {"same": lambda old: lambda name, shape: name in old}),
        ("a tensor of the same shape and another name is not carried over", {"same": lambda old: lambda name, shape: shape in old.values()}),
        ("tensors go by their name, not by their place in the two models", {"same": lambda old, new: lambda name, shape: dict(zip(new, old.values(), strict=False)).get(name) == shape}),
        ("count the new model's numbers; what only the old one has is lost", {"whole": lambda old, size: sum(map(size, old.values()))}),
        ("a shape's numbers are its product, not its sum", {"size": lambda: sum}),
        ("a shape's numbers are the product of all its sides, not the first one", {"size": lambda: lambda shape: shape[0]}),
        ("a shape's numbers are the product of all its sides, not the first one", {"size": lambda: lambda shape: shape[0] if shape else 1}),
        ("the shape () is one number: its product is 1", {"size": lambda: lambda shape: math.prod(shape) if shape else 0}),
        ("the two numbers are swapped: carried over first, then fresh", {"pair": lambda carried, fresh: (fresh, carried)}),
        ("a tensor of a known name and another shape starts afresh, too", {"fresh": lambda old, new, size: sum(size(new[name]) for name in new.keys() - old.keys())}),
        ("the second number is what starts afresh, not all of the new model", {"fresh": lambda whole: whole}),
        ("as many numbers are not enough: (2, 2) and (4,) are different shapes", {"same": lambda old, size: lambda name, shape: name in old and size(old[name]) == size(shape)}),
        ("those are axes; asked are the numbers in the tensors: the product of each shape", {"size": lambda: len}),
        ("return two numbers: carried over, fresh", {"pair": lambda carried: carried}),
    ],
    pinned=[
        ({"stem.weight": (8, 3, 4, 4), "cls.weight": (3, 8), "cls.bias": (3,), "old.bias": (2, 8)}, {"stem.weight": (8, 3, 4, 4), "cls.weight": (2, 8), "cls.bias": (2,), "new.bias": (3,)}),
        ({"a": (), "b": (2, 2)}, {"a": (), "b": (4,)}),
        ({}, {"a": (5,)}),
    ],
    draw=two_models,
    whole=True,
    in_error="it takes old and new, dictionaries of shapes; a name may be missing in one of them, and a shape may be ()",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
def as_array(result: object, question: tuple) -> object:
    """The numbers of the result, a new memory layout of them counts as the same."""
    if isinstance(result, np.ndarray) and result.dtype == np.float16 and result.ndim == 4:
        raise Mismatch("the numbers have the wrong type", "float32", "float16", "those are 16-bit numbers: astype(np.float32)")
    if isinstance(result, np.ndarray) and result.dtype.kind == "f" and result.dtype != np.float32 and result.max(initial=0) <= 1 and result.ndim == 4:
        raise Mismatch("the numbers have the wrong type", "float32", str(result.dtype), "the file takes 32-bit floats and refuses others: astype(np.float32)")
    if isinstance(result, (torch.Tensor, list)):
        raise Mismatch("the result is no NumPy array", "numpy.ndarray", type(result).__name__, "ONNX Runtime takes NumPy arrays: tensor.numpy(), or np.array of a list")
    return result  # fmt: skip


to_input = function(
    "to_input",
    "an OpenCV image (H, W, 3) made ready for the ONNX file",
    "red first, channels first, 0 to 1, 32 bits",
    right=Steps(
        "image",
        colours=lambda image: image[..., ::-1],
        moved=lambda colours: colours.transpose(2, 0, 1),
        batch=lambda moved: moved[None],
        parts=lambda batch: batch / 255,
        result=lambda parts: parts.astype(np.float32),
    ),
    rows=[
        ("blue is still first: turn the last axis round with [..., ::-1]", {"colours": lambda image: image}),
        ("rows or columns were turned round, not the colours: the colours are the last axis", {"colours": lambda image: image[::-1]}),
        ("rows and columns were turned round with the colours: only the last axis is, [..., ::-1]", {"colours": lambda image: image[::-1, ::-1, ::-1]}),
        ("numbers from 0 to 255: divide by 255", {"parts": lambda batch: batch}),
        ("divide by 255, the largest value, so that white is 1", {"parts": lambda batch: batch / 256}),
        ("divide by 255, not by the largest value of this image", {"parts": lambda batch: batch / max(batch.max(), 1)}),
        ("the channels are still last: transpose(2, 0, 1)", {"moved": lambda colours: colours}),
        ("reshape cuts memory into pieces; to move an axis use transpose(2, 0, 1)", {"moved": lambda colours: colours.reshape(3, *colours.shape[:2])}),
        ("rows and columns are swapped: transpose(2, 0, 1) keeps H before W", {"moved": lambda colours: colours.transpose(2, 1, 0)}),
        ("the axis of the batch is missing: [None] adds it in front", {"batch": lambda moved: moved}),
        ("the numbers go from 0 to 1, without a mean taken off", {"parts": lambda batch: batch / 127.5 - 1}),
        ("after transpose the last axis is W: turn the colours round before it, or as [:, ::-1] after it", {"colours": lambda image: image, "batch": lambda moved: moved[None, ..., ::-1]}),
        ("only whole numbers are left, that is 0 and, for white, 1: divide with /, and stay with floats", {"parts": lambda batch: batch // 255}),
    ],
    pinned=[(np.array([[[255, 0, 0]]], dtype=np.uint8),), (np.full((2, 2, 3), 255, dtype=np.uint8),)],
    draw=lambda rng: (rng.integers(0, 256, (*rng.integers(1, 5, 2), 3)).astype(np.uint8),),
    drawn=12,
    see=as_array,
    in_error="it takes one NumPy array of shape (H, W, 3)",
)  # fmt: skip

# ---------------------------------------------------------------- exercise 4
V2_BUDGET = 800_000


@exercise("V2 blocks everywhere, strides 4 8 16 32, and at most 800,000 parameters")
def my_v2(answer: object) -> None:
    """Check `my_v2()`: a small V2 detector for two classes that really builds."""
    from cnx_tutorial.teaching.checks.yolov8_yaml import built, rows_of

    expect_callable(answer, "function")
    d = call(answer, what="", likely="it takes no arguments and returns a dictionary")
    rows = [row for row in rows_of(d) if row[2] in ("ConvNeXtBlock", "ConvNeXt_Block")]
    others = [i for i, row in enumerate(d["backbone"]) if str(row[2]).startswith(("C2", "C3", "Bottleneck"))]
    if d["nc"] != 2:
        raise Mismatch("the number of classes is wrong", "nc: 2", f"nc: {d['nc']!r}"[:40], "set nc to 2: squares and discs")
    if not rows:
        raise Mismatch("no block is found", "ConvNeXtBlock rows", "none", "there is no ConvNeXtBlock row in the backbone")
    if others:
        got = f"{d['backbone'][others[0]][2]} in row {others[0]}"
        raise Mismatch("not every block is a ConvNeXtBlock", "ConvNeXtBlock", got, "a block of YOLO's is left in the backbone: all blocks there are V2 blocks")
    with_grn = [row[3][5] if isinstance(row[3], list) and len(row[3]) > 5 else d.get("grn", False) for row in rows]
    if not all(value is True for value in with_grn):
        got = f"{sum(v is True for v in with_grn)} of {len(rows)} rows"
        raise Mismatch("a block has no GRN", "grn in all of them", got, "not every block has GRN: set the key grn to True, and no False in a row")
    model = built(d, "build it yourself with DetectionModel(my_v2()); where a row was taken away, the numbers in the head change too")
    strides, parameters = [int(stride) for stride in model.stride], sum(p.numel() for p in model.parameters())
    if model.model[-1].nc != 2:
        raise Mismatch("Detect has another number of classes", "nc, or 2", str(model.model[-1].nc), "write Detect, [nc]: the row follows the key")
    if strides != [4, 8, 16, 32]:
        raise Mismatch("the strides are wrong", "[4, 8, 16, 32]", str(strides), "the maps that Detect reads have other strides: keep the strides of stem and downsampling rows")
    if parameters > V2_BUDGET:
        scale = d.get("scale") or next(iter(d.get("scales") or {}), "")
        likely = f"too large: make it narrower with the width of {scale} in scales; that is the scale which is built" if scale else "too large: make the rows narrower"
        raise Mismatch("it is too large", f"at most {V2_BUDGET:,} parameters", f"{parameters:,}", likely)
