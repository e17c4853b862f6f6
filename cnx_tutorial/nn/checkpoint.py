"""Read the state dict out of any checkpoint file, without running code that is in it.

Why: people save a state dict, a dictionary around it, or the whole module. A whole module is a pickle, which can import and call anything. Here
every class but PyTorch's tensors is replaced by a stand-in that does nothing, and the tensors are collected from the stand-ins.
"""

import pickle
import types
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

# Where a state dict lies in a training's checkpoint; of several the averaged weights come first.
WRAPPERS = (
    "model_ema", "state_dict_ema", "params_ema", "ema", "teacher", "model", "state_dict", "model_state_dict", "model_state", "net", "network",
    "module", "params", "weights", "student", "backbone", "encoder",
)  # fmt: skip
SAVE_IT = "save model.state_dict()"


def read(source: str | Path) -> Mapping[str, Tensor]:
    """The state dict in a .pt, .pth or .safetensors file.

    Raises:
        ValueError: there is no such file, or it is no checkpoint; the message names it.
    """
    path = Path(source).expanduser()
    if not is_file(path):
        raise ValueError(f"no weights file {str(path)[:300]!r}: give the path of a .pt, .pth or .safetensors file")
    try:
        content = read_safetensors(path) if path.suffix == ".safetensors" else read_torch(path)
    except ImportError as error:
        raise ValueError(f"{path} needs the safetensors package: pip install safetensors") from error
    except Exception as error:  # both raise a dozen kinds for a damaged or foreign file; all of them mean this
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
        raise ValueError(
            f"{path} is not a checkpoint ({path.stat().st_size} bytes; {reason}). "
            f"Expected a state dict saved with torch.save or safetensors: download it again, or {SAVE_IT}"
        ) from error
    return unwrapped(content, str(path))


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no system takes
        return False


def read_safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors.torch import load_file  # not required: torch files load without it

    return load_file(path)


def read_torch(path: Path) -> object:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as content:
            if (size := sum(m.file_size for m in content.infolist())) > 4 * path.stat().st_size + 2**26:
                raise ValueError(f"it would unpack to {size / 2**20:,.0f} MiB")
    try:
        return torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError:  # more than tensors: classes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of source code that the oldest files carry
            return torch.load(path, "cpu", weights_only=False, pickle_module=INERT)


class StandIn:
    """An object of a class that is not imported: it keeps what the pickle gives it, and does nothing."""

    def __new__(cls, *args, **kwargs):
        made = super().__new__(cls)
        made.state, made.entries = {}, {}
        return made

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        self.state = state

    def __setitem__(self, key, value):
        self.entries[key] = value

    def append(self, value):
        pass

    def extend(self, values):
        pass

    def add(self, value):
        pass

    def __call__(self, *args, **kwargs):
        return StandIn()


# The functions that make tensors out of bytes; not _rebuild_from_type_v2 and similar ones, which call their arguments.
PLAIN = {"torch._utils", "torch", "collections", "torch.serialization"}
NAMES = {
    "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter", "OrderedDict", "Size", "device", "float16", "float32", "float64", "bfloat16",
    "int64", "int32", "int16", "int8", "uint8", "bool", "_get_layout",
}  # fmt: skip


class InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if module in PLAIN and name in NAMES:
            return super().find_class(module, name)
        return type(name.rpartition(".")[2] or "StandIn", (StandIn,), {})


INERT = types.ModuleType("inert_pickle", "What torch.load takes for the pickle module.")
INERT.Unpickler, INERT.UnpicklingError = InertUnpickler, pickle.UnpicklingError
INERT.load = lambda file, **options: InertUnpickler(file, **options).load()


def unwrapped(content: object, origin: str) -> Mapping[str, Tensor]:
    """The state dict in a checkpoint: the dictionary itself, one that it holds under a usual name, or the tensors of a module."""
    for _ in range(4):
        if isinstance(content, StandIn):
            kind, content = type(content).__name__, module_tensors(content)
            if not content:
                raise ValueError(f"{origin} holds a pickled {kind} without tensors, expected a state dict: {SAVE_IT}")
        if not isinstance(content, Mapping):
            break
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping | StandIn)), None)
        if inner is None or any(isinstance(value, Tensor) for value in content.values()):
            break
        content = inner
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{origin} holds a {type(content).__name__}, expected a state dict (names to tensors): {SAVE_IT}"
        )
    return content


def module_tensors(module: StandIn, prefix: str = "", depth: int = 0) -> dict[str, Tensor]:
    """The state dict of a pickled nn.Module, from its own tables; modules that are contained in themselves end at depth 50."""
    tensors: dict[str, Tensor] = {}
    state = module.state if isinstance(module.state, dict) else {}
    for table in ("_parameters", "_buffers"):
        for name, tensor in entries(state.get(table)):
            if isinstance(tensor, Tensor):
                tensors[f"{prefix}{name}"] = tensor
    for name, child in entries(state.get("_modules")):
        if isinstance(child, StandIn) and depth < 50:
            tensors |= module_tensors(child, f"{prefix}{name}.", depth + 1)
    return tensors


def entries(table: object) -> list[tuple[str, object]]:
    return (
        [(name, value) for name, value in table.items() if isinstance(name, str)]
        if isinstance(table, dict | OrderedDict)
        else []
    )
