"""Pictures of notebook 06: labelled images, and the sizes of boxes against the strides."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from cnx_tutorial.teaching.figures.style import BLUE, DPI, ORANGE, PINK

LINES = ((ORANGE, "-"), (BLUE, "--"), (PINK, ":"))


def labelled_image(picture: Image.Image, boxes: Sequence[tuple], names: Sequence[str]) -> Figure:
    """The picture with (class, x1, y1, x2, y2) boxes in pixels; each class has a colour and a line style of its own."""
    figure, panel = plt.subplots(figsize=(6.5, 5.2), dpi=DPI, layout="constrained")
    panel.imshow(picture)
    for kind, x1, y1, x2, y2 in boxes:
        colour, line = LINES[kind]
        panel.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linestyle=line, linewidth=2)
        )
    keys = [
        Rectangle((0, 0), 1, 1, fill=False, edgecolor=colour, linestyle=line, linewidth=2) for colour, line in LINES
    ]
    figure.legend(keys, names, loc="outside lower center", ncols=len(names))
    panel.axis("off")
    return figure


def box_sizes(dots: Mapping[str, Sequence[tuple[float, float]]], strides: Sequence[int]) -> Figure:
    """Width and height of boxes in pixels, one mark per class, with dashed lines at the strides."""
    figure, panel = plt.subplots(figsize=(6, 5), dpi=DPI, layout="constrained")
    for (name, sizes), colour, mark in zip(dots.items(), (ORANGE, BLUE, PINK), ("o", "x", "^"), strict=False):
        panel.plot(
            *zip(*sizes, strict=True), mark, color=colour, markersize=4, alpha=0.6, label=f"{name} ({len(sizes)})"
        )
    for stride in strides:
        panel.axvline(stride, color="#777777", linestyle="--", linewidth=1)
        panel.axhline(stride, color="#777777", linestyle="--", linewidth=1)
        panel.annotate(f" stride {stride}", (1, stride), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    panel.set(
        xlabel="width in pixels at 320",
        ylabel="height in pixels at 320",
        xlim=(0, None),
        ylim=(0, None),
        aspect="equal",
    )
    panel.legend(loc="lower right")
    return figure
