"""From YAML rows to layers: the stock parser lays out the network, then our layers take their places.

Each of our rows is handed to Ultralytics' own `parse_model` as a `Conv` row, because a `Conv` row follows exactly the channel rules that we
want: c1 inferred, c2 scaled by `width` and `max_channels`, repeats scaled by `depth`. Then the stand-in is replaced, with c1 and c2 read off it.
Nothing of Ultralytics is copied or edited. A mistake in a row ends in one ValueError that names the row and the mend.
"""

import ast
import contextlib
import difflib
import inspect
import logging
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import torch
import torchvision
from torch import nn
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER, YAML

from cnx_tutorial.nn import ConvNeXtBlock
from cnx_tutorial.yolo.registry import ROWS

CONFIGS = Path(__file__).parent / "configs"
stock_parse_model, stock_yaml_model_load = tasks.parse_model, tasks.yaml_model_load

# What a row may hold after its channels, by the name of the layer's argument.
TYPES = {
    **dict.fromkeys(("k", "s", "g", "d", "kernel_size"), (int,)),
    "p": (int, type(None)),
    "act": (bool,),
    "grn": (bool,),
    **dict.fromkeys(("expansion", "drop_path"), (int, float)),
    "layer_scale": (int, float, type(None)),
}


class ConvNeXtLayers(nn.Sequential):
    """The layers of a model with rows of ours: `nn.Sequential` under a name of its own.

    A checkpoint pickles that name, so unpickling it imports `cnx_tutorial.yolo`, which registers: `best.pt` trains on in a fresh process.
    """


def parse_model(d: dict, ch: int, verbose: bool = True) -> tuple[nn.Sequential, list[int]]:
    """Build the layers of a model YAML: Ultralytics' `parse_model`, which knows our rows.

    Args:
        d: the YAML as a dictionary. Beside the stock keys: `drop_path` (rate of the last block, rising linearly from 0; default 0),
            `layer_scale` (first value of gamma; default 1.0, as in the authors' detection configurations), `grn` (ConvNeXt V2; default False).
        ch: number of input channels.
        verbose: print the layer table.

    Returns:
        The layers, and the indices of those whose output a later row needs.

    Raises:
        ValueError: a row is wrong; the message names the row and the mend.
    """
    rows = [*d["backbone"], *d["head"]]
    for i, row in enumerate(rows):
        check_row(d, i, row)
    ours = [i for i, row in enumerate(rows) if row[2] in ROWS]
    if not ours:
        return stock_parse_model(d, ch, verbose)
    options = {i: arguments(d, i, rows[i]) for i in ours}

    stood_in = deepcopy(d)
    for i, row in enumerate([*stood_in["backbone"], *stood_in["head"]]):
        if i in options:
            row[2:] = ["Conv", [row[3][0]]]  # channels only: kernel and stride are our layer's business
    with held_back(LOGGER) as records:
        stock, save = stock_parse_model(stood_in, ch, verbose)

    layers, table = list(stock), {}
    blocks = {
        i: len(stock[i]) if isinstance(stock[i], nn.Sequential) else 1
        for i in ours
        if ROWS[rows[i][2]] is ConvNeXtBlock
    }
    rates = iter(torch.linspace(0, d.get("drop_path", 0.0), sum(blocks.values())).tolist())
    for i in ours:
        place = stock[i][0] if isinstance(stock[i], nn.Sequential) else stock[i]
        c1, c2 = place.conv.in_channels, place.conv.out_channels
        layers[i] = build(d, i, rows[i], c1, c2, options[i], [next(rates) for _ in range(blocks.get(i, 0))])
        table[i] = take_place(layers[i], stock[i], ROWS[rows[i][2]], (c1, c2, *options[i].values()))
    check_strides(d, rows, layers, save, ch)
    for record in records:
        LOGGER.handle(renamed(record, table))
    return ConvNeXtLayers(*layers), save


def build(d: dict, i: int, row: list, c1: int, c2: int, options: dict, rates: list[float]) -> nn.Module:
    """Our layer for row `i`; repeated blocks are one `nn.Sequential`, of length 1 too, so that depth never changes the names of weights."""
    layer = ROWS[row[2]]
    try:
        if layer is not ConvNeXtBlock:
            return layer(c1, c2, **options)
        if c1 != c2:
            raise ValueError(
                f"a block keeps its channels, but c1={c1} and c2={c2}; put a ConvNeXtDownsample row before it, or give it c1"
            )
        defaults = {"layer_scale": d.get("layer_scale", 1.0), "grn": d.get("grn", False)}
        return nn.Sequential(*(layer(c2, **{**defaults, "drop_path": rate, **options}) for rate in rates))
    except ValueError as error:
        raise mistake(d, i, row, str(error)) from error


def take_place(layer: nn.Module, stand_in: nn.Module, kind: type, shown: tuple) -> tuple[int, str, str]:
    """Give our layer what Ultralytics attached to its stand-in; returns parameters, type and arguments for the layer table."""
    layer.i, layer.f, layer.type = stand_in.i, stand_in.f, f"cnx_tutorial.nn.{kind.__name__}"
    layer.np = sum(p.numel() for p in layer.parameters())
    return layer.np, layer.type, str(list(shown))


