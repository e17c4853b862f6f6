"""Pictures of notebook 09: matching, precision and recall, the strict end of mAP, repeated timings, the comparison."""

import statistics
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, ORANGE, PINK, RED, SKY

MARKS = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (PINK, "D"))


def boxes_on_grid(
    truths: Sequence[Sequence[float]], predictions: Sequence[tuple[float, Sequence[float]]], hits: Sequence[bool]
) -> Figure:
    """Truths as grey areas, predictions as frames with their confidence: solid for a hit, which has it at the left, dashed for a false positive."""
    figure, panel = plt.subplots(figsize=(7.5, 4.2), dpi=DPI, layout="constrained")
    for number, (x1, y1, x2, y2) in enumerate(truths):
        panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, facecolor="#CCCCCC", edgecolor="none"))
        panel.text((x1 + x2) / 2, (y1 + y2) / 2, f"truth {number}", ha="center", va="center", fontsize=9)
    for (confidence, (x1, y1, x2, y2)), hit in zip(predictions, hits, strict=True):
        style = dict(edgecolor=BLUE, linestyle="-") if hit else dict(edgecolor=RED, linestyle="--")
        panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=2, **style))
        place = (
            dict(x=x1, ha="left") if hit else dict(x=x2, ha="right")
        )  # two frames on one cell: not on top of each other
        panel.text(y=y1, s=f"{confidence:.2f}", va="bottom", fontsize=9, color=style["edgecolor"], **place)
    corners = [box for box in truths] + [box for _, box in predictions]
    panel.set(
        xlim=(-1, max(box[2] for box in corners) + 1), ylim=(max(box[3] for box in corners) + 1, -2), aspect="equal"
    )
    panel.grid(alpha=0.3)
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


def class_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """Precision against recall, one line per class."""
    figure, panel = plt.subplots(figsize=(6, 3.8), dpi=DPI, layout="constrained")
    for (name, (recall, precision)), (colour, _), style in zip(
        curves.items(), MARKS, ("-", "--", ":", "-."), strict=False
    ):
        panel.plot(recall, precision, style, color=colour, label=name)
    panel.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.05))
    panel.grid(alpha=0.3)
    panel.legend(loc="lower center")
    return figure


def timings(series: Mapping[str, Sequence[float]]) -> Figure:
    """Repeated timings in the order in which they were taken, with the median of each as a dashed line."""
    figure, panel = plt.subplots(figsize=(7.5, 3.4), dpi=DPI, layout="constrained")
    for (name, values), (colour, mark) in zip(series.items(), MARKS, strict=False):
        panel.plot(values, mark, color=colour, markersize=4, label=f"{name}, median {statistics.median(values):.1f}")
        panel.axhline(statistics.median(values), color=colour, linestyle="--", linewidth=1)
    panel.set(xlabel="repetition", ylabel="milliseconds")
    panel.grid(alpha=0.3)
    panel.legend(loc="upper right")
    return figure


def comparison(points: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """mAP50-95 of each seed against latency and against parameters; a short line marks each mean.

    Args:
        points: by model: "map" (one number a seed), "latency" (ms per image) and "parameters" (millions).
    """
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), dpi=DPI, layout="constrained", sharey=True)
    for panel, axis, label in zip(
        panels, ("latency", "parameters"), ("ms per image, batch 8", "parameters in millions"), strict=True
    ):
        for (name, values), (colour, mark) in zip(points.items(), MARKS, strict=False):
            x = values[axis][0]
            panel.plot([x] * len(values["map"]), values["map"], mark, color=colour, alpha=0.7, label=name)
            panel.plot(x, statistics.mean(values["map"]), "_", color=colour, markersize=22, markeredgewidth=2)
        panel.set(xlabel=label)
        panel.margins(x=0.25, y=0.15)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("mAP50-95 on val, each seed")
    panels[0].legend(loc="best", fontsize=9)
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
