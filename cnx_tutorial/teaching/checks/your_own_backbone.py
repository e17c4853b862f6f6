"""Misconceptions of notebook 10: tensors carried over, the way into a network, a backbone that beats a baseline."""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable, first_line

# ---------------------------------------------------------------- exercise 1
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
        ("those are tensors; the exercise asks for the numbers in them: the product of each shape", {"size": lambda: lambda shape: 1}),
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
        ("those are axes; the exercise asks for the numbers in the tensors: the product of each shape", {"size": lambda: len}),
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


# ---------------------------------------------------------------- exercise 2
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

# ---------------------------------------------------------------- exercise 3
BUDGET, GOAL = 50_000, 0.6
SIDE, STRIDE, STEPS, BATCH, RATE = 48, 8, 100, 32, 4e-3
IMAGE = (1, 3, SIDE, SIDE)


class Baseline(nn.Module):
    """What is to be beaten: patches of 8 x 8 pixels, one matrix for all, 12,352 parameters."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 64, STRIDE, STRIDE)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.patches(image)]


@functools.cache
def scenes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images with two shapes each, and for each cell of the stride-8 map: 0 nothing, 1 the centre of a square, 2 that of a disc."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    images = np.empty((count, 3, SIDE, SIDE), np.float32)
    cells = np.zeros((count, SIDE // STRIDE, SIDE // STRIDE), np.int64)
    for image, cell in zip(images, cells, strict=True):
        image[:] = rng.uniform(0.55, 0.8, (3, 1, 1)) + rng.normal(0, 0.03, image.shape)
        for _ in range(2):
            (cx, cy), r, kind = rng.uniform(9, SIDE - 9, 2), rng.uniform(6, 9), int(rng.integers(1, 3))
            square = np.maximum(abs(x - cx), abs(y - cy)) < r * 0.886  # as large in area as the disc
            image[:, np.hypot(x - cx, y - cy) < r if kind == 2 else square] = rng.uniform(0.05, 0.45, (3, 1))
            cell[int(cy) // STRIDE, int(cx) // STRIDE] = kind
    return torch.from_numpy(images), torch.from_numpy(cells)


def trained_score(net: nn.Module, channels: int) -> float:
    """Train net and a 1x1 convolution on its stride-8 map for 100 steps; F1 of the cells on 200 other images."""
    images, cells = scenes(512, seed=0)
    torch.manual_seed(0)
    head = nn.Conv2d(channels, 3, 1)
    head.bias.data = torch.tensor([3.0, 0.0, 0.0])  # most cells hold nothing
    optimizer = torch.optim.AdamW([*net.parameters(), *head.parameters()], lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    net.train()
    for _ in range(STEPS):
        some = torch.randint(len(images), (BATCH,))
        loss = F.cross_entropy(head(net(images[some])[0]), cells[some], weight=torch.tensor([0.3, 1.0, 1.0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    images, cells = scenes(200, seed=1)
    with torch.no_grad():
        said = head(net(images)[0]).argmax(1)
    right = ((said == cells) & (cells > 0)).sum()
    return float(2 * right / ((said > 0).sum() + (cells > 0).sum()))


@functools.cache
def baseline_score() -> float:
    torch.manual_seed(0)
    return trained_score(Baseline(), 64)


@exercise("the backbone beats the baseline on images that it has not seen", seconds=120)
def beat_baseline(answer: object) -> str:
    """Check `TinyBackbone`: a class that returns a list of maps, trained for 100 steps, has a higher F1 than the baseline by far."""
    from cnx_tutorial.yolo.backbone import Backbone

    expect_callable(answer, "class")
    if not issubclass(answer, nn.Module):
        raise Mismatch("this class is no layer", "a subclass of nn.Module", answer.__name__, "write class TinyBackbone(nn.Module)")
    torch.manual_seed(0)
    made = call(answer, what="where it is made", likely="a Backbone row makes it without arguments: give each one a default; and super().__init__() comes first")
    call(made, torch.zeros(IMAGE), what=f"on a {IMAGE} image", likely="print the shape after each layer: the channels that a layer reads are those that the one before it gives")
    expect_trainable(made)
    torch.manual_seed(0)
    try:
        net = Backbone(answer, False, 3, [STRIDE])
    except ValueError as error:
        likely = "the strides of all convolutions up to a map multiply: 2 * 2 * 2 = 8; pad a k x k convolution with k // 2"
        if "cannot read" in str(error):
            likely = "it works for one size of image only: no Flatten, and no Linear on the whole map"
        raise Mismatch("it gives no stride-8 map", "a list with a map of shape (N, C, H / 8, W / 8)", first_line(error), likely) from error
    score, weak = trained_score(net, net.channels[0]), baseline_score()
    if not score > GOAL:
        raise Mismatch("it does not beat the baseline by enough", f"an F1 above {GOAL}", f"{score:.2f}; the baseline has {weak:.2f}", why_weak(net))
    return f"F1 {score:.1f}, the baseline {weak:.1f}"


def expect_trainable(net: nn.Module) -> None:
    from cnx_tutorial.yolo.sources import as_list

    parameters = sum(p.numel() for p in net.parameters())
    lists = [name for layer in net.modules() for name, value in vars(layer).items() if isinstance(value, list | tuple) and any(isinstance(one, nn.Module) for one in value)]
    if lists:
        raise Mismatch(
            "PyTorch does not see all layers",
            "nn.Sequential or nn.ModuleList",
            f"a Python list, {lists[0]}",
            "layers in a Python list are not found by parameters(), and so are not trained: wrap the list in nn.ModuleList",
        )
    if not parameters:
        raise Mismatch("there is nothing to train", "layers with parameters", "none", "make layers such as nn.Conv2d in __init__, and call them in forward")
    if parameters > BUDGET:
        raise Mismatch(
            "it is too large", f"at most {BUDGET:,} parameters", f"{parameters:,}", "a k x k convolution has k * k * c1 * c2 weights: halve the channels of the last layers, or make one depthwise"
        )
    net.train()
    maps = [one for one in as_list(net(scenes(512, seed=0)[0][:4])) if isinstance(one, Tensor) and one.requires_grad]
    if maps:
        sum(one.square().sum() for one in maps).backward()
    without = [name for name, p in net.named_parameters() if p.grad is None]
    net.zero_grad(set_to_none=True)
    if without:
        raise Mismatch(
            "not every parameter gets a gradient",
            "0 without one",
            f"{len(without)} without, such as {without[0]}",
            "forward does not use it, or a detach(), a .data or a torch.no_grad() cuts the graph",
        )


def why_weak(net: nn.Module) -> str:
    """The most likely reason for a low score: it is linear, sees too little, or lacks normalisation."""
    net.eval()
    draw = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, *IMAGE, generator=draw)
    with torch.no_grad():
        one, other, both, none = (net(x)[0] for x in (a, b, a + b, torch.zeros(IMAGE)))
    if torch.allclose(one + other, both + none, atol=1e-4 * float(both.abs().max())):
        return "it is linear: without an activation such as nn.ReLU between them, several convolutions are one"
    image = a.clone().requires_grad_()
    seen = net(image)[0]
    seen[0, :, seen.shape[2] // 2, seen.shape[3] // 2].square().sum().backward()
    rows = int((image.grad[0].abs().sum((0, 2)) > 0).sum())
    if rows < 15:
        return f"a cell of its map sees {rows} rows of pixels, and a shape is 12 to 18 high: stack more 3x3 convolutions, or use larger kernels"
    return "it learns too slowly: put a BatchNorm2d behind each convolution, use 3x3 convolutions of stride 2, and more channels where the budget allows"
