"""Checkers of notebook 04: drop-path rates, the count of a whole network, foreign names, the widest network for a budget."""

import operator

from torchvision.models import convnext_tiny

from cnx_tutorial.nn.weight_names import translate
from cnx_tutorial.teaching.checks.asking import ask
from cnx_tutorial.teaching.checks.runner import exercise

EACH_STAGE = "the rate starts anew in each stage; it rises over all blocks of the network, stage after stage"
BY_STAGE = "all blocks of a stage have one rate; every block has its own"
N_STEPS = "the last block does not reach the last rate: between n blocks there are n - 1 steps"
FROM_ONE = "the first block is dropped too: number the blocks from 0, so that the first rate is 0"
CONSTANT = "every block has the last rate; it rises from 0"
FALLING = "the rates fall; the first block has 0, the last one the largest"
FLAT = "the rates are right, in one list: cut it into one list for each stage"
RATES = "none of the usual mistakes; depths (1, 1, 2, 1) and 0.4 give [[0.0], [0.1], [0.2, 0.3], [0.4]]"
RATES_CALL = "it takes depths and last; a network of one block has no steps to divide by"

NO_STEM = "the stem is missing: 3 * 16 weights and a bias for each channel, and a norm"
NO_STEM_NORM = "the stem's norm is missing: 2 for each of its channels"
NO_DOWNSAMPLES = "the downsampling layers are missing: a norm over a channels, 4ab weights and b biases"
NARROW_DOWNSAMPLE = "a downsampling layer's convolution has 4ab weights from a to b channels; 4aa are too few"
DOWNSAMPLE_NORM = "a downsampling layer's norm stands before the convolution, over a channels and not over b"
NO_GAMMA = "layer scale is missing: gamma has one number for each channel of a block, 58C in all and not 57C"
NO_HEAD = "the classifier is missing: a norm, a matrix and num_classes biases"
NO_HEAD_NORM = "the norm in front of the classifier is missing: 2 for each of the last channels"
NO_HEAD_BIAS = "the classifier's biases are missing: one for each class"
FIXED_CLASSES = "num_classes is not used: 1000 is only its default"
DOUBLED = "the widths of the later stages were taken from the first one; read them from dims"
PARAMETERS = "none of the usual mistakes; count the parts of section 3 one by one, and compare each with its table"
PARAMETERS_CALL = "it takes depths, dims and num_classes, and num_classes may be left out"

STAGE_SHIFTED = "the number of the stage is one too high: features.1 is stage 0, and // 2 rounds down"
DOWN_SHIFTED = "the number of the downsampling layer is one too high: features.2 is downsamples.0"
DOWN_ORDER = "a downsampling layer is norm, then convolution: its 0 is norm and its 1 is conv"
STEM_ORDER = "the stem is convolution, then norm: its 0 is conv and its 1 is norm"
GAMMA_NAME = "layer_scale is called gamma here"
PW_SWAPPED = "the two linear layers are swapped: block.3 widens and is pwconv1, block.5 narrows and is pwconv2"
HEAD_SWAPPED = "the classifier's 0 is the norm, its 2 the matrix: norm and head"
HEAD_KEPT = "the classifier's tensors are called norm and head, without a prefix"
RENAME = "none of the usual mistakes; take the parts of the name one by one, as the table of the exercise says"
RENAME_CALL = "it takes one name and must know all of them: stem, stages, downsampling layers, layer_scale, classifier"

OVER_BUDGET = "one step too far: the first width that no longer fits was returned"
STRICT = "a network that costs exactly the budget fits too: <=, not <"
NOT_BY_EIGHT = "the first width is a multiple of 8"
EVEN_DEPTHS = "the third stage has three times as many blocks as the others"
SAME_WIDTH = "the channels double from stage to stage"
NO_CLASSES = "the classifier counts too: it has 1000 classes, 2C + 1000C + 1000"
FIXED_DEPTH = "the depth argument is not used: 2 is only its default"
DIMS_FIRST = "the two are swapped: depths first, then dims"
WIDEST = "none of the usual mistakes; try widths 8, 16, 24, ... and print the parameters of each"
WIDEST_CALL = "it takes budget and depth, and depth may be left out; your parameters() must work first"


