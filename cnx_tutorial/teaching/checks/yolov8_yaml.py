"""Checkers of notebook 05: scaled channels, who reads what, a YAML to repair, a YAML of one's own.

Ultralytics is imported where a model is built, not before: the notebooks before this one do without it.
"""

import copy
import math
from collections.abc import Callable

import torch

from cnx_tutorial.teaching.checks.asking import CHANGED_INPUT, ask, explains, plain, same, shown
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable

NO_LIMIT = "max_channels is not used: it limits c before the width is applied"
NO_WIDTH = "width is not used: it multiplies the limited c"
LIMIT_LAST = "the limit was applied after the width; parse_model limits first"
MAX_FOR_MIN = "max() takes the larger of c and max_channels; a limit is min()"
ROUNDED = "rounded to the nearest multiple of 8; parse_model rounds up"
ROUNDED_DOWN = "rounded down to a multiple of 8; parse_model rounds up"
ONE_MORE = "what is a multiple of 8 already stays as it is; here it went up to the next one"
NO_EIGHT = "not rounded to a multiple of 8"
EIGHTS = "that is how many eights there are: multiply by 8 again"
CUT_FIRST = "the product was made a whole number before it was rounded up, so that 32.5 became 32, and not 40"
AT_LEAST_16 = "nothing says that 16 is the least: a row may have 8 channels"
ROUNDED_FIRST = "c was rounded to a multiple of 8 before the width was applied; round last"
CHANNELS = "no usual mistake explains all answers; compare with 8 * ceil(min(c, max_channels) * width / 8)"
CHANNELS_CALL = "read the error; it is called with three numbers: c, width and max_channels"

C2_GIVEN = "those are the channels that each row gives; asked are those that it reads"
IMAGE_LOST = "row 0 reads the image, which has 3 channels: there is no row before it to look up"
CONCAT_FIRST = "Concat reads all rows of its list: add their channels up"
CONCAT_LAST = "Concat hands on the sum of what it reads; its argument 1 is the axis, not a number of channels"
UPSAMPLE_NONE = "nn.Upsample hands on what it reads; its first argument, None, is no number of channels"
ALWAYS_BEFORE = "every row was taken to read the row before it; look at its `from`"
RELATIVE = "a `from` that is not -1 is an index of a row, counted from 0, and not a distance"
FROM_ONE = "rows are counted from 0; if your list begins with the image's 3, all its places are one further on"
FROM_LIST = "`from` is a list here: with one number in its place the error goes away"
FROM_NUMBER = "`from` is one number here: with a list in its place the error goes away"
ONE_EACH = "return a list with one number for each row, also for Upsample and Concat"
ROWS = "no usual mistake explains all answers; write the output channels of each row beside it, and look them up"
ROWS_CALL = "read the error, and follow your code by hand to this row"

ROW_PUT_BACK = "the C2f row was put back; the backbone with one row less is wanted"
ROW_ADDED = "no row is to be added: change numbers and names in those that are there"
ROW_GONE = "no row is to be taken away: change numbers and names in those that are there"
NAME_LEFT = "a mistyped name is left: parse_model knows C2f, and no C2F"
BLOCK_LEFT = "a ConvNeXtBlock still has other channels than the row before it: a block keeps its channels"
BLOCK_SCALED = "64 is what scale n makes of it; a YAML's numbers are before scaling: write the 256 of the row before"
BLOCK_GONE = "the ConvNeXtBlock row was wanted: keep it, and mend its channels"
BLOCK = "in the block's row only the number of channels is wrong: it is that of the row before"
BEFORE_CHANGED = "the row in front of the block was changed; change the block, which must keep its channels"
CONCAT_LEFT = "Concat rows still point one row too far: their positive numbers go down by one"
DETECT_LEFT = "Detect still points one row too far: its three numbers go down by one"
MINUS_CHANGED = "a -1 was lowered too: it means the row before, wherever that is"
SHIFTED_TWICE = "the numbers went down by two: one row is missing, not two"
OTHER_FROM = "look at its `from`: each positive number is one less than in the broken YAML, in the same order"
NOT_A_YAML = "return the dictionary, with backbone and head: a repaired copy of d"
OTHER_KEYS = "everything but backbone and head stays as it was in d"
NO_COPY = "d itself was changed: dict(d) and d.copy() share its rows, copy.deepcopy(d) does not"
REPAIR = "compare this row with the broken YAML's: only what the exercise names may differ"
REPAIR_CALL = "read the error; d holds lists of rows under backbone and head, and row[0] may be a number or a list"

