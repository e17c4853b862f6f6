"""A whole network as one row of a YAML, and its maps picked by stride: `Backbone` and `Map`.

    backbone:
      - [-1, 1, Backbone, ["timm:convnext_atto", True]]  # True: published weights
      - [0, 1, Map, [8]]
      - [0, 1, Map, [16]]
      - [0, 1, Map, [32]]

You count no layers and no channels: the network runs once on a black image, which shows the stride and channels of each map. The network's own mean
and standard deviation are applied inside, since YOLO's images lie between 0 and 1. What no map needs (the classifier, late stages) is not built.
"""

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import torch
from torch import Tensor, nn
from ultralytics.utils import LOGGER

from cnx_tutorial.yolo.layers import Layer
from cnx_tutorial.yolo.sources import SIZE, as_list, from_class, from_timm, from_torchvision, nice, readable, where

ROWS = ("Backbone", "Map")
WITHOUT_WEIGHTS: ContextVar[bool] = ContextVar("WITHOUT_WEIGHTS", default=False)
FORMS = "timm:NAME, torchvision:NAME, the name of a class of yours that returns a list of maps (to cnx yaml with its file, my_layers.py:NAME)"


@contextmanager
def without_weights() -> Iterator[None]:
    """In this block networks are built with random weights, since others are put in afterwards."""
    token = WITHOUT_WEIGHTS.set(True)
    try:
        yield
    finally:
        WITHOUT_WEIGHTS.reset(token)


