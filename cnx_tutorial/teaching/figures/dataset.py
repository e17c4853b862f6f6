"""Pictures of notebook 07: labelled images, the sizes of boxes against the strides, and a small cell under the grids."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageFilter

from cnx_tutorial.teaching.figures.style import BLUE, DPI, ORANGE, PINK

LINES = ((ORANGE, "-"), (BLUE, "--"), (PINK, ":"))
MARKS = ("o", "x", "^")
TICKS = (4, 8, 16, 32, 64, 128)


def labelled_image(picture: Image.Image, boxes: Sequence[tuple], names: Sequence[str]) -> Figure:
    """The picture with (class, x1, y1, x2, y2) boxes in pixels; each class has a colour and a line style of its own."""
    figure, panel = plt.subplots(figsize=(5, 4.2), dpi=DPI, layout="constrained")
    show(panel, picture, boxes)
    key(figure, names)
    return figure


def labelled_images(
    pictures: Mapping[str, tuple[Image.Image, Sequence[tuple]]], names: Sequence[str], columns: int = 2
) -> Figure:
    """Pictures by title, each with its (class, x1, y1, x2, y2) boxes in pixels, in rows of `columns`."""
    rows = -(-len(pictures) // columns)
    wide = {2: 3.6, 3: 3.3}[columns]
    high = wide * max(picture.height / picture.width for picture, _ in pictures.values()) + 0.25
    size = (wide * columns, high * rows + 0.35)
    figure, panels = plt.subplots(rows, columns, figsize=size, dpi=DPI, layout="constrained", squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    for panel, (title, (picture, boxes)) in zip(panels.flat, pictures.items(), strict=False):
        show(panel, picture, boxes, round(80 * wide))
        panel.set_title(title, fontsize=10)
    key(figure, names)
    return figure


def show(panel: Axes, picture: Image.Image, boxes: Sequence[tuple], pixels: int = 256) -> None:
    """Draw the picture, not more than so many pixels wide, and its boxes into the panel."""
    width, height = picture.size
    panel.imshow(light(picture, pixels), extent=(0, width, height, 0), interpolation="nearest")
    for kind, x1, y1, x2, y2 in boxes:
        colour, line = LINES[kind]
        panel.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linestyle=line, linewidth=1.8)
        )
    panel.axis("off")


def light(picture: Image.Image, pixels: int) -> Image.Image:
    """The picture without its grain, in steps of 8 of each colour: it looks the same, and a notebook that stores it is a third as large."""
    small = picture.convert("RGB").filter(ImageFilter.GaussianBlur(1))
    small.thumbnail((pixels, 10 * pixels), Image.Resampling.BOX)
    return small.point(lambda value: min(255, round(value / 8) * 8))


def with_ruler(picture: Image.Image) -> Figure:
    """The picture without boxes, with pixels written at its sides and a thin grid every 20."""
    figure, panel = plt.subplots(figsize=(7, 5.4), dpi=DPI, layout="constrained")
    panel.imshow(light(picture, 320), interpolation="nearest")
    width, height = picture.size
    panel.set(xticks=range(0, width, 20), yticks=range(0, height, 20), xlabel="x in pixels", ylabel="y in pixels")
    panel.tick_params(labelsize=8)
    panel.grid(color="black", linewidth=0.4, alpha=0.4)
    return figure


def key(figure: Figure, names: Sequence[str]) -> None:
    keys = [
        Rectangle((0, 0), 1, 1, fill=False, edgecolor=colour, linestyle=line, linewidth=2) for colour, line in LINES
    ]
    figure.legend(keys, names, loc="outside lower center", ncols=len(names))


def box_sizes(
    dots: Mapping[str, Sequence[tuple[float, float]]], width: int, sides: Sequence[int], strides: Sequence[int]
) -> Figure:
    """Width and height of boxes, one mark per class, one panel for each size to which the images of this width are resized; lines at the strides.

    Of each class at most 150 boxes are shown.
    """
    figure, panels = plt.subplots(
        1, len(sides), figsize=(3.9 * len(sides), 4.3), dpi=DPI, layout="constrained", sharey=True
    )
    for panel, side in zip(panels, sides, strict=True):
        for stride in strides:
            panel.axvline(stride, color="black", linestyle="--", linewidth=1)
            panel.axhline(stride, color="black", linestyle="--", linewidth=1)
            panel.annotate(f"stride {stride}", (TICKS[-1], stride), ha="right", va="bottom", fontsize=9)
        for (name, sizes), colour, mark in reversed(list(zip(dots.items(), (ORANGE, BLUE, PINK), MARKS, strict=False))):
            every = -(-len(sizes) // 150)
            pairs = [[part * side / width for part in pair] for pair in sizes[::every]]
            panel.loglog(
                *zip(*pairs, strict=True), mark, base=2, color=colour, markersize=2.8, label=name, antialiased=False
            )
        panel.set(xlabel="width of the box in pixels", title=f"images resized to {side} pixels", aspect="equal")
        panel.set(
            xlim=(TICKS[0], TICKS[-1]),
            ylim=(TICKS[0], TICKS[-1]),
            xticks=TICKS,
            yticks=TICKS,
            xticklabels=TICKS,
            yticklabels=TICKS,
        )
        panel.minorticks_off()
    panels[0].set_ylabel("height of the box in pixels")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=len(labels), markerscale=2)
    return figure


def under_grids(
    picture: Image.Image, box: Sequence[float], corner: tuple[int, int], side: int, strides: Sequence[int]
) -> Figure:
    """A square of the picture with one cell's (x1, y1, x2, y2) box, once for each stride, under the grid of that stride.

    Args:
        picture: as the network sees it.
        box: in pixels of the picture.
        corner, side: of the square, in pixels; multiples of the strides, so that the grid begins at its edge.
    """
    left, top = corner
    figure, panels = plt.subplots(1, len(strides), figsize=(3.6 * len(strides), 3.9), dpi=DPI, layout="constrained")
    for panel, stride in zip(panels, strides, strict=True):
        panel.imshow(
            picture.crop((left, top, left + side, top + side)),
            extent=(left, left + side, top + side, top),
            interpolation="nearest",
        )
        x1, y1, x2, y2 = box
        panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=ORANGE, linewidth=3))
        panel.set(
            xticks=range(left, left + side + 1, stride),
            yticks=range(top, top + side + 1, stride),
            title=f"grid of stride {stride}",
        )
        panel.grid(color="black", linewidth=0.8)
        panel.tick_params(labelbottom=False, labelleft=False, length=0)
    return figure
