"""Pictures of notebook 07: labelled images, and the sizes of boxes against the strides."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from cnx_tutorial.teaching.figures.style import BLUE, DPI, ORANGE, PINK

LINES = ((ORANGE, "-"), (BLUE, "--"), (PINK, ":"))


def labelled_image(picture: Image.Image, boxes: Sequence[tuple], names: Sequence[str]) -> Figure:
    """The picture with (class, x1, y1, x2, y2) boxes in pixels; each class has a colour and a line style of its own."""
    figure, panel = plt.subplots(figsize=(6.5, 5.2), dpi=DPI, layout="constrained")
    show(panel, picture, boxes)
    key(figure, names)
    return figure


def labelled_images(
    pictures: Mapping[str, tuple[Image.Image, Sequence[tuple]]], names: Sequence[str], columns: int = 2
) -> Figure:
    """Pictures by title, each with its (class, x1, y1, x2, y2) boxes in pixels, in rows of `columns`."""
    rows = -(-len(pictures) // columns)
    size = (4.2 * columns, 3.4 * rows + 0.4)
    figure, panels = plt.subplots(rows, columns, figsize=size, dpi=DPI, layout="constrained", squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    for panel, (title, (picture, boxes)) in zip(panels.flat, pictures.items(), strict=False):
        show(panel, picture, boxes)
        panel.set_title(title, fontsize=11)
    key(figure, names)
    return figure


def show(panel: Axes, picture: Image.Image, boxes: Sequence[tuple]) -> None:
    panel.imshow(picture)
    for kind, x1, y1, x2, y2 in boxes:
        colour, line = LINES[kind]
        panel.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linestyle=line, linewidth=2)
        )
    panel.axis("off")


def key(figure: Figure, names: Sequence[str]) -> None:
    keys = [
        Rectangle((0, 0), 1, 1, fill=False, edgecolor=colour, linestyle=line, linewidth=2) for colour, line in LINES
    ]
    figure.legend(keys, names, loc="outside lower center", ncols=len(names))


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
