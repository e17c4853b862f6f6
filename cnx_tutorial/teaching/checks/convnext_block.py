"""Checkers of notebook 03: counting parameters and multiplications, drop path, the block, and a budget for two of them.

As before, a wrong answer is diagnosed by comparison: what the usual mistakes give is computed here too, and the one that
equals the learner's is named; where none does, the hint is one that holds whatever the learner wrote. Drop path is
random, so it is judged by what its draws have in common.
"""

import inspect
import numbers
import operator
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations, product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnx_tutorial.nn import ConvNeXtBlock
from cnx_tutorial.teaching.checks.runner import (
    Mismatch,
    NotAttempted,
    call,
    exercise,
    expect_callable,
    expect_tensor,
    expect_untouched,
)

DENSE = "the depthwise convolution was counted as a dense one: each kernel reads one channel, so k * k * C, not k * k * C * C"
NO_PW_BIAS = "the biases of the two 1x1 convolutions are missing: expansion * C and C numbers"
NO_BIASES = "all biases of the convolutions are missing: C + expansion * C + C numbers"
NARROW_BIAS = "the first 1x1 convolution has expansion * C biases, one for each output, not C"
NO_NORM = "2 * C too few: LayerNorm's weight and bias are missing, or two of the parts with C numbers each"
ONE_PART = "C too few: one of the parts with C numbers is missing (the bias of dwconv, half of the norm, gamma)"
WIDE_NORM = "LayerNorm stands before the widening: it has 2 * C numbers, not 2 * expansion * C"
ONE_POINTWISE = "there are two 1x1 convolutions: one widens, the other narrows again"
SQUARE_HIDDEN = (
    "a 1x1 convolution goes from C to expansion * C channels: expansion * C * C weights, not (expansion * C) squared"
)
FIXED_BOTH = "kernel_size and expansion change nothing here: the sums in section 4's table hold for 7 and 4 alone"
FIXED_KERNEL = "the kernel_size argument changes nothing here: it belongs where 7 * 7 gave the table its 49"
FIXED_EXPANSION = "the expansion argument changes nothing here: it belongs where the linear layers have their 4"
LINE_KERNEL = "the window is a square: k * k weights for each channel, not k"
FIXED_WEIGHTS = "the two 1x1 convolutions have 2 * expansion * C * C weights; 8 * C * C holds for expansion 4 alone"
FIXED_BIAS = "the first 1x1 convolution has expansion * C biases; 4 * C holds for expansion 4 alone"
NO_FIRST_BIAS = "the biases of the first 1x1 convolution are missing: expansion * C numbers"
WEIGHTS_ONLY = "only the weights of the convolutions were counted: biases, norm and gamma are missing"
NO_KERNEL = "the weights of the depthwise convolution are missing: k * k for each channel"
AS_TERMS = "compare that with section 4's table, part by part"
COUNT = "none of the usual mistakes; count layer by layer for C = 1, k = 1, expansion = 1: 2, 2, 2, 2 and 1"
DOUBLED = "that is FLOPs: one multiply-add counts once here, not as two operations"
ONE_PIXEL = "that is the cost of one pixel: each of the height * width pixels has it"
SQUARE_MAP = "height and width differ: multiply by height * width"
SOME_PIXELS = "height * width multiplies only some of the terms; all three layers run at every pixel"
BORDER_LOST = "padding keeps the size: the window stands at all height * width places"
BIASES_COUNTED = "biases were counted: adding one is no multiplication"
NORM_COUNTED = "LayerNorm, GELU and gamma are left out of this count: only the three convolutions"
NO_DEPTHWISE = "the depthwise convolution is missing: k * k multiply-adds for each channel and pixel"
MACS = "none of the usual mistakes; for C = 1, k = 1 and expansion = 1 a pixel costs 3 multiply-adds"
NUMBER_CALL = "it takes the arguments of the exercise in that order; those with a default may be left out"
LAST_LINE = "read the last line of the error"
EARLIER = {"count_parameters": 1, "macs": 2, "drop_path": 3}  # exercises that a later answer may call
TO_INTEGER = "counts are whole numbers: use * and //, not /"
ONE_NUMBER = "return one number, and nothing beside it"

PER_BATCH = "one draw decided for the whole batch; each sample needs a draw of its own: shape (N, 1, 1, ...)"
PER_ELEMENT = "single numbers were dropped (that is dropout); drop path keeps or drops a sample as a whole"
PER_CHANNEL = "whole channels were dropped; drop path keeps or drops a sample as a whole: shape (N, 1, 1, 1)"
NOT_RESCALED = "what is kept is not divided by 1 - drop_prob, so the mean sinks"
TIMES_KEEP = "what is kept was multiplied by 1 - drop_prob; divide by it, so that the mean stays"
OVER_PROB = "what is kept was divided by drop_prob; divide by the share that is kept, 1 - drop_prob"
SWAPPED_PROB = "drop_prob was taken as the probability to keep; the share that stays is 1 - drop_prob"
NEVER_DROPS = "nothing was dropped in training"
DROPS_ALWAYS = "samples were dropped outside training: return x as it is"
SCALED_IN_USE = "x was scaled outside training: the division in training already keeps the mean, so return x as it is"
TURNED_ROUND = "it drops outside training and not in training: training is True while the network learns"
EVERY_OTHER = "the same samples are dropped at every call: draw anew each time, and set no seed"
SAME_COUNT = "every call drops the same number of samples; with a draw of its own for each sample the number varies"
ONLY_IMAGES = "that works for four axes alone; give the draw one for each axis of x: (N, 1, ...) with x.ndim axes"
REMOVED = "samples were taken out of the batch; a dropped sample stays in its place, as zeros: multiply x by the draw"
ONLY_MASK = "the draw itself came back; x is to be multiplied by it"
SAME_SHAPE = "the result has the shape of x; a draw of shape (N, 1, ...) with x.ndim axes lines up with it"
WIDER_DTYPE = "a draw in float32 widens float16: give it x's dtype, as with dtype=x.dtype"
NO_PROB = "with drop_prob=0 nothing is dropped and nothing enlarged"
DETACHED = "a .detach() or .data stands in the way: the gradient of what is kept is 1 / (1 - drop_prob)"
DROP_PATH = "none of the usual mistakes; look at drop_path(torch.ones(8, 1), 0.5, True): zeros and twos"

