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
    """A row of pictures for each detector, with its (class, x1, y1, x2, y2) boxes in pixels; two classes, told apart by name, colour and line."""
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
    """Left, every seed of every model as a mark on the axis of the score. Right, the difference of the first model to the second and its interval.

    Args:
        scores: for each model the score of each seed, from 0 to 1; a seed has its own shape of mark.
        difference: "mean", "low" and "high", as `cnx compare` gives them.
        label: the name of the score.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 2.6), dpi=DPI, layout="constrained")
    for row, values in enumerate(scores.values()):
        for seed, value in enumerate(values):
            left.plot(value, row, "osD^v<>"[seed % 7], color=(BLUE, ORANGE)[row % 2], markersize=9, alpha=0.8)
    left.set(xlabel=f"{label}, a mark for each seed", xlim=(0, 1), ylim=(len(scores) - 0.5, -0.5))
    left.set_yticks(range(len(scores)), list(scores))
    low, mean, high = (difference[key] for key in ("low", "mean", "high"))
    right.axvline(0, color="black", linestyle="--", linewidth=1)
    right.plot([low, high], [0, 0], color=BLUE, linewidth=3, solid_capstyle="butt")
    right.plot(mean, 0, "o", color=BLUE, markersize=9)
    right.set(xlabel=f"difference of {label}, and its interval", xlim=(-1, 1), ylim=(-1, 1), yticks=[])
    for panel in (left, right):
        panel.spines[["top", "right"]].set_visible(False)
    return figure
