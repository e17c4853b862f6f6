"""Right and wrong answers to the exercises of notebook 04."""

import torch
from torch import nn

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import convnext as said

CHECKS = said


# ---------------------------------------------------------------- exercise 1: drop_path_rates
def cut(rates, depths):
    stages = []
    for depth in depths:
        stages.append(list(rates[:depth]))
        rates = rates[depth:]
    return stages


def by_linspace(depths, last):
    return [part.tolist() for part in torch.linspace(0, last, sum(depths), dtype=torch.float64).split(list(depths))]


def by_counter(depths, last):
    step, number, stages = last / max(sum(depths) - 1, 1), 0, []
    for depth in depths:
        stages.append(tuple(step * (number + i) for i in range(depth)))
        number += depth
    return stages


RATES_RIGHT = {"linspace": by_linspace, "counting": by_counter}
RATES_WRONG = {
    "anew in each stage": (
        lambda d, r: [torch.linspace(0, r, n, dtype=torch.float64).tolist() for n in d],
        said.EACH_STAGE,
    ),
    "one rate a stage": (lambda d, r: [[r * i / max(len(d) - 1, 1)] * n for i, n in enumerate(d)], said.BY_STAGE),
    "n steps": (lambda d, r: cut([r * i / sum(d) for i in range(sum(d))], d), said.N_STEPS),
    "from one on": (lambda d, r: cut([r * (i + 1) / sum(d) for i in range(sum(d))], d), said.FROM_ONE),
    "constant": (lambda d, r: [[r] * n for n in d], said.CONSTANT),
    "falling": (
        lambda d, r: cut(torch.linspace(r, 0, sum(d), dtype=torch.float64).tolist() if sum(d) > 1 else [0.0], d),
        said.FALLING,
    ),
    "one flat list": (lambda d, r: [r * i / max(sum(d) - 1, 1) for i in range(sum(d))], said.FLAT),
    "divides by nothing": (lambda d, r: cut([r * i / (sum(d) - 1) for i in range(sum(d))], d), said.RATES_CALL),
    "sums": (lambda d, r: [[sum(d) * r] for _ in d], said.RATES),
}


# ---------------------------------------------------------------- exercise 2: parameters
def by_building(depths, dims, num_classes=1000):
    with torch.device("meta"):
        return sum(p.numel() for p in cnx.ConvNeXt(depths, dims, num_classes=num_classes).parameters())


def by_formula(depths, dims, num_classes=1000):
    c = dims[-1]
    total = 51 * dims[0] + 2 * c + (c + 1) * num_classes
    total += sum(2 * a + (4 * a + 1) * b for a, b in zip(dims, dims[1:], strict=False))
    return total + sum(n * c * (8 * c + 58) for n, c in zip(depths, dims, strict=True))


def less(part):
    return lambda d, c, n=1000: by_formula(d, c, n) - part(d, c, n)


def norms_behind(d, c, n=1000):
    return by_formula(d, c, n) + sum(2 * b - 2 * a for a, b in zip(c, c[1:], strict=False))


PARAMETERS_RIGHT = {"built": by_building, "formula": by_formula}
PARAMETERS_WRONG = {
    "no stem": (less(lambda d, c, n: 51 * c[0]), said.NO_STEM),
    "no norm in the stem": (less(lambda d, c, n: 2 * c[0]), said.NO_STEM_NORM),
    "no downsampling": (
        less(lambda d, c, n: sum(2 * a + (4 * a + 1) * b for a, b in zip(c, c[1:], strict=False))),
        said.NO_DOWNSAMPLES,
    ),
    "4aa": (less(lambda d, c, n: sum(4 * a * (b - a) for a, b in zip(c, c[1:], strict=False))), said.NARROW_DOWNSAMPLE),
    "norm behind the convolution": (norms_behind, said.DOWNSAMPLE_NORM),
    "no gamma": (less(lambda d, c, n: sum(x * y for x, y in zip(d, c, strict=True))), said.NO_GAMMA),
    "no classifier": (less(lambda d, c, n: 2 * c[-1] + (c[-1] + 1) * n), said.NO_HEAD),
    "no last norm": (less(lambda d, c, n: 2 * c[-1]), said.NO_HEAD_NORM),
    "no biases of the classes": (less(lambda d, c, n: n), said.NO_HEAD_BIAS),
    "1000 classes always": (lambda d, c, n=1000: by_formula(d, c), said.FIXED_CLASSES),
    "widths from the first": (
        lambda d, c, n=1000: by_formula(d, (c[0], 2 * c[0], 4 * c[0], 8 * c[0]), n),
        said.DOUBLED,
    ),
    "one block a stage": (lambda d, c, n=1000: by_formula((1, 1, 1, 1), c, n), said.PARAMETERS),
    "no default": (lambda d, c, n: by_formula(d, c, n), said.PARAMETERS_CALL),
}


# ---------------------------------------------------------------- exercise 3: rename
BLOCK = {"0": "dwconv", "2": "norm", "3": "pwconv1", "5": "pwconv2"}