# ---------------------------------------------------------------- exercise 1
DEPTHS = (((1, 1, 2, 1), 0.4), ((3, 3, 9, 3), 0.1), ((2, 2, 6, 2), 0.3), ((1,), 0.5), ((2, 1), 0.0))


def _cut(rates: list[float], depths) -> list[list[float]]:
    rates = iter(rates)
    return [[next(rates) for _ in range(depth)] for depth in depths]


def _rates(depths, last):
    return _cut([last * i / max(sum(depths) - 1, 1) for i in range(sum(depths))], depths)


WRONG_RATES = {
    EACH_STAGE: lambda depths, last: [[last * i / max(depth - 1, 1) for i in range(depth)] for depth in depths],
    BY_STAGE: lambda depths, last: [[last * s / max(len(depths) - 1, 1)] * depth for s, depth in enumerate(depths)],
    N_STEPS: lambda depths, last: _cut([last * i / sum(depths) for i in range(sum(depths))], depths),
    FROM_ONE: lambda depths, last: _cut([last * (i + 1) / sum(depths) for i in range(sum(depths))], depths),
    CONSTANT: lambda depths, last: [[last] * depth for depth in depths],
    FALLING: lambda depths, last: _cut([rate for stage in _rates(depths, last) for rate in stage][::-1], depths),
    FLAT: lambda depths, last: [rate for stage in _rates(depths, last) for rate in stage],
}


@exercise("rates rise in equal steps over all blocks, for five networks")
def drop_path_rates(answer: object) -> None:
    """Check `drop_path_rates(depths, last)`: a list of rates for each stage."""
    ask(answer, DEPTHS, _rates, WRONG_RATES, RATES, arguments=RATES_CALL)


# ---------------------------------------------------------------- exercise 2
NETWORKS = (
    ((3, 3, 9, 3), (96, 192, 384, 768)),
    ((2, 2, 6, 2), (40, 80, 160, 320), 10),
    ((1, 2, 3, 4), (8, 24, 40, 48), 3),
    ((1, 1, 1, 1), (10, 10, 20, 20), 1),
)


def _parameters(depths, dims, num_classes=1000, *, without=(), down=None) -> int:
    down = down or (lambda a, b: 2 * a + 4 * a * b + b)
    parts = {
        "stem": 49 * dims[0],
        "stem norm": 2 * dims[0],
        "down": sum(down(a, b) for a, b in zip(dims, dims[1:], strict=False)),
        "blocks": sum(depth * (8 * c * c + 57 * c) for depth, c in zip(depths, dims, strict=True)),
        "gamma": sum(depth * c for depth, c in zip(depths, dims, strict=True)),
        "head norm": 2 * dims[-1],
        "head": dims[-1] * num_classes,
        "head bias": num_classes,
    }
    return sum(number for part, number in parts.items() if part not in without)


def _without(*parts):
    return lambda depths, dims, num_classes=1000: _parameters(depths, dims, num_classes, without=parts)


WRONG_PARAMETERS = {
    NO_STEM: _without("stem", "stem norm"),
    NO_STEM_NORM: _without("stem norm"),
    NO_DOWNSAMPLES: _without("down"),
    NARROW_DOWNSAMPLE: lambda d, c, n=1000: _parameters(d, c, n, down=lambda a, b: 2 * a + 4 * a * a + b),
    DOWNSAMPLE_NORM: lambda d, c, n=1000: _parameters(d, c, n, down=lambda a, b: 2 * b + 4 * a * b + b),
    NO_GAMMA: _without("gamma"),
    NO_HEAD: _without("head", "head norm", "head bias"),
    NO_HEAD_NORM: _without("head norm"),
    NO_HEAD_BIAS: _without("head bias"),
    FIXED_CLASSES: lambda d, c, n=1000: _parameters(d, c),
    DOUBLED: lambda d, c, n=1000: _parameters(d, [c[0] * 2**i for i in range(4)], n),
}


@exercise("the count of torch, for four networks, also where widths do not double")
def parameters(answer: object) -> None:
    """Check `parameters(depths, dims, num_classes=1000)`: all parameters of a ConvNeXt."""
    ask(answer, NETWORKS, _parameters, WRONG_PARAMETERS, PARAMETERS, arguments=PARAMETERS_CALL, tolerance=0.0)


