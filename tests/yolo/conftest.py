"""A detection set that trains in seconds: coloured discs on grey, two classes, 12 train and 6 val images of 96 px."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw


@pytest.fixture(scope="session")
def discs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for i in range(count):
            image, rows = Image.new("RGB", (96, 96), (120, 120, 120)), []
            for kind, colour in ((0, (200, 40, 40)), (1, (40, 40, 200))):
                (x, y), r = rng.integers(20, 76, 2), int(rng.integers(10, 18))
                ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=colour)
                rows.append(f"{kind} {x / 96:.6f} {y / 96:.6f} {2 * r / 96:.6f} {2 * r / 96:.6f}\n")
            image.save(folder / "images" / split / f"{i}.png")
            (folder / "labels" / split / f"{i}.txt").write_text("".join(rows), encoding="utf-8")
    data = {"path": str(folder), "train": "images/train", "val": "images/val", "names": ["red", "blue"]}
    (folder / "discs.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return folder / "discs.yaml"