def renamer(
    *, stage=0, down=0, stem=("conv", "norm"), layer=("norm", "conv"), gamma="gamma", block=BLOCK, head=("norm", "head")
):
    def rename(name):
        parts = name.split(".")
        if parts[0] == "classifier":
            return f"{head[int(parts[1]) // 2]}.{parts[2]}"
        number = int(parts[1])
        if number == 0:
            return f"stem.{stem[int(parts[2])]}.{parts[3]}"
        if number % 2 == 0:
            return f"downsamples.{number // 2 - 1 + down}.{layer[int(parts[2])]}.{parts[3]}"
        place = f"stages.{number // 2 + stage}.{parts[2]}"
        return f"{place}.{gamma}" if parts[3] == "layer_scale" else f"{place}.{block[parts[4]]}.{parts[5]}"

    return rename


def by_replacing(name):
    name = name.replace("features.0.0", "stem.conv").replace("features.0.1", "stem.norm")
    for i in range(3):
        name = name.replace(f"features.{2 * i + 2}.0", f"downsamples.{i}.norm").replace(
            f"features.{2 * i + 2}.1", f"downsamples.{i}.conv"
        )
    for i in range(4):
        name = name.replace(f"features.{2 * i + 1}.", f"stages.{i}.")
    for number, part in BLOCK.items():
        name = name.replace(f"block.{number}", part)
    return name.replace("layer_scale", "gamma").replace("classifier.0", "norm").replace("classifier.2", "head")


RENAME_RIGHT = {"split": renamer(), "replaced": by_replacing}
RENAME_WRONG = {
    "stage one too high": (renamer(stage=1), said.STAGE_SHIFTED),
    "layer one too high": (renamer(down=1), said.DOWN_SHIFTED),
    "downsampling turned round": (renamer(layer=("conv", "norm")), said.DOWN_ORDER),
    "stem turned round": (renamer(stem=("norm", "conv")), said.STEM_ORDER),
    "layer_scale kept": (renamer(gamma="layer_scale"), said.GAMMA_NAME),
    "linear layers swapped": (renamer(block=BLOCK | {"3": "pwconv2", "5": "pwconv1"}), said.PW_SWAPPED),
    "classifier swapped": (renamer(head=("head", "norm")), said.HEAD_SWAPPED),
    "classifier kept": (renamer(head=("classifier.norm", "classifier.head")), said.HEAD_KEPT),
    "name as it is": (lambda name: name, said.RENAME),
    "only stages": (lambda name: f"stages.{int(name.split('.')[4])}", said.RENAME_CALL),
}


# ---------------------------------------------------------------- exercise 4: widest
def search(
    budget, depth=2, *, fits=lambda n, b: n <= b, step=8, ratio=(1, 1, 3, 1), wide=(1, 2, 4, 8), count=by_formula
):
    depths = tuple(depth * r for r in ratio)
    c = step
    while fits(count(depths, [(c + step) * w for w in wide]), budget):
        c += step
    return depths, [c * w for w in wide]


def too_far(budget, depth=2):
    depths, dims = search(budget, depth)
    return depths, [dim + 8 * w for dim, w in zip(dims, (1, 2, 4, 8), strict=True)]


WIDEST_RIGHT = {"search": search, "built": lambda budget, depth=2: search(budget, depth, count=by_building)}
WIDEST_WRONG = {
    "one too far": (too_far, said.OVER_BUDGET),
    "below, not at": (lambda b, depth=2: search(b, depth, fits=lambda n, b: n < b), said.STRICT),
    "any width": (lambda b, depth=2: search(b, depth, step=1), said.NOT_BY_EIGHT),
    "equal depths": (lambda b, depth=2: search(b, depth, ratio=(1, 1, 1, 1)), said.EVEN_DEPTHS),
    "equal widths": (lambda b, depth=2: search(b, depth, wide=(1, 1, 1, 1)), said.SAME_WIDTH),
    "without classifier": (
        lambda b, depth=2: search(b, depth, count=lambda d, c: by_formula(d, c, 0) - 2 * c[-1]),
        said.NO_CLASSES,
    ),
    "depth 2 always": (lambda b, depth=2: search(b), said.FIXED_DEPTH),
    "dims first": (lambda b, depth=2: search(b, depth)[::-1], said.DIMS_FIRST),
    "always atto": (lambda b, depth=2: ((2, 2, 6, 2), (40, 80, 160, 320)), said.WIDEST),
    "no default": (lambda b, depth: search(b, depth), said.WIDEST_CALL),
}

RIGHT = {
    check.drop_path_rates: RATES_RIGHT,
    check.parameters: PARAMETERS_RIGHT,
    check.rename: RENAME_RIGHT,
    check.widest: WIDEST_RIGHT,
}
WRONG = {
    check.drop_path_rates: RATES_WRONG,
    check.parameters: PARAMETERS_WRONG,
    check.rename: RENAME_WRONG,
    check.widest: WIDEST_WRONG,
}
NONSENSE = [lambda *a: [[object()]], lambda *a: {1: nn.ReLU}, lambda *a: ((0, 0), None)]
