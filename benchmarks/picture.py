"""The README's picture, accuracy against cost, from the stored results: nothing is measured here.

    python benchmarks/picture.py

Reads benchmarks/results/headline_bccd.json and headline_bccd_s.json, writes docs/accuracy_and_cost.png.
"""

import statistics
from pathlib import Path

from cnx_tutorial.teaching import figures, results

DESIGNS = {  # by what stands after the scale in a file's name
    "": ("YOLOv8", "black", "s"),
    "-convnext": ("ours", figures.BLUE, "o"),
    "-convnext-article": ("the article's rows", figures.RED, "^"),
    "-our-neck": ("YOLOv8, our neck", "gray", "D"),
}


def main() -> None:
    import matplotlib.pyplot as plt

    stored = {"n": results.headline("bccd"), "s": results.headline("bccd_s")}
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for suffix, (label, colour, marker) in DESIGNS.items():
        points = []
        for scale, result in stored.items():
            name = f"yolov8{scale}{suffix}.yaml"
            if name in result["models"]:
                found = results.scores(result, name)
                latency = statistics.median(result["speed"]["latency_ms"]["1"][name])
                points.append((scale, latency, result["models"][name]["parameters"] / 1e6, found))
        for panel, column in zip(panels, (1, 2), strict=True):
            panel.errorbar(
                [point[column] for point in points],
                [statistics.mean(point[3]) for point in points],
                [statistics.stdev(point[3]) for point in points],
                color=colour, marker=marker, markersize=7, capsize=3, label=label,
            )  # fmt: skip
            for point in points:
                panel.annotate(point[0], (point[column], statistics.mean(point[3])), (7, 6), textcoords="offset points")
    for panel in panels:
        panel.margins(x=0.1)
    panels[0].set(xlabel="ms for one image, fused, two CPU cores", ylabel="mAP50-95 on val", xlim=(0, None))
    panels[1].set(xlabel="parameters, millions", xlim=(0, None))
    panels[1].legend(loc="lower right")
    figure.savefig(Path(__file__).parents[1] / "docs" / "accuracy_and_cost.png", dpi=figures.DPI)


if __name__ == "__main__":
    main()
