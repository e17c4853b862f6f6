"""Misconceptions of notebook 00: boxes counted by class, precision and recall, grid cells of the maps."""

import math

from cnx_tutorial.teaching.checks.engine import Steps, function


# ---------------------------------------------------------------- exercise 1
def count_cells(found, names, least, *, enough=lambda c, least: c >= least, zeros=True, key=lambda names, kind: names[kind], add=lambda before, c: before + 1):
    count = dict.fromkeys(names, 0) if zeros else {}
    for kind, confidence in found:
        if enough(confidence, least):
            name = key(names, kind)
            count[name] = add(count.get(name, 0), confidence)
    return count


def cells(rng):
    names = list(rng.permutation(["a", "b", "c", "d"])[: rng.integers(1, 5)])
    found = [(int(rng.integers(len(names))), float(rng.choice([0.1, 0.25, 0.5, 0.9]))) for _ in range(rng.integers(0, 8))]
    return found, [str(name) for name in names], float(rng.choice([0.25, 0.5]))


BLOOD = ["Platelets", "RBC", "WBC"]
counted = function(
    "counted",
    "how many boxes of each name have enough confidence",
    "boxes of each class, for lists of any length",
    right=count_cells,
    rows=[
        ("a confidence equal to least is enough: >=", {"enough": lambda c, least: c > least}),
        ("least is not used: count only those that are confident enough", {"enough": lambda c, least: True}),
        ("least is not used: 0.25 is used instead", {"enough": lambda c, least: c >= 0.25}),
        ("a class of which nothing was found has the number 0: every name is in the dictionary", {"zeros": False}),
        ("the keys are names, not numbers: names[kind]", lambda found, names, least: {i: sum(k == i and c >= least for k, c in found) for i in range(len(names))}),
        ("the keys are names, not numbers: names[kind]", {"zeros": False, "key": lambda names, kind: kind}),
        ("confidences were added up; count 1 for each box", {"add": lambda before, c: before + c}),
        ("= 1 replaces the count so far; += 1 adds to it", {"add": lambda before, c: 1}),
        ("the loop ends after its first box: return stands after the loop, not in it", lambda found, names, least: count_cells(found[:1], names, least)),
        ("the others were counted: those below least", {"enough": lambda c, least: c < least}),
        ("boxes of all classes were counted under each name", lambda found, names, least: dict.fromkeys(names, sum(c >= least for _, c in found))),
        ("the result is a dictionary, with the names as keys", lambda found, names, least: [sum(k == i and c >= least for k, c in found) for i in range(len(names))]),
        ("the names argument is not used: another detector has other classes", lambda found, names, least: {name: sum(k == i and c >= least for k, c in found) for i, name in enumerate(BLOOD)}),
        ("the names were taken in reverse order: class 0 is the first name", {"key": lambda names, kind: names[-1 - kind]}),
    ],
    pinned=[([], BLOOD, 0.5), ([(1, 0.9), (1, 0.5), (0, 0.4), (1, 0.3)], BLOOD, 0.5), ([(0, 0.25)], ["disc"], 0.25)],
    draw=cells,
    whole=True,
    in_error="it takes found, names and least, and found may be empty; a KeyError says that the key is not in the dictionary yet: begin with a 0 for every name, and turn the class into its name",
)  # fmt: skip

