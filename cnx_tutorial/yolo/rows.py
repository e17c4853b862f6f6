"""Is this model YAML right? A mistake ends in one ValueError that names file and row, and says what to write."""

import ast
import contextlib
import difflib
import inspect
import math
import re
import reprlib

import torchvision
from torch import nn
from ultralytics.nn import tasks

from cnx_tutorial.nn import ConvNeXtBlock
from cnx_tutorial.yolo.registry import ROWS

# What a row may hold after its channels, by the name of the layer's argument.
TYPES = {
    **dict.fromkeys(("k", "s", "g", "d", "kernel_size"), (int,)),
    "p": (int, type(None)),
    "act": (bool,),
    "grn": (bool,),
    **dict.fromkeys(("expansion", "drop_path"), (int, float)),
    "layer_scale": (int, float, type(None)),
}


OURS = ("drop_path", "layer_scale", "grn")  # our keys beside Ultralytics' own
NUMBERS = {"nc": (1, 10**6), "reg_max": (1, 1024), "channels": (1, 10**4)}  # whole numbers, and between what they lie
MULTIPLES = ("depth_multiple", "width_multiple")
LARGEST = 10**6  # no number in a row is larger: not channels, not a kernel, not a scale factor
MOST_REPEATS = 1000
HEADS = re.compile(
    r"detect|segment|pose|obb|depth|rtdetrdecoder|^(classify|classifier|cls|fc)$"
)  # as Ultralytics guesses the task


def check_model(d: dict) -> list:
    """Refuse what no network can be built from, before anything is built; returns all rows."""
    check_sections(d)
    check_keys(d)
    check_numbers(d)
    rows = [*d["backbone"], *d["head"]]
    for i, row in enumerate(rows):
        check_row(d, i, row)
    i, (_, repeats, name, _) = len(rows) - 1, rows[-1]
    if repeats != 1 and HEADS.search(name.lower()):
        raise mistake(d, i, rows[i], f"the head was given repeats={repeats}, expected 1")
    return rows


