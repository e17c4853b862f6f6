"""What a row of a model YAML may name beside Ultralytics' own layers: ours, and every registered class.

A class is registered for the process with `register(MyLayer)`, or for one YAML by its key `layers: my_layers.py`. Its constructor says what
becomes of the channels: one that begins with `c1, c2` changes them, one that begins with one number of channels keeps them. Ours are registered
in the same way.
"""

import ast
import contextlib
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn
from ultralytics.nn import tasks

from cnx_tutorial.nn import ConvNeXtBlock, ConvNeXtDownsample, ConvNeXtStem

CHANGE = {("c1", "c2"), ("in_channels", "out_channels")}
KEEP = ("dim", "c", "channels", "in_channels", "c1")
WORDS = ("change", "keep", "none", "maps")
HOW = (
    'say it with register({name}, channels=...): "change" (the constructor begins with input and output channels), "keep" (with one number, '
    'which stays), "none" (it is told no channels, and keeps them), "maps" (a whole network that returns a list of maps, for a Backbone row), '
    "or a function of the input's channels and the row's arguments that returns the output's"
)


@dataclass(frozen=True)
class Layer:
    """A class that rows may name: what becomes of the channels, and the arguments that a row may give after them."""

    kind: type[nn.Module]
    channels: str | Callable[..., int]
    repeats: bool = True  # whether a row may repeat it
    defaults: Mapping[str, object] = field(default_factory=dict)  # where neither row nor YAML says anything

    @property
    def name(self) -> str:
        return self.kind.__name__

    @property
    def gives_channels(self) -> bool:
        """Whether a row's first argument is its number of channels."""
        return self.channels in ("change", "keep")

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The constructor's arguments after the channels, by name, in the order in which a row gives them."""
        named = parameters(self.kind)
        skipped = {"change": 2, "keep": 1}.get(self.channels, 0)
        return {p.name: p for p in named[skipped:] if p.kind is not inspect.Parameter.KEYWORD_ONLY}

    def takes(self, option: str) -> bool:
        return any(p.name == option for p in parameters(self.kind))

    def read(self, row) -> dict[str, object]:
        """The arguments that a row gives after the channels, by name.

        Raises:
            ValueError: their number or the type of one is wrong; the message names the row.
        """
        options = self.options
        form = f"[{', '.join([*(['channels'] if self.gives_channels else []), *options])}]"
        if isinstance(self.channels, str) and self.channels == "maps":
            raise row.wrong(
                f'{self.name} is registered as a network of maps: write Backbone, ["{self.name}"], then a Map row for each'
            )
        if not isinstance(row.source, int):
            raise row.wrong(
                f"{self.name} reads one earlier row, so `from` is one number (-1: the row before); put a Concat row before it"
            )
        if row.repeats > 1 and not self.repeats:
            raise row.wrong(
                f"{self.name} was given repeats={row.repeats!r}, expected 1, since it changes the resolution"
            )
        first = int(self.gives_channels)
        least = first + sum(p.default is inspect.Parameter.empty for p in options.values())
        most = first + len(options)
        if not least <= len(row.arguments) <= most:
            count = f"{least} to {most} arguments" if least < most else f"{most} argument{'s' * (most != 1)}"
            raise row.wrong(f"{self.name} takes {count}, {form}, and was given {len(row.arguments)}")
        values = [literal(value) for value in row.arguments]
        if first and (not is_a(values[0], (int,)) or values[0] < 1):
            raise row.wrong(
                f"the first argument of {self.name} is its number of channels, a whole number from 1 up; given {row.arguments[0]!r}"
            )
        given = {}
        for (key, parameter), value, written in zip(
            options.items(), values[first:], row.arguments[first:], strict=False
        ):
            allowed = written_types(self.kind, key)
            if str in allowed and isinstance(written, str) and not is_a(value, allowed):
                value = written
            if allowed and not is_a(value, allowed) or not all(map(math.isfinite, numbers_in(value))):
                wanted = f"expected {readable(allowed) if allowed else 'finite numbers'}; the order is {form}"
                raise row.wrong(f"argument {key} of {self.name} is {value!r}, {wanted}")
            given[parameter.name] = value
        return given

    def build(self, c1: int | None, c2: int | None, count: int, settings: list[dict]) -> nn.Module:
        """The layer of a row; one that keeps its channels is an `nn.Sequential` also where it is not repeated.

        So depth never changes the names of weights.

        Args:
            c1, c2: channels that it reads and is to return.
            count: how often it is repeated.
            settings: its further arguments, for each repetition.

        Raises:
            ValueError: c1 and c2 differ, and the class keeps its channels.
        """
        if self.channels == "keep" and c1 != c2:
            raise ValueError(
                f"a block keeps its channels, but c1={c1} and c2={c2} after scaling; write the channels of the row that it reads "
                "(a YAML's numbers are before scaling), or put a ConvNeXtDownsample row before it"
            )
        if self.channels == "change":
            made = [self.kind(c1 if i == 0 else c2, c2, **given) for i, given in enumerate(settings)]
        elif self.channels == "keep":
            made = [self.kind(c2, **given) for given in settings]
        else:
            made = [self.kind(**given) for given in settings]
        return made[0] if count == 1 and self.channels != "keep" else nn.Sequential(*made)


class ChannelsUnknown(ValueError):
    """A class whose constructor, `form`, does not say what becomes of the channels."""

    def __init__(self, form: str, how: str):
        super().__init__(f"what does {form} do to the channels? {how}")
        self.form = form


