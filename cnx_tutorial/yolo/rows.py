"""Is this model YAML right? A mistake ends in one ValueError that names file and row, and says what to write."""

import difflib
import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import torchvision
from torch import nn
from ultralytics.nn import tasks

from cnx_tutorial.yolo.layer_file import find_file, run_file
from cnx_tutorial.yolo.layers import LAYERS, OURS, WHOLE, Layer, check_still_there, is_a, numbers_in, readable

# Our keys beside Ultralytics' own: what a layer whose constructor has an argument of this name gets, and the types that it may have.
KEYS = {"drop_path": (int, float), "layer_scale": (int, float, type(None)), "grn": (bool,)}
NUMBERS = {"nc": (1, 10**6), "reg_max": (1, 1024), "channels": (1, 10**4)}  # whole numbers, and between what they lie
MULTIPLES = ("depth_multiple", "width_multiple")
LARGEST = 10**6  # no number in a row is larger: not channels, not a kernel, not a scale factor
MOST_REPEATS = 1000
HEADS = re.compile(
    r"detect|segment|pose|obb|depth|rtdetrdecoder|^(classify|classifier|cls|fc)$"
)  # as Ultralytics guesses the task


@dataclass
class Row:
    """One row of a model YAML: `[from, repeats, Name, [arguments]]`."""

    file: str
    i: int  # its number, as in the layer table
    source: int | list[int]  # the row that it reads, or several; -1 is the row before, and for row 0 the image
    repeats: int
    name: str
    arguments: list
    layer: Layer | None = None  # what our side knows about its class; None for Ultralytics' own
    options: dict[str, object] = field(default_factory=dict)  # the arguments after the channels, by name

    @property
    def sources(self) -> list[int]:
        """The numbers of the rows that it reads; -1 is the image."""
        given = self.source if isinstance(self.source, (list, tuple)) else [self.source]
        return [f if f >= 0 else self.i + f for f in given]

    def wrong(self, what: str) -> ValueError:
        """Its error: file, row number, the row as written, what is wrong and what to write."""
        return wrong_row(self.file, self.i, [self.source, self.repeats, self.name, self.arguments], what)


def wrong_row(file: str, i: int, row: object, what: str) -> ValueError:
    shown = str(row) if isinstance(row, (list, tuple)) and len(str(row)[:400]) < 400 else reprlib.repr(row)
    return ValueError(f"{file}, row {i} {shown}: {what}")


def wrong(d: dict, what: str) -> ValueError:
    """The error of the file as a whole."""
    return ValueError(f"{file_of(d)}: {what}")


def file_of(d: dict) -> str:
    return str(d.get("yaml_file", "model YAML"))


def layers_of(d: dict) -> Mapping[str, Layer]:
    """What the rows of this YAML may name beside Ultralytics' layers: all that is registered, and the classes of its file `layers:`."""
    file = find_file(d)
    return LAYERS if file is None else LAYERS | run_file(file).layers


def read_rows(d: dict) -> list[Row]:
    """All rows of a model YAML; what no network can be built from is refused before anything is built."""
    check_sections(d)
    check_keys(d)
    check_numbers(d)
    layers = layers_of(d)
    rows = [read_row(d, i, row, layers) for i, row in enumerate([*d["backbone"], *d["head"]])]
    if rows[-1].repeats != 1 and HEADS.search(rows[-1].name.lower()):
        raise rows[-1].wrong(f"the head was given repeats={rows[-1].repeats}, expected 1")
    for row in rows:
        if row.layer:
            check_still_there(row.layer)
            row.options = row.layer.read(row)
    return rows


def read_row(d: dict, i: int, given: object, layers: Mapping[str, Layer]) -> Row:
    """One row; refused where it is not `[from, repeats, Name, [arguments]]`, reads a row which is not there yet, or has an unknown name."""
    if not has_form(given):
        raise wrong_row(file_of(d), i, given, "a row is [from, repeats, Name, [arguments]]")
    row = Row(file_of(d), i, *given, layers.get(given[2]))
    sources = row.source if isinstance(row.source, (list, tuple)) else [row.source]
    if not sources or not all(is_a(f, (int,)) and min(-i, -1) <= f < i for f in sources):
        earlier = f"an earlier row by its number, 0 to {i - 1}, or counted back from here, -1 (the row before) to -{i}"
        wanted = "the image, which is -1" if i == 0 else earlier
        raise row.wrong(f"`from` is {row.source!r}; row {i} can read {wanted}")
    if not is_a(row.repeats, (int,)) or not 1 <= row.repeats <= MOST_REPEATS:
        raise row.wrong(
            f"{row.name} was given repeats={row.repeats!r}, expected a whole number from 1 to {MOST_REPEATS}"
        )
    if not row.layer and row.name not in WHOLE and not is_known(row.name):
        raise row.wrong(unknown(d, row.name, layers))
    if "anchors" in map(str, row.arguments):
        kept = [value for value in row.arguments if value != "anchors"]
        raise row.wrong(
            f"`anchors` belong to YOLOv5; the heads of YOLOv8 and later have none: write {kept}, and remove the key anchors"
        )
    if odd := next((value for value in numbers_in(row.arguments) if not abs(value) <= LARGEST), None):
        raise row.wrong(f"the number {odd!r} is out of reason: no argument is above {LARGEST:,}")
    return row


