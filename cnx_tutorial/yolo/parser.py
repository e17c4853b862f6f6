"""From YAML rows to layers: the stock parser lays out the network, then our layers take their places.

Each of our rows is handed to Ultralytics' own `parse_model` as a `Conv` row, because a `Conv` row follows exactly the channel rules that we
want: c1 inferred, c2 scaled by `width` and `max_channels`, repeats scaled by `depth`. Then the stand-in is replaced, with c1 and c2 read off it.
Nothing of Ultralytics is copied or edited. A mistake in a row ends in one ValueError that names the row and the mend.
"""

import contextlib
import functools
import logging
import re
import traceback
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import Conv
from ultralytics.utils import LOGGER, ROOT, YAML

from cnx_tutorial.nn import ConvNeXtBlock
from cnx_tutorial.yolo.registry import ROWS
from cnx_tutorial.yolo.rows import arguments, check_head, check_model, check_sections, mistake, wrong
from cnx_tutorial.yolo.strides import check_strides

CONFIGS = Path(__file__).parent / "configs"
MOST_PARAMETERS = 2 * 10**9  # of one row
stock_parse_model, stock_yaml_model_load = tasks.parse_model, tasks.yaml_model_load
stock_initialize_yolo_model = tasks._initialize_yolo_model


def initialize_yolo_model(model: nn.Module, cfg: dict | str, ch: int, nc: int | None, verbose: bool) -> None:
    """Ultralytics' `_initialize_yolo_model`, which reads rows before it parses them."""
    cfg = cfg if isinstance(cfg, dict) else tasks.yaml_model_load(cfg)
    check_model(cfg)
    stock_initialize_yolo_model(model, cfg, ch, nc, verbose)


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
    rows = check_model(d)
    ours = {i: arguments(d, i, row) for i, row in enumerate(rows) if row[2] in ROWS}
    if not ours and is_stock(d):
        return stock_layers(d, rows, ch, verbose)
    try_on_paper(d, rows, ours, ch)
    layers, save = lay_out(d, rows, ours, ch, verbose) if ours else stock_layers(d, rows, ch, verbose)
    check_strides(d, rows, list(layers), save, ch, rising=bool(ours), device="cpu")
    for layer in layers:
        layer.train()
    return (ConvNeXtLayers(*layers) if ours else layers), save


def is_stock(d: dict) -> bool:
    """Whether a model is one of Ultralytics' own, which need no trial."""
    path = Path(str(d.get("yaml_file", "")))
    names = {path.name, plain_name(path.name)}
    mine = any((path.parent / name).is_file() for name in names)
    return not mine and not names.isdisjoint(stock_names())


@functools.cache
def stock_names() -> frozenset[str]:
    return frozenset(file.name for file in (ROOT / "cfg" / "models").rglob("*.yaml"))


def try_on_paper(d: dict, rows: list, options: dict[int, dict], ch: int) -> None:
    """Build and run the network on the device "meta", which computes nothing, and name the row that does not fit or is absurdly large."""
    if any(row[2] == "TorchVision" for row in rows):  # it loads weights while it is built
        return
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]), held_back(LOGGER):
            layers, save = lay_out(deepcopy(d), rows, options, ch, verbose=False)
            for i, layer in enumerate(layers):
                if (count := sum(p.numel() for p in layer.parameters())) > MOST_PARAMETERS:
                    raise mistake(
                        d,
                        i,
                        rows[i],
                        f"it would have {count:,} parameters; the most that we build is {MOST_PARAMETERS:,}",
                    )
            check_strides(d, rows, layers, save, ch, rising=bool(options), device="meta")
    except NotImplementedError:  # a layer that has no way to run on paper
        return


def stock_layers(d: dict, rows: list, ch: int, verbose: bool) -> tuple[nn.Sequential, list[int]]:
    """Ultralytics' `parse_model`; where it fails, the error names the row."""
    activation = Conv.default_act
    try:
        return stock_parse_model(d, ch, verbose)
    except Exception as error:  # a stock row may fail in any way
        if isinstance(error, NotImplementedError) and "meta" in str(error).lower():
            raise
        said = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"
        i = failing_row(error)
        if i is None:
            raise wrong(d, f"Ultralytics cannot read its keys: {said}") from error
        raise mistake(d, i, rows[i], f"Ultralytics cannot build this row: {said}") from error
    finally:
        Conv.default_act = activation  # which a failing parse_model leaves changed


