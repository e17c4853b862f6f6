"""Where the data sets and the notebooks lie, which are in the repository and not in the installed package; and the checkpoint, which is in both."""

import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DATASETS, NOTEBOOKS = ROOT / "datasets", ROOT / "notebooks"
PRETRAINED = Path(__file__).parent / "pretrained"  # smears.pt, which `python tools/checkpoint.py` makes; in the installed package too
GET_THEM = "clone the repository, and in it: pip install -e ."


def is_checkout() -> bool:
    """Whether the package runs from the repository; after `pip install .` it lies alone in site-packages."""
    return (DATASETS / "smears.yaml").is_file()


def data_home() -> Path:
    """Where `cnx data` writes a set and its data YAML: the repository's datasets/, without a repository the current folder."""
    return DATASETS if is_checkout() else Path.cwd()


def find_data(data: Any) -> Any:
    """Where a data YAML is: as given if that is there, else the file of that name, or of that name and .yaml, in this project's `datasets/`;
    of a list, each."""
    if isinstance(data, list | tuple):
        return [find_data(one) for one in data]
    if not isinstance(data, str | Path) or not str(data) or os.path.exists(data):  # noqa: PTH110 (False for an impossible name)
        return data
    for name in (str(data), f"{data}.yaml"):
        if os.path.isfile(DATASETS / name):  # noqa: PTH113
            return str(DATASETS / name)
    return data


def find_model(model: Any) -> Any:
    """Where a checkpoint is: as given if that is there, else the one of that name which comes with this package: `smears.pt`."""
    if not isinstance(model, str | Path) or os.path.exists(model):  # noqa: PTH110 (False for an impossible name)
        return model
    ours = PRETRAINED / str(model)
    return str(ours) if str(model).endswith(".pt") and os.path.isfile(ours) else model  # noqa: PTH113
