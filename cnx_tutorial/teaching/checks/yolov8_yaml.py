"""Checkers of notebook 05: scaled channels, who reads what, a YAML to repair, a YAML of one's own.

Ultralytics is imported where a model is built, not before: the notebooks before this one do without it.
"""

import copy
import math

import torch

from cnx_tutorial.teaching.checks.asking import ask
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable

NO_LIMIT = "max_channels is not used: it limits c before the width is applied"
LIMIT_LAST = "the limit was applied after the width; parse_model limits first"
ROUNDED = "rounded to the nearest multiple of 8; parse_model rounds up"
ROUNDED_DOWN = "rounded down to a multiple of 8; parse_model rounds up"
NO_EIGHT = "not rounded to a multiple of 8"
ROUNDED_FIRST = "c was rounded to a multiple of 8 before the width was applied; round last"
CHANNELS = "none of the usual mistakes; 8 * ceil(min(c, max_channels) * width / 8)"
CHANNELS_CALL = "it takes c, width and max_channels, and needs math.ceil or its like"

C2_GIVEN = "those are the channels that each row gives; asked are those that it reads"
IMAGE_LOST = "row 0 reads the image, which has 3 channels"
CONCAT_FIRST = "Concat reads all rows of its list: add their channels up, not only the first ones"
CONCAT_LAST = "Concat hands on the sum of what it reads; its argument 1 is the axis, not a number of channels"
UPSAMPLE_NONE = "Upsample hands on the channels that it reads"
ALWAYS_BEFORE = "every row was taken to read the row before it; look at its `from`"
RELATIVE = "a `from` that is not -1 is an index of a row, counted from 0, and not a distance"
FROM_ONE = "rows are counted from 0, so that index 4 is the fifth row"
ROWS = "none of the usual mistakes; write the output channels of each row beside it, and look them up"
ROWS_CALL = "from is one number or a list of numbers; rows hold [from, repeats, module, arguments]"

ROW_PUT_BACK = "the C2f row was put back; the backbone with one row less is wanted"
NAME_LEFT = "a mistyped name is left: parse_model knows C2f, and no C2F"
BLOCK_LEFT = "a ConvNeXtBlock still has other channels than the row before it: a block keeps its channels"
BEFORE_CHANGED = "the row in front of the block was changed; change the block, which must keep its channels"
CONCAT_LEFT = "Concat rows still point one row too far: their positive numbers go down by one"
DETECT_LEFT = "Detect still points one row too far: its three numbers go down by one"
MINUS_CHANGED = "a -1 was lowered too: it means the row before, wherever that is"
SHIFTED_TWICE = "the numbers went down by two: one row is missing, not two"
NOT_A_YAML = "return the dictionary itself, with backbone and head: d, or a copy of it"
REPAIR = "compare your rows with YOLOv8's, one by one: only what the exercise names may differ"
REPAIR_CALL = "d holds lists of rows under backbone and head; row[0] may be a number or a list"

OWN_CALL = "it takes no arguments and returns a dictionary"
OWN_KEYS = "return a dictionary with nc, backbone and head, as yaml_model_load gives it"
OWN_CLASSES = "set nc to 3: blood cells have three classes"
OWN_BUILD = "build it yourself with attempt(my_yaml()) and read the error's last part"
OWN_BLOCKS = "put ConvNeXtBlock rows into the backbone: at least one is wanted"
OWN_DETECT = "the last row of the head is Detect, with the three rows that it reads"
OWN_ORDER = "Detect reads its maps from fine to coarse: strides 8, 16, 32 in this order"
OWN_STRIDES = "the maps that Detect reads have other strides: multiply the strides of the rows that lead to them"
OWN_BUDGET = "too large: make it narrower with the width in scales, or take blocks or neck channels away"
BUDGET = 2_000_000


# ---------------------------------------------------------------- exercise 1
def _channels(c, width, max_channels):
    return math.ceil(min(c, max_channels) * width / 8) * 8