def check_row(d: dict, i: int, row: list) -> None:
    """Refuse a row that is not `[from, repeats, Name, [arguments]]` or whose name nobody knows."""
    if not (
        isinstance(row, (list, tuple))
        and len(row) == 4
        and isinstance(row[2], str)
        and isinstance(row[3], (list, tuple))
    ):
        raise mistake(d, i, row, "a row is [from, repeats, Name, [arguments]]")
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
    if i == 0 and source != -1:
        raise mistake(d, i, row, "the first row reads the image: write -1 as its `from`")
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
            wanted = " or ".join("None" if t is type(None) else t.__name__ for t in TYPES[key])
            raise mistake(d, i, row, f"argument {key} of {name} is {value!r}, expected {wanted}; the order is {form}")
    return options


def is_a(value: object, types: tuple[type, ...]) -> bool:
    """isinstance, but True and False are no numbers."""
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def literal(value: object) -> object:
    """A YAML string such as 'None' as Python reads it, as Ultralytics does for its own rows."""
    with contextlib.suppress(ValueError, SyntaxError):
        return ast.literal_eval(value) if isinstance(value, str) else value
    return value


@torch.no_grad()
def check_strides(d: dict, rows: list, layers: list[nn.Module], save: list[int], ch: int) -> None:
    """Send 256 black pixels square through the rows before the head and name the first row that does not fit."""
    x, size, outputs = torch.zeros(1, ch, 256, 256), {-1: 256}, []
    training = [layer.training for layer in layers]
    try:
        for i, layer in enumerate(layers):
            sources = [layer.f] if isinstance(layer.f, int) else layer.f
            inputs = [x if f == -1 else outputs[f] for f in sources]
            read = [f if f >= 0 else i + f for f in sources]  # row numbers; -1 is the image for row 0
            strides = [256 / size[row] for row in read if row in size]
            if i == len(layers) - 1:
                if strides != sorted(set(strides)) or not all(stride.is_integer() for stride in strides):
                    wrong = f"the head reads rows {read} with strides {readable(strides)}, expected rising whole numbers such as 8, 16, 32"
                    raise mistake(
                        d,
                        i,
                        rows[i],
                        f"{wrong}; change the stride `s` of a stem or downsampling row, or the rows it reads",
                    )
                return
            try:
                x = layer.eval()(inputs[0] if isinstance(layer.f, int) else inputs)
            except RuntimeError as error:
                raise mistake(
                    d, i, rows[i],
                    f"it reads {', '.join(str(tuple(t.shape)) for t in inputs)} from rows {read}, strides {readable(strides)}, and fails "
                    f"({str(error).splitlines()[0]}); maps that meet in one row need one stride: change the stride `s` of a stem or downsampling "
                    "row, or the row it reads",
                ) from error  # fmt: skip
            if isinstance(x, torch.Tensor) and x.ndim == 4:
                size[i] = x.shape[-2]
            outputs.append(x if i in save else None)
    finally:
        for layer, mode in zip(layers, training, strict=True):
            layer.train(mode)


def readable(strides: list[float]) -> str:
    return ", ".join(f"{stride:g}" for stride in strides)


def mistake(d: dict, i: int, row: object, what: str) -> ValueError:
    """The one error of this module: file, row number as in the layer table, the row as written, what is wrong and the mend."""
    return ValueError(f"{d.get('yaml_file', 'model YAML')}, row {i} {row}: {what}")


@contextlib.contextmanager
def held_back(logger: logging.Logger) -> Iterator[list[logging.LogRecord]]:
    """Collect what `logger` says in this block instead of printing it."""
    records: list[logging.LogRecord] = []
    logger.addFilter(hold := lambda record: records.append(record))  # append returns None: the record is not printed
    try:
        yield records
    finally:
        logger.removeFilter(hold)


def renamed(record: logging.LogRecord, table: dict[int, tuple[int, str, str]]) -> logging.LogRecord:
    """The line of the layer table, with our layer in the place of its stand-in."""
    line = record.getMessage()
    if (row := re.match(r"( *(\d+) .{24})", line)) and int(row[2]) in table:
        parameters, kind, shown = table[int(row[2])]
        record.msg, record.args = f"{line[:26]}{parameters:10.0f}  {kind:<45}{shown:<30}", ()
    return record


def yaml_model_load(path: str | Path) -> dict:
    """Read a model YAML: Ultralytics' `yaml_model_load`, which also finds `yolov8n-convnext.yaml` among our configurations.

    The scale letter is taken off the file's name only; the stock function takes the first one off the whole path (`runs3s/yolov8n-mine.yaml`).
    """
    path = Path(path)
    plain = re.sub(r"^(yolo(?:e-)?v?\d+)[nslmx](?=\W|$)", r"\1", path.name)
    folders = [path.parent, *([CONFIGS] if len(path.parts) == 1 else [])]
    found = [folder / name for folder in folders for name in (path.name, plain) if (folder / name).is_file()]
    if found:
        return {**YAML.load(found[0]), "scale": tasks.guess_model_scale(path), "yaml_file": str(path)}
    try:
        return stock_yaml_model_load(path)
    except FileNotFoundError as error:
        ours = ", ".join(
            f"yolov8{{n,s,m,l,x}}{file.stem.removeprefix('yolov8')}.yaml" for file in sorted(CONFIGS.glob("*.yaml"))
        )
        raise FileNotFoundError(
            f"no model YAML {str(path)!r}: looked there and among Ultralytics' own and ours ({ours})"
        ) from error