OWN_CALL = "read the error; it takes no arguments and returns a dictionary"
OWN_KEYS = "return a dictionary with nc, backbone and head, as yaml_model_load gives it"
OWN_CLASSES = "set nc to 3: blood cells have three classes"
OWN_BUILD = "attempt(my_yaml()) says in which row it stopped; what is wrong may also be an earlier row, or a `from`"
OWN_NUMBERS = "a `from` points at a row that is not there: when rows come or go, the numbers in the head change"
OWN_BLOCKS = "put ConvNeXtBlock rows into the backbone: at least one is wanted"
OWN_DETECT = "the last row of the head is Detect, with the three rows that it reads"
OWN_ORDER = "Detect reads its maps from fine to coarse: strides 8, 16, 32 in this order"
OWN_STRIDES = "the maps that Detect reads have other strides: multiply the strides of the rows that lead to them"
OWN_CONCAT_EARLY = "a Concat reads a stage before its end: count the rows anew, and read the stage's last row"
OWN_DETECT_EARLY = "Detect reads a map before its end: count the rows anew, and read the last row of each stride"
OWN_COPY = "begin with copy.deepcopy(ours): else, `ours` itself changes. Then run the cell again that loads it"
OWN_SCALE = 'the numbers of another scale were changed: the dictionary says under "scale" which one is built'
OWN_BUDGET = "too large: make it narrower with the width in scales, or take blocks or neck channels away"
BUDGET = 2_000_000


