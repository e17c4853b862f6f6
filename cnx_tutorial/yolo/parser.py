"""From YAML rows to layers: the stock parser lays out the network, then our layers take their places.

Each row of a registered class is handed to Ultralytics' own `parse_model` as a `Conv` row, because a `Conv` row follows exactly the channel rules
that we want: c1 inferred, c2 scaled by `width` and `max_channels`, repeats scaled by `depth`. Then the stand-in is replaced, with c1 and c2
read off it. Nothing of Ultralytics is copied or edited. A mistake in a row ends in one ValueError that names the row and the fix.
"""

import functools
import re
import traceback
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import Conv
from ultralytics.utils import LOGGER, ROOT, YAML

from cnx_tutorial.yolo import backbone as networks
from cnx_tutorial.yolo.layer_file import FILES, find_file, needed, rebuild, run_file
from cnx_tutorial.yolo.layers import ChannelsUnknown
from cnx_tutorial.yolo.rows import KEYS, Row, check_head, check_sections, layers_of, read_rows, wrong
from cnx_tutorial.yolo.strides import follow

CONFIGS = Path(__file__).parent / "configs"
MOST_PARAMETERS = 2 * 10**9  # of one row
stock_parse_model, stock_yaml_model_load = tasks.parse_model, tasks.yaml_model_load
stock_initialize_yolo_model = tasks._initialize_yolo_model


def initialize_yolo_model(model: nn.Module, cfg: dict | str, ch: int, nc: int | None, verbose: bool) -> None:
    """Ultralytics' `_initialize_yolo_model`, which reads rows before it parses them."""
    cfg = cfg if isinstance(cfg, dict) else tasks.yaml_model_load(cfg)
    read_rows(cfg)
    stock_initialize_yolo_model(model, cfg, ch, nc, verbose)


class ConvNeXtLayers(nn.Sequential):
    """The layers of a model with rows of registered classes: `nn.Sequential` under a name of its own.

    A checkpoint pickles that name, so unpickling it imports `cnx_tutorial.yolo`, which registers: `best.pt` trains on in a fresh process. Where
    the model has classes that such a process would not find, the checkpoint first calls `rebuild`.
    """

    def __reduce_ex__(self, protocol: int):
        if needs := needed(self):
            return rebuild, (type(self), needs), self.__dict__
        return super().__reduce_ex__(protocol)


def parse_model(d: dict, ch: int, verbose: bool = True) -> tuple[nn.Sequential, list[int]]:
    """Build the layers of a model YAML: Ultralytics' `parse_model`, which knows our rows and registered ones.

    Args:
        d: the YAML as a dictionary. Beside the stock keys: `layers` (a Python file beside the YAML), and for every layer whose constructor has
            such an argument `drop_path` (rate of the last block, rising linearly from 0; default 0), `layer_scale` (first value of gamma; default
            1.0, as in the authors' detection configurations) and `grn` (ConvNeXt V2; default False).
        ch: number of input channels.
        verbose: print the layer table.

    Returns:
        The layers, and the indices of those whose output a later row needs.

    Raises:
        ValueError: a row is wrong; the message names the row and the fix.
    """
    rows = read_rows(d)
    ours = any(row.layer or row.name in networks.ROWS for row in rows)
    if not ours and is_stock(d):
        return stock_layers(d, rows, ch, verbose)
    whole = read_networks(d, rows, ch)
    try_on_paper(d, rows, whole, ch, ours)
    if not ours:
        layers, save = stock_layers(d, rows, ch, verbose)
        follow(rows, list(layers), save, ch, False, "cpu", {})
    else:
        layers, save, promised = lay_out(d, rows, whole, ch)
        maps = follow(rows, layers, save, ch, True, "cpu", promised)
        if verbose:
            for line in table(rows, layers, maps):
                LOGGER.info(line)
    for layer in layers:
        layer.train()
    return (ConvNeXtLayers(*layers) if ours else layers), save


def is_stock(d: dict) -> bool:
    """Whether a model is one of Ultralytics' own, which need no trial."""
    path = Path(str(d.get("yaml_file", "")))
    names = {path.name, plain_name(path.name)}
    mine = any((path.parent / name).is_file() for name in names)
    return not mine and not names.isdisjoint(stock_yamls())


@functools.cache
def stock_yamls() -> frozenset[str]:
    return frozenset(file.name for file in (ROOT / "cfg" / "models").rglob("*.yaml"))


