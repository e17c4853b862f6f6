"""Misconceptions of notebook 04: drop-path rates, the count of a whole network, the widest one for a budget, foreign names."""

import operator

from cnx_tutorial.teaching.checks.engine import Steps, function


# ---------------------------------------------------------------- exercise 1
def cut(rates, depths):
    rates = iter(rates)
    return [[next(rates) for _ in range(depth)] for depth in depths]


drop_path_rates = function(
    "drop_path_rates",
    "a list of rates for each stage",
    "rates rise in equal steps over all blocks, for networks of any depth",
    right=Steps(
        "depths, last",
        count=lambda depths: sum(depths),
        gaps=lambda count: max(count - 1, 1),
        first=lambda: 0,
        rates=lambda count, gaps, first, last: [last * (i + first) / gaps for i in range(count)],
        stages=lambda rates, depths: cut(rates, depths),
    ),
    rows=[
        ("the rate starts anew in each stage; it rises over all blocks of the network, stage after stage", {"stages": lambda depths, last: [[last * i / max(depth - 1, 1) for i in range(depth)] for depth in depths]}),
        ("all blocks of a stage have one rate; every block has its own", {"stages": lambda depths, last: [[last * s / max(len(depths) - 1, 1)] * depth for s, depth in enumerate(depths)]}),
        ("the last block does not reach the last rate: between n blocks there are n - 1 steps", {"gaps": lambda count: count}),
        ("the first block is dropped too: number the blocks from 0, so that the first rate is 0", {"gaps": lambda count: count, "first": lambda: 1}),
        ("every block has the last rate; it rises from 0", {"rates": lambda count, last: [last] * count}),
        ("the rates fall; the first block has 0, the last one the largest", {"rates": lambda count, gaps, last: [last * i / gaps for i in range(count)][::-1]}),
        ("the rates are right, in one list: cut it into one list for each stage", {"stages": lambda rates: rates}),
        ("what is kept was given; a rate says how often a block is dropped", {"rates": lambda count, gaps, last: [1 - last * i / gaps for i in range(count)]}),
        ("a network of one block has no steps to divide by", {"gaps": lambda count: count - 1}),
    ],
    pinned=[((1, 1, 2, 1), 0.4), ((3, 3, 9, 3), 0.1), ((1,), 0.5), ((2, 1), 0.0)],
    draw=lambda rng: (tuple(int(depth) for depth in rng.integers(1, 6, rng.integers(1, 6))), float(rng.choice([0.1, 0.25, 0.4]))),
    in_error="it takes depths and last; a network of one block has no steps to divide by",
)  # fmt: skip