def has_form(row: object) -> bool:
    return (
        isinstance(row, (list, tuple))
        and len(row) == 4
        and isinstance(row[2], str)
        and isinstance(row[3], (list, tuple))
    )


def is_known(name: str) -> bool:
    """Whether Ultralytics finds a layer of this name."""
    homes = (("nn.", nn), ("torchvision.ops.", torchvision.ops), ("", tasks))
    return any(name.startswith(k) and hasattr(home, name.removeprefix(k)) for k, home in homes)


def unknown(d: dict, name: str, layers: Mapping[str, Layer]) -> str:
    """What to say of a name that no layer has."""
    file = find_file(d)
    if file and name in (refused := run_file(file).refused):
        return str(refused[name])
    names = [*layers, *WHOLE, *stock_names()]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"no layer is named {name!r}; did you mean {' or '.join(near)}?"
    more = "A class of your own: register it, or name its file with the key layers: my_layers.py"
    return f"no layer is named {name!r}; ours are {', '.join([*OURS, *WHOLE])}. {more}"


def stock_names() -> list[str]:
    return [name for name, kind in vars(tasks).items() if isinstance(kind, type) and issubclass(kind, nn.Module)]


def check_sections(d: dict) -> None:
    """Refuse a YAML without rows."""
    if missing := [key for key in ("backbone", "head") if not isinstance(d.get(key), list) or not d[key]]:
        given = ", ".join(str(key) for key in d if key not in ("scale", "yaml_file"))[:300] or "(none)"
        raise wrong(d, f"no list of rows under {' and '.join(missing)}; its keys are {given}")


def check_head(d: dict) -> None:
    """Refuse a YAML whose last row tells Ultralytics no task."""
    rows = [*d["backbone"], *d["head"]]
    i, row = len(rows) - 1, rows[-1]
    if not has_form(row):
        raise wrong_row(file_of(d), i, row, "a row is [from, repeats, Name, [arguments]]")
    if not HEADS.search(row[2].lower()):
        heads = [name for name in stock_names() if HEADS.search(name.lower())]
        near = difflib.get_close_matches(row[2], heads, n=2, cutoff=0.5) or ["Detect"]
        example = "such as [[15, 18, 21], 1, Detect, [nc]]"
        hint = f"the last row is the head, {example}; {row[2]!r} is none. Did you mean {' or '.join(near)}?"
        raise wrong_row(file_of(d), i, row, hint)


def check_keys(d: dict) -> None:
    """Refuse a misspelled key, and a value of drop_path, layer_scale or grn that no block can have.

    Other keys of the user (author, depth, a note) are allowed. A key counts as misspelled only if it is very similar to a key that is
    missing, and its value would fit that key.
    """
    holds = {**KEYS, "scales": (dict,)}
    for key, value in d.items():
        for meant, allowed in holds.items():
            alike = difflib.SequenceMatcher(None, str(key).lower(), meant).ratio()
            if key != meant and meant not in d and key != "scale" and is_a(value, allowed) and alike >= 0.75:
                raise wrong(d, f"key {key!r} is read by no part of YOLO; did you mean {meant!r}?")
        if key in ("NC", "Nc", "num_classes", "n_classes", "classes") and is_a(value, (int,)) and "nc" not in d:
            raise wrong(d, f"key {key!r} is read by no part of YOLO; did you mean 'nc'?")
        if key in ("layer", "Layers", "layer_file") and str(value).endswith(".py") and "layers" not in d:
            raise wrong(d, f"key {key!r} is read by no part of YOLO; did you mean 'layers'?")
    for key, allowed in KEYS.items():
        if key in d and (not is_a(d[key], allowed) or not all(map(math.isfinite, numbers_in(d[key])))):
            raise wrong(d, f"key {key} is {d[key]!r}, expected {readable(allowed)}")


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
