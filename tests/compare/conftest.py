import shutil
from pathlib import Path

import pytest

SMEARS = Path(__file__).parents[2] / "datasets" / "smears"


def few_smears(folder: Path, test: bool = False) -> Path:
    """The data YAML of eight train and four val smears, and where asked for four test ones, in a folder of its own."""
    splits = {"train": range(8), "val": range(4)} | ({"test": range(4, 8)} if test else {})
    for split, numbers in splits.items():
        for kind, suffix in (("images", "jpg"), ("labels", "txt")):
            (folder / kind / split).mkdir(parents=True)
            for i in numbers:
                shutil.copy(
                    SMEARS / kind / ("val" if split == "test" else split) / f"{i:03d}.{suffix}", folder / kind / split
                )
    said = "".join(f"{split}: images/{split}\n" for split in splits)
    (folder / "few.yaml").write_text(f"{said}names: [Platelets, RBC, WBC]\n", encoding="utf-8")
    return folder / "few.yaml"


@pytest.fixture
def few(tmp_path) -> Path:
    return few_smears(tmp_path / "few")