# ---------------------------------------------------------------- exercise 2
COUNT = Steps(
    "depths, dims, num_classes=1000",
    widths=lambda dims: dims,
    stem=lambda widths: 48 * widths[0] + widths[0],
    stem_norm=lambda widths: 2 * widths[0],
    down_norm=lambda widths: sum(2 * a for a in widths[:-1]),
    down=lambda widths: sum(4 * a * b + b for a, b in zip(widths, widths[1:], strict=False)),
    blocks=lambda depths, widths: sum(depth * (8 * c * c + 57 * c) for depth, c in zip(depths, widths, strict=True)),
    gamma=lambda depths, widths: sum(depth * c for depth, c in zip(depths, widths, strict=True)),
    head_norm=lambda widths: 2 * widths[-1],
    head=lambda widths, num_classes: widths[-1] * num_classes,
    head_bias=lambda num_classes: num_classes,
    total=lambda stem, stem_norm, down_norm, down, blocks, gamma, head_norm, head, head_bias: stem + stem_norm + down_norm + down + blocks + gamma + head_norm + head + head_bias,
)  # fmt: skip
NONE = {"head": lambda: 0, "head_norm": lambda: 0, "head_bias": lambda: 0}
parameters = function(
    "parameters",
    "all parameters of a ConvNeXt",
    "the count of torch, also where widths do not double",
    right=COUNT,
    rows=[
        ("the stem is missing: 3 * 16 weights and a bias for each channel, and a norm", {"stem": lambda: 0, "stem_norm": lambda: 0}),
        ("the stem's norm is missing: 2 for each of its channels", {"stem_norm": lambda: 0}),
        ("the stem's biases are missing: one for each of its channels", {"stem": lambda widths: 48 * widths[0]}),
        ("the downsampling layers are missing: a norm over a channels, 4ab weights and b biases", {"down": lambda: 0, "down_norm": lambda: 0}),
        ("the norms of the downsampling layers are missing: 2 for each of the a channels in front", {"down_norm": lambda: 0}),
        ("a downsampling layer's convolution has 4ab weights from a to b channels; 4aa are too few", {"down": lambda widths: sum(4 * a * a + b for a, b in zip(widths, widths[1:], strict=False))}),
        ("a downsampling layer's norm stands before the convolution, over a channels and not over b", {"down_norm": lambda widths: sum(2 * b for b in widths[1:])}),
        ("layer scale is missing: gamma has one number for each channel of a block, 58C in all and not 57C", {"gamma": lambda: 0}),
        ("the classifier is missing: a norm, a matrix and num_classes biases", NONE),
        ("the norm in front of the classifier is missing: 2 for each of the last channels", {"head_norm": lambda: 0}),
        ("the classifier's biases are missing: one for each class", {"head_bias": lambda: 0}),
        ("num_classes is not used: 1000 is only its default", {"head": lambda widths: 1000 * widths[-1], "head_bias": lambda: 1000}),
        ("the widths of the later stages were taken from the first one; read them from dims", {"widths": lambda dims: [dims[0] * 2**i for i in range(len(dims))]}),
        ("each stage was counted as one block: multiply by its depth", {"blocks": lambda widths: sum(8 * c * c + 57 * c for c in widths), "gamma": lambda widths: sum(widths)}),
    ],
    pinned=[((3, 3, 9, 3), (96, 192, 384, 768)), ((2, 2, 6, 2), (40, 80, 160, 320), 10), ((1, 2, 3, 4), (8, 24, 40, 48), 3), ((1, 1, 1, 1), (10, 10, 20, 20), 1)],
    draw=lambda rng: (tuple(int(depth) for depth in rng.integers(1, 6, 4)), tuple(int(dim) for dim in rng.integers(1, 60, 4)), int(rng.integers(1, 50))),
    whole=True,
    in_error="it takes depths, dims and num_classes, and num_classes may be left out",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
HEAD = {"0": "norm", "2": "head"}
PARTS = {"0": "dwconv", "2": "norm", "3": "pwconv1", "5": "pwconv2"}


def our_name(
    name, *, stage=lambda f: f // 2, down=lambda f: f // 2 - 1, pair=("norm", "conv"), stem=("conv", "norm"), gamma="gamma", parts=PARTS,
    head=HEAD, before="",
):  # fmt: skip
    first, number, *rest = name.split(".")
    if first == "classifier":
        return f"{before}{head[number]}.{rest[-1]}"
    f = int(number)
    if f == 0:
        return f"stem.{stem[int(rest[0])]}.{rest[1]}"
    if f % 2 == 0:
        return f"downsamples.{down(f)}.{pair[int(rest[0])]}.{rest[1]}"
    block, kind, *last = rest
    return f"stages.{stage(f)}.{block}." + (gamma if kind == "layer_scale" else f"{parts[last[0]]}.{last[1]}")


def torchvision_names(depths):
    names = [f"features.0.{i}" for i in (0, 1)] + [f"features.{f}.{i}" for f in (2, 4, 6) for i in (0, 1)] + ["classifier.0", "classifier.2"]
    blocks = [f"features.{2 * s + 1}.{i}" for s, depth in enumerate(depths) for i in range(depth)]
    names += [f"{block}.block.{i}" for block in blocks for i in PARTS]
    return [f"{name}.{last}" for name in names for last in ("weight", "bias")] + [f"{block}.layer_scale" for block in blocks]


rename = function(
    "rename",
    "torchvision's name of a tensor as ours",
    "all of torchvision's names of convnext_tiny and convnext_base, translated",
    right=our_name,
    rows=[
        ("the number of the stage is one too high: features.1 is stage 0, and // 2 rounds down", {"stage": lambda f: f // 2 + 1}),
        ("the number of the stage was kept; stages and downsampling layers stand in turn: features.1, .3, .5, .7 are stages 0 to 3", {"stage": lambda f: f}),
        ("the number of the downsampling layer is one too high: features.2 is downsamples.0", {"down": lambda f: f // 2}),
        ("a downsampling layer is norm, then convolution: its 0 is norm and its 1 is conv", {"pair": ("conv", "norm")}),
        ("the stem is convolution, then norm: its 0 is conv and its 1 is norm", {"stem": ("norm", "conv")}),
        ("layer_scale is called gamma here", {"gamma": "layer_scale"}),
        ("the two linear layers are swapped: block.3 widens and is pwconv1, block.5 narrows and is pwconv2", {"parts": {**PARTS, "3": "pwconv2", "5": "pwconv1"}}),
        ("the classifier's 0 is the norm, its 2 the matrix: norm and head", {"head": {"0": "head", "2": "norm"}}),
        ("the classifier's tensors are called norm and head, without a prefix", {"before": "classifier."}),
    ],
    pinned=[(name,) for name in dict.fromkeys([*torchvision_names((3, 3, 9, 3)), *torchvision_names((3, 3, 27, 3))])],
    in_error="it takes one name and must know all of them: stem, stages, downsampling layers, layer_scale, classifier",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
def doubled(c):
    return c, 2 * c, 4 * c, 8 * c


def widest_within(budget, depth=2, *, step=8, start=8, last=10**6, fits=operator.le, ratio=(1, 1, 3, 1), widths=doubled, count=COUNT, beyond=0, handed=lambda depths, dims: (depths, dims)):
    depths, c = tuple(depth * part for part in ratio), start
    while c < last and fits(count(depths, widths(c + step)), budget):
        c += step
    return handed(depths, widths(c + beyond))


def budget(rng):
    """As much as a network costs, one parameter less, or anything between; from the narrowest network on."""
    depth = int(rng.integers(1, 5))
    cost = COUNT((depth, depth, 3 * depth, depth), doubled(8 * int(rng.integers(1, 25))))
    return max(cost - int(rng.choice([0, 0, 1, 5000])), COUNT((depth, depth, 3 * depth, depth), doubled(8))), depth


widest = function(
    "widest",
    "depths and dims of the widest ConvNeXt that fits",
    "the widest network within the budget, small budgets and exact ones too",
    right=widest_within,
    rows=[
        ("one step too far: the first width that no longer fits was returned", {"beyond": 8}),
        ("one step too few: the last width that fits is wanted", lambda budget, depth=2: widest_within(budget, depth, beyond=-8)),
        ("a network that costs exactly the budget fits too: <=, not <", {"fits": operator.lt}),
        ("the first width is a multiple of 8", {"step": 1}),
        ("the search starts too wide for a small budget: begin with 8", {"start": 40}),
        ("the search ends too early for a large budget: go on as long as the network fits", {"last": 192}),
        ("the third stage has three times as many blocks as the others", {"ratio": (1, 1, 1, 1)}),
        ("the channels double from stage to stage", {"widths": lambda c: (c, c, c, c)}),
        ("the classifier counts too: it has 1000 classes, 2C + 1000C + 1000", {"count": COUNT.changed(**NONE)}),
        ("the depth argument is not used: 2 is only its default", lambda budget, depth=2: widest_within(budget)),
        ("the two are swapped: depths first, then dims", {"handed": lambda depths, dims: (dims, depths)}),
    ],
    pinned=[(4_000_000,), (12_000_000, 1), (30_000_000, 3), (COUNT((2, 2, 6, 2), doubled(48)),), (COUNT((2, 2, 6, 2), doubled(64)) - 1,), (COUNT((2, 2, 6, 2), doubled(8)),), (COUNT((1, 1, 3, 1), doubled(224)), 1)],
    draw=budget,
    drawn=8,
    whole=True,
    in_error="it takes budget and depth, and depth may be left out; count a network with parts(depths, c) of section 4",
)  # fmt: skip
