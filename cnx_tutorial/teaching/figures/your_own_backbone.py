"""Pictures of notebook 10: images with the boxes and names that detectors gave them, and what a trial can tell."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from cnx_tutorial.teaching.figures.style import BLUE, DPI, ORANGE


def found_shapes(
    pictures: Sequence[Image.Image], found: Mapping[str, Sequence[Sequence[tuple]]], names: Sequence[str]
) -> Figure:
    """A row of pictures for each detector, with its (class, x1, y1, x2, y2) boxes in pixels; two classes, each with its own name, colour and line."""
    looks = (dict(edgecolor=BLUE, linestyle="-"), dict(edgecolor=ORANGE, linestyle="--"))
    size = (2.6 * len(pictures), 2.75 * len(found))
    figure, grid = plt.subplots(len(found), len(pictures), figsize=size, dpi=DPI, layout="constrained", squeeze=False)
    for row, (title, predictions) in zip(grid, found.items(), strict=True):
        row[0].set_ylabel(title)
        for panel, picture, boxes in zip(row, pictures, predictions, strict=True):
            panel.imshow(picture)
            panel.set(xticks=[], yticks=[])
            for kind, x1, y1, x2, y2 in boxes:
                panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=2, **looks[kind]))
                above = y1 > 14
                panel.text(
                    x1,
                    y1 - 3 if above else y2 + 3,
                    names[kind],
                    va="bottom" if above else "top",
                    fontsize=8,
                    bbox=dict(facecolor="white", edgecolor="none", alpha=0.8, pad=0.8),
                )
    return figure


def seeds_and_interval(scores: Mapping[str, Sequence[float]], difference: Mapping[str, float], label: str) -> Figure:
    """Left, the score of each seed of two models. Right, on the same scale, the differences of the seeds, their mean and its interval.

    Args:
        scores: for each model the score of each seed, from 0 to 1, the seeds in the same order; a seed has its own shape of mark.
        difference: of the first model to the second, "mean", "low", "high" and "interval", as `cnx compare` gives them.
        label: the name of the score.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 2.8), dpi=DPI, layout="constrained", gridspec_kw={"width_ratios": (1, 2)}
    )
    (first, ours), (second, theirs) = scores.items()
    for seed, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        look = {"linestyle": "none", "marker": "osD^v<>"[seed % 7], "markersize": 8, "fillstyle": "none"}
        left.plot(one, 0, color=BLUE, **look)
        left.plot(other, 1, color=ORANGE, **look)
        right.plot(one - other, 0, color="black", label=f"seed {seed}", **look)
    left.set(xlabel=label, xlim=(0, 1), yticks=(0, 1), yticklabels=(first, second))
    low, mean, high = (difference[key] for key in ("low", "mean", "high"))
    right.axvline(0, color="black", linestyle="--", linewidth=1)
    right.plot([low, high], [1, 1], color="black", linewidth=3, solid_capstyle="butt")
    right.plot(mean, 1, "D", color="black", markersize=8)
    right.set(xlabel=f"{label} of {first}, minus that of {second}", xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1))
    right.set(yticks=(0, 1), yticklabels=("each seed", f"mean, and\n{difference['interval']:g} % interval"))
    right.legend(loc="upper right", frameon=False)
    for panel in (left, right):
        panel.set_ylim(1.6, -0.6)
        panel.spines[["top", "right"]].set_visible(False)
    return figure
