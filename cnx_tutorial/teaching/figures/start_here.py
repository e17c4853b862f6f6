"""Pictures of notebook 00: two boxes, the parts of a detector, labelled and found cells."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from cnx_tutorial.teaching.figures.dataset import LINES
from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, ORANGE, SKY, YELLOW


def two_boxes(cell: Sequence[int], box: Sequence[int]) -> Figure:
    """Two (x1, y1, x2, y2) boxes on squared paper: the cell filled, the box as a dashed frame with hatching."""
    figure, panel = plt.subplots(figsize=(5.5, 3.2), dpi=DPI, layout="constrained")
    for (x1, y1, x2, y2), look in (
        (cell, dict(facecolor=SKY, edgecolor=BLUE)),
        (box, dict(facecolor="none", edgecolor=ORANGE, hatch="//", linestyle="--")),
    ):
        panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, linewidth=2, **look))
    right, bottom = max(cell[2], box[2]), max(cell[3], box[3])
    panel.set(
        xlim=(-1, right + 1),
        ylim=(bottom + 1, -1),
        xticks=range(-1, right + 2),
        yticks=range(-1, bottom + 2),
        aspect="equal",
    )
    panel.grid(alpha=0.5)
    return figure


def detector_parts(size: int) -> Figure:
    """Image, backbone, three maps, neck and head of a detector as boxes and arrows; `size` is the side of the image in pixels."""
    figure, panel = plt.subplots(figsize=(10, 3.6), dpi=DPI, layout="constrained")
    boxes = [
        (0, f"image\n{size} x {size}", GREY),
        (2.2, "backbone", GREEN),
        (6.2, "neck", ORANGE),
        (8.4, "head", YELLOW),
    ]
    for x, text, colour in boxes:
        panel.add_patch(Rectangle((x, 0), 1.5, 3, facecolor=colour, edgecolor="black"))
        panel.text(x + 0.75, 1.5, text, ha="center", va="center", fontsize=11)
    for row, stride in enumerate((8, 16, 32)):
        y, side = 2.5 - row, size // stride
        panel.annotate("", (6.2, y), (3.7, y), arrowprops=dict(arrowstyle="->"))
        panel.text(4.95, y + 0.08, f"stride {stride}: {side} x {side}", ha="center", va="bottom", fontsize=10)
        panel.annotate("", (8.4, y), (7.7, y), arrowprops=dict(arrowstyle="->"))
    panel.annotate("", (2.2, 1.5), (1.5, 1.5), arrowprops=dict(arrowstyle="->"))
    panel.annotate("", (10.6, 1.5), (9.9, 1.5), arrowprops=dict(arrowstyle="->"))
    panel.text(10.7, 1.5, "box\nclass\nconfidence", va="center", fontsize=10)
    panel.set(xlim=(-0.1, 12.2), ylim=(-0.2, 3.2))
    panel.axis("off")
    return figure


def truth_and_found(
    pairs: Sequence[tuple[Image.Image, Sequence[tuple], Sequence[tuple]]], names: Sequence[str]
) -> Figure:
    """One row per picture: at the left its labelled (class, x1, y1, x2, y2) boxes, at the right those that were found."""
    figure, panels = plt.subplots(
        len(pairs), 2, figsize=(9, 3.5 * len(pairs)), dpi=DPI, layout="constrained", squeeze=False
    )
    for (left, right), (picture, truth, found) in zip(panels, pairs, strict=True):
        for panel, title, boxes in (
            (left, f"labelled: {len(truth)} cells", truth),
            (right, f"found: {len(found)} boxes", found),
        ):
            panel.imshow(picture)
            panel.set_title(title)
            panel.axis("off")
            for kind, x1, y1, x2, y2 in boxes:
                colour, line = LINES[kind]
                panel.add_patch(
                    Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linestyle=line, linewidth=2)
                )
    keys = [
        Rectangle((0, 0), 1, 1, fill=False, edgecolor=colour, linestyle=line, linewidth=2) for colour, line in LINES
    ]
    figure.legend(keys, names, loc="outside lower center", ncols=len(names))
    return figure