def lay_out(d: dict, rows: list, options: dict[int, dict], ch: int, verbose: bool) -> tuple[list[nn.Module], list[int]]:
    """All layers: the stock parser's, with ours in the places that `options` names."""
    stood_in = deepcopy(d)
    for i, row in enumerate([*stood_in["backbone"], *stood_in["head"]]):
        if i in options:
            row[2:] = ["Conv", [row[3][0]]]  # channels only: kernel and stride are our layer's business
    with held_back(LOGGER) as records:
        stock, save = stock_layers(stood_in, rows, ch, verbose)
    layers, table = list(stock), {}
    blocks = {
        i: len(stock[i]) if isinstance(stock[i], nn.Sequential) else 1
        for i in options
        if ROWS[rows[i][2]] is ConvNeXtBlock
    }
    steps = max(1, sum(blocks.values()) - 1)
    rates = (d.get("drop_path", 0.0) * step / steps for step in range(sum(blocks.values())))
    for i in options:
        place = stock[i][0] if isinstance(stock[i], nn.Sequential) else stock[i]
        c1, c2 = place.conv.in_channels, place.conv.out_channels
        layers[i] = build(d, i, rows[i], c1, c2, options[i], [next(rates) for _ in range(blocks.get(i, 0))])
        table[i] = take_place(layers[i], stock[i], ROWS[rows[i][2]], (c1, c2, *options[i].values()))
    for record in records:
        LOGGER.handle(renamed(record, table))
    return layers, save


def build(d: dict, i: int, row: list, c1: int, c2: int, options: dict, rates: list[float]) -> nn.Module:
    """Our layer for row `i`; repeated blocks are one `nn.Sequential`, of length 1 too, so that depth never changes the names of weights."""
    layer = ROWS[row[2]]
    try:
        if layer is not ConvNeXtBlock:
            return layer(c1, c2, **options)
        if c1 != c2:
            raise ValueError(
                f"a block keeps its channels, but c1={c1} and c2={c2} after scaling; write the channels of the row that it reads "
                "(a YAML's numbers are before scaling), or put a ConvNeXtDownsample row before it"
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


def failing_row(error: Exception) -> int | None:
    """The row that the stock parser was at when it failed; None before the first."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next(frame.f_locals.get("i") for frame in frames if frame.f_code is stock_parse_model.__code__)


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


def plain_name(name: str) -> str:
    """A file's name without its scale letter: yolov8n-mine.yaml -> yolov8-mine.yaml."""
    return re.sub(r"^(yolo(?:e-)?v?\d+)[nslmx](?=\W|$)", r"\1", name)


def yaml_model_load(path: str | Path) -> dict:
    """Read a model YAML: Ultralytics' `yaml_model_load`, which also finds `yolov8n-convnext.yaml` among our configurations.

    The scale letter is taken off the file's name only; the stock function takes the first one off the whole path (`runs3s/yolov8n-mine.yaml`).
    """
    path = Path(path)
    folders = [path.parent, *([CONFIGS] if len(path.parts) == 1 else [])]
    names = (path.name, plain_name(path.name))
    found = [folder / name for folder in folders for name in names if (folder / name).is_file()]
    if found:
        d = {**YAML.load(found[0]), "scale": tasks.guess_model_scale(path), "yaml_file": str(path)}
        check_sections(d)
        check_head(d)
        return d
    try:
        return stock_yaml_model_load(path)
    except FileNotFoundError as error:
        ours = ", ".join(
            f"yolov8{{n,s,m,l,x}}{file.stem.removeprefix('yolov8')}.yaml" for file in sorted(CONFIGS.glob("*.yaml"))
        )
        raise FileNotFoundError(
            f"no model YAML {str(path)!r}: looked there and among Ultralytics' own and ours ({ours})"
        ) from error
