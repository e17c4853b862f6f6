"""The settings that `cnx train` and `cnx compare` give to Ultralytics unless the user sets them.

For sets of a few hundred small images. Ultralytics' defaults are for COCO: batches are gathered up to 64 images before a step (nbs), and an optimizer
named by hand starts its biases at a rate of 0.1. MuSGD reaches a higher mAP than AdamW here (benchmarks/NOTES.md).
"""

MODEL, DATA = "yolov8n-convnext.yaml", "smears.yaml"
RECIPE = {
    "imgsz": 320,
    "epochs": 15,
    "batch": 16,
    "nbs": 16,
    "optimizer": "MuSGD",
    "lr0": 0.02,
    "momentum": 0.9,
    "warmup_bias_lr": 0.0,
}
SIZES = ("imgsz", "epochs", "batch", "nbs")  # the part of the recipe that stays if the user names an optimizer


def recipe(given: set[str]) -> dict[str, object]:
    """The recipe without what the user has named."""
    keys = SIZES if "optimizer" in given else RECIPE
    return {key: RECIPE[key] for key in keys if key not in given}