def check_row(d: dict, i: int, row: list) -> None:
    """Refuse a row that is not `[from, repeats, Name, [arguments]]`, that reads a row which is not there yet, or whose name is unknown."""
    if not (
        isinstance(row, (list, tuple))
        and len(row) == 4
        and isinstance(row[2], str)
        and isinstance(row[3], (list, tuple))
    ):
        raise mistake(d, i, row, "a row is [from, repeats, Name, [arguments]]")
    sources = row[0] if isinstance(row[0], (list, tuple)) else [row[0]]
    if not sources or not all(is_a(f, (int,)) and min(-i, -1) <= f < i for f in sources):
        earlier = f"an earlier row by its number, 0 to {i - 1}, or counted back from here, -1 (the row before) to -{i}"
        wanted = "the image, which is -1" if i == 0 else earlier
        raise mistake(d, i, row, f"`from` is {row[0]!r}; row {i} can read {wanted}")
    if not is_a(row[1], (int,)) or not 1 <= row[1] <= MOST_REPEATS:
        raise mistake(
            d, i, row, f"{row[2]} was given repeats={row[1]!r}, expected a whole number from 1 to {MOST_REPEATS}"
        )
    if not is_known(row[2]):
        near = difflib.get_close_matches(row[2], known_names(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}" if near else f"ours are {', '.join(ROWS)}"
        raise mistake(d, i, row, f"no layer is named {row[2]!r}; {hint}?")
    if "anchors" in map(str, row[3]):
        wanted = [value for value in row[3] if value != "anchors"]
        raise mistake(
            d,
            i,
            row,
            f"`anchors` belong to YOLOv5; the heads of YOLOv8 and later have none: write {wanted}, and remove the key anchors",
        )
    if wrong := next((value for value in numbers_in(row[3]) if not abs(value) <= LARGEST), None):
        raise mistake(d, i, row, f"the number {wrong!r} is out of reason: no argument is above {LARGEST:,}")


def is_known(name: str) -> bool:
    homes = (("nn.", nn), ("torchvision.ops.", torchvision.ops), ("", tasks))
    return name in ROWS or any(name.startswith(k) and hasattr(home, name.removeprefix(k)) for k, home in homes)


def known_names() -> list[str]:
    return [*ROWS, *(k for k, v in vars(tasks).items() if isinstance(v, type) and issubclass(v, nn.Module))]


def numbers_in(value: object) -> list[int | float]:
    """Every number in nested lists; True and False are none."""
    if isinstance(value, (list, tuple)):
        return [number for one in value for number in numbers_in(one)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def check_sections(d: dict) -> None:
    """Refuse a YAML without rows."""
    if missing := [key for key in ("backbone", "head") if not isinstance(d.get(key), list) or not d[key]]:
        given = ", ".join(str(key) for key in d if key not in ("scale", "yaml_file"))[:300] or "(none)"
        raise wrong(d, f"no list of rows under {' and '.join(missing)}; its keys are {given}")


def check_head(d: dict) -> None:
    """Refuse a YAML whose last row tells Ultralytics no task."""
    rows = [*d["backbone"], *d["head"]]
    i, row = len(rows) - 1, rows[-1]
    if not isinstance(row, (list, tuple)) or len(row) != 4 or not isinstance(row[2], str):
        raise mistake(d, i, row, "a row is [from, repeats, Name, [arguments]]")
    if not HEADS.search(row[2].lower()):
        heads = [name for name in known_names() if HEADS.search(name.lower())]
        near = difflib.get_close_matches(row[2], heads, n=2, cutoff=0.5) or ["Detect"]
        example = "such as [[15, 18, 21], 1, Detect, [nc]]"
        raise mistake(
            d, i, row, f"the last row is the head, {example}; {row[2]!r} is none. Did you mean {' or '.join(near)}?"
        )


def check_keys(d: dict) -> None:
    """Refuse a misspelled key, and a value of drop_path, layer_scale or grn that no block can have.

    A key of the user's own (author, depth, a note) is none of our business: one counts as misspelled only where it is very like a key that is
    missing, and holds what that key would hold.
    """
    holds = {**{key: TYPES[key] for key in OURS}, "scales": (dict,)}
    for key, value in d.items():
        for meant, types in holds.items():
            alike = difflib.SequenceMatcher(None, str(key).lower(), meant).ratio()
            if key != meant and meant not in d and key != "scale" and is_a(value, types) and alike >= 0.75:
                raise wrong(d, f"key {key!r} is read by no part of YOLO; did you mean {meant!r}?")
        if key in ("NC", "Nc", "num_classes", "n_classes", "classes") and is_a(value, (int,)) and "nc" not in d:
            raise wrong(d, f"key {key!r} is read by no part of YOLO; did you mean 'nc'?")
    for key in OURS:
        if key in d and (not is_a(d[key], TYPES[key]) or not all(map(math.isfinite, numbers_in(d[key])))):
            raise wrong(d, f"key {key} is {d[key]!r}, expected {readable_types(key)}")


def check_numbers(d: dict) -> None:
    """Refuse numbers with which no network can be built: classes, distances, channels, scales."""
    for key, (least, most) in NUMBERS.items():
        if d.get(key) is not None and (not is_a(d[key], (int,)) or not least <= d[key] <= most):
            raise wrong(d, f"key {key} is {reprlib.repr(d[key])}, expected a whole number from {least} to {most:,}")
    for key in MULTIPLES:
        if key in d and not is_positive(d[key]):
            raise wrong(d, f"key {key} is {reprlib.repr(d[key])}, expected a number above 0, such as 0.33")
    scales = d.get("scales")
    if not scales:
        return
    expected = "expected a line for each letter, such as n: [0.33, 0.25, 1024], that is [depth, width, max_channels]"
    if not isinstance(scales, dict):
        raise wrong(d, f"key scales is {reprlib.repr(scales)}, {expected}")
    for letter, values in scales.items():
        if not isinstance(values, (list, tuple)) or len(values) != 3 or not all(map(is_positive, values)):
            more = (
                "; the third is the most channels that a row may have"
                if isinstance(values, (list, tuple)) and len(values) == 2
                else ""
            )
            raise wrong(d, f"scales has {letter}: {reprlib.repr(values)}, {expected}{more}")
    if d.get("scale") and d["scale"] not in scales:
        raise wrong(d, f"the file's name asks for scale {d['scale']!r}, and scales has {', '.join(map(str, scales))}")


def is_positive(value: object) -> bool:
    return is_a(value, (int, float)) and 0 < value <= LARGEST


def arguments(d: dict, i: int, row: list) -> dict:
    """The arguments that row `i` gives to our layer after its channels, by name; refused where number or type is wrong."""
    source, repeats, name, given = row
    layer = ROWS[name]
    names = [p for p in inspect.signature(layer).parameters if p not in ("c1", "c2", "dim")]
    form = f"[{', '.join(['channels', *names])}]"
    if not isinstance(source, int):
        raise mistake(
            d,
            i,
            row,
            f"{name} reads one earlier row, so `from` is one number (-1: the row before); put a Concat row before it",
        )
    if repeats > 1 and layer is not ConvNeXtBlock:
        raise mistake(d, i, row, f"{name} was given repeats={repeats!r}, expected 1, since it changes the resolution")
    if not 1 <= len(given) <= len(names) + 1:
        raise mistake(d, i, row, f"{name} takes 1 to {len(names) + 1} arguments, {form}, and was given {len(given)}")
    values = [literal(value) for value in given]
    if not is_a(values[0], (int,)) or values[0] < 1:
        raise mistake(
            d,
            i,
            row,
            f"the first argument of {name} is its number of channels, a whole number from 1 up; given {given[0]!r}",
        )
    options = dict(zip(names, values[1:], strict=False))
    for key, value in options.items():
        if not is_a(value, TYPES[key]) or not all(map(math.isfinite, numbers_in(value))):
            wanted = f"expected {readable_types(key)}; the order is {form}"
            raise mistake(d, i, row, f"argument {key} of {name} is {value!r}, {wanted}")
    return options


def readable_types(key: str) -> str:
    return " or ".join("None" if t is type(None) else t.__name__ for t in TYPES[key])


def is_a(value: object, types: tuple[type, ...]) -> bool:
    """isinstance, but True and False are no numbers."""
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def literal(value: object) -> object:
    """A YAML string such as 'None' as Python reads it, as Ultralytics does for its own rows."""
    with contextlib.suppress(ValueError, SyntaxError):
        return ast.literal_eval(value) if isinstance(value, str) else value
    return value


def mistake(d: dict, i: int, row: object, what: str) -> ValueError:
    """The error of a row: file, row number as in the layer table, the row as written, what is wrong and what to write."""
    shown = str(row) if isinstance(row, (list, tuple)) and len(str(row)[:400]) < 400 else reprlib.repr(row)
    return wrong(d, f"row {i} {shown}: {what}", ", ")


def wrong(d: dict, what: str, joint: str = ": ") -> ValueError:
    """The error of the file as a whole."""
    return ValueError(f"{d.get('yaml_file', 'model YAML')}{joint}{what}")