BLOCK_CALL = "__init__ takes dim, drop_path=0.0 and layer_scale=1e-6"
NO_SUPER = "__init__ calls super().__init__() before it makes the first layer"
BLOCK_RUN = (
    "if the error speaks of shapes: they are (N, C, H, W) as far as dwconv, then permuted to (N, H, W, C), and back "
    "before the sum; else read its last line"
)
CUBE_ONLY = "it is right where N, C, H and W are equal: a size is in the code, or one axis is taken for another"
NO_ATTRIBUTE = "the error names what self does not have: forward must use the names that __init__ gave"
BLOCK_NAMES = "the parts are called dwconv, norm, pwconv1, pwconv2 and gamma, so that weights can be copied into them"
NOT_DEPTHWISE = "the 7x7 convolution is dense: say groups=dim"
WRONG_KERNEL = "the depthwise kernel is 7 x 7"
NO_CONV_BIAS = "the depthwise convolution has a bias: leave bias=True"
NO_LINEAR_BIAS = "both linear layers have a bias: leave bias=True"
NO_NORM_WEIGHT = "the norm has a weight and a bias, one number for each channel"
TOO_MANY = "beside its five parts a block has nothing with weights"
NORM_WIDE = "the norm has 4 * C channels; it stands before pwconv1, where there are C"
BATCH_NORM = "that is BatchNorm, with running statistics; ConvNeXt normalises each pixel by itself"
CONV_POINTWISE = "write the 1x1 convolutions as nn.Linear, so that their weights have two axes"
NOT_WIDENED = "the bottleneck is inverted and four times as wide: nn.Linear(dim, 4 * dim), then back"
GAMMA_SHAPE = "gamma has one number per channel, (C,), and multiplies the last axis before the permute back"
GAMMA_MISSING = "the layer scale gamma is missing: one number for each channel"
GAMMA_PLAIN = "gamma is no nn.Parameter: an optimiser would never see it"
GAMMA_START = "gamma starts at layer_scale in every channel"
NO_RESIDUAL = "the input is not added at the end: x + branch"
NORM_FIRST = "the norm came before the depthwise convolution; here it stands after it"
NORM_LATE = "the norm came after the linear layers; it stands between dwconv and pwconv1"
GROUP_NORM = "that is GroupNorm(1), one mean for the whole image; LayerNorm takes one for each pixel"
NO_NORM_RUN = "the norm is made and not used"
NO_ACT = "there is no GELU between the two 1x1 convolutions"
RELU = "that is ReLU; ConvNeXt uses GELU"
SILU = "that is SiLU; ConvNeXt uses GELU"
TANH_GELU = "that is the tanh approximation of GELU; the published weights were trained with the exact one"
ACT_LAST = "GELU came after the second 1x1 convolution; it stands between the two"
ACT_FIRST = "GELU came before the first 1x1 convolution; it stands between the two"
TWO_ACTS = "there is a second activation; a block has one GELU, between the two 1x1 convolutions"
NO_SCALE = "gamma is made and not used: it multiplies the branch"
SCALED_SUM = "gamma multiplied the sum; it multiplies the branch alone, before x is added"
GAMMA_ON_X = "gamma multiplied x; it multiplies the branch"
GAMMA_EARLY = "gamma multiplied too early: it multiplies what pwconv2 returns"
OVERWRITTEN = (
    "x was overwritten on the way, so that something else than the input was added: give the branch another name"
)
EPS_1E5 = "the norm's eps is 1e-5, PyTorch's default; ConvNeXt uses 1e-6"
NOT_BACK = "not permuted back to (N, C, H, W) before the sum"
NOT_LAST = "the channels are not the last axis when the norm gets them: permute(0, 2, 3, 1) before it"
WRONG_BACK = "the last permute does not undo the first: permute(0, 3, 1, 2) brings (N, H, W, C) back"
RESHAPED = "reshape keeps the numbers in their order and so mixes channels with pixels: use permute"
NO_PADDING = "the depthwise convolution needs padding 3, so that the map keeps its size and x can be added"
DROPPED_SUM = "drop path was applied to the sum: a dropped sample must return x, not zeros"
DROP_BATCH = "drop path kept or dropped the batch as a whole; each sample needs its own draw"
DROP_UNSCALED = "drop path does not divide what it keeps by 1 - drop_path"
NO_DROP = "the drop_path argument is not used: in training no sample skips the branch"
DROP_IN_USE = "the branch is dropped in eval() too: pass self.training on to drop path"
BRANCH_DETACHED = "something in the branch is detached: x learns through the sum alone"
SUM_DETACHED = "the x that is added is detached: its gradient must flow through the sum, too"
DROP_SINGLE = "drop path dropped single numbers of a branch; it drops the branch of a sample as a whole"
DROP_OTHER = "none of the usual mistakes; in training a sample returns x, or x + branch / (1 - drop_path)"
CUT = "something cuts the graph: .detach(), .data, .numpy() or torch.no_grad()"
GRADIENT = (
    "the values are right and the gradient is not: something was taken for a constant (.detach(), .data, .item())"
)
BLOCK_OTHER = (
    "none of the usual mistakes; load its state_dict() into a cnx.ConvNeXtBlock, and compare the two after each layer"
)

TWO_CALL = "it takes dim and budget, in that order"
PAIR = "return (kernel_size, expansion), two whole numbers"
PAIR_SWAPPED = "the two numbers are swapped: the kernel comes first"
FIELD_FOR_KERNEL = "that is the receptive field of the two blocks, 2 * k - 1; return the kernel size k"
EVEN = "the kernel is even: it has no centre, and the block refuses it"
TOO_NARROW = "an expansion below 2 is no inverted bottleneck"
ONE_BLOCK = "that is what one block could spend: both together must fit the budget"
HALF_SPENT = "the count took a depthwise convolution for a dense one, k * k * C * C, so the kernel stayed small"
SMALL_PARTS = "biases, norm and gamma were not counted, and they break the budget"
STRICT = "a pair that costs exactly the budget fits too: <=, not <"
WIDE_FIRST = "the parameters went into the expansion first; the kernel comes first here, since it alone sees further"
NOT_SPENT = "the kernel is right; what it leaves over buys a wider expansion"
PUBLISHED_WIDTH = "with expansion 4, as published, less is left for the kernel; 2 is allowed"
PUBLISHED_KERNEL = "kernel 7 is the published one; the budget allows another"
TOO_FAR = "one step too far: a loop that tests a pair and then steps on ends at the first that does not fit"
LARGE_START = "the search starts with a kernel that is too large for a small budget: start with 1"
OVER = "print 2 * count_parameters(dim, kernel_size, expansion) of what you return: it must stay within the budget"
UNDER = "a larger kernel fits: try the odd ones in turn with expansion 2"


