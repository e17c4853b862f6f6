"""Our own models in comparisons that anybody can make: each is one `cnx compare` with the words below.

    python benchmarks/headline.py NAME [key=value ...]     # bccd, smears, bccd_s, opponents_bccd, bccd_gpu; more words go to cnx compare

Trainings are stored in runs/headline/NAME as they end; started again, the comparison goes on. What it came to is stored without the learning
curves in benchmarks/results/headline_NAME.json.
"""

import json
import os
import sys
from pathlib import Path

from cnx_tutorial.compare.comparison import compare
from cnx_tutorial.compare.question import read_words

HERE = Path(__file__).parent
OURS, STOCK, ARTICLE = "yolov8n-convnext.yaml", "yolov8n.yaml", "yolov8n-convnext-article.yaml"
CONTROL = str(HERE / "yolov8n-our-neck.yaml")  # yolov8-our-neck.yaml, scale n: which part of a gain is the neck's?
SMALL = {
    "imgsz": 192,
    "epochs": 40,
    "val": False,
    "device": "cpu",
}  # val=False: no learning curve, a fifth of the time saved
COMPARISONS: dict[str, dict] = {
    "bccd": {"model": OURS, "against": [STOCK, ARTICLE, CONTROL], "data": "bccd.yaml", **SMALL},
    "smears": {
        "model": OURS,
        "against": [STOCK, ARTICLE, CONTROL],
        "data": "smears.yaml",
        **SMALL,
        "epochs": 12,
        "seeds": range(5),
    },
    "bccd_s": {"model": "yolov8s-convnext.yaml", "against": "yolov8s.yaml", "data": "bccd.yaml", **SMALL, "lr0": 0.02},
    "opponents_bccd": {
        "model": OURS,
        "against": [STOCK, "yolov8n-p2.yaml", "yolo11n.yaml", "yolo26n.yaml", CONTROL],
        "data": "bccd.yaml",
        **SMALL,
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
    del result["folder"]
    file = HERE / "results" / f"headline_{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"stored  {file.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
