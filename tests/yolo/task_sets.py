"""Small sets of images for each task: one red square each."""

from pathlib import Path

import numpy as np
from PIL import Image
from ultralytics.utils import YAML

TASKS = ("detect", "segment", "pose", "obb", "classify")


def make_sets(folder: Path) -> dict[str, str]:
    """What `data=` names for each task: a data YAML, for classify a folder."""
    rng, found = np.random.default_rng(0), {}
    for task in TASKS:
        for split in ("train", "val"):
            for i in range(6):
                x, y, r = (float(v) for v in (*rng.uniform(0.3, 0.7, 2), rng.uniform(0.1, 0.2)))
                corners = [x - r, y - r, x + r, y - r, x + r, y + r, x - r, y + r]
                points = [v for a, b in zip(corners[::2], corners[1::2], strict=True) for v in (a, b, 2)]
                numbers = {"detect": [x, y, 2 * r, 2 * r], "pose": [x, y, 2 * r, 2 * r, *points]}.get(task, corners)
                image = np.full((64, 64, 3), 120, np.uint8)
                image[int((y - r) * 64) : int((y + r) * 64), int((x - r) * 64) : int((x + r) * 64)] = (200, 40, 40)
                if task == "classify":
                    place = folder / task / split / f"kind{i % 2}" / f"{i}.png"
                else:
                    place = folder / task / "images" / split / f"{i}.png"
                    label = folder / task / "labels" / split / f"{i}.txt"
                    label.parent.mkdir(parents=True, exist_ok=True)
                    label.write_text(" ".join(map(str, [0, *numbers])) + "\n", encoding="utf-8")
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(place)
        found[task] = str(folder / task)
        if task != "classify":
            file = folder / task / "data.yaml"
            d = {"path": str(folder / task), "train": "images/train", "val": "images/val", "names": ["square", "none"]}
            YAML.save(file, d | ({"kpt_shape": [4, 3]} if task == "pose" else {}))
            found[task] = str(file)
    return found
