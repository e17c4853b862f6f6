"""Pictures of notebook 09: matching, precision and recall, the strict end of mAP, confusion, failures, differences with their intervals."""

from collections.abc import Mapping, Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, ORANGE, PINK, RED, SKY

MARKS = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (PINK, "D"))


def boxes_on_grid(
    truths: Sequence[Sequence[float]], predictions: Sequence[tuple[float, Sequence[float]]], tp: Sequence[bool]
) -> Figure:
    """Truths as grey areas, predictions as frames with their confidence: solid for a true positive, dashed for a false one."""
    figure, panel = plt.subplots(figsize=(7.5, 4.2), dpi=DPI, layout="constrained")
    for number, (x1, y1, x2, y2) in enumerate(truths):
        panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, facecolor="#CCCCCC", edgecolor="none"))
        panel.text(x1 + 1.4, (y1 + y2) / 2, f"truth {number}", va="center", fontsize=9)
    for (confidence, (x1, y1, x2, y2)), right in zip(predictions, tp, strict=True):
        style = dict(edgecolor=BLUE, linestyle="-") if right else dict(edgecolor=RED, linestyle="--")
        panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=2, **style))
        place = (
            dict(x=x1, ha="left") if right else dict(x=x2, ha="right")
        )  # two frames on one cell: not on top of each other
        panel.text(y=y1, s=f"{confidence:.2f}", va="bottom", fontsize=9, color=style["edgecolor"], **place)
    corners = [box for box in truths] + [box for _, box in predictions]
    panel.set(
        xlim=(-1, max(box[2] for box in corners) + 1),
        ylim=(max(box[3] for box in corners) + 1, -2),
        aspect="equal",
        xlabel="x in pixels",
        ylabel="y in pixels",
    )
    panel.grid(alpha=0.3)
    frame = partial(Rectangle, (0, 0), 1, 1, fill=False, linewidth=2)
    marks = [
        Rectangle((0, 0), 1, 1, facecolor="#CCCCCC"),
        frame(edgecolor=BLUE),
        frame(edgecolor=RED, linestyle="--"),
    ]
    names = ["cell (truth)", "true positive", "false positive"]
    figure.legend(marks, names, loc="outside lower center", ncols=3)
    return figure


def precision_recall(recall: Sequence[float], precision: Sequence[float], envelope: Sequence[float]) -> Figure:
    """Precision against recall as points, and the envelope as steps with the area below it."""
    figure, panel = plt.subplots(figsize=(6, 3.8), dpi=DPI, layout="constrained")
    edges = [0, *recall]
    panel.fill_between(edges, [envelope[0], *envelope], step="pre", color=SKY, alpha=0.4, label="area: AP")
    panel.step(edges, [envelope[0], *envelope], where="pre", color=BLUE, label="envelope")
    panel.plot(recall, precision, "o", color=RED, label="after each prediction")
    panel.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.05))
    panel.grid(alpha=0.3)
    panel.legend(loc="lower left")
    return figure


def class_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], least: float = 0) -> Figure:
    """Precision against recall, one line per class; the axis of recall begins at `least`."""
    figure, panel = plt.subplots(figsize=(6, 3.8), dpi=DPI, layout="constrained")
    for (name, (recall, precision)), (colour, _), style in zip(
        curves.items(), MARKS, ("-", "--", ":", "-."), strict=False
    ):
        panel.plot(recall, precision, style, color=colour, label=name, linewidth=2)
    label = f"recall (the axis begins at {least})" if least else "recall"
    panel.set(xlabel=label, ylabel="precision", xlim=(least, 1 + 0.02 * (1 - least)), ylim=(0, 1.05))
    panel.grid(alpha=0.3)
    panel.legend(loc="lower left")
    return figure