CHANNEL_QUESTIONS = (
    (64, 0.25, 1024),
    (100, 0.25, 1024),
    (1024, 0.75, 768),
    (96, 0.33, 768),
    (1024, 1.25, 512),
    (68, 0.75, 512),
    (84, 0.5, 1024),
)
WRONG_CHANNELS = {
    NO_LIMIT: lambda c, w, m: math.ceil(c * w / 8) * 8,
    LIMIT_LAST: lambda c, w, m: min(math.ceil(c * w / 8) * 8, m),
    ROUNDED: lambda c, w, m: round(min(c, m) * w / 8) * 8,
    ROUNDED_DOWN: lambda c, w, m: int(min(c, m) * w // 8) * 8,
    NO_EIGHT: lambda c, w, m: int(min(c, m) * w),
    ROUNDED_FIRST: lambda c, w, m: math.ceil(min(c, m) / 8) * 8 * w,
}


@exercise("the channels of parse_model, for seven rows")
def scaled_channels(answer: object) -> None:
    """Check `scaled_channels(c, width, max_channels)`: a row's channels at a scale."""
    ask(answer, CHANNEL_QUESTIONS, _channels, WRONG_CHANNELS, CHANNELS, arguments=CHANNELS_CALL)


# ---------------------------------------------------------------- exercise 2
def _read(rows, *, image=3, join=sum, concat=None, upsample=None, look=lambda out, i, j: out[j], given=False):
    out, read = [], []
    for i, (source, _, name, arguments) in enumerate(rows):
        sources = source if isinstance(source, list) else [source]
        c1 = join([image if not out else look(out, i, j) for j in sources])
        read.append(c1)
        keeps = concat if name == "Concat" else upsample if name == "nn.Upsample" else arguments[0]
        out.append(c1 if keeps is None else keeps)
    return out if given else read


SMALL = (
    [
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "Conv", [32, 3, 2]],
        [-1, 2, "C2f", [24]],
        [-1, 1, "ConvNeXtDownsample", [64, 2, 2]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 2], 1, "Concat", [1]],
        [-1, 1, "C2f", [40]],
        [[-1, 1, 5], 1, "Concat", [1]],
        [2, 1, "Conv", [8, 1, 1]],
        [-1, 1, "Conv", [8, 1, 1]],
    ],
)
SHORT = (
    [
        [-1, 1, "ConvNeXtStem", [48, 4, 4]],
        [-1, 3, "ConvNeXtBlock", [48]],
        [1, 1, "Conv", [56, 1, 1]],
        [[-1, 1], 1, "Concat", [1]],
    ],
)
WRONG_READ = {
    C2_GIVEN: lambda rows: _read(rows, given=True),
    IMAGE_LOST: lambda rows: _read(rows, image=0),
    CONCAT_FIRST: lambda rows: _read(rows, join=lambda c: c[0]),
    CONCAT_LAST: lambda rows: _read(rows, concat=1),
    UPSAMPLE_NONE: lambda rows: _read(rows, upsample=0),
    ALWAYS_BEFORE: lambda rows: _read([[-1, *row[1:]] for row in rows]),
    RELATIVE: lambda rows: _read(rows, look=lambda out, i, j: out[-1] if j == -1 else out[max(i - j, 0)]),
    FROM_ONE: lambda rows: _read(rows, look=lambda out, i, j: out[-1] if j == -1 else out[max(j - 1, 0)]),
}


@exercise("the channels that each row reads, for two lists of rows")
def c1_of_rows(answer: object) -> None:
    """Check `c1_of_rows(rows)`: the input channels of each row."""
    ask(answer, (SMALL, SHORT), _read, WRONG_READ, ROWS, arguments=ROWS_CALL)


# ---------------------------------------------------------------- exercise 3
def _stock() -> dict:
    from cnx_tutorial.yolo.parser import yaml_model_load

    return yaml_model_load("yolov8n.yaml")


def _repaired() -> dict:
    """YOLOv8 without row 2, with a ConvNeXtBlock in the place of a C2f, and every number right."""
    d = _stock()
    del d["backbone"][2]
    d["backbone"][3] = [-1, 2, "ConvNeXtBlock", [256]]
    for row in d["head"]:
        if isinstance(row[0], list):
            row[0] = [j - 1 if j > 0 else j for j in row[0]]
    return d


def broken() -> dict:
    """The YAML to repair, a fresh one at each call."""
    d, right = _stock(), _repaired()
    right["backbone"][5][2] = "C2F"
    right["backbone"][3][3] = [128]
    return d | {"backbone": right["backbone"], "head": d["head"]}


def _expect_rows(d: object) -> list:
    """All rows of the dictionary that the learner returned."""
    if isinstance(d, dict) and isinstance(d.get("backbone"), list) and isinstance(d.get("head"), list):
        rows = [*d["backbone"], *d["head"]]
        if all(isinstance(row, (list, tuple)) and len(row) == 4 for row in rows):
            return [list(row) for row in rows]
    raise Mismatch(
        "this is no model YAML",
        "a dictionary with lists of rows under backbone and head",
        f"an object of type {type(d).__name__}",
        NOT_A_YAML,
    )


