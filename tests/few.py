"""A data set of a few smears."""

import shutil
from pathlib import Path

SMEARS = Path(__file__).parents[1] / "datasets" / "smears"


def few_smears(folder: Path, train: int = 8, val: int = 4, test: int = 0) -> Path:
    """The data YAML of the first so many images of each split, in a folder of its own."""
    splits = {split: count for split, count in {"train": train, "val": val, "test": test}.items() if count}
    for split, count in splits.items():
        for kind, suffix in (("images", "jpg"), ("labels", "txt")):
            (folder / kind / split).mkdir(parents=True)
            for i in range(count):
                shutil.copy(SMEARS / kind / split / f"{i:03d}.{suffix}", folder / kind / split)
    said = "".join(f"{split}: images/{split}\n" for split in splits)
    (folder / "few.yaml").write_text(f"{said}names: [Platelets, RBC, WBC]\n", encoding="utf-8")
    return folder / "few.yaml"