def strict_end(thresholds: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Figure:
    """AP at each IoU threshold, one line per series."""
    figure, panel = plt.subplots(figsize=(6.5, 3.4), dpi=DPI, layout="constrained")
    for (name, values), (colour, mark), style in zip(
        curves.items(), (*MARKS, (ORANGE, "v")), ("-", "--", ":", "-.", "-"), strict=False
    ):
        panel.plot(thresholds, values, mark + style, color=colour, label=name)
    panel.set(xlabel="IoU threshold", ylabel="AP", ylim=(-0.05, 1.05))
    panel.grid(alpha=0.3)
    panel.legend(loc="lower left")
    return figure


def confusion(matrix: np.ndarray, names: Sequence[str]) -> Figure:
    """Counts by predicted (rows) and true class (columns), the last of both being the background; the darker, the more of its column."""
    figure, panel = plt.subplots(figsize=(5.6, 4.2), dpi=DPI, layout="constrained")
    share = matrix / np.maximum(matrix.sum(0), 1)
    panel.imshow(share, cmap="Greys", vmin=0, vmax=1.3)
    for (row, column), count in np.ndenumerate(matrix):
        panel.text(
            column,
            row,
            f"{count:.0f}",
            ha="center",
            va="center",
            color="white" if share[row, column] > 0.6 else "black",
        )
    panel.set(xlabel="true class", ylabel="predicted class")
    panel.set_xticks(range(len(names) + 1), [*names, "background:\nfalse positives"])
    panel.set_yticks(range(len(names) + 1), [*names, "background:\nfalse negatives"])
    panel.axhline(len(names) - 0.5, color=BLUE, linewidth=1.5)
    panel.axvline(len(names) - 0.5, color=BLUE, linewidth=1.5)
    return figure


def failures(rows: Mapping[str, Sequence[tuple]]) -> Figure:
    """Cuttings around failures, one row of panels each: true boxes solid and white, predicted boxes dashed and black, the failure in the middle.

    Args:
        rows: by title, (image, box of the failure, true boxes, predicted boxes), boxes as (x1, y1, x2, y2) in pixels.
    """
    columns = max(map(len, rows.values()))
    figure, panels = plt.subplots(
        len(rows), columns, figsize=(2.3 * columns, 2.5 * len(rows) + 0.4), dpi=DPI, layout="constrained", squeeze=False
    )
    for line, (title, cuttings) in zip(panels, rows.items(), strict=True):
        for panel, cutting in zip(line, cuttings, strict=False):
            _cutting(panel, *cutting)
        for panel in line[len(cuttings) :]:
            panel.axis("off")
        line[0].set_ylabel(title)
    key = dict(fill=False, linewidth=1.5)
    figure.legend(
        [
            Rectangle((0, 0), 1, 1, edgecolor="white", facecolor="#999999", linewidth=1.5),
            Rectangle((0, 0), 1, 1, edgecolor="black", linestyle="--", **key),
        ],
        ["true box", "predicted box"],
        loc="outside lower center",
        ncols=2,
    )
    return figure


def _cutting(panel: Axes, picture: Image.Image, box: Sequence[float], truths: Sequence, found: Sequence) -> None:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = max(box[2] - box[0], box[3] - box[1], 40) * 0.75
    panel.imshow(picture)
    for boxes, look in (
        (truths, dict(edgecolor="white", linewidth=2)),
        (found, dict(edgecolor="black", linestyle="--", linewidth=1.5)),
    ):
        for x1, y1, x2, y2 in boxes:
            panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, **look))
    panel.set(xlim=(x - half, x + half), ylim=(y + half, y - half), xticks=[], yticks=[])
    panel.set_facecolor("#999999")  # beyond the edge of the image
    panel.annotate("", (x, y), (x - 0.75 * half, y + 0.75 * half), arrowprops=dict(arrowstyle="->", color=BLUE, lw=2))


def grouped_bars(groups: Mapping[str, Mapping[str, float]], ylabel: str) -> Figure:
    """One group of bars for each key, and in each the same names, each with its own colour and hatching; its height stands above a bar."""
    figure, panel = plt.subplots(figsize=(8.5, 3.8), dpi=DPI, layout="constrained")
    names = list(next(iter(groups.values())))
    for i, name in enumerate(names):
        colour, hatch = ((GREY, ""), (RED, "//"), (SKY, ".."), (GREEN, "\\\\"))[i]
        x = np.arange(len(groups)) + (i - (len(names) - 1) / 2) * 0.21
        heights = [values[name] for values in groups.values()]
        bars = panel.bar(x, heights, 0.2, color=colour, hatch=hatch, edgecolor="black", linewidth=0.8, label=name)
        panel.bar_label(bars, fmt="%.2f", fontsize=8, padding=2)
    panel.set_xticks(range(len(groups)), list(groups))
    panel.set(ylabel=ylabel)
    panel.margins(y=0.1)
    figure.legend(loc="outside lower center", ncols=len(names))
    return figure


def intervals(rows: Mapping[str, tuple[float, tuple[float, float], tuple[float, float]]], xlabel: str) -> Figure:
    """A difference a row, with its 95 % intervals: over seeds solid with a dot, over images dashed with a square; a line marks zero.

    Args:
        rows: by name, (mean, ends over seeds, ends over images).
    """
    figure, panel = plt.subplots(figsize=(8, 0.62 * len(rows) + 1.3), dpi=DPI, layout="constrained")
    for y, (mean, *ends) in enumerate(rows.values()):
        looks = ((-0.13, BLUE, "o", "-", "over seeds"), (0.13, RED, "s", "--", "over images"))
        for (low, high), (shift, colour, mark, line, label) in zip(ends, looks, strict=True):
            panel.plot([low, high], [y + shift] * 2, line, marker="|", color=colour, linewidth=2)
            panel.plot(mean, y + shift, mark, color=colour, linestyle=line, label=label if y == 0 else None)
    panel.axvline(0, color="black", linewidth=1)
    panel.set_yticks(range(len(rows)), list(rows))
    panel.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    panel.grid(alpha=0.3, axis="x")
    panel.legend(loc="lower right")
    return figure
