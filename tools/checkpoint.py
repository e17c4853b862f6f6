"""Make cnx_tutorial/pretrained/smears.pt, the checkpoint of this package: bare `cnx train`, then the file without what only its maker needs.

    python tools/checkpoint.py

The weights are those of best.pt, in half precision. Of the arguments of the training only those stay that the recipe and the command decide, and
no path of a machine. It prints the size, and the scores that the training printed.
"""

import tempfile
from pathlib import Path

import torch

from cnx_tutorial import YOLO
from cnx_tutorial.paths import PRETRAINED
from cnx_tutorial.recipe import DATA, MODEL, RECIPE

KEPT = ("date", "version", "license", "docs", "epoch", "train_metrics", "model")


def main() -> None:
    arguments = {**RECIPE, "data": DATA, "seed": 0, "device": "cpu"}
    with tempfile.TemporaryDirectory() as folder:
        yolo = YOLO(MODEL)
        yolo.train(**arguments, project=folder, plots=False)
        path = PRETRAINED / "smears.pt"
        path.parent.mkdir(exist_ok=True)
        shrink(Path(yolo.trainer.best), path, arguments)
    content = path.read_bytes()
    assert folder.encode() not in content and str(Path.home()).encode() not in content, (
        "a path of this machine is in the file"
    )
    print(f"{path}: {len(content) / 1e6:.2f} MB, {YOLO(path).ckpt['train_metrics']}")


def shrink(best: Path, path: Path, arguments: dict) -> None:
    """The checkpoint `best` without what only its maker needs."""
    whole = torch.load(best, weights_only=False)
    kept = {key: whole[key] for key in KEPT if key in whole}
    kept["model"].args = kept["train_args"] = {"task": "detect", "mode": "train", "model": MODEL, **arguments}
    kept["model"].yaml["yaml_file"] = MODEL
    torch.save(kept, path)


if __name__ == "__main__":
    main()