def try_on_paper(d: dict, rows: list[Row], whole: dict, ch: int, ours: bool) -> None:
    """Build and run the network on the device "meta", which computes nothing, and name the row that does not fit or is absurdly large."""
    if any(row.name == "TorchVision" for row in rows):  # it loads weights while it is built
        return
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            on_paper = {i: deepcopy(net).to("meta") for i, net in whole.items()}
            layers, save, promised = lay_out(deepcopy(d), rows, on_paper, ch)
            for row, layer in zip(rows, layers, strict=True):
                if (count := sum(p.numel() for p in layer.parameters())) > MOST_PARAMETERS:
                    raise row.wrong(
                        f"it would have {count:,} parameters; the most that we build is {MOST_PARAMETERS:,}"
                    )
            follow(rows, layers, save, ch, ours, "meta", promised)
    except NotImplementedError:  # a layer that cannot run on the device meta
        return


def stock_layers(d: dict, rows: list[Row], ch: int, verbose: bool) -> tuple[nn.Sequential, list[int]]:
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
        raise rows[i].wrong(f"Ultralytics cannot build this row: {said}") from error
    finally:
        Conv.default_act = activation  # which a failing parse_model leaves changed


def failing_row(error: Exception) -> int | None:
    """The row that the stock parser was at when it failed; None before the first."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next(frame.f_locals.get("i") for frame in frames if frame.f_code is stock_parse_model.__code__)


def lay_out(
    d: dict, rows: list[Row], whole: dict[int, nn.Module], ch: int
) -> tuple[list[nn.Module], list[int], dict[int, int]]:
    """All layers: the stock parser's, with ours in the places of their stand-ins.

    Returns:
        The layers, the rows whose output a later row reads, and the channels that registered classes have to return.
    """
    stood_in = deepcopy(d)
    written = [*stood_in["backbone"], *stood_in["head"]]
    channels_in = {}
    for row, stand_in in zip(rows, written, strict=True):
        if row.name in networks.ROWS:
            stand_in[2:] = ["Index", [networks.depth_of(row, whole)]]
        elif row.layer and row.layer.gives_channels:
            stand_in[2:] = ["Conv", [row.arguments[0]]]  # channels only: kernel and stride are our layer's business
        elif row.layer and row.layer.channels == "none":
            stand_in[2:] = ["nn.Identity", []]
        elif row.layer:
            channels_in[row.i] = channels_read(stood_in, rows, row.i, ch)
            stand_in[2:] = ["Index", [channels_out(row, channels_in[row.i])]]
    stock, save = stock_layers(stood_in, rows, ch, verbose=False)
    layers, promised = list(stock), {}
    counts = {row.i: len(stock[row.i]) if isinstance(stock[row.i], nn.Sequential) else 1 for row in rows if row.layer}
    dropping = sum(counts[row.i] for row in rows if row.layer and row.layer.takes("drop_path"))
    rates = iter([d.get("drop_path", 0.0) * step / max(1, dropping - 1) for step in range(dropping)])
    for row in rows:
        if row.name in networks.ROWS:
            layers[row.i] = networks.take(row, whole)
        elif row.layer:
            place = stock[row.i][0] if isinstance(stock[row.i], nn.Sequential) else stock[row.i]
            c1, c2 = (place.conv.in_channels, place.conv.out_channels) if isinstance(place, Conv) else (None, None)
            settings = [options(d, row, rates) for _ in range(counts[row.i])]
            try:
                layers[row.i] = row.layer.build(c1, c2, counts[row.i], settings)
            except NotImplementedError:
                raise
            except Exception as error:  # a registered class may fail in any way
                said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {str(error)[:300]}"
                raise row.wrong(said) from error
            if c2 or row.i in channels_in:
                promised[row.i] = c2 or written[row.i][3][0]
        else:
            continue
        layer, stand_in = layers[row.i], stock[row.i]
        layer.i, layer.f, layer.type = stand_in.i, stand_in.f, kind_of(row)
        layer.np = sum(p.numel() for p in layer.parameters())
    return layers, save, promised


def options(d: dict, row: Row, rates) -> dict[str, object]:
    """The further arguments of one layer: the row's, else the YAML's keys, else its own defaults."""
    keys = {key: d[key] for key in KEYS if key in d and key != "drop_path" and row.layer.takes(key)}
    if row.layer.takes("drop_path"):
        rate = next(rates)
        keys |= {"drop_path": rate} if rate or "drop_path" in d else {}
    return {**row.layer.defaults, **keys, **row.options}


def channels_read(d: dict, rows: list[Row], i: int, ch: int) -> int:
    """The channels that row `i` reads: those of a convolution in its place."""
    before = [*d["backbone"], *d["head"]][:i]
    probe = {**d, "backbone": [*before, [rows[i].source, 1, "Conv", [8]]], "head": []}
    with torch.device("meta"):
        return stock_layers(deepcopy(probe), rows, ch, verbose=False)[0][-1].conv.in_channels


def channels_out(row: Row, c1: int) -> int:
    """The channels that a registered function says a row returns."""
    try:
        c2 = row.layer.channels(c1, **row.options)
    except Exception as error:  # it is the user's
        raise row.wrong(
            f"the channels= of {row.name} fails for c1={c1}, {row.options} ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(c2, int) or c2 < 1:
        raise row.wrong(f"the channels= of {row.name} returned {c2!r} for c1={c1}, expected a whole number from 1 up")
    return c2


def kind_of(row: Row) -> str:
    """The name of a row's class in the layer table."""
    if not row.layer:
        return f"cnx_tutorial.{row.name}"
    home = row.layer.kind.__module__
    if home.startswith("cnx_tutorial.nn."):
        return f"cnx_tutorial.nn.{row.layer.name}"
    if home in FILES:
        home = FILES[home].path.stem
    return f"{home}.{row.layer.name}"


