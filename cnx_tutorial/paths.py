"""Where data sets, notebooks and stored results lie, in a checkout or in the installed package, and where a user's own files go."""

import os
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parent
IS_CHECKOUT = (ROOT / "datasets" / "smears.yaml").is_file()  # else the package lies alone in site-packages
INSTALLED = PACKAGE / "installed"  # setup.py copies the three folders there when it builds a wheel
DATASETS, NOTEBOOKS = (
    (ROOT if IS_CHECKOUT else INSTALLED) / "datasets",
    (ROOT if IS_CHECKOUT else INSTALLED) / "notebooks",
)
RESULTS = ROOT / "benchmarks" / "results" if IS_CHECKOUT else INSTALLED / "results"
PRETRAINED = PACKAGE / "pretrained"  # smears.pt, which `python tools/checkpoint.py` makes


def home() -> Path:
    """The folder for what `cnx` writes for its user: CNX_HOME, else a checkout that may be written, else the system's folder for a user's data."""
    if given := os.environ.get("CNX_HOME"):
        return Path(given).expanduser().absolute()
    if IS_CHECKOUT and os.access(ROOT, os.W_OK) and os.access(NOTEBOOKS, os.W_OK):
        return ROOT
    return user_data_path("cnx_tutorial", appauthor=False)


def data_home() -> Path:
    """Where `cnx data` writes a set and its data YAML."""
    return home() / "datasets"


def find_data(data: Any) -> Any:
    """Where a data YAML is: as given if that is there, else the file of that name, or of that name and .yaml, where `cnx data` writes or among
    those that come with the package; of a list, each."""
    if isinstance(data, list | tuple):
        return [find_data(one) for one in data]
    if not isinstance(data, str | Path) or not str(data) or os.path.exists(data):  # noqa: PTH110 (False for an impossible name)
        return data
    for folder in (data_home(), DATASETS):
        for name in (str(data), f"{data}.yaml"):
            if os.path.isfile(folder / name):  # noqa: PTH113
                return str(folder / name)
    return data


def find_model(model: Any) -> Any:
    """Where a checkpoint is: as given if that is there, else the one of that name which comes with this package: `smears.pt`."""
    if not isinstance(model, str | Path) or os.path.exists(model):  # noqa: PTH110 (False for an impossible name)
        return model
    ours = PRETRAINED / str(model)
    return str(ours) if str(model).endswith(".pt") and os.path.isfile(ours) else model  # noqa: PTH113