# ---------------------------------------------------------------- exercise 3
def _translation() -> dict[str, str]:
    """torchvision's names and ours, from the library's own table."""
    theirs = convnext_tiny(num_classes=2).state_dict()
    return {given: ours for ours, (given, _) in translate(theirs, "torchvision")[1].items()}


def _rename(edit):
    return lambda name: edit(TRANSLATION[name], name)


def _number(text: str, place: int, change) -> str:
    parts = text.split(".")
    parts[place] = str(change(int(parts[place])))
    return ".".join(parts)


def _swap(text: str, a: str, b: str) -> str:
    return ".".join({a: b, b: a}.get(part, part) for part in text.split("."))


TRANSLATION = _translation()
WRONG_NAMES = {
    STAGE_SHIFTED: _rename(lambda ours, _: _number(ours, 1, lambda n: n + 1) if ours.startswith("stages") else ours),
    DOWN_SHIFTED: _rename(
        lambda ours, _: _number(ours, 1, lambda n: n + 1) if ours.startswith("downsamples") else ours
    ),
    DOWN_ORDER: _rename(lambda ours, _: _swap(ours, "norm", "conv") if ours.startswith("downsamples") else ours),
    STEM_ORDER: _rename(lambda ours, _: _swap(ours, "norm", "conv") if ours.startswith("stem") else ours),
    GAMMA_NAME: _rename(lambda ours, _: ours.replace("gamma", "layer_scale")),
    PW_SWAPPED: _rename(lambda ours, _: _swap(ours, "pwconv1", "pwconv2")),
    HEAD_SWAPPED: _rename(lambda ours, given: _swap(ours, "norm", "head") if given.startswith("classifier") else ours),
    HEAD_KEPT: _rename(lambda ours, given: f"classifier.{ours}" if given.startswith("classifier") else ours),
}


@exercise("all of torchvision's names of convnext_tiny, translated")
def rename(answer: object) -> None:
    """Check `rename(name)`: torchvision's name of a tensor into ours."""
    questions = [(name,) for name in TRANSLATION]
    ask(answer, questions, TRANSLATION.__getitem__, WRONG_NAMES, RENAME, arguments=RENAME_CALL)


# ---------------------------------------------------------------- exercise 4
def _widths(c: int) -> tuple[int, ...]:
    return (c, 2 * c, 4 * c, 8 * c)


def _widest(budget, depth=2, *, step=8, fits=operator.le, ratio=(1, 1, 3, 1), widths=_widths, count=_parameters):
    depths, c = tuple(depth * part for part in ratio), step
    while fits(count(depths, widths(c + step)), budget):
        c += step
    return depths, widths(c)


BUDGETS = (
    (4_000_000,),
    (_parameters((2, 2, 6, 2), _widths(48)),),
    (_parameters((2, 2, 6, 2), _widths(64)) - 1,),
    (12_000_000, 1),
    (30_000_000, 3),
)


def _one_too_far(budget, depth=2):
    depths, dims = _widest(budget, depth)
    return depths, _widths(dims[0] + 8)


WRONG_WIDEST = {
    OVER_BUDGET: _one_too_far,
    STRICT: lambda budget, depth=2: _widest(budget, depth, fits=operator.lt),
    NOT_BY_EIGHT: lambda budget, depth=2: _widest(budget, depth, step=1),
    EVEN_DEPTHS: lambda budget, depth=2: _widest(budget, depth, ratio=(1, 1, 1, 1)),
    SAME_WIDTH: lambda budget, depth=2: _widest(budget, depth, widths=lambda c: (c, c, c, c)),
    NO_CLASSES: lambda budget, depth=2: _widest(budget, depth, count=_without("head", "head norm", "head bias")),
    FIXED_DEPTH: lambda budget, depth=2: _widest(budget),
    DIMS_FIRST: lambda budget, depth=2: _widest(budget, depth)[::-1],
}


@exercise("the widest network within the budget, for four budgets")
def widest(answer: object) -> None:
    """Check `widest(budget, depth=2)`: depths and dims of the widest ConvNeXt that fits."""
    ask(answer, BUDGETS, _widest, WRONG_WIDEST, WIDEST, arguments=WIDEST_CALL)