# ---------------------------------------------------------------- what all exercises share
def _ask(answer: Callable, *args, what: str, arguments: str = "", likely: str = LAST_LINE, **options) -> object:
    """call(), which tells apart what the learner has not written: this exercise, or an earlier one that it calls.

    Args:
        arguments: what to say if the answer does not take these arguments.
    """
    if arguments and not _takes(answer, args, options):
        likely = arguments
    try:
        return call(answer, *args, what=what, likely=likely, **options)
    except NotAttempted as nothing:
        raised = nothing.__context__  # the NotImplementedError, if there was one
        stub = traceback.extract_tb(raised.__traceback__)[-1].name if raised else ""
        if stub not in EARLIER or stub == getattr(answer, "__name__", ""):
            raise
        likely = f"exercise {EARLIER[stub]} comes first: {stub} is not written yet"
        raise Mismatch(f"it stops in a call of {stub}", "a result", "NotImplementedError", likely) from None


def _takes(answer: Callable, args: tuple, options: dict) -> bool:
    try:
        inspect.signature(answer).bind(*args, **options)
    except TypeError:
        return False
    except Exception:  # no signature to look at
        return True
    return True


# ---------------------------------------------------------------- exercise 1
def _parts(dim: int, k: int, e: int) -> dict[str, int]:
    return {
        "kernel": k * k * dim,
        "dw_bias": dim,
        "norm": 2 * dim,
        "pwconv1": e * dim * dim,
        "bias1": e * dim,
        "pwconv2": e * dim * dim,
        "bias2": dim,
        "gamma": dim,
    }


def _count(dim: int, k: int, e: int, without: Sequence[str] = (), **changed: int) -> int:
    parts = _parts(dim, k, e) | changed
    return sum(number for name, number in parts.items() if name not in without)


WRONG_COUNTS: list[tuple[str, Callable[[int, int, int], int]]] = [
    (DENSE, lambda c, k, e: _count(c, k, e, kernel=k * k * c * c)),
    (LINE_KERNEL, lambda c, k, e: _count(c, k, e, kernel=k * c)),
    (ONE_PART, lambda c, k, e: _count(c, k, e, ["dw_bias"])),
    (NO_PW_BIAS, lambda c, k, e: _count(c, k, e, ["bias1", "bias2"])),
    (NO_FIRST_BIAS, lambda c, k, e: _count(c, k, e, ["bias1"])),
    (NO_BIASES, lambda c, k, e: _count(c, k, e, ["dw_bias", "bias1", "bias2"])),
    (NARROW_BIAS, lambda c, k, e: _count(c, k, e, bias1=c)),
    (FIXED_BIAS, lambda c, k, e: _count(c, k, e, bias1=4 * c)),
    (FIXED_WEIGHTS, lambda c, k, e: _count(c, k, e, pwconv1=4 * c * c, pwconv2=4 * c * c)),
    (NO_NORM, lambda c, k, e: _count(c, k, e, ["norm"])),
    (WIDE_NORM, lambda c, k, e: _count(c, k, e, norm=2 * e * c)),
    (WEIGHTS_ONLY, lambda c, k, e: k * k * c + 2 * e * c * c),
    (NO_KERNEL, lambda c, k, e: _count(c, k, e, ["kernel"])),
    (NO_KERNEL, lambda c, k, e: _count(c, k, e, ["kernel", "dw_bias"])),
    (ONE_POINTWISE, lambda c, k, e: _count(c, k, e, ["pwconv2"])),
    (ONE_POINTWISE, lambda c, k, e: _count(c, k, e, ["pwconv2", "bias2"])),
    (ONE_POINTWISE, lambda c, k, e: _count(c, k, e, ["pwconv1", "bias1"])),
    (ONE_POINTWISE, lambda c, k, e: _count(c, k, e, ["pwconv2", "bias1", "bias2"])),
    (SQUARE_HIDDEN, lambda c, k, e: _count(c, k, e, pwconv1=(e * c) ** 2, pwconv2=(e * c) ** 2)),
]
# dim, kernel_size, expansion; the second differs from the first in the kernel alone, the third in the expansion alone
BLOCKS = ((96, 7, 4), (96, 5, 4), (96, 7, 2), (64, 7, 2), (40, 3, 6), (10, 11, 3))


@exercise("every weight, bias, norm and gamma counted, as in the built block, for any kernel and expansion")
def count_parameters(answer: object) -> None:
    """Check `count_parameters(dim, kernel_size=7, expansion=4)`: all parameters of a ConvNeXtBlock with layer scale."""
    questions = [f"for dim={c}, kernel_size={k}, expansion={e}" for c, k, e in BLOCKS]
    _expect_numbers(answer, BLOCKS, questions, _count, WRONG_COUNTS, lambda got: _as_terms(got) or COUNT)
    _expect_defaults(answer, (96,), _count(96, 7, 4))


def _as_terms(got: Sequence[int]) -> str | None:
    """The learner's formula, if it is a sum of whole multiples of the four terms that occur in the right one."""
    if max(map(abs, got)) > 1e12:
        return None
    terms = torch.tensor([[k * k * c, c, e * c * c, e * c] for c, k, e in BLOCKS], dtype=torch.float64)
    values = torch.tensor(got, dtype=torch.float64)
    times = torch.linalg.lstsq(terms, values[:, None]).solution[:, 0].round()
    if not torch.equal(terms @ times, values):
        return None
    names = ("k * k * C", "C", "expansion * C * C", "expansion * C")
    return f"yours is {' + '.join(f'{n:.0f} {name}' for n, name in zip(times + 0.0, names, strict=True))}; {AS_TERMS}"


def _whole(value: object, what: str, want: int) -> int:
    """The value as an int; a float or anything else is refused, even where it is nearly right."""
    if type(value) is not bool:
        try:
            return operator.index(value)
        except TypeError:
            pass
    one = isinstance(value, (Tensor, np.ndarray)) and len(value.reshape(-1)) == 1
    likely = TO_INTEGER if one or isinstance(value, numbers.Real) else ONE_NUMBER
    shown = f" {value:g}" if isinstance(value, float) else ""
    raise Mismatch(f"this is no whole number {what}", f"{want:,}", f"{type(value).__name__}{shown}", likely)


