"""Is this row of a model YAML right? A mistake ends in one ValueError that names file, row and mend."""

import ast
import contextlib
import difflib
import inspect

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


def check_row(d: dict, i: int, row: list) -> None:
    """Refuse a row that is not `[from, repeats, Name, [arguments]]`, that reads a row which is not there yet, or whose name nobody knows."""
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
    name = row[2]
    for prefix, home in (("nn.", nn), ("torchvision.ops.", torchvision.ops), ("", tasks)):
        if name in ROWS or (name.startswith(prefix) and hasattr(home, name.removeprefix(prefix))):
            return
    known = [*ROWS, *(k for k, v in vars(tasks).items() if isinstance(v, type) and issubclass(v, nn.Module))]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    raise mistake(
        d,
        i,
        row,
        f"no layer is named {name!r}; {'did you mean ' + ' or '.join(near) if near else 'ours are ' + ', '.join(ROWS)}?",
    )


OURS = ("drop_path", "layer_scale", "grn")  # our keys beside Ultralytics' own
KEYS = (*OURS, "nc", "scales", "backbone", "head")


def check_sections(d: dict) -> None:
    """Refuse a YAML without rows."""
    if missing := [key for key in ("backbone", "head") if not isinstance(d.get(key), list)]:
        file, given = d.get("yaml_file", "model YAML"), ", ".join(map(str, d))
        raise ValueError(f"{file}: no list of rows under {' and '.join(missing)}; its keys are {given}")


def check_keys(d: dict) -> None:
    """Refuse a misspelled key, and a value of drop_path, layer_scale or grn that no block can have."""
    for key in d:
        near = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.6)
        if key != "scale" and near and near[0] not in d:
            raise ValueError(
                f"{d.get('yaml_file', 'model YAML')}: key {key!r} is read by nobody; did you mean {near[0]!r}?"
            )
    for key in OURS:
        if key in d and not is_a(d[key], TYPES[key]):
            raise ValueError(
                f"{d.get('yaml_file', 'model YAML')}: key {key} is {d[key]!r}, expected {readable_types(key)}"
            )


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
    if not is_a(repeats, (int,)) or repeats < 1 or (repeats > 1 and layer is not ConvNeXtBlock):
        wanted = "a whole number from 1 up" if layer is ConvNeXtBlock else "1, since it changes the resolution"
        raise mistake(d, i, row, f"{name} was given repeats={repeats!r}, expected {wanted}")
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
        if not is_a(value, TYPES[key]):
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
    """The one error of this module: file, row number as in the layer table, the row as written, what is wrong and the mend."""
    return ValueError(f"{d.get('yaml_file', 'model YAML')}, row {i} {row}: {what}")
