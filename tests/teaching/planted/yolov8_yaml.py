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


def scaled(change):
    """An answer that does something else with the right product."""
    return lambda c, width, max_channels: change(min(c, max_channels) * width)


CHANNELS_WRONG = {
    "cut first": (scaled(lambda x: (int(x) + 7) // 8 * 8), said.CUT_FIRST),
    "at least 16": (scaled(lambda x: max(math.ceil(x / 8) * 8, 16)), said.AT_LEAST_16),
    "no eight, up": (scaled(math.ceil), said.NO_EIGHT),
    "no eight, nearest": (scaled(round), said.NO_EIGHT),
    "the product": (scaled(lambda x: x), said.NO_EIGHT),
    "eights": (scaled(lambda x: math.ceil(x / 8)), said.EIGHTS),
    "one more": (scaled(lambda x: int(x // 8 + 1) * 8), said.ONE_MORE),
    "make_divisible": (scaled(lambda x: max(8, int(x + 4) // 8 * 8)), said.ROUNDED),
    "down to 8": (scaled(lambda x: max(8, int(x) // 8 * 8)), said.ROUNDED_DOWN),
    "max": (lambda c, width, max_channels: math.ceil(max(c, max_channels) * width / 8) * 8, said.MAX_FOR_MIN),
    "no width": (lambda c, width, max_channels: math.ceil(min(c, max_channels) / 8) * 8, said.NO_WIDTH),
    "two mistakes": (lambda c, width, max_channels: round(c * width / 8) * 8, said.CHANNELS),
    "an unknown name": (lambda c, width, max_channels: ceil(c * width / 8) * 8, said.CHANNELS_CALL),  # noqa: F821
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


def without_the_image(rows):
    out, read = [], []
    for source, _, name, arguments in rows:
        read.append(sum(out[j] for j in (source if isinstance(source, list) else [source])))
        out.append(read[-1] if name in ("Concat", "nn.Upsample") else arguments[0])
    return read


def image_in_the_list(rows):
    """The list begins with the image's 3, and an index is looked up as it stands."""
    out, read = [3], []
    for source, _, name, arguments in rows:
        read.append(sum(out[j] for j in (source if isinstance(source, list) else [source])))
        out.append(read[-1] if name in ("Concat", "nn.Upsample") else arguments[0])
    return read


def one_number(rows):
    out, read = [], []
    for source, _, name, arguments in rows:
        read.append(out[source] if out else 3)
        out.append(read[-1] if name in ("Concat", "nn.Upsample") else arguments[0])
    return read


def always_a_list(rows):
    out, read = [], []
    for source, _, name, arguments in rows:
        read.append(sum(out[j] if out else 3 for j in source))
        out.append(read[-1] if name in ("Concat", "nn.Upsample") else arguments[0])
    return read


def number_or_sum(rows):
    """Upsample forgotten, where a single number is looked up without a sum."""
    out, read = {-1: 3}, []
    for i, (source, _, name, arguments) in enumerate(rows):
        if name == "Concat":
            read.append(sum(out[i - 1 if j == -1 else j] for j in source))
        else:
            read.append(out[i - 1 if source == -1 else source])
        out[i] = read[-1] if name == "Concat" else arguments[0]
    return read


def adds_to_the_list(rows):
    read = []
    for _ in rows:
        read += 3
    return read


def unknown_name_at_concat(rows):
    return [total(source) if isinstance(source, list) else 3 for source, *_ in rows]  # noqa: F821


def in_the_rows(rows):
    for row in rows:
        row[0] = [row[0]] if isinstance(row[0], int) else row[0]
    return by_index(rows)


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
    "lists forgotten": (lambda rows: [rows[row[0]][3][0] for row in rows], said.FROM_LIST),
    "Upsample forgotten": (changed(keeps=("Concat",)), said.UPSAMPLE_NONE),
    "Upsample without nn.": (changed(keeps=("Concat", "Upsample")), said.UPSAMPLE_NONE),
    "Upsample forgotten, no sum": (number_or_sum, said.UPSAMPLE_NONE),
    "nothing before row 0": (without_the_image, said.IMAGE_LOST),
    "image in the list": (image_in_the_list, said.FROM_ONE),
    "last of Concat": (changed(total=lambda channels: channels[-1]), said.CONCAT_FIRST),
    "one number": (one_number, said.FROM_LIST),
    "always a list": (always_a_list, said.FROM_NUMBER),
    "a number added to a list": (adds_to_the_list, said.ROWS_CALL),
    "an unknown name": (unknown_name_at_concat, said.ROWS_CALL),
    "no number for Concat": (
        lambda rows: [c for c, row in zip(by_index(rows), rows, strict=True) if row[2] != "Concat"],
        said.ONE_EACH,
    ),
    "writes into the rows": (in_the_rows, said.CHANGED_INPUT),
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
    d["backbone"][5][2], d["backbone"][3][3] = "C2f", [256]
    lowered(d["head"])
    return d


def relative(d):
    """The same rows read, written as distances."""
    d = mended(d)
    d["head"][7][0], d["head"][-1][0] = [-1, -5], [14, 17, -1]
    return d


def rebuilt(d):
    """A shallow copy, with new rows where something changes."""
    backbone = [[256] if row[2] == "ConvNeXtBlock" else row[3] for row in d["backbone"]]
    head = [[[j - (j > 0) for j in row[0]] if isinstance(row[0], list) else row[0], *row[1:]] for row in d["head"]]
    rows = [[f, n, name.replace("2F", "2f"), a] for (f, n, name, _), a in zip(d["backbone"], backbone, strict=True)]
    return {**d, "backbone": rows, "head": head}


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


def cell(part, number, place, value):
    """The right answer but for one entry of one row."""
    return but(lambda right, d: right[part][number].__setitem__(place, value))


REPAIR_RIGHT = {"a copy": mended, "distances": relative, "rebuilt": rebuilt}
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
    "other rows": (cell("backbone", 8, 2, "SPP"), said.REPAIR),
    "a list for one number": (cell("head", 0, 0, [-1]), said.REPAIR),
    "block scaled": (cell("backbone", 3, 3, [64]), said.BLOCK_SCALED),
    "block with two arguments": (cell("backbone", 3, 3, [256, True]), said.BLOCK),
    "block repeated": (cell("backbone", 3, 1, 6), said.BLOCK),
    "C2f for the block": (
        but(lambda right, d: right["backbone"].__setitem__(3, [-1, 6, "C2f", [256, True]])),
        said.BLOCK_GONE,
    ),
    "Downsample before the block": (
        but(lambda right, d: right["backbone"].insert(3, [-1, 1, "ConvNeXtDownsample", [128, 2, 2]])),
        said.ROW_ADDED,
    ),
    "a row taken away": (but(lambda right, d: right["backbone"].pop()), said.ROW_GONE),
    "one number of Detect left": (cell("head", -1, 0, [14, 17, 21]), said.OTHER_FROM),
    "Concat in another order": (cell("head", 1, 0, [5, -1]), said.OTHER_FROM),
    "in place": (in_place, said.NO_COPY),
    "dict(d)": (lambda d: in_place(dict(d)), said.NO_COPY),
    "d.copy()": (lambda d: in_place(d.copy()), said.NO_COPY),
    "other classes": (but(lambda right, d: right.update(nc=3)), said.OTHER_KEYS),
    "no scale": (but(lambda right, d: right.pop("scale")), said.OTHER_KEYS),
    "rows alone": (lambda d: {key: mended(d)[key] for key in ("backbone", "head")}, said.OTHER_KEYS),
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


def published(width=0.17, **letters):
    from cnx_tutorial.yolo.parser import yaml_model_load

    d = copy.deepcopy(yaml_model_load("yolov8n-convnext-published.yaml"))
    d["nc"] = 3
    d["scales"]["n"] = [0.33, width, 768]
    d["scales"] |= letters
    return d


def one_block_more(renumbered, detect=True):
    """A row inserted into the backbone, with or without new numbers in the head."""
    d = published()
    d["backbone"].insert(2, [-1, 1, "ConvNeXtBlock", [96]])
    for r in d["head"] if renumbered else []:
        if isinstance(r[0], list) and (detect or r[2] != "Detect"):
            r[0] = [j + 1 if j > 0 else j for j in r[0]]
    return d


def one_row_less():
    """A stage without blocks, and the numbers of the head as they were."""
    d = published()
    del d["backbone"][5]
    return d


def lateral():
    """A row that reads stride 16 and makes it narrower, in front of the first Concat."""
    d = published()
    d["head"][1:2] = [[5, 1, "Conv", [192, 1, 1]], [[-1, -2], 1, "Concat", [1]]]
    for r in d["head"][3:]:
        if isinstance(r[0], list):
            r[0] = [j + 1 if j > 8 else j for j in r[0]]
    return d


def with_minus():
    return row(row(published(), "head", -1, 0, [14, 17, -1]), "head", 7, 0, [-1, -5])


def in_a_notebook(code):
    """A function in a notebook that has read `ours`; the code may spoil it."""
    from cnx_tutorial.yolo.parser import yaml_model_load

    space = {"ours": yaml_model_load("yolov8n-convnext-published.yaml"), "copy": copy}
    exec(code, space)
    return space["my_yaml"]


NARROW = """
def my_yaml():
    d = {copied}
    d["nc"] = 3
    d["scales"]["{letter}"] = [0.33, 0.25, 768]
    return d
"""
SHARED = """
def my_yaml():
    return {**ours, "nc": 3, "scales": {"n": [0.33, 0.25, 768]}}
"""
SPOILT = 'ours["scales"]["n"] = [0.33, 0.25, 768]' + NARROW.format(copied="copy.deepcopy(ours)", letter="s")

OWN_RIGHT = {
    "narrow": model,
    "without scales": unscaled,
    "a copy": in_a_notebook(NARROW.format(copied="copy.deepcopy(ours)", letter="n")),
    "nothing shared is changed": in_a_notebook(SHARED),
    "one block more": lambda: one_block_more(True),
    "distances": with_minus,
    "a lateral row": lateral,
}
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
    "Detect reads the Concats": (lambda: row(published(), "head", -1, 0, [13, 16, 19]), said.OWN_DETECT_EARLY),
    "Detect reads the way up": (lambda: row(published(), "head", -1, 0, [14, 11, 20]), said.OWN_DETECT_EARLY),
    "too early, and too large": (lambda: row(published(0.33), "head", -1, 0, [13, 16, 19]), said.OWN_DETECT_EARLY),
    "numbers forgotten": (lambda: one_block_more(False), said.OWN_CONCAT_EARLY),
    "Detect forgotten": (lambda: one_block_more(True, detect=False), said.OWN_DETECT_EARLY),
    "Concat reads a Downsample": (lambda: row(published(), "head", 1, 0, [-1, 4]), said.OWN_CONCAT_EARLY),
    "a row less": (one_row_less, said.OWN_NUMBERS),
    "block of other channels": (lambda: row(published(), "backbone", 3, 3, [384]), said.OWN_BUILD),
    "another scale": (lambda: published(0.33, s=[0.33, 0.2, 768]), said.OWN_SCALE),
    "ours itself": (in_a_notebook(NARROW.format(copied="ours", letter="n")), said.OWN_COPY),
    "dict(ours)": (in_a_notebook(NARROW.format(copied="dict(ours)", letter="n")), said.OWN_COPY),
    "after ours itself": (in_a_notebook(SPOILT), said.OWN_COPY),
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