# ---------------------------------------------------------------- exercise 2
precision_recall = function(
    "precision_recall",
    "the share of boxes that are right, and the share of cells that were found",
    "precision and recall, also without boxes and without cells",
    right=Steps(
        "tp, fp, fn",
        boxes=lambda tp, fp: tp + fp,
        cells=lambda tp, fn: tp + fn,
        trusted=lambda tp: tp,
        none=lambda: 0.0,
        precision=lambda trusted, boxes, none: trusted / boxes if boxes else none,
        recall=lambda tp, cells, none: tp / cells if cells else none,
        result=lambda precision, recall: (precision, recall),
    ),
    rows=[
        ("the two are swapped: precision comes first; false positives are boxes, false negatives are cells", {"result": lambda precision, recall: (recall, precision)}),
        ("both were divided by the number of boxes; recall is a share of the cells: tp + fn", {"cells": lambda tp, fp: tp + fp}),
        ("both were divided by the number of cells; precision is a share of the boxes: tp + fp", {"boxes": lambda tp, fn: tp + fn}),
        ("both were divided by tp + fp + fn; precision asks for the boxes alone, and recall for the cells alone", {"boxes": lambda tp, fp, fn: tp + fp + fn, "cells": lambda tp, fp, fn: tp + fp + fn}),
        ("a share is divided by all of them: the boxes are tp + fp, the cells tp + fn", {"boxes": lambda fp: fp, "cells": lambda fn: fn}),
        ("those are the shares of the errors; precision and recall are the shares of the true positives", lambda tp, fp, fn: (fp / (tp + fp) if tp + fp else 0.0, fn / (tp + fn) if tp + fn else 0.0)),
        ("those are per cent; the exercise asks for shares between 0 and 1", {"result": lambda precision, recall: (100 * precision, 100 * recall)}),
        ("without boxes or without cells the exercise asks for 0.0, not for 1.0", {"none": lambda: 1.0}),
        ("only one number came back; return both: (precision, recall)", {"result": lambda precision: precision}),
        ("only one number came back; return both: (precision, recall)", {"result": lambda recall: recall}),
    ],
    pinned=[(2, 1, 2), (0, 0, 3), (0, 4, 0), (0, 0, 0), (5, 0, 0), (3, 1, 0)],
    draw=lambda rng: tuple(int(number) for number in rng.integers(0, 9, 3)),
    in_error="it takes tp, fp and fn; with no boxes (tp + fp = 0) or no cells (tp + fn = 0) there is nothing to divide by",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
grid_cells = function(
    "grid_cells",
    "grid cells of all maps together",
    "the grid cells of all maps, of square and other images, for any strides",
    right=Steps(
        "height, width, strides=(8, 16, 32)",
        rows=lambda height, strides: [height // s for s in strides],
        columns=lambda width, strides: [width // s for s in strides],
        each=lambda rows, columns: [r * c for r, c in zip(rows, columns, strict=True)],
        total=lambda each: sum(each),
    ),
    rows=[
        ("a map has rows and columns: multiply both, each divided by the stride", {"each": lambda rows: rows}),
        ("the image need not be square: rows come from the height and columns from the width", {"columns": lambda rows: rows}),
        ("the height is not used: a map has height / stride rows", lambda height, width, strides=(8, 16, 32): sum((width // s) ** 2 for s in strides)),
        ("the stride divides both sides, so the area by its square", {"each": lambda height, width, strides: [height * width // s for s in strides]}),
        ("that is the finest map alone; add up all of them", {"total": lambda each: each[0]}),
        ("that is the coarsest map alone: += adds a map, = replaces the sum so far", {"total": lambda each: each[-1]}),
        ("those are the grid cells of each map; the exercise asks for one number, their sum", {"total": lambda each: each}),
        ("rows and columns were added; multiply them", {"each": lambda rows, columns: [r + c for r, c in zip(rows, columns, strict=True)]}),
        ("a stride counts from the image: the side was divided again and again, by one stride after the other", {"each": lambda height, width, strides: [(height // math.prod(strides[: i + 1])) * (width // math.prod(strides[: i + 1])) for i in range(len(strides))]}),
        ("the strides argument is not used: 8, 16, 32 is only its default", lambda height, width, strides=(8, 16, 32): sum((height // s) * (width // s) for s in (8, 16, 32))),
    ],
    pinned=[(128, 256, (4, 8)), (320, 320), (64, 32), (640, 480), (96, 96, (32,))],
    draw=lambda rng: (32 * int(rng.integers(1, 12)), 32 * int(rng.integers(1, 12)), [(8, 16, 32), (4, 8, 16, 32), (16,), (4, 32)][rng.integers(4)]),
    whole=True,
    in_error="it takes height, width and strides, and strides may be left out",
)  # fmt: skip