def _expect_numbers(
    answer: object,
    cases: Sequence[tuple[int, ...]],
    questions: Sequence[str],
    formula: Callable[..., int],
    wrong: Sequence[tuple[str, Callable[..., int]]],
    otherwise: Callable[[list[int]], str],
) -> None:
    """All answers at once: the mistake that gives every one of them is named, and shown on the first wrong one."""
    expect_callable(answer, "function")
    want, got = [formula(*case) for case in cases], []
    for case, question, right in zip(cases, questions, want, strict=True):
        got.append(_whole(_ask(answer, *case, what=question, arguments=NUMBER_CALL), question, right))
    if got == want:
        return
    same = (mistake for mistake, mistaken in wrong if [mistaken(*case) for case in cases] == got)
    unused = {(True, True): FIXED_BOTH, (True, False): FIXED_KERNEL, (False, True): FIXED_EXPANSION}
    likely = next(same, None) or unused.get((got[0] == got[1], got[0] == got[2])) or otherwise(got)
    first = next(i for i in range(len(cases)) if got[i] != want[i])
    raise Mismatch(f"the count is wrong {questions[first]}", f"{want[first]:,}", f"{got[first]:,}", likely)


def _expect_defaults(answer: Callable, sizes: tuple[int, ...], want: int) -> None:
    where = "without kernel_size and expansion"
    got = _whole(_ask(answer, *sizes, what=where, arguments=NUMBER_CALL), where, want)
    if got != want:
        raise Mismatch("arguments left out give the wrong count", f"{want:,}", f"{got:,}", "the defaults are 7 and 4")


# ---------------------------------------------------------------- exercise 2
def _macs(c: int, h: int, w: int, k: int, e: int) -> int:
    return h * w * (k * k * c + 2 * e * c * c)


def _inside(h: int, w: int, k: int) -> int:
    return max(h - k + 1, 0) * max(w - k + 1, 0)


def _macs_on(*pixels: Callable[[int, int], int]) -> Callable[[int, int, int, int, int], int]:
    """The three layers, each at its own number of pixels."""
    return lambda c, h, w, k, e: sum(
        count(h, w) * macs for count, macs in zip(pixels, (k * k * c, e * c * c, e * c * c), strict=True)
    )


PIXELS = {  # right, and what people put in its place
    "height * width": lambda h, w: h * w,
    "one": lambda h, w: 1,
    "height squared": lambda h, w: h * h,
    "width squared": lambda h, w: w * w,
    "height": lambda h, w: h,
    "width": lambda h, w: w,
}


def _wrong_pixels() -> Iterator[tuple[str, Callable[[int, int, int, int, int], int]]]:
    for places in product(PIXELS, repeat=3):
        mistake = {("one",): ONE_PIXEL, ("height * width", "one"): SOME_PIXELS}.get(
            tuple(sorted({*places})), SQUARE_MAP
        )
        if {*places} != {"height * width"}:
            yield mistake, _macs_on(*(PIXELS[place] for place in places))


WRONG_MACS: list[tuple[str, Callable[[int, int, int, int, int], int]]] = [
    (DOUBLED, lambda c, h, w, k, e: 2 * _macs(c, h, w, k, e)),
    (DENSE, lambda c, h, w, k, e: h * w * (k * k * c * c + 2 * e * c * c)),
    (LINE_KERNEL, lambda c, h, w, k, e: h * w * (k * c + 2 * e * c * c)),
    (BORDER_LOST, lambda c, h, w, k, e: _inside(h, w, k) * k * k * c + h * w * 2 * e * c * c),
    (BIASES_COUNTED, lambda c, h, w, k, e: _macs(c, h, w, k, e) + h * w * (c + e * c + c)),
    (NORM_COUNTED, lambda c, h, w, k, e: h * w * _count(c, k, e)),
    (ONE_POINTWISE, lambda c, h, w, k, e: h * w * (k * k * c + e * c * c)),
    (SQUARE_HIDDEN, lambda c, h, w, k, e: h * w * (k * k * c + 2 * (e * c) ** 2)),
    (NO_DEPTHWISE, lambda c, h, w, k, e: h * w * 2 * e * c * c),
    *_wrong_pixels(),
]
# dim, height, width, kernel_size, expansion; the first three as in BLOCKS
MAPS = (
    (96, 20, 12, 7, 4),
    (96, 20, 12, 5, 4),
    (96, 20, 12, 7, 2),
    (96, 56, 56, 7, 4),
    (64, 8, 30, 5, 4),
    (40, 10, 12, 3, 6),
    (32, 16, 9, 9, 2),
)


@exercise("the multiply-adds of the three convolutions at every pixel, for any map, kernel and expansion")
def macs(answer: object) -> None:
    """Check `macs(dim, height, width, kernel_size=7, expansion=4)`: multiply-adds of a block's three convolutions."""
    questions = [f"for dim={c}, height={h}, width={w}, kernel_size={k}, expansion={e}" for c, h, w, k, e in MAPS]
    _expect_numbers(answer, MAPS, questions, _macs, WRONG_MACS, lambda got: MACS)
    _expect_defaults(answer, (96, 20, 12), _macs(96, 20, 12, 7, 4))


# ---------------------------------------------------------------- exercise 3
@exercise("a draw for each sample, the mean kept, nothing done outside training, any number of axes, gradients")
def drop_path(answer: object) -> None:
    """Check `drop_path(x, drop_prob, training)`: samples of x set to 0 or divided by 1 - drop_prob, in training."""
    expect_callable(answer, "function")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _examine_drop_path(answer)


def _examine_drop_path(answer: Callable) -> None:
    x = _numbers(400, 3, 2, 2).abs() + 1
    use, learn = "outside training", "in training, with drop_prob=0.2"
    before = x.clone()
    in_use = call(answer, x, 0.2, False, what=use)
    expect_untouched(x, before)
    _expect_same_kind(in_use, x, use)
    in_training = call(answer, x, 0.2, True, what=learn)
    expect_untouched(x, before)
    _expect_same_kind(in_training, x, learn)
    if not torch.equal(in_use, x):
        likely = DROPS_ALWAYS if (in_use == 0).any() else SCALED_IN_USE
        if torch.equal(in_training, x):
            likely = TURNED_ROUND
        raise Mismatch("x changes outside training", "x", "other numbers", likely)
    runs = [in_training, *(call(answer, x, 0.2, True, what=learn) for _ in range(15))]
    _expect_whole_samples([run / x for run in runs])
    _expect_share([run.flatten(1)[:, 0] != 0 for run in runs], keep=0.8)
    _expect_factor(torch.cat([run / x for run in runs]), keep=0.8)
    none = call(answer, x, 0.0, True, what="with drop_prob=0")
    _expect_values(none, x, where="with drop_prob=0 in training", otherwise=NO_PROB)
    for shape in ((400, 5), (400, 2, 3), (400, 2, 2, 2, 2)):
        other = _numbers(*shape).abs() + 1
        where = f"on a {shape} input in training"
        got = call(answer, other, 0.2, True, what=where, likely=ONLY_IMAGES)
        if not isinstance(got, Tensor) or got.shape != other.shape:
            got_shape = str(tuple(got.shape)) if isinstance(got, Tensor) else type(got).__name__
            raise Mismatch(f"the shape is wrong {where}", str(shape), got_shape, ONLY_IMAGES)
        ratio = (got / other).flatten(1)
        if not _constant(ratio):
            raise Mismatch(f"samples are not kept as a whole {where}", "one factor per sample", "several", ONLY_IMAGES)
    _expect_drop_gradient(answer, x)
    half = call(answer, x.half(), 0.2, True, what="on float16 in training")
    if half.dtype != torch.float16:
        raise Mismatch("the dtype changed on float16 in training", "torch.float16", str(half.dtype), WIDER_DTYPE)


