"""Misconceptions of notebook 03: counting parameters and multiplications, the block, and a budget for two that see enough (drop path is in drop_path.py)."""

from itertools import permutations

import torch
import torch.nn.functional as F

from cnx_tutorial.teaching.checks.drop_path import numbers
from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.layer_engine import Case, layer
from cnx_tutorial.teaching.checks.runner import Mismatch, call

# ---------------------------------------------------------------- exercises 1 and 2: counting
DENSE = "the depthwise convolution was counted as a dense one: each kernel reads one channel, so k * k * C, not k * k * C * C"
LINE = "the window is a square: k * k weights for each channel, not k"
ONE_POINTWISE = "there are two 1x1 convolutions: one widens, the other narrows again"
SQUARE_HIDDEN = "a 1x1 convolution goes from C to expansion * C channels: expansion * C * C weights, not (expansion * C) squared"
COUNT = Steps(
    "dim, kernel_size=7, expansion=4",
    kernel=lambda dim, kernel_size: kernel_size**2 * dim,
    kernel_bias=lambda dim: dim,
    norm=lambda dim: 2 * dim,
    widen=lambda dim, expansion: expansion * dim * dim,
    wide_bias=lambda dim, expansion: expansion * dim,
    narrow=lambda dim, expansion: expansion * dim * dim,
    narrow_bias=lambda dim: dim,
    gamma=lambda dim: dim,
    total=lambda kernel, kernel_bias, norm, widen, wide_bias, narrow, narrow_bias, gamma: kernel + kernel_bias + norm + widen + wide_bias + narrow + narrow_bias + gamma,
)  # fmt: skip
NO = lambda: 0  # noqa: E731
NO_KERNEL = "the weights of the depthwise convolution are missing: k * k for each channel"
count_parameters = function(
    "count_parameters",
    "all parameters of a ConvNeXtBlock with layer scale",
    "every weight, bias, norm and gamma counted, as in the built block, for any kernel and expansion",
    right=COUNT,
    rows=[
        (DENSE, {"kernel": lambda dim, kernel_size: (kernel_size * dim) ** 2}),
        (LINE, {"kernel": lambda dim, kernel_size: kernel_size * dim}),
        ("the channels do not share one kernel: each of them has k * k weights of its own", {"kernel": lambda kernel_size: kernel_size**2}),
        (NO_KERNEL, {"kernel": NO}),
        (NO_KERNEL, {"kernel": NO, "kernel_bias": NO}),
        ("C too few: one of the parts with C numbers is missing (the bias of dwconv, half of the norm, gamma)", {"kernel_bias": NO}),
        ("2 * C too few: LayerNorm's weight and bias are missing, or two of the parts with C numbers each", {"norm": NO}),
        ("LayerNorm stands before the widening: it has 2 * C numbers, not 2 * expansion * C", {"norm": lambda dim, expansion: 2 * expansion * dim}),
        ("the biases of the first 1x1 convolution are missing: expansion * C numbers", {"wide_bias": NO}),
        ("the biases of the two 1x1 convolutions are missing: expansion * C and C numbers", {"wide_bias": NO, "narrow_bias": NO}),
        ("all biases of the convolutions are missing: C + expansion * C + C numbers", {"kernel_bias": NO, "wide_bias": NO, "narrow_bias": NO}),
        ("the first 1x1 convolution has expansion * C biases, one for each output, not C", {"wide_bias": lambda dim: dim}),
        ("the second 1x1 convolution has C biases, one for each output, not expansion * C", {"narrow_bias": lambda dim, expansion: expansion * dim}),
        ("the first 1x1 convolution has expansion * C biases; 4 * C holds for expansion 4 alone", {"wide_bias": lambda dim: 4 * dim}),
        ("the two 1x1 convolutions have 2 * expansion * C * C weights; 8 * C * C holds for expansion 4 alone", {"widen": lambda dim: 4 * dim * dim, "narrow": lambda dim: 4 * dim * dim}),
        ("only the weights of the convolutions were counted: biases, norm and gamma are missing", {"kernel_bias": NO, "norm": NO, "wide_bias": NO, "narrow_bias": NO, "gamma": NO}),
        (ONE_POINTWISE, {"narrow": NO}),
        (ONE_POINTWISE, {"narrow": NO, "narrow_bias": NO}),
        (ONE_POINTWISE, {"widen": NO, "wide_bias": NO}),
        (SQUARE_HIDDEN, {"widen": lambda dim, expansion: (expansion * dim) ** 2, "narrow": lambda dim, expansion: (expansion * dim) ** 2}),
        ("a 1x1 convolution has weights for each pair of channels: expansion * C * C, not expansion * C", {"widen": lambda dim, expansion: expansion * dim, "narrow": lambda dim, expansion: expansion * dim}),
    ],
    pinned=[(96, 7, 4), (96,), (10, 11, 3)],
    draw=lambda rng: (int(rng.integers(1, 200)), int(rng.choice([1, 3, 5, 7, 9, 11])), int(rng.integers(1, 9))),
    whole=True,
    alone={1: "where they are left out, kernel_size is 7 and expansion is 4: these are the defaults"},
    hint="compare your sum with section 4's table, part by part",
)  # fmt: skip

