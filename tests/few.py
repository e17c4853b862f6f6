"""A data set of a few smears."""

import shutil
from pathlib import Path

SMEARS = Path(__file__).parents[1] / "datasets" / "smears"


def few_smears(folder: Path, train: int = 8, val: int = 4, test: int = 0) -> Path:
    """The data YAML of so many images of each split, in a folder of its own; the test ones are val images that come after those of val."""
    splits = {"train": range(train), "val": range(val), "test": range(val, val + test)}
    splits = {split: numbers for split, numbers in splits.items() if numbers}
    for split, numbers in splits.items():
        source = "val" if split == "test" else split
        for kind, suffix in (("images", "jpg"), ("labels", "txt")):
            (folder / kind / split).mkdir(parents=True)
            for i in numbers:
                shutil.copy(SMEARS / kind / source / f"{i:03d}.{suffix}", folder / kind / split)
    said = "".join(f"{split}: images/{split}\n" for split in splits)
    (folder / "few.yaml").write_text(f"{said}names: [Platelets, RBC, WBC]\n", encoding="utf-8")
    return folder / "few.yaml"
