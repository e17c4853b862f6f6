"""Where the data sets and the notebooks lie. They are in the repository, not in the installed package."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
DATASETS, NOTEBOOKS = ROOT / "datasets", ROOT / "notebooks"
GET_THEM = "clone the repository, and in it: pip install -e ."


def is_checkout() -> bool:
    """Whether the package runs from the repository; after `pip install .` it lies alone in site-packages."""
    return (DATASETS / "smears.yaml").is_file()


def data_home() -> Path:
    """Where `cnx data` writes a set and its data YAML: the repository's datasets/, without a repository the current folder."""
    return DATASETS if is_checkout() else Path.cwd()
