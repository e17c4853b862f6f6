"""The key `layers: my_layers.py` of a model YAML: a Python file beside it, whose classes the rows may name.

A YAML and one such file are a complete model: it can be trained (also on several GPUs), reloaded and resumed. Reading the YAML runs the file, as
importing it would. A checkpoint brings no code along: it holds where the file was, and looks for it there and in the current folder.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from ultralytics.utils import LOGGER

from cnx_tutorial.yolo.layers import LAYERS, OURS, Layer, is_stock, layer_of

RUNNING: ContextVar["LayerFile | None"] = ContextVar("RUNNING", default=None)  # the file that is being run just now
FILES: dict[str, "LayerFile"] = {}  # those that were run, by the name of their module


@dataclass
class LayerFile:
    """One file that was run: its classes, and those of them that rows can use."""

    path: Path
    module: str
    layers: dict[str, Layer] = field(default_factory=dict)
    refused: dict[str, ValueError] = field(default_factory=dict)  # why a class is no row

    def add(self, layer: Layer, override: bool) -> None:
        if is_stock(layer.name) and not override:
            self.refused[layer.name] = ValueError(
                f"{self.path.name} defines {layer.name}, which is the name of a layer of Ultralytics: give it another name, or write "
                "@register(override=True) above it"
            )
        else:
            self.layers[layer.name] = layer


def run_file(path: Path, module: str | None = None) -> LayerFile:
    """Run a file of layers, once for each content.

    Args:
        path: the file.
        module: the name under which a checkpoint knows it; by default the file's name and a hash of its content, so that a file that was changed
            meanwhile is another module, and objects of the old one stay what they were.

    Raises:
        ValueError: it cannot be read or run, or defines no layer; the message has its own error and the line.
    """
    try:
        code = path.read_bytes()
    except OSError as error:
        raise ValueError(f"layers: {path} cannot be read ({error.strerror})") from error
    own = f"{path.stem}_{hashlib.sha256(code).hexdigest()[:10]}"
    name = module or own
    if name in FILES and FILES[name].path == path:
        return FILES[name]
    if module and module != own:
        LOGGER.warning(f"{path} has changed since this checkpoint was written; its classes as they are now are taken.")
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, str(path)))
    made, file = importlib.util.module_from_spec(spec), LayerFile(path, name)
    sys.modules[name], token = made, RUNNING.set(file)
    try:
        exec(compile(code, str(path), "exec"), made.__dict__)
    except Exception as error:
        sys.modules.pop(name, None)
        raise ValueError(
            f"layers: {path} cannot be run{line_of(error, path)}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        ) from error
    finally:
        RUNNING.reset(token)
    for kind in list(vars(made).values()):
        if (
            isinstance(kind, type)
            and issubclass(kind, nn.Module)
            and kind.__module__ == name
            and kind.__name__ not in file.layers
        ):
            try:
                file.add(layer_of(kind), override=False)
            except ValueError as error:
                file.refused[kind.__name__] = error
    if not file.layers and not file.refused:
        sys.modules.pop(name, None)
        raise ValueError(f"layers: {path} defines no class that subclasses torch.nn.Module")
    FILES[name] = file
    torch.serialization.add_safe_globals([layer.kind for layer in file.layers.values()])
    return file


def line_of(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f" in line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" in line {lines[-1]}" if lines else ""


def find_file(d: dict) -> Path | None:
    """The file that a YAML's key `layers` names: beside the YAML, or for a checkpoint's copy of it where it was, or in the current folder.

    Raises:
        ValueError: the key holds no file name, leads out of the YAML's folder, or the file is not there.
    """
    given, file = d.get("layers"), d.get("yaml_file", "model YAML")
    if not isinstance(given, str):  # none, or a key of the user's own
        return None
    if not given.endswith(".py"):
        raise ValueError(
            f"{file}: key layers is {given!r}, expected the name of a Python file beside the YAML, such as my_layers.py"
        )
    if "://" in given or "\\" in given or Path(given).is_absolute() or ".." in Path(given).parts:
        raise ValueError(
            f"{file}: key layers is {given!r}, but the file lies in the YAML's folder or below: put it there and write its name"
        )
    folders = [Path(folder) for folder in (d.get("layers_folder"),) if folder] or [Path(str(file)).parent]
    return find(given, folders, f"{file}: key layers")


def find(name: str, folders: list[Path], who: str) -> Path:
    places = list(dict.fromkeys([*(folder.absolute() for folder in folders), Path.cwd()]))
    for folder in places:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(
        f"{who} names {name}, which is neither in {' nor in '.join(map(str, places))}: copy the file to one of them"
    )


class MissingClass(ValueError):
    """A checkpoint holds layers of a class that is not here."""


def needed(layers: nn.Module) -> list[tuple[str, str, str, str]]:
    """Module, name, file and folder of each class in a model that a new process would not find; file and folder are empty for a notebook's class."""
    found, registered = {}, {layer.kind for layer in LAYERS.values()} - {layer.kind for layer in OURS.values()}
    for module in layers.modules():
        kind = type(module)
        if (file := FILES.get(kind.__module__)) is not None:
            found[kind] = (kind.__module__, kind.__qualname__, file.path.name, str(file.path.parent))
        elif kind.__module__ == "__main__" or kind in registered:
            found[kind] = (kind.__module__, kind.__qualname__, "", "")
    return list(found.values())


def rebuild(kind: type, needs: list[tuple[str, str, str, str]]) -> nn.Module:
    """Run the files of layers that a checkpoint needs, and say in one sentence what is missing. A checkpoint calls this first.

    `ULTRALYTICS_SAFE_LOAD=1` is not allowed to call it, so nothing is run under that setting.
    """
    for module, name, file, folder in needs:
        if not file:
            check_importable(module, name)
            continue
        run_file(find(file, [Path(folder)], f"this checkpoint has layers of the class {name} and"), module)
        if not hasattr(sys.modules[module], name.partition(".")[0]):
            raise MissingClass(f"this checkpoint has layers of the class {name}, which {file} does not define any more")
    return kind.__new__(kind)


def check_importable(module: str, name: str) -> None:
    """Refuse a checkpoint with a class from a notebook or from a user's module that this process cannot find.

    Without this, Ultralytics would look in the package index for a package with the module's name, and install it.
    """
    whose = (
        "which was defined in a notebook or a script"
        if module == "__main__"
        else f"which is in the module {module}, not found here"
    )
    with contextlib.suppress(ImportError):
        if hasattr(importlib.import_module(module), name.partition(".")[0]):
            return
    raise MissingClass(
        f"this checkpoint has layers of the class {name}, {whose}: put the class into a file beside the YAML, name it there with the key "
        "layers: my_layers.py, and train from that; or make the class known here before loading"
    )
