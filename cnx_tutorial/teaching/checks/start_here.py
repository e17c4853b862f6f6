"""Misconceptions of notebook 00: places of the maps, cells counted by class, a number's place in memory."""

import math

from cnx_tutorial.teaching.checks.engine import Steps, function

# ---------------------------------------------------------------- exercise 1
places_of = function(
    "places_of",
    "places of all maps together",
    "the places of all maps, of square and other images, for any strides",
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
        ("that is the coarsest map alone: += adds a map, = replaces what was there", {"total": lambda each: each[-1]}),
        ("those are the places of each map; asked is one number, their sum", {"total": lambda each: each}),
        ("rows and columns were added; multiply them", {"each": lambda rows, columns: [r + c for r, c in zip(rows, columns, strict=True)]}),
        ("a stride counts from the image: the side was divided again and again, by one stride after the other", {"each": lambda height, width, strides: [(height // math.prod(strides[: i + 1])) * (width // math.prod(strides[: i + 1])) for i in range(len(strides))]}),
        ("the strides argument is not used: 8, 16, 32 is only its default", lambda height, width, strides=(8, 16, 32): sum((height // s) * (width // s) for s in (8, 16, 32))),
    ],
    pinned=[(128, 256, (4, 8)), (320, 320), (64, 32), (640, 480), (96, 96, (32,))],
    draw=lambda rng: (32 * int(rng.integers(1, 12)), 32 * int(rng.integers(1, 12)), [(8, 16, 32), (4, 8, 16, 32), (16,), (4, 32)][rng.integers(4)]),
    whole=True,
    in_error="it takes height, width and strides, and strides may be left out",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 2
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
    "how many cells of each name were found with enough confidence",
    "cells of each class, for lists of any length",
    right=count_cells,
    rows=[
        ("a confidence equal to least is enough: >=", {"enough": lambda c, least: c > least}),
        ("least is not used: count only those that are confident enough", {"enough": lambda c, least: True}),
        ("least is not used: 0.25 stands in its place", {"enough": lambda c, least: c >= 0.25}),
        ("a class of which nothing was found has the number 0: every name is in the dictionary", {"zeros": False}),
        ("the keys are names, not numbers: names[kind]", lambda found, names, least: {i: sum(k == i and c >= least for k, c in found) for i in range(len(names))}),
        ("the keys are names, not numbers: names[kind]", {"zeros": False, "key": lambda names, kind: kind}),
        ("confidences were added up; count 1 for each cell", {"add": lambda before, c: before + c}),
        ("= 1 replaces the number that was there; += 1 adds to it", {"add": lambda before, c: 1}),
        ("the loop ends after its first cell: return stands behind the loop, not in it", lambda found, names, least: count_cells(found[:1], names, least)),
        ("the others were counted: those below least", {"enough": lambda c, least: c < least}),
        ("cells of all classes were counted under each name", lambda found, names, least: dict.fromkeys(names, sum(c >= least for _, c in found))),
        ("the result is a dictionary, with the names as keys", lambda found, names, least: [sum(k == i and c >= least for k, c in found) for i in range(len(names))]),
        ("the names argument is not used: another detector has other classes", lambda found, names, least: {name: sum(k == i and c >= least for k, c in found) for i, name in enumerate(BLOOD)}),
        ("classes were counted in the order of the names, turned round", {"key": lambda names, kind: names[-1 - kind]}),
    ],
    pinned=[([], BLOOD, 0.5), ([(1, 0.9), (1, 0.5), (0, 0.4), (1, 0.3)], BLOOD, 0.5), ([(0, 0.25)], ["disc"], 0.25)],
    draw=cells,
    whole=True,
    in_error="it takes found, names and least, and found may be empty; a KeyError says that the key is not there yet: begin with a 0 for every name, and turn the class into its name",
)  # fmt: skip

# ---------------------------------------------------------------- exercise 3
offset_of = function(
    "offset_of",
    "a number's position in a contiguous tensor of shape (N, C, H, W)",
    "the place in memory that PyTorch uses",
    right=Steps(
        "shape, n, c, h, w",
        plane=lambda shape, n, c: n * shape[1] + c,
        row=lambda plane, shape, h: plane * shape[2] + h,
        place=lambda row, shape, w: row * shape[3] + w,
    ),
    rows=[
        ("row and column are swapped: columns lie side by side", {"row": lambda plane, shape, w: plane * shape[3] + w, "place": lambda row, shape, h: row * shape[2] + h}),
        ("that is the order (N, H, W, C), with channels side by side; here columns are", lambda s, n, c, h, w: ((n * s[2] + h) * s[3] + w) * s[1] + c),
        ("the image's number is not used: each image has C * H * W numbers", {"plane": lambda c: c}),
        ("the channel is not used: each channel has H * W numbers", {"plane": lambda shape, n: n * shape[1]}),
        ("those are bytes, four for each number; asked is the number's position", {"place": lambda row, shape, w: 4 * (row * shape[3] + w)}),
        ("positions are counted from 0", {"place": lambda row, shape, w: row * shape[3] + w + 1}),
        ("a row has W numbers and a channel has H rows: H and W are swapped", {"row": lambda plane, shape, h: plane * shape[3] + h, "place": lambda row, shape, w: row * shape[2] + w}),
        ("between two images lie C channels, not N", {"plane": lambda shape, n, c: n * shape[0] + c}),
        ("there the first index moves fastest; in PyTorch it is the last, so that columns lie side by side", lambda s, n, c, h, w: n + s[0] * (c + s[1] * (h + s[2] * w))),
        ("each index was multiplied by the length of its own axis; its step is the product of the lengths behind it", lambda s, n, c, h, w: n * s[0] + c * s[1] + h * s[2] + w * s[3]),
        ("the indices were added; each has a step of its own: 1, W, H * W, C * H * W", lambda s, n, c, h, w: n + c + h + w),
    ],
    pinned=[((2, 3, 4, 5), 1, 2, 3, 4), ((2, 3, 4, 5), 0, 0, 0, 3)],
    draw=lambda rng: (shape := tuple(int(side) for side in rng.permutation([2, 3, 4, 5, 7])[:4]), *(int(rng.integers(side)) for side in shape)),
    whole=True,
    in_error="it takes shape and four indices",
)  # fmt: skip