def _expect_same_kind(got: object, x: Tensor, where: str) -> None:
    """A tensor of x's shape, device and dtype; its numbers are looked at elsewhere."""
    if isinstance(got, Tensor) and (got.shape, got.dtype, got.device) == (x.shape, x.dtype, x.device):
        return
    if isinstance(got, Tensor) and got.device == x.device:
        if got.any() and all(
            min(abs(value - factor) for factor in (0, 1, 1.25)) < 1e-6 for value in got.unique().tolist()
        ):
            raise Mismatch(f"x is not in the result {where}", "x, or parts of it", "zeros and ones", ONLY_MASK)
        if got.shape != x.shape:
            likely = REMOVED if got.shape[1:] == x.shape[1:] and len(got) < len(x) else SAME_SHAPE
            raise Mismatch(f"the shape is wrong {where}", str(tuple(x.shape)), str(tuple(got.shape)), likely)
    expect_tensor(got, x, where=where)


def _expect_values(
    got: object, want: Tensor, *, where: str, otherwise: str, wrong: Sequence[tuple[str, Tensor]] = ()
) -> None:
    """expect_tensor, with `otherwise` as its last word."""
    expect_tensor(got, want, where=where, wrong=[*wrong, (otherwise, got)])


def _constant(rows: Tensor) -> bool:
    return bool(((rows - rows[:, :1]).abs() < 1e-6).all())


def _expect_whole_samples(ratios: list[Tensor]) -> None:
    for ratio in ratios:
        if not _constant(ratio.flatten(1)):
            likely = PER_CHANNEL if _constant(ratio.flatten(2).flatten(0, 1)) else PER_ELEMENT
            raise Mismatch("samples are not kept as a whole", "one factor per sample", "several in one sample", likely)


def _expect_share(kept: list[Tensor], keep: float) -> None:
    """About 320 of 400 samples stay in each call, and not the same ones."""
    counts = [int(run.sum()) for run in kept]
    size, likely = len(kept[0]), None
    if all(count in (0, size) for count in counts):
        likely = NEVER_DROPS if min(counts) == size else PER_BATCH if max(counts) else DROP_PATH
    elif all(torch.equal(run, kept[0]) for run in kept):
        likely = EVERY_OTHER
    else:
        share = sum(counts) / (size * len(counts))
        if abs(share - keep) < 0.05 and len(set(counts)) > 1:
            return
        likely = SWAPPED_PROB if abs(share - (1 - keep)) < 0.05 else DROP_PATH
        likely = SAME_COUNT if abs(share - keep) < 0.05 else likely
    got = f"{counts[0]} in one call, {counts[1]} in the next"
    raise Mismatch("the wrong samples are kept", f"about {round(keep * size)} of {size}, others each time", got, likely)


def _expect_factor(ratio: Tensor, keep: float) -> None:
    kept = ratio[ratio != 0]
    factor = kept[(kept - 1 / keep).abs().argmax()].item()
    if abs(factor - 1 / keep) < 1e-6:
        return
    known = {NOT_RESCALED: 1.0, TIMES_KEEP: keep, OVER_PROB: 1 / (1 - keep)}
    likely = next((mistake for mistake, value in known.items() if abs(factor - value) < 1e-6), DROP_PATH)
    raise Mismatch("what is kept has the wrong size", f"{1 / keep:.4g} times x", f"{factor:.4g} times x", likely)


def _expect_drop_gradient(answer: Callable, x: Tensor) -> None:
    x = x.detach().clone().requires_grad_()
    got = call(answer, x, 0.2, True, what="when x requires a gradient")
    if not got.requires_grad:
        raise Mismatch("no gradient reaches x", "a gradient", "none", DETACHED)
    want = (got.detach() != 0).to(x.dtype) / 0.8
    (grad,) = torch.autograd.grad(got.sum(), x)
    if not torch.allclose(grad, want):
        raise Mismatch("the gradient of x is wrong", "1.25 where the sample is kept, else 0", "others", DETACHED)


def _numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------- exercise 4
def _shapes(dim: int) -> dict[str, tuple[int, ...]]:
    return {
        "gamma": (dim,),
        "dwconv.weight": (dim, 1, 7, 7),
        "dwconv.bias": (dim,),
        "norm.weight": (dim,),
        "norm.bias": (dim,),
        "pwconv1.weight": (4 * dim, dim),
        "pwconv1.bias": (4 * dim,),
        "pwconv2.weight": (dim, 4 * dim),
        "pwconv2.bias": (dim,),
    }


def _depthwise(x: Tensor, s: Mapping[str, Tensor]) -> Tensor:
    return F.conv2d(x, s["dwconv.weight"], s["dwconv.bias"], padding=3, groups=x.shape[1])


def _norm(y: Tensor, s: Mapping[str, Tensor], eps: float = 1e-6) -> Tensor:
    return F.layer_norm(y, s["norm.weight"].shape, s["norm.weight"], s["norm.bias"], eps)


def _mix(y: Tensor, s: Mapping[str, Tensor], act: Callable[[Tensor], Tensor] = F.gelu) -> Tensor:
    y = act(F.linear(y, s["pwconv1.weight"], s["pwconv1.bias"]))
    return F.linear(y, s["pwconv2.weight"], s["pwconv2.bias"])


def _last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)


def _first(y: Tensor) -> Tensor:
    return y.permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)


def _branch(x: Tensor, s: Mapping[str, Tensor]) -> Tensor:
    return _first(s["gamma"] * _mix(_norm(_last(_depthwise(x, s)), s), s))