def parameters(kind: type) -> list[inspect.Parameter]:
    """The constructor's named arguments, without self."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in inspect.signature(kind).parameters.values() if p.kind not in variable]


def layer_of(kind: type, channels: str | Callable | None = None, **more) -> Layer:
    """How rows use a class.

    Raises:
        TypeError: it is no nn.Module class.
        ValueError: its constructor does not say what becomes of the channels, or a checkpoint with the class could not be loaded.
    """
    if not isinstance(kind, type) or not issubclass(kind, nn.Module):
        raise TypeError(
            f"register takes classes that subclass torch.nn.Module; given {getattr(kind, '__name__', None) or kind!r}"
            f"{', an object: give its class' if isinstance(kind, nn.Module) else ''}"
        )
    if "<locals>" in kind.__qualname__:
        raise ValueError(
            f"{kind.__name__} is defined inside a function, so that no checkpoint of it could be loaded: define it at the top of a cell or file"
        )
    if channels is None:
        named = parameters(kind)
        names = [p.name for p in named]
        if tuple(names[:2]) in CHANGE:
            channels = "change"
        elif names and names[0] in KEEP:
            channels = "keep"
        elif all(p.default is not inspect.Parameter.empty for p in named):
            channels = "maps"
        else:
            raise ChannelsUnknown(f"{kind.__name__}({', '.join(names)})", HOW.format(name=kind.__name__))
    elif not callable(channels) and channels not in WORDS:
        raise ValueError(f"channels={channels!r} is unknown; {HOW.format(name=kind.__name__)}")
    return Layer(kind, channels, **more)


def check_still_there(layer: Layer) -> None:
    """Refuse a class that was defined anew, or is gone, since it was registered: no checkpoint of it could be written.

    Raises:
        ValueError: the message says to register it again.
    """
    home = sys.modules.get(layer.kind.__module__)
    if home is not None and getattr(home, layer.kind.__qualname__.split(".")[0], None) is not layer.kind:
        if "." in layer.kind.__qualname__:
            return
        raise ValueError(
            f"{layer.name} was defined again after it was registered, or removed: run register({layer.name}) again, also as @register above the class"
        )


def written_types(kind: type, name: str) -> tuple[type, ...]:
    """The types that a YAML may give to an argument, from the constructor's annotation; () where it says none, or one that we do not know."""
    try:
        said = typing.get_type_hints(kind.__init__).get(name)
    except Exception:  # annotations may name anything
        return ()
    members = (
        typing.get_args(said)
        if isinstance(said, types.UnionType) or typing.get_origin(said) is typing.Union
        else [said]
    )
    found: list[type] = []
    for member in members:
        member = typing.get_origin(member) or member
        if member is float:
            found += [int, float]
        elif member in (int, bool, str, type(None), list, dict):
            found.append(member)
        elif member is tuple:
            found += [list, tuple]
        elif not (isinstance(member, type) and issubclass(member, (nn.Module, torch.Tensor))):  # those no YAML can hold
            return ()
    return tuple(dict.fromkeys(found))


def readable(allowed: tuple[type, ...]) -> str:
    return " or ".join("None" if t is type(None) else t.__name__ for t in allowed)


def is_a(value: object, allowed: tuple[type, ...]) -> bool:
    """isinstance, but True and False are no numbers."""
    return isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))


def literal(value: object) -> object:
    """A YAML string such as 'None' as Python reads it, as Ultralytics does for its own rows."""
    with contextlib.suppress(ValueError, SyntaxError):
        return ast.literal_eval(value) if isinstance(value, str) else value
    return value


def numbers_in(value: object) -> list[int | float]:
    """Every number in nested lists; True and False are none."""
    if isinstance(value, (list, tuple)):
        return [number for one in value for number in numbers_in(one)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


OURS = {
    "ConvNeXtStem": layer_of(ConvNeXtStem, repeats=False),
    "ConvNeXtDownsample": layer_of(ConvNeXtDownsample, repeats=False),
    "ConvNeXtBlock": layer_of(
        ConvNeXtBlock, defaults={"layer_scale": 1.0}
    ),  # as in the authors' detection configurations
}
# The spellings of the article that this tutorial grew from.
OURS |= {name.replace("ConvNeXt", "ConvNeXt_"): layer for name, layer in OURS.items()}
WHOLE = ("Backbone", "Map")  # rows of a whole network
LAYERS = dict(OURS)  # what the rows of every YAML in this process may name


def is_stock(name: str) -> bool:
    """Whether Ultralytics has a layer of this name."""
    return isinstance(getattr(tasks, name, None), type) and issubclass(getattr(tasks, name), nn.Module)


def add(layer: Layer, override: bool = False) -> None:
    """Let rows name a class. One of the same name that was registered before gives way.

    Raises:
        ValueError: Ultralytics, or this package, has a layer of that name.
    """
    ours = OURS.get(layer.name)
    if ours and ours.kind is layer.kind:
        layer = ours
    elif not override and (ours or layer.name in WHOLE or is_stock(layer.name)):
        whose = "Ultralytics" if is_stock(layer.name) else "cnx_tutorial"
        raise ValueError(
            f"{whose} has a layer named {layer.name}, which existing YAMLs mean: give the class another name, or say "
            f"register({layer.name}, override=True)"
        )
    LAYERS[layer.name] = layer
