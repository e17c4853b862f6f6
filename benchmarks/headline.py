"""Our own models in comparisons that anybody can make: each is one `cnx compare` with the words below.

    python benchmarks/headline.py NAME [key=value ...]     # bccd, smears, bccd_s, opponents, candidate, bccd_gpu; more words go to cnx compare

Trainings are stored in runs/headline/NAME as they end; started again, the comparison goes on. What it came to is stored without the learning
curves in benchmarks/results/headline_NAME.json; of the opponents also what each step from YOLOv8n to ours changed.
"""

import json
import os
import sys
from pathlib import Path

from cnx_tutorial.compare import results
from cnx_tutorial.compare.comparison import compare
from cnx_tutorial.compare.question import read_words

HERE = Path(__file__).parent
OURS, STOCK, P2, ARTICLE = "yolov8n-convnext.yaml", "yolov8n.yaml", "yolov8n-p2.yaml", "yolov8n-convnext-article.yaml"
# Scale n of the files in this folder. The last is the control: which part of a gain is the neck's?
ONE_WAY, NARROW, CONTROL = (str(HERE / f"yolov8n-{name}.yaml") for name in ("one-way", "narrow", "our-neck"))
CANDIDATE = str(HERE / "yolov8n-convnext-p2.yaml")
STEPS = [STOCK, P2, ONE_WAY, NARROW, CONTROL, OURS]  # from YOLOv8n to ours, one change at a time
# val=False: no learning curve, a fifth of the time saved
SMALL = {"imgsz": 192, "epochs": 40, "val": False, "device": "cpu"}
COMPARISONS: dict[str, dict] = {
    "bccd": {"model": OURS, "against": [STOCK, ARTICLE, CONTROL], "data": "bccd.yaml", **SMALL},
    "smears": {
        "model": OURS,
        "against": [STOCK, ARTICLE, CONTROL, P2, "yolo11n.yaml", "yolo26n.yaml"],
        "data": "smears.yaml",
        **SMALL,
        "epochs": 12,
        "lr0": 0.02,
    },
    "bccd_s": {"model": "yolov8s-convnext.yaml", "against": "yolov8s.yaml", "data": "bccd.yaml", **SMALL, "lr0": 0.02},
    "opponents": {
        "model": OURS,
        "against": [*STEPS[:-1], "yolo11n.yaml", "yolo26n.yaml"],
        "data": "bccd.yaml",
        **SMALL,
        "seeds": range(5),
        "lr0": 0.02,
    },
    "candidate": {
        "model": CANDIDATE,
        "against": P2,
        "data": "bccd.yaml",
        **SMALL,
        "seeds": range(5),
        "lr0": (0.02, 0.04),
    },
    "bccd_gpu": {
        "model": OURS,
        "against": [STOCK, CONTROL],
        "data": "bccd.yaml",
        "imgsz": 640,
        "epochs": 100,
        "val": False,
        "device": "0",
        "jobs": 14,  # a large GPU trains many small networks side by side
        "seeds": range(5),
        "cache": "ram",
        "workers": 1,
    },
}


def main() -> None:
    name, *more = sys.argv[1:] or [""]
    if name not in COMPARISONS:
        sys.exit(f"{name or 'nothing'} is no comparison of ours; expected one of {', '.join(COMPARISONS)}")
    os.chdir(HERE.parent)
    words = {key: list(value) if isinstance(value, range) else value for key, value in COMPARISONS[name].items()}
    words |= read_words(more)
    result = compare(**{"project": "runs/headline", "name": name, **words})
    for one in result["models"].values():
        del one["curves"]
    if name == "opponents":  # two tables, each with p-values corrected for its own number of comparisons
        steps = [Path(model).name for model in STEPS]
        ours, *others = (label for label in result["models"] if label not in steps[2:4])
        result["comparisons"]["val"] = dict(
            zip(others, differences(result, [(ours, other) for other in others]), strict=True)
        )
        pairs = list(zip(steps[1:], steps, strict=False))
        result["steps"] = [
            {"step": step, "before": before, **one}
            for (step, before), one in zip(pairs, differences(result, pairs), strict=True)
        ]
    del result["folder"]
    result["question"] |= {
        "data": COMPARISONS[name]["data"],
        "models": {label: label for label in result["question"]["models"]},
    }
    file = HERE / "results" / f"headline_{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"stored  {file.relative_to(HERE.parent)}")


def differences(result: dict, pairs: list[tuple[str, str]]) -> list[dict]:
    """For each pair of models the difference of the first to the second."""
    stored, models = results.trainings(Path(result["folder"])), result["models"]
    runs = {label: results.counted(stored, label, one["lr0"], one["seeds"]) for label, one in models.items()}
    return results.differences(runs, pairs)


if __name__ == "__main__":
    main()