def _wrong_blocks(x: Tensor, s: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    deep, gamma = _last(_depthwise(x, s)), s["gamma"]
    normal = _norm(deep, s)
    before = _last(_depthwise(_first(_norm(_last(x), s)), s))
    narrow = F.linear(normal, s["pwconv1.weight"], s["pwconv1.bias"])
    narrow = F.linear(narrow, s["pwconv2.weight"], s["pwconv2.bias"])
    mixed = _mix(normal, s)
    right = gamma * mixed
    wrong = [
        (NORM_FIRST, gamma * _mix(before, s)),
        (NORM_LATE, gamma * _norm(_mix(deep, s), s)),
        (NORM_LATE, _norm(gamma * _mix(deep, s), s)),
        *((GROUP_NORM, gamma * _mix(_group_norm(x, s, eps), s)) for eps in (1e-5, 1e-6)),
        (NO_NORM_RUN, gamma * _mix(deep, s)),
        (EPS_1E5, gamma * _mix(_norm(deep, s, 1e-5), s)),
        (NO_ACT, gamma * narrow),
        (ACT_FIRST, gamma * _mix(F.gelu(normal), s, lambda y: y)),
        (ACT_LAST, gamma * F.gelu(narrow)),
        (ACT_LAST, F.gelu(gamma * narrow)),
        (TWO_ACTS, gamma * F.gelu(mixed)),
        (TWO_ACTS, F.gelu(right)),
        (TWO_ACTS, gamma * _mix(_norm(F.gelu(deep), s), s)),
        (TWO_ACTS, gamma * _mix(F.gelu(normal), s)),
        (RELU, gamma * _mix(normal, s, F.relu)),
        (SILU, gamma * _mix(normal, s, F.silu)),
        (TANH_GELU, gamma * _mix(normal, s, lambda y: F.gelu(y, approximate="tanh"))),
        (NO_SCALE, mixed),
        (GAMMA_EARLY, _mix(gamma * normal, s)),
        (GAMMA_EARLY, _mix(_norm(gamma * deep, s), s)),
    ]
    wrong = [(mistake, x + _first(branch)) for mistake, branch in wrong]
    wrong += [(OVERWRITTEN, _first(added + right)) for added in (right, mixed, normal, deep)]
    wrong += [(NO_RESIDUAL, _first(right)), (SCALED_SUM, _first(gamma * (_last(x) + mixed)))]
    wrong += [(GAMMA_ON_X, _first(gamma * _last(x) + mixed))]
    wrong += [(NOT_BACK, right), (NOT_BACK, _last(x) + right), (TWO_ACTS, F.gelu(x + _first(right)))]
    return [*wrong, *_wrong_orders(x, s)]


def _group_norm(x: Tensor, s: Mapping[str, Tensor], eps: float) -> Tensor:
    return _last(F.group_norm(_depthwise(x, s), 1, s["norm.weight"], s["norm.bias"], eps))


def _wrong_orders(x: Tensor, s: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Axes in the wrong order, where their lengths let it pass: on a cube always, else where reshape hides it."""
    n, c, h, w = x.shape
    deep, cube = _depthwise(x, s), len({n, c, h, w}) == 1
    orders = [(0, *order) for order in permutations((1, 2, 3))]
    starts = [(NOT_LAST if order[-1] != 1 else "", deep.permute(order)) for order in orders]
    if cube:
        yield GAMMA_SHAPE, x + s["gamma"] * _first(_mix(_norm(_last(deep), s), s))
    else:
        starts.append((RESHAPED, deep.reshape(n, h, w, c)))
    for mistake, start in starts:
        if start.shape[-1] != c:
            continue
        branch = s["gamma"] * _mix(_norm(start, s), s)
        ends = [
            (mistake or (NOT_BACK if order == (0, 1, 2, 3) else WRONG_BACK), branch.permute(order)) for order in orders
        ]
        if not cube:
            ends.append((RESHAPED, branch.reshape(x.shape)))
        yield from ((named, x + end) for named, end in ends if end.shape == x.shape)


@exercise("parts and their names, values, gradients, gamma's start, and drop path on the branch of each sample")
def block(answer: object) -> None:
    """Check the class `MyBlock(dim, drop_path=0.0, layer_scale=1e-6)`, however it is written."""
    expect_callable(answer, "class")
    with torch.random.fork_rng(devices=[]):  # new layers draw their weights
        torch.manual_seed(0)
        _expect_block(answer)
        _expect_gamma_start(answer)
        _expect_drop_path(answer)


def _expect_block(answer: Callable) -> None:
    for dim, height, width in ((4, 5, 6), (6, 9, 8)):  # unequal: a wrong axis shows
        made = f"{answer.__name__}({dim})"
        layer = _make(answer, dim, made)
        _expect_parts(layer, dim, made)
        layer, s = layer.double(), {}
        for i, (name, shape) in enumerate(_shapes(dim).items()):
            s[name] = _numbers(*shape, seed=i) * (0.3 if name.endswith("conv.weight") else 1)
        layer.load_state_dict(s)
        x = _numbers(2, dim, height, width, seed=20)
        _expect_block_values(layer, x, s, f"of {made} on a {tuple(x.shape)} input")


def _make(answer: Callable, dim: int, made: str, **options) -> nn.Module:
    what = f"when made: {made}"
    try:
        return _ask(answer, dim, what=what, arguments=BLOCK_CALL, **options)
    except Mismatch as stopped:
        error = stopped.__cause__
        if isinstance(error, AttributeError) and "before Module.__init__" in str(error):
            raise Mismatch(f"it stops with an error {what}", "a layer", f"AttributeError: {error}", NO_SUPER) from error
        raise


def _expect_parts(layer: object, dim: int, made: str) -> None:
    if not isinstance(layer, nn.Module):
        raise Mismatch(
            "this is no layer", "a subclass of nn.Module", type(layer).__name__, "write class MyBlock(nn.Module)"
        )
    want = _shapes(dim)
    have = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    kernel = have.get("dwconv.weight", ())
    missing, more, likely = set(want) - set(have), set(have) - set(want), None
    if "norm.running_mean" in have:
        likely = BATCH_NORM
    elif missing == {"gamma"} and not more:
        likely = GAMMA_PLAIN if isinstance(getattr(layer, "gamma", None), Tensor) else GAMMA_MISSING
    elif "gamma" in have and "gamma" not in dict(layer.named_parameters()):
        likely = GAMMA_PLAIN
    elif missing == {"dwconv.bias"} and not more:
        likely = NO_CONV_BIAS
    elif missing and missing <= {"pwconv1.bias", "pwconv2.bias"} and not more:
        likely = NO_LINEAR_BIAS
    elif missing and missing <= {"norm.weight", "norm.bias"} and not more:
        likely = NO_NORM_WEIGHT
    elif missing:
        likely = BLOCK_NAMES
    elif more:
        likely = TOO_MANY
    elif kernel[:2] == (dim, dim) and dim > 1:
        likely = NOT_DEPTHWISE
    elif len(kernel) == 4 and kernel[2:] != (7, 7):
        likely = WRONG_KERNEL
    elif len(have["pwconv1.weight"]) == 4:
        likely = CONV_POINTWISE
    elif have["norm.weight"] == (4 * dim,):
        likely = NORM_WIDE
    elif have["pwconv1.weight"] != want["pwconv1.weight"] or have["pwconv2.weight"] != want["pwconv2.weight"]:
        likely = NOT_WIDENED
    elif have["gamma"] != want["gamma"]:
        likely = GAMMA_SHAPE
    elif have != want:
        likely = "a size is written into the code; take it from dim"
    if likely:
        wrong = next(
            (name for name in want if have.get(name) != want[name]), next(iter(set(have) - set(want)), "gamma")
        )
        got = f"{wrong} {have[wrong]}" if wrong in have else f"no {wrong}, but {', '.join(have) or 'nothing'}"
        if likely == GAMMA_PLAIN:
            got = "a plain tensor or a buffer"
        expected = f"{wrong} {want[wrong]}" if wrong in want else "the nine tensors of a block alone"
        raise Mismatch(f"the parameters of {made} are wrong", expected, got, likely)


def _expect_block_values(layer: nn.Module, x: Tensor, s: Mapping[str, Tensor], where: str) -> None:
    before = x.clone()
    weak = {**s, "dwconv.weight": 1e-3 * s["dwconv.weight"], "dwconv.bias": 1e-3 * s["dwconv.bias"]}
    for state, at in ((s, where), (weak, f"{where}, weak pixels")):  # weak pixels before the norm: eps shows
        layer.load_state_dict(state)
        got = _run(layer, x, state, at)
        expect_untouched(x, before)
        wrong = _wrong_blocks(x, state)
        if _shrinks(layer) and isinstance(got, Tensor) and got.shape != x.shape:
            wrong.insert(0, (NO_PADDING, got))
        _expect_values(got, x + _branch(x, state), where=at, wrong=wrong, otherwise=BLOCK_OTHER)
    layer.load_state_dict(s)
    x = before.requires_grad_()
    parameters = {name: value.clone().requires_grad_() for name, value in s.items()}
    good, mine = x + _branch(x, parameters), dict(layer.named_parameters())
    seed = _numbers(*good.shape, seed=5)
    want = torch.autograd.grad(good, [x, *parameters.values()], seed)
    inputs = [x, *(mine[name] for name in parameters)]
    got, grads = _ask(layer, x, what=where), [None] * len(inputs)
    if got.requires_grad:
        grads = torch.autograd.grad(got, inputs, seed, allow_unused=True)
    for name, target, grad in zip(["x", *parameters], want, grads, strict=True):
        if grad is None:
            raise Mismatch(f"no gradient reaches {name}", "a gradient", "none", CUT)
        wrong = [(BRANCH_DETACHED, seed), (SUM_DETACHED, want[0] - seed)] if name == "x" else []
        _expect_values(grad, target, where=f"in the gradient of {name}", wrong=wrong, otherwise=GRADIENT)


def _shrinks(layer: nn.Module) -> bool:
    return getattr(getattr(layer, "dwconv", None), "padding", "same") not in ((3, 3), 3, "same")


def _run(layer: nn.Module, x: Tensor, s: Mapping[str, Tensor], where: str) -> object:
    """layer(x); if it stops, a cube, in which no shape is wrong, shows what its mistake does."""
    try:
        return _ask(layer, x, what=where)
    except Mismatch as stopped:
        error = stopped.__cause__
        if error is None or not isinstance(error, (RuntimeError, AttributeError)):
            raise
        likely = NO_ATTRIBUTE if isinstance(error, AttributeError) else NO_PADDING if _shrinks(layer) else ""
        got = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"
        raise Mismatch(f"it stops with an error {where}", "a result", got, likely or _on_a_cube(layer, s)) from error


def _on_a_cube(layer: nn.Module, s: Mapping[str, Tensor]) -> str:
    cube = _numbers(*[len(s["gamma"])] * 4, seed=21)
    try:
        got = layer(cube.clone())
        known = [(CUBE_ONLY, cube + _branch(cube, s)), *_wrong_blocks(cube, s)]
        return next((said for said, value in known if torch.allclose(got, value, rtol=1e-7, atol=1e-7)), BLOCK_RUN)
    except Exception:
        return BLOCK_RUN


def _expect_gamma_start(answer: Callable) -> None:
    for options, start in (({}, 1e-6), ({"layer_scale": 0.5}, 0.5)):
        made = f"{answer.__name__}(4{''.join(f', {name}={value}' for name, value in options.items())})"
        gamma = _make(answer, 4, made, **options).gamma.detach()
        if not torch.allclose(gamma.double().cpu(), torch.full((4,), start, dtype=torch.float64), rtol=1e-3, atol=0):
            raise Mismatch(f"gamma of {made} starts wrong", f"{start:g}", f"{gamma.flatten()[0].item():g}", GAMMA_START)


def _expect_drop_path(answer: Callable) -> None:
    """256 samples in four batches: each returns x, or x and twice its branch."""
    options = dict(drop_path=0.5, layer_scale=1.0)
    layer = _make(answer, 4, f"{answer.__name__}(4, drop_path=0.5, layer_scale=1.0)", **options).double()
    s = {name: _numbers(*shape, seed=i) for i, (name, shape) in enumerate(_shapes(4).items())}
    layer.load_state_dict(s)
    x = _numbers(64, 4, 3, 3, seed=7)
    branch, fault = _branch(x, s), "drop_path=0.5 does the wrong thing"
    in_use = call(layer.eval(), x, what="in eval(), with drop_path=0.5")
    if not torch.allclose(in_use, x + branch):
        raise Mismatch(f"{fault} in eval()", "x + branch", "something else", DROP_IN_USE)
    runs = [call(layer.train(), x, what="in train(), with drop_path=0.5") for _ in range(12)]

    def share(want: Tensor) -> list[float]:
        return [(run - want).abs().flatten(1).amax(1).lt(1e-6).double().mean().item() for run in runs]

    skipped, doubled, plain, zeroed = share(x), share(x + 2 * branch), share(x + branch), share(torch.zeros_like(x))
    whole = [a + b for a, b in zip(skipped, doubled, strict=True)]
    if min(whole) == 1 and 0.25 < sum(skipped) / len(runs) < 0.75 and any(0 < part < 1 for part in skipped):
        return
    left, added = runs[0] - x, 2 * branch
    single = torch.minimum(left.abs(), (left - added).abs()).max() < 1e-6 and min(whole) < 1
    likely = DROP_SINGLE if single else DROP_OTHER
    if min(plain) == 1:
        likely = NO_DROP
    elif max(zeroed) > 0:
        likely = DROPPED_SUM
    elif min(whole) == 1 and all(part in (0, 1) for part in skipped) and 0 < sum(skipped) < len(runs):
        likely = DROP_BATCH
    elif max(plain) > 0:
        likely = DROP_UNSCALED
    got = f"{skipped[0]:.0%} skipped, {doubled[0]:.0%} doubled in the first of 12 batches"
    raise Mismatch(f"{fault} in train()", "x for about half of the samples, x + 2 * branch for the others", got, likely)


# ---------------------------------------------------------------- exercise 5
def _two(dim: int, k: int, e: int) -> int:
    return 2 * _count(dim, k, e)


def _best(
    dim: int, budget: int, cost: Callable[[int, int, int], int] = _two, least: int = 2, step: int = 2, start: int = 1
) -> tuple[int, int]:
    """The largest kernel that fits with the least expansion, then the widest expansion that fits with it."""
    k, e = start, least
    while cost(dim, k + step, least) <= budget:
        k += step
    while cost(dim, k, e + 1) <= budget:
        e += 1
    return k, e


def _wide_first(dim: int, budget: int) -> tuple[int, int]:
    e = 2
    while _two(dim, 1, e + 1) <= budget:
        e += 1
    k = 1
    while _two(dim, k + 2, e) <= budget:
        k += 2
    return k, e


def _largest_kernel(dim: int, budget: int, e: int) -> tuple[int, int]:
    return _best(dim, budget, cost=lambda c, k, wide: _two(c, k, e) if wide <= e else budget + 1, least=e)


def _widest(dim: int, budget: int, k: int) -> tuple[int, int]:
    e = 2
    while _two(dim, k, e + 1) <= budget:
        e += 1
    return k, e


BUDGETS = (  # dim, budget; two of them are met exactly, two missed by one
    (16, 9_000),
    (8, _two(8, 9, 3)),
    (24, _two(24, 13, 2)),
    (12, _two(12, 11, 4) - 1),
    (20, _two(20, 13, 2) - 1),
    (96, 200_000),
    (4, _two(4, 5, 4) + 10),  # two small ones, for searches that start with a large kernel
    (32, 9_500),
)
WRONG_PAIRS: list[tuple[str, Callable[[int, int], tuple[int, int]]]] = [
    (PAIR_SWAPPED, lambda c, b: _best(c, b)[::-1]),
    (FIELD_FOR_KERNEL, lambda c, b: (2 * _best(c, b)[0] - 1, _best(c, b)[1])),
    (EVEN, lambda c, b: _best(c, b, step=1)),
    (TOO_NARROW, lambda c, b: _best(c, b, least=1)),
    (ONE_BLOCK, lambda c, b: _best(c, b, cost=_count)),
    (HALF_SPENT, lambda c, b: _best(c, b, cost=lambda c, k, e: 2 * _count(c, k, e, kernel=k * k * c * c))),
    (SMALL_PARTS, lambda c, b: _best(c, b, cost=lambda c, k, e: 2 * (k * k * c + 2 * e * c * c))),
    (STRICT, lambda c, b: _best(c, b - 1)),
    (WIDE_FIRST, _wide_first),
    (NOT_SPENT, lambda c, b: (_best(c, b)[0], 2)),
    (PUBLISHED_WIDTH, lambda c, b: _largest_kernel(c, b, 4)),
    (PUBLISHED_KERNEL, lambda c, b: _widest(c, b, 7)),
    (TOO_FAR, lambda c, b: (_best(c, b)[0] + 2, 2)),
    (TOO_FAR, lambda c, b: (_best(c, b)[0], _best(c, b)[1] + 1)),
    *((LARGE_START, lambda c, b, start=start: _best(c, b, start=start)) for start in (5, 7, 9, 11)),
]


def _receptive_field(dim: int, k: int, e: int) -> int:
    """How many pixels in a row influence the centre of two blocks' output, measured by its gradient."""
    dim, e = min(dim, 4), min(e, 2)  # neither changes how far they see, and small blocks are measured in no time
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        blocks = nn.Sequential(*(ConvNeXtBlock(dim, k, e, layer_scale=1.0) for _ in range(2))).double()
    side = 2 * k + 3
    x = _numbers(1, dim, side, side).requires_grad_()
    (grad,) = torch.autograd.grad(blocks(x)[0, :, side // 2, side // 2].sum(), x)
    return int((grad != 0).any(1)[0].any(0).sum())


@exercise("within every budget, the largest receptive field, and what is left spent on the expansion")
def two_blocks(answer: object) -> None:
    """Check `two_blocks(dim, budget)`: (kernel_size, expansion) of two equal blocks, by what they cost and see."""
    expect_callable(answer, "function")
    got = []
    for dim, budget in BUDGETS:
        question = f"for dim={dim}, budget={budget:,}"
        pair = _ask(answer, dim, budget, what=question, arguments=TWO_CALL)
        try:
            assert isinstance(pair, (tuple, list, np.ndarray, Tensor))
            k, e = [operator.index(number) for number in pair if type(number) is not bool]
        except (AssertionError, TypeError, ValueError):
            raise Mismatch(
                f"this is no pair of whole numbers {question}", "(7, 4), say", repr(pair)[:40], PAIR
            ) from None
        got.append((k, e))
    mistake = next((m for m, wrong in WRONG_PAIRS if [wrong(*case) for case in BUDGETS] == got), None)
    for (dim, budget), (k, e) in zip(BUDGETS, got, strict=True):
        _expect_pair(dim, budget, k, e, mistake)


def _expect_pair(dim: int, budget: int, k: int, e: int, mistake: str | None) -> None:
    where, best = f"({k}, {e}) for dim={dim}, budget={budget:,}", _best(dim, budget)
    if (k, e) == best:
        return
    if k < 1 or k % 2 == 0:
        raise Mismatch(f"no block can be built with {where}", "an odd kernel size", f"{k}", mistake or EVEN)
    if e < 2:
        raise Mismatch(
            f"the block is not widened with {where}", "an expansion of 2 or more", f"{e}", mistake or TOO_NARROW
        )
    cost = _two(dim, k, e)
    if cost > budget:
        raise Mismatch(f"over the budget with {where}", f"at most {budget:,} parameters", f"{cost:,}", mistake or OVER)
    reach, possible = _receptive_field(dim, k, e), _receptive_field(dim, *best)
    if reach < possible:
        got = f"{reach} x {reach}, measured"
        raise Mismatch(f"more can be seen with {where}", f"{possible} x {possible} pixels", got, mistake or UNDER)
    raise Mismatch(f"parameters are left over with {where}", f"expansion {best[1]}", f"{e}", mistake or NOT_SPENT)