SIDES = "height and width differ: multiply by height * width"
macs = function(
    "macs",
    "multiply-adds of a block's three convolutions",
    "the multiply-adds of the three convolutions at every pixel, for any map, kernel and expansion",
    right=Steps(
        "dim, height, width, kernel_size=7, expansion=4",
        pixels=lambda height, width: height * width,
        window=lambda dim, kernel_size: kernel_size**2 * dim,
        linear=lambda dim, expansion: 2 * expansion * dim * dim,
        deep=lambda pixels, window: pixels * window,
        point=lambda pixels, linear: pixels * linear,
        total=lambda deep, point: deep + point,
    ),
    rows=[
        ("that is FLOPs: one multiply-add counts once here, not as two operations", {"total": lambda deep, point: 2 * (deep + point)}),
        (DENSE, {"window": lambda dim, kernel_size: (kernel_size * dim) ** 2}),
        (LINE, {"window": lambda dim, kernel_size: kernel_size * dim}),
        ("that is the cost of one pixel: each of the height * width pixels has it", {"pixels": lambda: 1}),
        (SIDES, {"pixels": lambda height: height**2}),
        (SIDES, {"pixels": lambda width: width**2}),
        (SIDES, {"pixels": lambda height: height}),
        (SIDES, {"pixels": lambda width: width}),
        *(("height * width multiplies only some of the terms; all three layers run at every pixel", changes) for changes in ({"point": lambda linear: linear}, {"deep": lambda window: window}, {"deep": lambda window: window, "point": lambda pixels, linear: (1 + pixels) * linear // 2})),
        ("padding keeps the size: the window stands at all height * width pixels", {"deep": lambda height, width, kernel_size, window: max(height - kernel_size + 1, 0) * max(width - kernel_size + 1, 0) * window}),
        ("biases were counted: adding one is no multiplication", {"total": lambda deep, point, pixels, dim, expansion: deep + point + pixels * (2 + expansion) * dim}),
        ("LayerNorm, GELU and gamma are left out of this count: only the three convolutions", {"total": lambda pixels, dim, kernel_size, expansion: pixels * COUNT(dim, kernel_size, expansion)}),
        (ONE_POINTWISE, {"linear": lambda dim, expansion: expansion * dim * dim}),
        (SQUARE_HIDDEN, {"linear": lambda dim, expansion: 2 * (expansion * dim) ** 2}),
        ("the depthwise convolution is missing: k * k multiply-adds for each channel and pixel", {"deep": lambda: 0}),
    ],
    pinned=[(96, 20, 12, 7, 4), (96, 56, 56), (64, 8, 30, 5, 4)],
    draw=lambda rng: (int(rng.integers(1, 100)), int(rng.integers(1, 40)), int(rng.integers(1, 40)), int(rng.choice([1, 3, 5, 7, 9])), int(rng.integers(1, 7))),
    whole=True,
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
def shapes(dim, *_, **__):
    tensors = {"dwconv.weight": (dim, 1, 7, 7), "dwconv.bias": (dim,), "norm.weight": (dim,), "norm.bias": (dim,)}
    tensors |= {"pwconv1.weight": (4 * dim, dim), "pwconv1.bias": (4 * dim,), "pwconv2.weight": (dim, 4 * dim), "pwconv2.bias": (dim,)}
    return {"gamma": (dim,)} | tensors


def last(x):
    return x.permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)


def norm(y, p, eps=1e-6):
    return F.layer_norm(y, p["norm.weight"].shape, p["norm.weight"], p["norm.bias"], eps)


def without(*names):
    return lambda want, *args: {name: shape for name, shape in want.items() if name not in names}


def other_shape(**shapes):
    return lambda want, dim, *args: want | {name.replace("_", ".", 1): shape(dim) for name, shape in shapes.items()}


GROUP_NORM = "that is GroupNorm(1), one mean for the whole image; LayerNorm takes one for each pixel"
NORM_LATE = "the norm came after the linear layers; it stands between dwconv and pwconv1"
ACT_LAST = "GELU came after the second 1x1 convolution; it stands between the two"
TWO_ACTS = "there is a second activation; a block has one GELU, between the two 1x1 convolutions"
GAMMA_EARLY = "gamma multiplied too early: it multiplies what pwconv2 returns"
OVERWRITTEN = "x was overwritten on the way, so that something else than the input was added: give the branch another name"
WRONG_BACK = "the last permute does not undo the first: permute(0, 3, 1, 2) brings (N, H, W, C) back"
NOT_LAST = "the channels are not the last axis when the norm gets them: permute(0, 2, 3, 1) before it"
NAMES = "the parts are called dwconv, norm, pwconv1, pwconv2 and gamma, so that weights can be copied into them"
BLOCK = Steps(
    "x, p, dim, drop_path=0.0, layer_scale=1e-6",
    deep=lambda x, p: F.conv2d(x, p["dwconv.weight"], p["dwconv.bias"], padding=3, groups=x.shape[1]),
    start=lambda: (0, 2, 3, 1),
    moved=lambda deep, start: deep.permute(start),
    normal=lambda moved, p: norm(moved, p),
    wide=lambda normal, p: F.linear(normal, p["pwconv1.weight"], p["pwconv1.bias"]),
    act=lambda wide: F.gelu(wide),
    mixed=lambda act, p: F.linear(act, p["pwconv2.weight"], p["pwconv2.bias"]),
    scaled=lambda mixed, p: p["gamma"] * mixed,
    back=lambda: (0, 3, 1, 2),
    branch=lambda scaled, back: scaled.permute(back),
    added=lambda x: x,
    result=lambda added, branch: added + branch,
)


def expect_start_and_drop_path(answer: type) -> None:
    """The first value of gamma, and what drop path does to the branch of each sample: x, or x and twice the branch."""

    def make(**options):
        return call(answer, 4, what=f"when made with {options}", likely=CALL, **options)

    for options, start in (({}, 1e-6), ({"layer_scale": 0.5}, 0.5)):
        gamma = make(**options).gamma.detach().double().cpu()
        if not torch.allclose(gamma, torch.full((4,), start, dtype=torch.float64), rtol=1e-3, atol=0):
            raise Mismatch(f"gamma made with {options} starts wrong", f"{start:g}", f"{gamma.flatten()[0].item():g}", "gamma starts at layer_scale in every channel")
    made, p = (make(drop_path=0.5, layer_scale=1.0).double(), {name: numbers(*shape, seed=i) for i, (name, shape) in enumerate(shapes(4).items())})
    made.load_state_dict(p)
    x, fault = numbers(64, 4, 3, 3, seed=7), "drop_path=0.5 does the wrong thing"
    branch = BLOCK(x, p, 4) - x
    if not torch.allclose(call(made.eval(), x, what="in eval(), with drop_path=0.5"), x + branch):
        raise Mismatch(f"{fault} in eval()", "x + branch", "something else", "the branch is dropped in eval() too: pass self.training on to drop path")
    runs = [call(made.train(), x, what="in train(), with drop_path=0.5") for _ in range(12)]
    skipped, doubled, plain, zeroed = ([(run - want).abs().flatten(1).amax(1).lt(1e-6).double().mean().item() for run in runs] for want in (x, x + 2 * branch, x + branch, 0 * x))
    whole = [a + b for a, b in zip(skipped, doubled, strict=True)]
    if min(whole) == 1 and 0.25 < sum(skipped) / len(runs) < 0.75 and any(0 < part < 1 for part in skipped):
        return
    left, likely = runs[0] - x, "in training a sample returns x, or x + branch / (1 - drop_path)"
    if min(plain) == 1:
        likely = "the drop_path argument is not used: in training no sample skips the branch"
    elif max(zeroed) > 0:
        likely = "drop path was applied to the sum: a dropped sample must return x, not zeros"
    elif min(whole) == 1 and all(part in (0, 1) for part in skipped) and 0 < sum(skipped) < len(runs):
        likely = "drop path kept or dropped the batch as a whole; each sample needs its own draw"
    elif max(plain) > 0:
        likely = "drop path does not divide what it keeps by 1 - drop_path"
    elif min(whole) < 1 and torch.minimum(left.abs(), (left - 2 * branch).abs()).max() < 1e-6:
        likely = "drop path dropped single numbers of a branch; it drops the branch of a sample as a whole"
    raise Mismatch(f"{fault} in train()", "x for about half of the samples, x + 2 * branch for the others", f"{skipped[0]:.0%} skipped, {doubled[0]:.0%} doubled in the first of 12 batches", likely)  # fmt: skip


CALL = "__init__ takes dim, drop_path=0.0 and layer_scale=1e-6, and calls super().__init__() before it makes the first layer"
block = layer(
    "block",
    "`MyBlock(dim, drop_path=0.0, layer_scale=1e-6)`, however it is written",
    "parts and their names, values, gradients, gamma's start, and drop path on the branch of each sample",
    right=BLOCK,
    rows=[
        ("the input is not added at the end: x + branch", {"result": lambda branch: branch}),
        ("the norm came before the depthwise convolution; here it stands after it", {"deep": lambda x, p: F.conv2d(norm(last(x), p).permute(0, 3, 1, 2), p["dwconv.weight"], p["dwconv.bias"], padding=3, groups=x.shape[1]), "normal": lambda moved: moved}),
        (NORM_LATE, {"normal": lambda moved: moved, "scaled": lambda mixed, p: p["gamma"] * norm(mixed, p)}),
        (NORM_LATE, {"normal": lambda moved: moved, "scaled": lambda mixed, p: norm(p["gamma"] * mixed, p)}),
        *((GROUP_NORM, {"normal": lambda deep, p, eps=eps: last(F.group_norm(deep, 1, p["norm.weight"], p["norm.bias"], eps))}) for eps in (1e-6, 1e-5)),
        ("the norm is made and not used", {"normal": lambda moved: moved}),
        ("the norm's eps is 1e-5, PyTorch's default; ConvNeXt uses 1e-6", {"normal": lambda moved, p: norm(moved, p, 1e-5)}),
        ("there is no GELU between the two 1x1 convolutions", {"act": lambda wide: wide}),
        ("that is ReLU; ConvNeXt uses GELU", {"act": lambda wide: F.relu(wide)}),
        ("that is SiLU; ConvNeXt uses GELU", {"act": lambda wide: F.silu(wide)}),
        ("that is the tanh approximation of GELU; the published weights were trained with the exact one", {"act": lambda wide: F.gelu(wide, approximate="tanh")}),
        (ACT_LAST, {"act": lambda wide: wide, "scaled": lambda mixed, p: p["gamma"] * F.gelu(mixed)}),
        (ACT_LAST, {"act": lambda wide: wide, "scaled": lambda mixed, p: F.gelu(p["gamma"] * mixed)}),
        ("GELU came before the first 1x1 convolution; it stands between the two", {"act": lambda wide: wide, "normal": lambda moved, p: F.gelu(norm(moved, p))}),
        (TWO_ACTS, {"scaled": lambda mixed, p: p["gamma"] * F.gelu(mixed)}),
        (TWO_ACTS, {"scaled": lambda mixed, p: F.gelu(p["gamma"] * mixed)}),
        (TWO_ACTS, {"normal": lambda moved, p: norm(F.gelu(moved), p)}),
        (TWO_ACTS, {"normal": lambda moved, p: F.gelu(norm(moved, p))}),
        (TWO_ACTS, {"result": lambda added, branch: F.gelu(added + branch)}),
        ("gamma is made and not used: it multiplies the branch", {"scaled": lambda mixed: mixed}),
        ("gamma multiplied the sum; it multiplies the branch alone, before x is added", {"scaled": lambda mixed: mixed, "result": lambda added, branch, p: p["gamma"][:, None, None] * (added + branch)}),
        ("gamma multiplied x; it multiplies the branch", {"scaled": lambda mixed: mixed, "added": lambda x, p: p["gamma"][:, None, None] * x}),
        (GAMMA_EARLY, {"scaled": lambda mixed: mixed, "normal": lambda moved, p: p["gamma"] * norm(moved, p)}),
        (GAMMA_EARLY, {"scaled": lambda mixed: mixed, "normal": lambda moved, p: norm(p["gamma"] * moved, p)}),
        (OVERWRITTEN, {"added": lambda branch: branch}),
        (OVERWRITTEN, {"added": lambda scaled: scaled}),
        (OVERWRITTEN, {"added": lambda deep: deep}),
        (OVERWRITTEN, {"added": lambda mixed: mixed.permute(0, 3, 1, 2)}),
        (OVERWRITTEN, {"added": lambda normal: normal.permute(0, 3, 1, 2)}),
        ("there are two sums, as in a Transformer: a block adds its input once, at the end, and not around the depthwise convolution too", {"moved": lambda deep, start, x: (x + deep).permute(start), "added": lambda x, deep: x + deep}),
        ("not permuted back to (N, C, H, W) before the sum", {"branch": lambda scaled: scaled}),
        ("not permuted back to (N, C, H, W) before the sum", {"branch": lambda scaled: scaled, "added": lambda x: last(x)}),
        ("reshape keeps the numbers in their order and so mixes channels with pixels: use permute", {"moved": lambda deep: deep.reshape(len(deep), *deep.shape[2:], deep.shape[1])}),
        ("reshape keeps the numbers in their order and so mixes channels with pixels: use permute", {"branch": lambda scaled, x: scaled.reshape(x.shape)}),
        ("reshape keeps the numbers in their order and so mixes channels with pixels: use permute", {"moved": lambda deep: deep.reshape(len(deep), *deep.shape[2:], deep.shape[1]), "branch": lambda scaled, x: scaled.reshape(x.shape)}),
        *((WRONG_BACK, {"back": lambda order=order: (0, *order)}) for order in permutations((1, 2, 3)) if order not in ((3, 1, 2), (1, 2, 3))),
        *((NOT_LAST, {"start": lambda order=order: (0, *order), "back": lambda back=back: (0, *back)}) for order in permutations((1, 2, 3)) for back in permutations((1, 2, 3)) if order[-1] != 1),
        ("gamma has one number per channel, (C,), and multiplies the last axis before the permute back", {"scaled": lambda mixed: mixed, "branch": lambda scaled, back, p: p["gamma"] * scaled.permute(back)}),
        *(("something in the branch is detached: x learns through the sum alone", changes) for changes in ({"deep": lambda x, p: F.conv2d(x.detach(), p["dwconv.weight"], p["dwconv.bias"], padding=3, groups=x.shape[1])}, {"moved": lambda deep, start: deep.detach().permute(start)}, {"result": lambda added, branch: added + branch.detach()})),
        ("the x that is added is detached: its gradient must flow through the sum, too", {"added": lambda x: x.detach()}),
    ],
    pinned=[Case((4,), (4, 4, 4, 4)), Case((4,), (2, 4, 5, 6)), Case((6,), (2, 6, 9, 8))],
    pairs=False,
    parameters=shapes,
    tables=[
        ("the 7x7 convolution is dense: say groups=dim", other_shape(dwconv_weight=lambda c: (c, c, 7, 7))),
        *(("the depthwise kernel is 7 x 7", other_shape(dwconv_weight=lambda c, k=k: (c, 1, k, k))) for k in (1, 3, 5, 9)),
        ("the depthwise convolution has a bias: leave bias=True", without("dwconv.bias")),
        *(("both linear layers have a bias: leave bias=True", without(*names)) for names in (("pwconv1.bias",), ("pwconv2.bias",), ("pwconv1.bias", "pwconv2.bias"))),
        *(("the norm has a weight and a bias, one number for each channel", without(*names)) for names in (("norm.weight",), ("norm.bias",), ("norm.weight", "norm.bias"))),
        ("the norm has 4 * C channels; it stands before pwconv1, where there are C", other_shape(norm_weight=lambda c: (4 * c,), norm_bias=lambda c: (4 * c,))),
        ("that is BatchNorm, with running statistics; ConvNeXt normalises each pixel by itself", lambda t, c, *_: {**t, "norm.running_mean": (c,), "norm.running_var": (c,), "norm.num_batches_tracked": ()}),
        ("write the 1x1 convolutions as nn.Linear, so that their weights have two axes", other_shape(pwconv1_weight=lambda c: (4 * c, c, 1, 1), pwconv2_weight=lambda c: (c, 4 * c, 1, 1))),
        *(("the bottleneck is inverted and four times as wide: nn.Linear(dim, 4 * dim), then back", other_shape(pwconv1_weight=lambda c, e=e: (int(e * c), c), pwconv1_bias=lambda c, e=e: (int(e * c),), pwconv2_weight=lambda c, e=e: (c, int(e * c)))) for e in (0.25, 0.5, 1, 2, 3, 8)),
        *(("gamma has one number per channel, (C,), and multiplies the last axis before the permute back", other_shape(gamma=shape)) for shape in (lambda c: (c, 1, 1), lambda c: (1, c, 1, 1), lambda c: (1,), lambda c: ())),
        ("the layer scale gamma is missing: one number for each channel", without("gamma")),
    ],
    in_making=CALL,
    in_error="read the last line of the error. If the kernel is too large, or two sizes differ by 6 or less, dwconv lacks padding=3. If it speaks of other shapes: they are (N, C, H, W) as far as dwconv, (N, H, W, C) from the norm to gamma, and (N, C, H, W) again before the sum. If it speaks of an attribute, forward must use the names that __init__ gave",
    also=[expect_start_and_drop_path],
)  # fmt: skip


# ---------------------------------------------------------------- exercise 5
def two(dim, k, e):
    return 2 * COUNT(dim, k, e)


def enough(dim, budget, field, *, cost=two, sees=lambda k: 2 * k - 1, start=1, step=2, last=10**6, least=2, widest=10**6, spend=True, room=0, kernel=lambda k: k, beyond=0, handed=lambda k, e: (k, e)):
    """The smallest kernel whose two windows reach over the field, then the widest expansion that the budget allows with it."""
    k, e = start, least
    while k < last and sees(k) < field:
        k += step
    while spend and e < widest and cost(dim, k, e + 1) <= budget - room:
        e += 1
    return handed(kernel(k), e + beyond)


def largest_kernel(dim, budget, field):
    k = 1
    while two(dim, k + 2, 2) <= budget:
        k += 2
    e = 2
    while two(dim, k, e + 1) <= budget:
        e += 1
    return k, e


def any_question(rng):
    """A field that a kernel just reaches, or misses by one or two, and what the pair costs, one less, or some more."""
    dim, k, e = int(rng.integers(2, 60)), int(rng.choice([1, 3, 5, 7, 9, 13])), int(rng.integers(2, 7))
    return dim, max(two(dim, k, e) + int(rng.choice([0, 0, -1, 7, 400])), two(dim, k, 2)), max(2 * k - 1 - int(rng.choice([0, 0, 1, 2, 3])), 1)


LATE = "the search starts with a kernel that is too large for a small field: start with 1"
EARLY = "the search ends too early for a large field: go on until the two blocks see it"
two_blocks = function(
    "two_blocks",
    "(kernel_size, expansion) of two equal blocks that see the field and spend the rest on channels",
    "the smallest kernel that sees the field, and the widest expansion within the budget, exact budgets too",
    right=enough,
    rows=[
        ("the two numbers are swapped: the kernel comes first", {"handed": lambda k, e: (e, k)}),
        ("that is the receptive field of the two blocks, 2 * k - 1; return the kernel size k", {"kernel": lambda k: 2 * k - 1}),
        ("the kernel is even: it has no centre, and the block refuses it", {"step": 1}),
        ("that is the field of one block; the second one sees k - 1 grid cells more, so that two see 2 * k - 1", {"sees": lambda k: k}),
        ("two blocks see 2 * k - 1 grid cells and not 2 * k: their windows share one", {"sees": lambda k: 2 * k}),
        ("two blocks see 2 * k - 1 grid cells and not 2 * k + 1", {"sees": lambda k: 2 * k + 1}),
        ("two blocks that see exactly the field are enough: 2 * k - 1 >= field", {"sees": lambda k: 2 * k - 2}),
        ("the kernel is larger than the field asks for: take the smallest that sees it, and spend the rest on channels", largest_kernel),
        ("the kernel is right; what it leaves over buys a wider expansion", {"spend": False}),
        ("the kernel is right; the expansion may be wider or narrower than the published 4: spend what is left over", {"spend": False, "least": 4}),
        ("that is what one block could spend: both together must fit the budget", {"cost": COUNT}),
        ("the count took a depthwise convolution for a dense one, k * k * C * C, so that little was left for the channels", {"cost": lambda c, k, e: 2 * (COUNT(c, k, e) + k * k * c * (c - 1))}),
        ("biases, norm and gamma were not counted, and they break the budget", {"cost": lambda c, k, e: 2 * (k * k * c + 2 * e * c * c)}),
        ("a pair that costs exactly the budget fits too: <=, not <", {"room": 1}),
        ("one step too far: a loop that tests a pair and then steps on ends at the first that does not fit", {"beyond": 1}),
        ("the search for the expansion starts too wide for a small budget: start with 2", {"least": 3}),
        ("the search for the expansion starts too wide for a small budget: start with 2", {"least": 4}),
        ("the expansion may go on as long as the pair fits; 4 is only the published one", {"widest": 4}),
        ("kernel 7 is the published one; the field decides which one is needed", {"start": 7, "last": 7}),
        *((LATE, {"start": start}) for start in (3, 5, 7, 9)),
        *((EARLY, {"last": end}) for end in (7, 9, 11, 13, 15, 17, 19, 21, 31)),
    ],
    pinned=[(16, 9_000, 10), (8, two(8, 9, 3), 17), (8, two(8, 9, 3), 16), (8, two(8, 11, 3) - 1, 18), (24, two(24, 13, 2), 25), (96, 200_000, 13), (4, two(4, 1, 4) + 10, 1), (4, two(4, 3, 5), 2), (3, two(3, 41, 3), 80), (6, two(6, 23, 5), 45)],
    draw=any_question,
    drawn=20,
    whole=True,
    hint="two blocks in a row see 2 * k - 1 grid cells along an axis; the smallest odd k that reaches over the field comes first, then the widest expansion for which the pair costs at most the budget",
)  # fmt: skip