class Backbone(nn.Module):
    """A network that turns an image into a list of maps.

    Args:
        source: "timm:NAME", "torchvision:NAME", or a class whose objects return a list (or tuple, or dictionary) of maps.
        weights: True for the published weights, a file for those in it, False for random ones.
        channels: channels of the image.
        strides: which maps to keep; None for all. Of several maps of one stride the last, deepest is kept.

    Shape: (N, channels, H, W) -> [(N, channels of the map, H / stride, W / stride), ...], fine to coarse; H and W multiples of the largest stride.

    Raises:
        ValueError: there is no such network, it gives no maps of one stride each, or it lacks a stride; the message says which there are.
    """

    def __init__(
        self,
        source: str | type[nn.Module],
        weights: bool | str = False,
        channels: int = 3,
        strides: list[int] | None = None,
    ):
        super().__init__()
        self.source = source if isinstance(source, str) else source.__name__
        weights = False if WITHOUT_WEIGHTS.get() else weights
        home, _, name = self.source.partition(":")
        make = {"timm": from_timm, "torchvision": from_torchvision}.get(home) if isinstance(source, str) else None
        if make:
            self.net, mean, std = make(name, weights, channels, strides)
        elif isinstance(source, str):
            raise ValueError(f"no network {source!r}; expected {FORMS}")
        else:
            self.net, mean, std = from_class(source, weights, channels)
        self.register_buffer("mean", None if mean is None else torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", None if std is None else torch.tensor(std).view(1, -1, 1, 1))
        found = self.look(channels)
        wanted = sorted(found) if strides is None else sorted(set(strides))
        if missing := [stride for stride in wanted if stride not in found]:
            raise ValueError(
                f"{self.source} has no map of stride {readable(missing)}; its maps have strides {readable(sorted(found))}"
            )
        if not isinstance(source, str) and (unused := self.unused(channels, [found[stride][1] for stride in wanted])):
            LOGGER.warning(
                f"{self.source} has {len(unused)} parameters that its maps of stride {readable(wanted)} do not need, such as {unused[0]}: they "
                "are stored and exported, and never trained. Leave out of the class what comes after its last map."
            )
        self.strides = wanted
        self.channels = [found[stride][0] for stride in wanted]
        self.picks = [found[stride][1:] for stride in wanted]

    def forward(self, x: Tensor) -> list[Tensor]:
        if self.mean is not None:
            x = (x - self.mean) / self.std
        maps = as_list(self.net(x))
        return [maps[i].permute(0, 3, 1, 2) if channels_last else maps[i] for i, channels_last in self.picks]

    @torch.no_grad()
    def look(self, channels: int) -> dict[int, tuple[int, int, bool]]:
        """Run the network on a black image: for each stride its map's channels, place in the list, and whether channels stand last in it."""
        self.net.eval()
        try:
            maps = as_list(self.net(torch.zeros(1, channels, *SIZE)))
        except Exception as error:  # a network may fail in any way
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ValueError(
                f"{self.source} cannot read an image of {SIZE[0]} x {SIZE[1]} pixels ({said}). A detector reads images of many sizes; networks "
                "whose windows or positions are made for one size (as in many ViT, MaxViT and LeViT) do not serve"
            ) from error
        finally:
            self.net.train()
        found = {}
        for i, one in enumerate(maps):
            if place := where(one):
                stride, depth, channels_last = place
                found[stride] = (depth, i, channels_last)
        if not found:
            shapes = ", ".join(str(tuple(m.shape)) if isinstance(m, Tensor) else type(m).__name__ for m in maps)
            raise ValueError(
                f"{self.source} returns no map whose sides are the image's ({SIZE[0]} x {SIZE[1]}) divided by one stride; it returns "
                f"{shapes or 'nothing'}"
            )
        return found

    def unused(self, channels: int, places: list[int]) -> list[str]:
        """The parameters on which none of these maps depends."""
        maps = as_list(self.net(torch.zeros(2, channels, *SIZE)))
        sum(maps[i].sum() for i in places).backward()
        names = [name for name, p in self.net.named_parameters() if p.grad is None]
        self.net.zero_grad(set_to_none=True)
        return names

    @torch.no_grad()
    def fuse(self) -> None:
        """Fold mean and standard deviation into the first convolution, where that changes nothing: one that pads its input with zeros stays."""
        first = next((m for m in self.net.modules() if isinstance(m, nn.Conv2d)), None)
        if self.mean is None or first is None or any(first.padding) or first.in_channels != self.mean.shape[1]:
            return
        with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
            image = torch.rand(1, self.mean.shape[1], 64, 64, device=self.mean.device, dtype=self.mean.dtype)
            training, before = self.training, (first.weight, first.bias)
            wanted = self.eval()(image)
            mean, std = self.mean, self.std
            shift = (first.weight / std * mean).sum((1, 2, 3))
            first.bias = nn.Parameter(-shift if first.bias is None else first.bias - shift)
            first.weight = nn.Parameter(first.weight / std)
            self.mean = self.std = None
            if not all(torch.allclose(a, b, atol=1e-3, rtol=1e-3) for a, b in zip(wanted, self(image), strict=True)):
                (first.weight, first.bias), self.mean, self.std = (
                    before,
                    mean,
                    std,
                )  # it was not the layer that reads the image
            self.train(training)


class Map(nn.Module):
    """One map of a Backbone, by its place in the list."""

    def __init__(self, place: int):
        super().__init__()
        self.place = place

    def forward(self, maps: list[Tensor]) -> Tensor:
        return maps[self.place]


def backbone_of(row, layers: Mapping[str, Layer], channels: int, strides: list[int]) -> Backbone:
    """The network of a Backbone row.

    Args:
        row: the row, `[from, 1, Backbone, [source, weights]]`.
        layers: classes that it may name.
        channels: of what it reads.
        strides: those that Map rows want.

    Raises:
        ValueError: the message names the row.
    """
    source, weights = (*row.arguments, False)[:2] if row.arguments else (None, False)
    if len(row.arguments) not in (1, 2) or not isinstance(source, str) or not isinstance(weights, (bool, str)):
        raise row.wrong(
            f'Backbone takes a source and, if you like, its weights: ["timm:resnet18", True]; a source is {FORMS}'
        )
    if row.repeats != 1 or not isinstance(row.source, int):
        raise row.wrong("Backbone reads one row and stands once: [-1, 1, Backbone, [source]]")
    if not strides:
        raise row.wrong(f"no Map row reads it; write one for each stride, such as [{row.i}, 1, Map, [16]]")
    if ":" not in source and source not in layers:
        near = difflib.get_close_matches(source, [*layers, f"timm:{source}", f"torchvision:{source}"], n=3, cutoff=0.6)
        raise row.wrong(f"no network {source!r}{f'; did you mean {nice(near)}' if near else ''}? Expected {FORMS}")
    if (
        isinstance(weights, str)
        and not Path(weights).is_file()
        and (beside := Path(row.file).parent / weights).is_file()
    ):
        weights = str(beside)
    try:
        return Backbone(source if ":" in source else layers[source].kind, weights, channels, strides)
    except ValueError as error:
        raise row.wrong(str(error)) from error


def check_map(row, rows: list) -> None:
    """Refuse a Map row that reads no Backbone, or names no stride."""
    if row.repeats != 1 or len(row.arguments) != 1 or type(row.arguments[0]) is not int or row.arguments[0] < 1:
        raise row.wrong("Map takes one stride, a whole number such as 8, 16 or 32: [0, 1, Map, [16]]")
    if not isinstance(row.source, int) or row.sources == [-1] or rows[row.sources[0]].name != "Backbone":
        raise row.wrong("Map reads a Backbone row, by its number: [0, 1, Map, [16]]")


def depth_of(row, whole: Mapping[int, Backbone]) -> int:
    """The channels that a Backbone or Map row counts as having for the rows that read it."""
    if row.name == "Backbone":
        return whole[row.i].channels[-1]
    net = whole[row.sources[0]]
    return net.channels[net.strides.index(row.arguments[0])]


def take(row, whole: Mapping[int, Backbone]) -> nn.Module:
    """The layer of a Backbone or Map row."""
    return whole[row.i] if row.name == "Backbone" else Map(whole[row.sources[0]].strides.index(row.arguments[0]))