def table(rows: list[Row], layers: list[nn.Module], maps: dict[int, tuple[int, float]]) -> list[str]:
    """The layers as Ultralytics prints them, with channels and stride of each map in the place of the arguments."""
    lines = [f"{'':>3}{'from':>20}{'n':>3}{'params':>10}  {'module':<45}{'channels':<15}{'stride':<10}"]
    for row, layer in zip(rows, layers, strict=True):
        count = len(layer) if row.layer and isinstance(layer, nn.Sequential) else row.repeats
        read = "+".join(str(maps[source][0]) for source in row.sources if source in maps)
        depth, stride = maps.get(row.i, ("", None))
        channels = f"{read} -> {depth}".strip() if depth else read
        lines.append(
            f"{row.i:>3}{row.source!s:>20}{count:>3}{layer.np:10.0f}  {layer.type:<45}{channels:<15}{'' if stride is None else f'{stride:g}':<10}"
        )
    return lines


def read_networks(d: dict, rows: list[Row], ch: int) -> dict[int, nn.Module]:
    """The network of each Backbone row, built for the strides that Map rows want."""
    found = {}
    for row in rows:
        if row.name == "Map":
            networks.check_map(row, rows)
        else:
            for source in row.sources:
                if source >= 0 and rows[source].name == "Backbone":
                    raise row.wrong(
                        f"row {source} is a Backbone, which returns several maps: read Map rows of it, such as [{source}, 1, Map, [16]]"
                    )
    for row in rows:
        if row.name == "Backbone":
            if row.sources != [-1]:
                raise row.wrong("Backbone reads the image, so it is the first row and its `from` is -1")
            file, source = find_file(d), row.arguments[0] if row.arguments else None
            if file and isinstance(source, str) and source in (refused := run_file(file).refused):
                error = refused[source]
                raise row.wrong(
                    f"{error.form} is given no arguments by a Backbone row, or the image's channels where its first argument is in_channels: "
                    "give the others default values"
                    if isinstance(error, ChannelsUnknown)
                    else str(error)
                )
            strides = [other.arguments[0] for other in rows if other.name == "Map" and other.sources == [row.i]]
            found[row.i] = networks.backbone_of(row, layers_of(d), ch, strides)
    return found


def plain_name(name: str) -> str:
    """A file's name without its scale letter: yolov8n-mine.yaml -> yolov8-mine.yaml."""
    return re.sub(r"^(yolo(?:e-)?v?\d+)[nslmx](?=\W|$)", r"\1", name)


def yaml_model_load(path: str | Path) -> dict:
    """Read a model YAML: Ultralytics' `yaml_model_load`, which also finds `yolov8n-convnext.yaml` among our configurations.

    The scale letter is taken off the file's name only; the stock function takes the first one off the whole path (`runs3s/yolov8n-mine.yaml`).
    The file that a key `layers` names is run.
    """
    path = Path(path)
    if found := find_yaml(path):
        d = {**YAML.load(found), "scale": tasks.guess_model_scale(path), "yaml_file": str(path)}
        check_sections(d)
        check_head(d)
        if isinstance(d.get("layers"), str):
            d["layers_folder"] = str(found.parent.absolute())
            run_file(find_file(d))
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


def find_yaml(path: Path) -> Path | None:
    """The file, as named or without its scale letter, where it lies or among our configurations; None where Ultralytics has to look for it."""
    folders = [path.parent, *([CONFIGS] if len(path.parts) == 1 else [])]
    found = [
        folder / name for folder in folders for name in (path.name, plain_name(path.name)) if (folder / name).is_file()
    ]
    if not found or (found[0].name != path.name and len(path.parts) == 1 and path.name in stock_yamls()):
        return None  # a yolov10.yaml in the current folder is not what yolov10n.yaml means
    return found[0]
