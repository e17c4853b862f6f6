"""Right and wrong answers to the exercises of notebook 05."""

import copy
import math

from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import yolov8_yaml as said

CHECKS = said

# ---------------------------------------------------------------- exercise 1: scaled_channels
CHANNELS_RIGHT = {
    "ceil": lambda c, width, max_channels: math.ceil(min(c, max_channels) * width / 8) * 8,
    "floor division": lambda c, width, max_channels: int(-(min(c, max_channels) * width // -8) * 8),
}
CHANNELS_WRONG = {
    "no limit": (lambda c, width, max_channels: math.ceil(c * width / 8) * 8, said.NO_LIMIT),
    "limit last": (lambda c, width, max_channels: min(math.ceil(c * width / 8) * 8, max_channels), said.LIMIT_LAST),
    "nearest": (lambda c, width, max_channels: 8 * round(min(c, max_channels) * width / 8), said.ROUNDED),
    "down": (lambda c, width, max_channels: 8 * math.floor(min(c, max_channels) * width / 8), said.ROUNDED_DOWN),
    "no eight": (lambda c, width, max_channels: math.floor(min(c, max_channels) * width), said.NO_EIGHT),
    "eight first": (lambda c, width, max_channels: -(min(c, max_channels) // -8) * 8 * width, said.ROUNDED_FIRST),
    "the number itself": (lambda c, width, max_channels: c, said.CHANNELS),
    "two arguments": (lambda c, width: c, said.CHANNELS_CALL),
}


# ---------------------------------------------------------------- exercise 2: c1_of_rows
def by_index(rows):
    out, read = {-1: 3}, []
    for i, (source, _, name, arguments) in enumerate(rows):
        sources = [source] if isinstance(source, int) else source
        read.append(sum(out[i - 1 if j == -1 else j] for j in sources))
        out[i] = arguments[0] if name not in {"Concat", "nn.Upsample"} else read[-1]
    return read


def changed(
    *,
    image=3,
    total=sum,
    keeps=("Concat", "nn.Upsample"),
    place=lambda i, j: i - 1 if j == -1 else j,
    gives=False,
    kept=None,
):
    def c1_of_rows(rows):
        out, read = {-1: image}, []
        for i, (source, _, name, arguments) in enumerate(rows):
            sources = [source] if isinstance(source, int) else source
            read.append(total([out[place(i, j)] for j in sources]))
            out[i] = read[-1] if name in keeps else (arguments[0] if arguments[0] is not None else kept)
        return [out[i] for i in range(len(rows))] if gives else read

    return c1_of_rows


def by_tuple(rows):
    return tuple(changed()(rows))


ROWS_RIGHT = {"by index": by_index, "as a tuple": by_tuple}
ROWS_WRONG = {
    "what rows give": (changed(gives=True), said.C2_GIVEN),
    "no image": (changed(image=0), said.IMAGE_LOST),
    "first of Concat": (changed(total=lambda channels: channels[0]), said.CONCAT_FIRST),
    "Concat gives its argument": (changed(keeps=("nn.Upsample",)), said.CONCAT_LAST),
    "Upsample gives nothing": (changed(keeps=("Concat",), kept=0), said.UPSAMPLE_NONE),
    "row before": (lambda rows: by_index([[-1, *row[1:]] for row in rows]), said.ALWAYS_BEFORE),
    "distances": (changed(place=lambda i, j: i - 1 if j == -1 else max(i - j, 0)), said.RELATIVE),
    "counted from one": (changed(place=lambda i, j: i - 1 if j == -1 else max(j - 1, 0)), said.FROM_ONE),
    "all three": (lambda rows: [3 for _ in rows], said.ROWS),
    "lists forgotten": (lambda rows: [rows[row[0]][3][0] for row in rows], said.ROWS_CALL),
}


# ---------------------------------------------------------------- exercise 3: repair
def lowered(rows, by=1, start=0, *, detect=True, concat=True):
    for row in rows:
        if isinstance(row[0], list) and (detect if row[2] == "Detect" else concat):
            row[0] = [j - by if j > start - 1 and j != -1 or start < 0 else j for j in row[0]]


def mended(d):
    d = copy.deepcopy(d)
    d["backbone"][5][2] = "C2f"
    d["backbone"][3][3] = [256]
    lowered(d["head"])
    return d


def in_place(d):
    """Allowed: the checker hands out a fresh dictionary."""
    d["backbone"][5][2], d["backbone"][3][3] = "C2f", [256]
    lowered(d["head"])
    return d


def but(change):
    def repair(d):
        right = mended(d)
        change(right, d)
        return right

    return repair


def put_back(right, d):
    right["backbone"].insert(2, [-1, 3, "C2f", [128, True]])


def head_of(**options):
    def change(right, d):
        right["head"] = copy.deepcopy(d["head"])
        lowered(right["head"], **options)

    return change


REPAIR_RIGHT = {"a copy": mended, "in place": in_place}
REPAIR_WRONG = {
    "row put back": (but(put_back), said.ROW_PUT_BACK),
    "name left": (but(lambda right, d: right["backbone"][5].__setitem__(2, "C2F")), said.NAME_LEFT),
    "block left": (but(lambda right, d: right["backbone"][3].__setitem__(3, [128])), said.BLOCK_LEFT),
    "row before changed": (
        but(
            lambda right, d: (
                right["backbone"][2].__setitem__(3, [128, 3, 2]),
                right["backbone"][3].__setitem__(3, [128]),
            )
        ),
        said.BEFORE_CHANGED,
    ),
    "Concat left": (but(head_of(concat=False)), said.CONCAT_LEFT),
    "Detect left": (but(head_of(detect=False)), said.DETECT_LEFT),
    "-1 lowered": (but(head_of(start=-1)), said.MINUS_CHANGED),
    "by two": (but(head_of(by=2)), said.SHIFTED_TWICE),
    "rows only": (lambda d: mended(d)["backbone"], said.NOT_A_YAML),
    "other rows": (but(lambda right, d: right["backbone"][8].__setitem__(2, "SPP")), said.REPAIR),
    "head as numbers": (lambda d: [row[0][0] for row in d["head"]], said.REPAIR_CALL),
}


# ---------------------------------------------------------------- exercise 4: my_yaml
def model(width=0.25, **changes):
    from cnx_tutorial.yolo.parser import yaml_model_load

    d = copy.deepcopy(yaml_model_load("yolov8n-convnext-article.yaml"))
    d["nc"] = 3
    d["scales"]["n"] = [0.33, width, 512]
    return d | changes


def row(d, part, number, place, value):
    d[part][number][place] = value
    return d


def without_blocks():
    d = model()
    d["backbone"] = [[-1, 1, "C2f", [r[3][0]]] if r[2] == "ConvNeXt_Block" else r for r in d["backbone"]]
    return d


def coarse():
    d = model()
    d["backbone"][0] = [-1, 1, "ConvNeXtStem", [96, 8, 8]]
    return d


def unscaled():
    d = model()
    del d["scales"]
    for r in d["backbone"] + d["head"]:
        if isinstance(r[3][0], int) and r[2] != "Concat":
            r[3] = [max(r[3][0] // 6, 8), *r[3][1:]]
        if r[2].endswith("Block"):
            r[1] = 1
    return d


OWN_RIGHT = {"narrow": model, "without scales": unscaled}
OWN_WRONG = {
    "not a dictionary": (lambda: "yolov8n-convnext.yaml", said.OWN_KEYS),
    "no head": (lambda: {"nc": 3, "backbone": []}, said.OWN_KEYS),
    "80 classes": (lambda: model(nc=80), said.OWN_CLASSES),
    "no blocks": (without_blocks, said.OWN_BLOCKS),
    "no Detect": (lambda: model(head=model()["head"][:-1]), said.OWN_DETECT),
    "levels in reverse": (lambda: row(model(), "head", -1, 0, [20, 17, 14]), said.OWN_ORDER),
    "stride 8 stem": (coarse, said.OWN_STRIDES),
    "too large": (lambda: model(0.5), said.OWN_BUDGET),
    "unknown name": (lambda: row(model(), "backbone", 1, 2, "ConvNeXtBlok"), said.OWN_BUILD),
    "takes an argument": (lambda d: d, said.OWN_CALL),
}

RIGHT = {
    check.scaled_channels: CHANNELS_RIGHT,
    check.c1_of_rows: ROWS_RIGHT,
    check.repair: REPAIR_RIGHT,
    check.my_yaml: OWN_RIGHT,
}
WRONG = {
    check.scaled_channels: CHANNELS_WRONG,
    check.c1_of_rows: ROWS_WRONG,
    check.repair: REPAIR_WRONG,
    check.my_yaml: OWN_WRONG,
}
NONSENSE = [lambda *a: {"nc": 3, "backbone": [1], "head": [2]}, lambda *a: {"nc": 3, "backbone": [], "head": []}]