def _absolute(i: int, source: int | list) -> int | list:
    """The `from` of row `i` with indices only: -1 is the row before."""
    if isinstance(source, (list, tuple)):
        return [_absolute(i, j) for j in source]
    return i + source if isinstance(source, int) and source < 0 else source


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
    (130, 0.25, 1024),
    (16, 0.25, 1024),
)
WRONG_CHANNELS = {
    NO_LIMIT: lambda c, w, m: math.ceil(c * w / 8) * 8,
    NO_WIDTH: lambda c, w, m: math.ceil(min(c, m) / 8) * 8,
    LIMIT_LAST: lambda c, w, m: min(math.ceil(c * w / 8) * 8, m),
    MAX_FOR_MIN: lambda c, w, m: math.ceil(max(c, m) * w / 8) * 8,
    ROUNDED: lambda c, w, m: round(min(c, m) * w / 8) * 8,
    f"{ROUNDED} always": lambda c, w, m: int(min(c, m) * w / 8 + 0.5) * 8,
    ROUNDED_DOWN: lambda c, w, m: int(min(c, m) * w // 8) * 8,
    f"{ROUNDED_DOWN}, with 8 as the least, too": lambda c, w, m: max(int(min(c, m) * w // 8) * 8, 8),
    ONE_MORE: lambda c, w, m: (min(c, m) * w // 8 + 1) * 8,
    f"{NO_EIGHT}: int() cuts to a whole number only": lambda c, w, m: int(min(c, m) * w),
    f"{NO_EIGHT}: math.ceil alone goes up to a whole number": lambda c, w, m: math.ceil(min(c, m) * w),
    f"{NO_EIGHT}: round() goes to a whole number": lambda c, w, m: round(min(c, m) * w),
    f"{NO_EIGHT}, and to no whole number either": lambda c, w, m: min(c, m) * w,
    EIGHTS: lambda c, w, m: math.ceil(min(c, m) * w / 8),
    CUT_FIRST: lambda c, w, m: math.ceil(int(min(c, m) * w) / 8) * 8,
    AT_LEAST_16: lambda c, w, m: max(_channels(c, w, m), 16),
    ROUNDED_FIRST: lambda c, w, m: math.ceil(min(c, m) / 8) * 8 * w,
}


@exercise("the channels of parse_model, for nine rows")
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


SMALL = [
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
]
SHORT = [
    [-1, 1, "ConvNeXtStem", [48, 4, 4]],
    [-1, 3, "ConvNeXtBlock", [48]],
    [1, 1, "Conv", [56, 1, 1]],
    [[-1, 1], 1, "Concat", [1]],
]
WRONG_READ = (
    (C2_GIVEN, lambda rows: _read(rows, given=True)),
    (IMAGE_LOST, lambda rows: _read(rows, image=0)),
    (CONCAT_FIRST, lambda rows: _read(rows, join=lambda c: c[0])),
    (CONCAT_FIRST, lambda rows: _read(rows, join=lambda c: c[-1])),
    (CONCAT_LAST, lambda rows: _read(rows, concat=1)),
    (UPSAMPLE_NONE, lambda rows: _read(rows, upsample=0)),
    (ALWAYS_BEFORE, lambda rows: _read([[-1, *row[1:]] for row in rows])),
    (RELATIVE, lambda rows: _read(rows, look=lambda out, i, j: out[-1] if j == -1 else out[max(i - j, 0)])),
    (FROM_ONE, lambda rows: _read(rows, look=lambda out, i, j: out[-1] if j == -1 else out[max(j - 1, 0)])),
)


@exercise("the channels that each row reads, for two lists of rows")
def c1_of_rows(answer: object) -> None:
    """Check `c1_of_rows(rows)`: the input channels of each row."""
    expect_callable(answer, "function")
    questions = (SMALL, SHORT)
    got = [_given(answer, rows) for rows in questions]
    for rows, mine in zip(questions, got, strict=True):
        if not isinstance(mine, list) or len(mine) != len(rows):
            raise Mismatch("that is not one number for each row", f"{len(rows)} numbers", shown(mine), ONE_EACH)
        wrong = (i for i, (a, b) in enumerate(zip(mine, _read(rows), strict=True)) if not same(a, b, 0.0))
        for i in wrong:
            asked = [(rows,) for rows in questions]
            likely = next((said for said, mistake in WRONG_READ if explains(mistake, asked, got, 0.0)), ROWS)
            raise Mismatch(f"row {i}, {rows[i]}, reads another number", str(_read(rows)[i]), shown(mine[i]), likely)


def _given(answer: Callable, rows: list) -> object:
    """What the learner's function returns; where it stops with an error, the row that stops it is looked for."""
    given = copy.deepcopy(rows)
    try:
        got = plain(call(answer, given, what="", likely=ROWS_CALL))
    except Mismatch as stopped:
        error = stopped.__cause__
        if error is None:
            raise
        i = next((i for i in range(len(rows)) if _stops(answer, rows[: i + 1])), len(rows) - 1)
        said = f"{type(error).__name__}: {error}"[:160]
        likely = _why(answer, rows[: i + 1]) if isinstance(error, TypeError) else ROWS_CALL
        likely = IMAGE_LOST if i == 0 and isinstance(error, LookupError) else likely
        raise Mismatch(f"it stops with an error at row {i}, {rows[i]}", "a number", said, likely) from error
    if given != rows:
        raise Mismatch("your code changed its input", shown(rows), shown(given), CHANGED_INPUT)
    return got


def _stops(answer: Callable, rows: list) -> bool:
    try:
        answer(copy.deepcopy(rows))
    except (Exception, SystemExit):
        return True
    return False


def _why(answer: Callable, rows: list) -> str:
    """The cause of an error at the last of these rows: what makes it go away."""
    *before, (source, *rest) = rows
    mended = {
        UPSAMPLE_NONE: [[*row[:3], [8 if value is None else value for value in row[3]]] for row in rows],
        FROM_LIST: [*before, [source[0], *rest]] if isinstance(source, list) else rows,
        FROM_NUMBER: [[row[0] if isinstance(row[0], list) else [row[0]], *row[1:]] for row in rows],
    }
    return next((said for said, others in mended.items() if not _stops(answer, others)), ROWS_CALL)


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


@exercise("the head reads the right rows, it is a row smaller than YOLOv8, and d is untouched")
def repair(answer: object) -> None:
    """Check `repair(d)`: the broken YAML of `check.repair.broken()`, repaired."""
    expect_callable(answer, "function")
    before, right, d = broken(), _repaired(), broken()
    got = call(answer, d, what="on check.repair.broken()", likely=REPAIR_CALL)
    rows, want = _expect_rows(got), [*right["backbone"], *right["head"]]
    if len(rows) != len(want):
        added = ROW_PUT_BACK if rows[2:3] == _stock()["backbone"][2:3] else ROW_ADDED
        likely = added if len(rows) > len(want) else ROW_GONE
        raise Mismatch("the number of rows is wrong", str(len(want)), str(len(rows)), likely)
    for i, (row, target) in enumerate(zip(rows, want, strict=True)):
        if [_absolute(i, row[0]), *row[1:]] != [_absolute(i, target[0]), *target[1:]]:
            raise Mismatch(f"row {i} is not what it should be", str(target), str(row)[:80], _misdone(i, row, target))
    changed = sorted(key for key in {*before, *got} - {"backbone", "head"} if before.get(key) != got.get(key))
    if changed:
        raise Mismatch("other keys differ", "those of d", f"another {' and '.join(map(str, changed))}", OTHER_KEYS)
    if d != before:
        raise Mismatch("your code changed its input", "d as it was before the call", "a changed d", NO_COPY)


def _misdone(i: int, row: list, target: list) -> str:
    """What to say of row `i`, which is not `target`."""
    if row[2] == "C2F":
        return NAME_LEFT
    if i == 3:
        left = {"[128]": BLOCK_LEFT, "[64]": BLOCK_SCALED}.get(str(row[3]), BLOCK)
        return BLOCK_GONE if row[2] != target[2] else left if row[:2] == target[:2] else BLOCK
    if i == 2 and row[3] != target[3]:
        return BEFORE_CHANGED
    if row[1:] != target[1:] or not isinstance(row[0], list) or not isinstance(target[0], list):
        return REPAIR
    if -2 in row[0] and -1 in target[0]:
        return MINUS_CHANGED
    if row[0] == [j + 1 if j > 0 else j for j in target[0]]:
        return DETECT_LEFT if target[2] == "Detect" else CONCAT_LEFT
    return SHIFTED_TWICE if row[0] == [j - 1 if j > 0 else j for j in target[0]] else OTHER_FROM


repair.broken = broken


# ---------------------------------------------------------------- exercise 4
@exercise("ConvNeXt blocks, strides 8 16 32 from the last row of each, and at most 2,000,000 parameters")
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
    _expect_as_read(getattr(answer, "__globals__", {}).get("ours"))
    if d["nc"] != 3:
        raise Mismatch("the number of classes is wrong", "nc: 3", f"nc: {d['nc']!r}"[:40], OWN_CLASSES)
    rows = _expect_rows(d)
    if not any(row[2] in ("ConvNeXtBlock", "ConvNeXt_Block") for row in d["backbone"]):
        raise Mismatch("there is no ConvNeXt block in the backbone", "at least one", "none", OWN_BLOCKS)
    if not rows or rows[-1][2] != "Detect":
        raise Mismatch("the last row is no Detect", "Detect", str(rows[-1:])[:80], OWN_DETECT)
    model = _built(d)
    strides, parameters = [int(stride) for stride in model.stride], sum(p.numel() for p in model.parameters())
    if strides != [8, 16, 32]:
        raise Mismatch("the strides are wrong", "[8, 16, 32]", str(strides), OWN_STRIDES)
    _expect_last_rows(rows, model)
    if parameters > BUDGET:
        scale, changed = d.get("scale") or next(iter(d.get("scales") or {}), None), _changed_scales(d)
        likely = OWN_SCALE if changed and scale not in changed else OWN_BUDGET
        got = f"{parameters:,}" + (f" at scale {scale}" if scale else "")
        raise Mismatch("it is too large", f"at most {BUDGET:,} parameters", got, likely)


def _published() -> dict:
    from cnx_tutorial.yolo.parser import yaml_model_load

    return yaml_model_load("yolov8n-convnext-published.yaml")


def _expect_as_read(ours: object) -> None:
    """Refuse an answer in whose notebook `ours` is no longer what the file says."""
    read = _published()
    if isinstance(ours, dict) and ours.get("yaml_file") == read["yaml_file"] and ours != read:
        changed = " and ".join(str(key) for key in {**read, **ours} if read.get(key) != ours.get(key))
        raise Mismatch("`ours` has changed", f"what {read['yaml_file']} says", f"another {changed}", OWN_COPY)


def _changed_scales(d: dict) -> set[str]:
    """The scales whose numbers are not those of the file that the notebook calls `ours`."""
    read, scales = _published(), d.get("scales") or {}
    ours = d.get("yaml_file") == read["yaml_file"]
    return {letter for letter, numbers in scales.items() if ours and numbers != read["scales"].get(letter)}


def _expect_last_rows(rows: list, model: torch.nn.Module) -> None:
    """Concat reads a stage where it ends, and Detect the last row of each stride."""
    strides: dict[int, int] = {}

    def note(layer: torch.nn.Module, _: object, y: object) -> None:
        strides[layer.i] = 256 // y.shape[-1] if isinstance(y, torch.Tensor) else 0

    for layer in model.model[:-1]:
        layer.register_forward_hook(note)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 256, 256))
    sources = [_absolute(i, row[0]) for i, row in enumerate(rows)]
    for i, row in enumerate(rows):
        for j in sources[i] if row[2] in ("Concat", "Detect") else ():
            end = j
            while sources[end + 1] == end and strides.get(end + 1) == strides[j]:  # the next row takes it further
                end += 1
            if row[2] == "Detect":
                end = max(k for k in strides if strides[k] == strides[j])
            if end != j:
                likely = OWN_CONCAT_EARLY if row[2] == "Concat" else OWN_DETECT_EARLY
                found, want, got = f"row {i}, {row[2]}, reads too early", *(f"row {k}, {rows[k][2]}" for k in (end, j))
                raise Mismatch(found, want, got, likely)


def _built(d: dict) -> torch.nn.Module:
    """The model that the YAML describes."""
    from cnx_tutorial.yolo import register
    from cnx_tutorial.yolo.parser import tasks

    register()
    d = {"scale": next(iter(d["scales"]), ""), **copy.deepcopy(d)} if d.get("scales") else copy.deepcopy(d)
    try:
        with torch.random.fork_rng(devices=[]):
            return tasks.DetectionModel(d, verbose=False)
    except Exception as error:  # rows can be wrong in any way
        said = (str(error).splitlines() or ["no message"])[0][:160]
        likely = OWN_NUMBERS if "can read" in str(error) else OWN_ORDER if "rising" in str(error) else OWN_BUILD
        raise Mismatch("it cannot be built", "a model", f"{type(error).__name__}: {said}", likely) from error