@exercise("the head reads the right rows, and it is a row smaller than YOLOv8")
def repair(answer: object) -> None:
    """Check `repair(d)`: the broken YAML of `check.repair.broken()`, repaired."""
    expect_callable(answer, "function")
    rows = _expect_rows(call(answer, broken(), what="on check.repair.broken()", likely=REPAIR_CALL))
    right = _repaired()
    want = [*right["backbone"], *right["head"]]
    if len(rows) != len(want):
        raise Mismatch(
            "the number of rows is wrong",
            str(len(want)),
            str(len(rows)),
            ROW_PUT_BACK if len(rows) > len(want) else REPAIR,
        )
    for i, (row, target) in enumerate(zip(rows, want, strict=True)):
        if row == target or _same_row(row, target):
            continue
        likely = REPAIR
        if row[2] == "C2F":
            likely = NAME_LEFT
        elif i == 3 and row[3][:1] == [128]:
            likely = BLOCK_LEFT
        elif i == 2 and row[3] != target[3]:
            likely = BEFORE_CHANGED
        elif isinstance(target[0], list) and isinstance(row[0], list):
            likely = _misread(row, target)
        raise Mismatch(f"row {i} is not what it should be", str(target), str(row)[:80], likely)


def _same_row(row: list, target: list) -> bool:
    return row[0] == target[0] and row[1:3] == target[1:3] and list(row[3]) == list(target[3])


def _misread(row: list, target: list) -> str:
    if -2 in row[0]:
        return MINUS_CHANGED
    if row[0] == [j + 1 if j > 0 else j for j in target[0]]:
        return DETECT_LEFT if target[2] == "Detect" else CONCAT_LEFT
    return SHIFTED_TWICE if row[0] == [j - 1 if j > 0 else j for j in target[0]] else REPAIR


repair.broken = broken


# ---------------------------------------------------------------- exercise 4
@exercise("ConvNeXt blocks, strides 8 16 32, and at most 2,000,000 parameters")
def my_yaml(answer: object) -> None:
    """Check `my_yaml()`: a YOLOv8 with a ConvNeXt backbone that really builds."""
    expect_callable(answer, "function")
    d = call(answer, what="", likely=OWN_CALL)
    if not isinstance(d, dict) or not {"nc", "backbone", "head"} <= set(d):
        raise Mismatch(
            "this is no model YAML",
            "a dictionary with nc, backbone and head",
            f"an object of type {type(d).__name__}",
            OWN_KEYS,
        )
    if d["nc"] != 3:
        raise Mismatch("the number of classes is wrong", "nc: 3", f"nc: {d['nc']!r}"[:40], OWN_CLASSES)
    rows = _expect_rows(d)
    if not any(row[2] in ("ConvNeXtBlock", "ConvNeXt_Block") for row in d["backbone"]):
        raise Mismatch("there is no ConvNeXt block in the backbone", "at least one", "none", OWN_BLOCKS)
    if not rows or rows[-1][2] != "Detect":
        raise Mismatch("the last row is no Detect", "Detect", str(rows[-1:])[:80], OWN_DETECT)
    if isinstance(rows[-1][0], list) and rows[-1][0] != sorted(rows[-1][0]):
        raise Mismatch("Detect reads its rows in another order", str(sorted(rows[-1][0])), str(rows[-1][0]), OWN_ORDER)
    strides, parameters = _built(d)
    if strides != [8, 16, 32]:
        raise Mismatch(
            "the strides are wrong",
            "[8, 16, 32]",
            str(strides),
            OWN_STRIDES,
        )
    if parameters > BUDGET:
        raise Mismatch("it is too large", f"at most {BUDGET:,} parameters", f"{parameters:,}", OWN_BUDGET)


def _built(d: dict) -> tuple[list[int], int]:
    """Strides and parameters of the model that the YAML describes."""
    from cnx_tutorial.yolo import register
    from cnx_tutorial.yolo.parser import tasks

    register()
    d = {"scale": next(iter(d["scales"]), ""), **copy.deepcopy(d)} if d.get("scales") else copy.deepcopy(d)
    try:
        with torch.random.fork_rng(devices=[]):
            model = tasks.DetectionModel(d, verbose=False)
    except Exception as error:  # rows can be wrong in any way
        said = (str(error).splitlines() or ["no message"])[0][:160]
        raise Mismatch("it cannot be built", "a model", f"{type(error).__name__}: {said}", OWN_BUILD) from error
    return [int(stride) for stride in model.stride], sum(p.numel() for p in model.parameters())
