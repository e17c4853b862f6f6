"""Misconceptions of notebook 06: scaled channels, who reads what, a YAML to repair, a YAML of one's own.

Ultralytics is imported where a model is built, not before: the notebooks before this one do without it.
"""

import copy
import functools
import math

import torch

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.observe import plain, shown
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable

# ---------------------------------------------------------------- exercise 1
NO_EIGHT = "not rounded to a multiple of 8: int(), round() and math.ceil alone go to a whole number"
ROUNDED_DOWN = "rounded down to a multiple of 8; parse_model rounds up"
scaled_channels = function(
    "scaled_channels",
    "a row's channels at a scale",
    "the channels of parse_model, for rows and scales of all kinds",
    right=Steps(
        "c, width, max_channels",
        limited=lambda c, max_channels: min(c, max_channels),
        wide=lambda limited, width: limited * width,
        eights=lambda wide: math.ceil(wide / 8),
        channels=lambda eights: 8 * eights,
    ),
    rows=[
        ("max_channels is not used: it limits c before the width is applied", {"limited": lambda c: c}),
        ("width is not used: it multiplies the limited c", {"wide": lambda limited: limited}),
        ("the limit was applied after the width; parse_model limits first", {"limited": lambda c: c, "channels": lambda eights, max_channels: min(8 * eights, max_channels)}),
        ("max() takes the larger of c and max_channels; a limit is min()", {"limited": lambda c, max_channels: max(c, max_channels)}),
        ("rounded to the nearest multiple of 8; parse_model rounds up", {"eights": lambda wide: round(wide / 8)}),
        ("rounded to the nearest multiple of 8; parse_model rounds up", {"eights": lambda wide: int(wide / 8 + 0.5)}),
        (ROUNDED_DOWN, {"eights": lambda wide: int(wide // 8)}),
        (ROUNDED_DOWN, {"eights": lambda wide: max(int(wide // 8), 1)}),
        ("what is a multiple of 8 already stays as it is; here it went up to the next one", {"eights": lambda wide: int(wide // 8) + 1}),
        (NO_EIGHT, {"channels": lambda wide: int(wide)}),
        (NO_EIGHT, {"channels": lambda wide: math.ceil(wide)}),
        (NO_EIGHT, {"channels": lambda wide: round(wide)}),
        ("not rounded to a multiple of 8, and to no whole number either", {"channels": lambda wide: wide}),
        ("that is how many eights there are: multiply by 8 again", {"channels": lambda eights: eights}),
        ("the product was made a whole number before it was rounded up, so that 32.5 became 32, and not 40", {"eights": lambda wide: math.ceil(int(wide) / 8)}),
        ("nothing says that 16 is the least: a row may have 8 channels", {"channels": lambda eights: max(8 * eights, 16)}),
        ("c was rounded to a multiple of 8 before the width was applied; round last", {"wide": lambda limited: limited, "channels": lambda eights, width: 8 * eights * width}),
    ],
    pinned=[(64, 0.25, 1024), (100, 0.25, 1024), (1024, 0.75, 768), (96, 0.33, 768), (1024, 1.25, 512), (68, 0.75, 512), (84, 0.5, 1024), (130, 0.25, 1024), (16, 0.25, 1024)],
    draw=lambda rng: (int(rng.integers(1, 150)) * int(rng.choice([1, 2, 8])), float(rng.choice([0.25, 0.33, 0.5, 0.75, 1.0, 1.25])), int(rng.choice([256, 512, 768, 1024]))),
    in_error="read the error; it is called with three numbers: c, width and max_channels",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 2
def look_up(out, i, j):
    return out[j]


def channels_read(rows, *, image=3, join=sum, concat=None, upsample=None, look=look_up, given=False, before=False, refuses=()):
    out, read = [], []
    for i, (source, _, name, arguments) in enumerate(rows):
        if isinstance(source, refuses):
            raise TypeError("this kind of `from` is not expected")
        sources = [-1] if before else source if isinstance(source, list) else [source]
        c1 = join([image if not out else look(out, i, j) for j in sources])
        read.append(c1)
        keeps = concat if name == "Concat" else upsample if name == "nn.Upsample" else arguments[0]
        out.append(None if keeps == "none" else c1 if keeps is None else keeps)
    return out if given else read


def yaml_rows(rng):
    """A few rows: blocks, layers that change channels, Upsample, Concat of rows anywhere before."""
    rows = [[-1, 1, "Conv", [8 * int(rng.integers(1, 9)), 3, 2]]]
    for i in range(1, int(rng.integers(2, 8))):
        kind = rng.choice(["Conv", "C2f", "ConvNeXtDownsample", "nn.Upsample", "Concat"], p=[0.3, 0.15, 0.15, 0.15, 0.25])
        source = -1 if rng.random() < 0.6 else int(rng.integers(i))
        if kind == "Concat":
            source = [-1, *(int(j) for j in rng.integers(0, i, rng.integers(1, 3)))]
        arguments = {"Concat": [1], "nn.Upsample": [None, 2, "nearest"]}.get(kind, [8 * int(rng.integers(1, 9))])
        rows.append([source, 1, str(kind), arguments])
    return (rows,)


def by_row(result: object, question: tuple) -> dict[str, object]:
    """The channels that each row reads, under its number and name."""
    names = [row[2] for row in question[0]]
    read = plain(result)
    if not isinstance(read, list):
        raise Mismatch("the result is no list", f"a list of {len(names)} numbers", shown(read), "return a list with one number for each row")
    return {f"row {i} ({names[i]})" if i < len(names) else f"item {i}": c1 for i, c1 in enumerate(read)}


CONCAT_ALL = "Concat reads all rows of its list: add their channels up"
c1_of_rows = function(
    "c1_of_rows",
    "the input channels of each row",
    "the channels that each row reads, for lists of rows of all kinds",
    right=channels_read,
    rows=[
        ("those are the channels that each row gives; the exercise asks for those that it reads", {"given": True}),
        ("row 0 reads the image, which has 3 channels: there is no row before it to look up", {"image": 0}),
        (CONCAT_ALL, {"join": lambda c: c[0]}),
        (CONCAT_ALL, {"join": lambda c: c[-1]}),
        (CONCAT_ALL, {"join": max}),
        ("Concat hands on the sum of what it reads; its argument 1 is the axis, not a number of channels", {"concat": 1}),
        *(("nn.Upsample hands on what it reads; its first argument, None, is no number of channels", changes) for changes in ({"upsample": 0}, {"upsample": "none"}, {"upsample": "none", "join": lambda c: sum(c) if len(c) > 1 else c[0]})),
        ("nn.Upsample hands on what it reads; its second argument is how much larger the map gets", {"upsample": 2}),
        ("every row was taken to read the row before it; look at its `from`", {"before": True}),
        ("a `from` that is not -1 is an index of a row, counted from 0, and not a distance", {"look": lambda out, i, j: out[-1] if j == -1 else out[max(i - j, 0)]}),
        ("a `from` that is not -1 is an index of a row, counted from 0, and not a distance", {"look": lambda out, i, j: out[-1] if j == -1 else out[i - j]}),
        *(("rows are counted from 0; if your list begins with the image's 3, row j is at position j + 1", {"look": look}) for look in (lambda out, i, j: out[-1] if j == -1 else out[max(j - 1, 0)], lambda out, i, j: [3, *out][j])),
        ("row 0 counts, too: a `from` of 0 is the first row, not the row before", {"look": lambda out, i, j: out[j] if j > 0 else out[-1]}),
        ("your code fails where `from` is a list, and runs where it is one number", {"refuses": list}),
    ],
    pinned=[
        ([[-1, 1, "ConvNeXtStem", [48, 4, 4]], [-1, 3, "ConvNeXtBlock", [48]], [1, 1, "Conv", [56, 1, 1]], [[-1, 1], 1, "Concat", [1]]],),
        ([[-1, 1, "Conv", [16, 3, 2]], [0, 1, "Conv", [24, 3, 2]], [0, 2, "C2f", [40]], [[0, -1], 1, "Concat", [1]], [-1, 1, "nn.Upsample", [None, 2, "nearest"]], [-1, 1, "Conv", [8, 1, 1]]],),
    ],
    draw=yaml_rows,
    see=by_row,
    hint="write the output channels of each row beside it, and look up what each `from` reads; every row has a number, also Upsample and Concat",
    in_error="read the error, and follow your code by hand through these rows: row 0 reads the image, and `from` may be one number or a list",
)  # fmt: skip


# ---------------------------------------------------------------- exercises 3 and 4: rows of a dictionary
def absolute(i, source):
    """The `from` of row `i` with indices only: -1 is the row before."""
    if isinstance(source, (list, tuple)):
        return [absolute(i, j) for j in source]
    return i + source if isinstance(source, int) and source < 0 else source


def rows_of(d: object) -> list:
    """All rows of the dictionary that the learner returned."""
    if isinstance(d, dict) and isinstance(d.get("backbone"), list) and isinstance(d.get("head"), list) and "nc" in d:
        rows = [*d["backbone"], *d["head"]]
        if all(isinstance(row, (list, tuple)) and len(row) == 4 for row in rows):
            return [list(row) for row in rows]
    kind = f"an object of type {type(d).__name__}"
    raise Mismatch("this is no model YAML", "a dictionary with nc and with lists of rows under backbone and head", kind, "return a dictionary with nc, backbone and head, as yaml_model_load gives it")


@functools.cache
def read_yaml(name: str) -> dict:
    from cnx_tutorial.yolo.parser import yaml_model_load

    return yaml_model_load(name)


def broken() -> dict:
    """The YAML to repair, a fresh one at each call: YOLOv8 without row 2, with a ConvNeXtBlock and a typing mistake."""
    d = copy.deepcopy(read_yaml("yolov8n.yaml"))
    del d["backbone"][2]
    d["backbone"][3] = [-1, 2, "ConvNeXtBlock", [128]]
    d["backbone"][5][2] = "C2F"
    return d


def repaired(
    d, *, name="C2f", block=("ConvNeXtBlock", 256), front=None, lower=lambda j: j - 1 if j > 0 else j, only=("Concat", "Detect"), back=False,
    copied=copy.deepcopy, keys=lambda d: d,
):  # fmt: skip
    d = copied(d)
    for row in [*d["backbone"], *d["head"]]:
        row[2] = name if row[2] == "C2F" else row[2]
        row[0] = [lower(j) for j in row[0]] if isinstance(row[0], list) and row[2] in only else row[0]
    d["backbone"][3] = [-1, 2, block[0], [block[1]]]
    if front:
        d["backbone"][2][3][0] = front
    if back:
        d["backbone"].insert(2, [-1, 3, "C2f", [128, True]])
    return keys(d)


def as_rows(d: object, question: tuple) -> dict[str, object]:
    rows = rows_of(d)
    found = {f"row {i}": plain([absolute(i, row[0]), *row[1:]]) for i, row in enumerate(rows)}
    return {"number of rows": len(rows)} | found | {str(key): plain(value) for key, value in d.items() if key not in ("backbone", "head")}


repair = function(
    "repair",
    "the broken YAML of `check.repair.broken()`, repaired",
    "the head reads the right rows, the block keeps its channels, every name is known, and d is untouched",
    right=repaired,
    rows=[
        ("a mistyped name is left: parse_model knows C2f, and no C2F", {"name": "C2F"}),
        ("a ConvNeXtBlock still has other channels than the row before it: a block keeps its channels", {"block": ("ConvNeXtBlock", 128)}),
        ("64 is what scale n makes of it; a YAML's numbers are before scaling: write the 256 of the row before", {"block": ("ConvNeXtBlock", 64)}),
        *(("the ConvNeXtBlock row was wanted: keep it, and correct its channels", changes) for changes in ({"block": ("C2f", 256)}, {"keys": lambda d: d["backbone"].__setitem__(3, [-1, 6, "C2f", [256, True]]) or d})),
        ("the row in front of the block was changed; change the block, which must keep its channels", {"front": 128, "block": ("ConvNeXtBlock", 128)}),
        ("Concat rows still point one row too far: their positive numbers go down by one", {"only": ("Detect",)}),
        ("Detect still points one row too far: its three numbers go down by one", {"only": ("Concat",)}),
        ("Concat and Detect still point one row too far: each positive number in their lists goes down by one", {"only": ()}),
        ("a -1 was lowered too: it means the row before, wherever that is", {"lower": lambda j: j - 1}),
        ("the numbers went down by two: one row is missing, not two", {"lower": lambda j: j - 2 if j > 0 else j}),
        ("the numbers went up; one row is missing, so they go down by one", {"lower": lambda j: j + 1 if j > 0 else j}),
        ("the C2f row was put back; the backbone with one row less is wanted", {"back": True}),
        ("the C2f row was put back; the backbone with one row less is wanted", {"back": True, "lower": lambda j: j}),
        ("everything but backbone and head stays as it was in d", {"keys": lambda d: {"nc": d["nc"], "backbone": d["backbone"], "head": d["head"]}}),
        ("d itself was changed: dict(d) and d.copy() share its rows, copy.deepcopy(d) does not", {"copied": dict}),
        ("d itself was changed: dict(d) and d.copy() share its rows, copy.deepcopy(d) does not", {"copied": lambda d: d}),
    ],
    pinned=lambda: [(broken(),)],
    see=as_rows,
    called="check.repair.broken()",
    hint="compare these rows with the broken YAML's: only what the exercise names may differ",
    in_error="read the error; d holds lists of rows under backbone and head, and row[0] may be a number or a list",
)  # fmt: skip
repair.broken = broken

# ---------------------------------------------------------------- exercise 4
BUDGET, AT_STRIDE_8, STRIDES = 1_000_000, 96, [4, 8, 16]
OURS = "yolov8n-convnext.yaml"
BLOCKS = ("ConvNeXtBlock", "ConvNeXt_Block")
BUILD = "attempt(my_yaml()) says in which row it stopped; what is wrong may also be an earlier row, or a `from`"


@exercise("strides 4 8 16, each read where it ends; ConvNeXt blocks at two strides; 96 channels or more at stride 8; at most 1,000,000 parameters")
def my_yaml(answer: object) -> None:
    """Check `my_yaml()`: a detector for small cells that really builds."""
    expect_callable(answer, "function")
    d = call(answer, what="", likely="read the error; it takes no arguments and returns a dictionary")
    rows = rows_of(d)
    expect_as_read(getattr(answer, "__globals__", {}).get("ours"))
    if d["nc"] != 3:
        raise Mismatch("the number of classes is wrong", "nc: 3", f"nc: {d['nc']!r}"[:40], "set nc to 3: blood cells have three classes")
    if not any(row[2] in BLOCKS for row in d["backbone"]):
        raise Mismatch("there is no ConvNeXt block in the backbone", "blocks at two strides or more", "none", "put ConvNeXtBlock rows into the backbone, at two strides or more")
    if not rows or rows[-1][2] != "Detect":
        raise Mismatch("the last row is no Detect", "Detect", str(rows[-1:])[:80], "the last row of the head is Detect, with the three rows that it reads")
    model = built(d, BUILD)
    if model.model[-1].nc != 3:
        raise Mismatch("Detect has another number of classes", "nc, or 3", str(model.model[-1].nc), "write Detect, [nc]: the row follows the key")
    strides, parameters = [int(stride) for stride in model.stride], sum(p.numel() for p in model.parameters())
    if strides != STRIDES:
        raise Mismatch("the strides are wrong", str(STRIDES), str(strides), "the maps that Detect reads have other strides: multiply the strides of the rows that lead to them")
    maps = maps_of(model)
    expect_last_rows(rows, {i: stride for i, (_, stride) in maps.items()})
    expect_stages(d["backbone"], maps)
    if parameters > BUDGET:
        scale, changed = d.get("scale") or next(iter(d.get("scales") or {}), None), changed_scales(d)
        likely = "the coarsest stage costs most; take blocks or channels away there, or narrow the neck"
        if changed and scale not in changed:
            likely = 'the numbers of another scale were changed: the dictionary says under "scale" which one is built'
        raise Mismatch("it is too large", f"at most {BUDGET:,} parameters", f"{parameters:,}" + f" at scale {scale}" * bool(scale), likely)


def expect_as_read(ours: object) -> None:
    """Refuse an answer in whose notebook `ours` is no longer what the file says; the number of classes is the notebook's."""
    read = read_yaml(OURS)
    if isinstance(ours, dict) and ours.get("yaml_file") == read["yaml_file"] and ours != {**read, "nc": ours.get("nc")}:
        changed = " and ".join(str(key) for key in {**read, **ours} if read.get(key) != ours.get(key) and key != "nc")
        raise Mismatch(
            "`ours` has changed", f"what {read['yaml_file']} says", f"another {changed}", "begin with copy.deepcopy(ours): else, `ours` itself changes. Then run the cell again that loads it"
        )


def changed_scales(d: dict) -> set[str]:
    """The scales whose numbers are not those of the file that the notebook calls `ours`."""
    read, scales = read_yaml(OURS), d.get("scales") or {}
    ours = d.get("yaml_file") == read["yaml_file"]
    return {letter for letter, sizes in scales.items() if ours and sizes != read["scales"].get(letter)}


def maps_of(model: torch.nn.Module) -> dict[int, tuple[int, int]]:
    """Channels and stride of what each row but the last returns; stride 0 where it is no map."""
    maps: dict[int, tuple[int, int]] = {}

    def note(layer: torch.nn.Module, _: object, y: object) -> None:
        maps[layer.i] = (y.shape[1], 256 // y.shape[-1]) if isinstance(y, torch.Tensor) else (0, 0)

    for layer in model.model[:-1]:
        layer.register_forward_hook(note)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 256, 256))
    return maps


def expect_stages(backbone: list, maps: dict[int, tuple[int, int]]) -> None:
    """Blocks at two strides, and enough channels where stride 8 ends."""
    with_blocks = sorted({maps[i][1] for i, row in enumerate(backbone) if row[2] in BLOCKS})
    if len(with_blocks) < 2:
        raise Mismatch("too few stages have ConvNeXt blocks", "blocks at two strides or more", f"blocks at stride {with_blocks[0]} only", "put a ConvNeXtBlock row into a stage of another stride too")
    end = max((i for i in range(len(backbone)) if maps[i][1] == 8), default=None)
    if end is None or maps[end][0] < AT_STRIDE_8:
        got = "no backbone row at stride 8" if end is None else f"{maps[end][0]} channels in row {end}"
        likely = "write more channels into the rows of that stage alone; a YAML's numbers are before scaling"
        raise Mismatch("the stage of stride 8 is too narrow", f"at least {AT_STRIDE_8} channels", got, likely)


def expect_last_rows(rows: list, strides: dict[int, int]) -> None:
    """Concat reads a stage where it ends, and Detect the last row of each stride."""
    sources = [absolute(i, row[0]) for i, row in enumerate(rows)]
    for i, row in enumerate(rows):
        for j in sources[i] if row[2] in ("Concat", "Detect") else ():
            end = j
            while sources[end + 1] == end and strides.get(end + 1) == strides[j]:  # the next row takes it further
                end += 1
            if row[2] == "Detect":
                end = max(k for k in strides if strides[k] == strides[j])
            if end != j:
                likely = "a Concat reads a stage before its end: count the rows anew, and read the stage's last row"
                if row[2] == "Detect":
                    likely = "Detect reads a map before its end: count the rows anew, and read the last row of each stride"
                want, got = (f"row {k}, {rows[k][2]}" for k in (end, j))
                raise Mismatch(f"row {i}, {row[2]}, reads too early", want, got, likely)


def built(d: dict, likely: str) -> torch.nn.Module:
    """The model that the dictionary describes, at its first scale if it names none."""
    from cnx_tutorial.yolo import register
    from cnx_tutorial.yolo.parser import tasks

    register()
    scale = {"scale": next(iter(d["scales"]), "")} if d.get("scales") else {}
    try:
        with torch.random.fork_rng(devices=[]):
            return tasks.DetectionModel({**scale, **copy.deepcopy(d)}, verbose=False)
    except Exception as error:  # rows can be wrong in any way
        said = (str(error).splitlines() or ["no message"])[0][:160]
        if "can read" in str(error):
            likely = "a `from` points at a row that is not there: when rows come or go, the numbers in the head change"
        elif "rising" in str(error):
            likely = "Detect reads its maps from fine to coarse: the smallest stride first"
        raise Mismatch("it cannot be built", "a model", f"{type(error).__name__}: {said}", likely) from error
