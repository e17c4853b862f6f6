"""Claim: a comparison of a model with itself says "higher" or "lower" in at most one of twenty.

    python benchmarks/itself.py [--data smears.yaml] [--imgsz 128] [--epochs 12]

Trains two models with six seeds each through `cnx compare` (stored in runs/headline/itself), and for each of them holds every three seeds against the
other three: twenty pairs of groups that differ by nothing but chance. Prints each verdict and the count.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

from cnx_tutorial.compare.comparison import compare
from cnx_tutorial.compare.results import counted, draws_of, main_score, trainings
from cnx_tutorial.compare.verdicts import Difference, over_images, paired
from cnx_tutorial.yolo import machine

SEEDS = range(6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="smears.yaml")
    parser.add_argument("--imgsz", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=12)
    args = parser.parse_args()
    result = compare(
        model="yolov8n-convnext.yaml", against="yolov8n-convnext-article.yaml", data=args.data, imgsz=args.imgsz, epochs=args.epochs,
        seeds=list(SEEDS), lr0=0.02, val=False, device="cpu", project="runs/headline", name="itself",
    )  # fmt: skip
    found, stored = {}, trainings(Path(result["folder"]))
    for label in result["models"]:
        runs = counted(stored, label, result["models"][label]["lr0"], SEEDS)
        said = []
        for group in itertools.combinations(SEEDS, 3):
            rest = [seed for seed in SEEDS if seed not in group]
            a, b = ([main_score(runs[seed]["scores"]["val"]) for seed in seeds] for seeds in (group, rest))
            draws = [[draws_of(runs[seed]["folder"], "val") for seed in seeds] for seeds in (group, rest)]
            mean, low, high, p = paired(a, b)
            said.append(Difference(mean, low, high, p, *over_images(*draws)).verdict)
            print(f"{label}, seeds {group} against {tuple(rest)}: {np.mean(a):.3f} and {np.mean(b):.3f}, {said[-1]}")
        found[label] = {verdict: said.count(verdict) for verdict in sorted(set(said))}
        print(f"{label}: {found[label]}")
    file = Path(__file__).parent / "results" / "itself.json"
    settings = {"data": args.data, "imgsz": args.imgsz, "epochs": args.epochs, "seeds": list(SEEDS)}
    content = {"claim": __doc__.splitlines()[0], "verdicts": found, "settings": settings}
    content |= {"device": machine.processor(), "versions": machine.versions(), "commit": machine.commit()}
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"stored in {file}")


if __name__ == "__main__":
    main()
