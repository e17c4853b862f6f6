"""Pictures of notebook 00: two boxes, the parts of a detector, labelled and predicted boxes."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from cnx_tutorial.teaching.figures.dataset import key, light, show
from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, ORANGE, SKY, YELLOW


def two_boxes(cell: Sequence[int], box: Sequence[int]) -> Figure:
    """Two (x1, y1, x2, y2) boxes that overlap, on squared paper: the cell filled, the box as a dashed frame with hatching."""
    figure, panel = plt.subplots(figsize=(5.5, 3.2), dpi=DPI, layout="constrained")
    for (x1, y1, x2, y2), look, name in (
        (cell, dict(facecolor=SKY, edgecolor=BLUE), "cell"),
        (box, dict(facecolor="none", edgecolor=ORANGE, hatch="//", linestyle="--"), "box"),
    ):
        panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, linewidth=2, label=name, **look))
    x1, y1, x2, y2 = max(cell[0], box[0]), max(cell[1], box[1]), min(cell[2], box[2]), min(cell[3], box[3])
    both = f"shared:\n{x2 - x1} x {y2 - y1} squares"
    ground = dict(facecolor="white", edgecolor="none", alpha=0.9)
    panel.text((x1 + x2) / 2, (y1 + y2) / 2, both, ha="center", va="center", bbox=ground)
    right, bottom = max(cell[2], box[2]), max(cell[3], box[3])
    panel.set(
        xlim=(-1, right + 1),
        ylim=(bottom + 1, -1),
        xticks=range(-1, right + 2),
        yticks=range(-1, bottom + 2),
        aspect="equal",
        xlabel="columns",
        ylabel="rows",
    )
    panel.grid(alpha=0.5)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def detector_parts(picture: Image.Image, size: int) -> Figure:
    """Picture, backbone, three maps as grids of cells, neck and head of a detector; `size` is the side of the square in pixels."""
    figure, panel = plt.subplots(figsize=(10, 3.6), dpi=DPI, layout="constrained")
    for x, text, colour in ((2.5, "backbone", GREEN), (8.0, "neck", ORANGE), (10.0, "head", YELLOW)):
        panel.add_patch(Rectangle((x, 0), 1.3, 3.6, facecolor=colour, edgecolor="black"))
        panel.text(x + 0.65, 1.8, text, ha="center", va="center", fontsize=11)
    small = light(picture, 160)
    high = 1.8 * small.height / small.width
    panel.add_patch(Rectangle((0, 0.9), 1.8, 1.8, facecolor="#727272", zorder=-1))  # the grey of the letterbox
    panel.imshow(small, extent=(0, 1.8, 1.8 - high / 2, 1.8 + high / 2), interpolation="nearest")
    panel.text(0.9, 0.8, f"image\n{size} x {size}", ha="center", va="top", fontsize=10)
    for row, stride in enumerate((8, 16, 32)):
        y, cells = 3.05 - 1.25 * row, size // stride
        lines = np.linspace(0, 1, cells + 1)
        panel.vlines(4.6 + lines, y - 0.5, y + 0.5, color="black", linewidth=0.4)
        panel.hlines(y - 0.5 + lines, 4.6, 5.6, color="black", linewidth=0.4)
        panel.text(5.75, y + 0.06, f"stride {stride}:\n{cells} x {cells} grid cells", va="bottom", fontsize=10)
        for start, end in ((3.8, 4.55), (5.65, 8.0), (9.3, 10.0)):
            panel.annotate("", (end, y), (start, y), arrowprops=dict(arrowstyle="->"))
    panel.annotate("", (2.5, 1.8), (1.8, 1.8), arrowprops=dict(arrowstyle="->"))
    panel.annotate("", (12, 1.8), (11.3, 1.8), arrowprops=dict(arrowstyle="->"))
    panel.text(12.1, 1.8, "box\nclass\nconfidence", va="center", fontsize=10)
    panel.set(xlim=(-0.1, 13.3), ylim=(-0.1, 3.7), aspect="equal")
    panel.axis("off")
    return figure


def truth_and_found(
    pairs: Sequence[tuple[Image.Image, Sequence[tuple], Sequence[tuple]]],
    names: Sequence[str],
    windows: Sequence[tuple[int, int, int, int]] = (),
) -> Figure:
    """One row per picture: at the left its labelled (class, x1, y1, x2, y2) boxes, at the right the predicted ones, which may have a confidence, too.

    Args:
        pairs: (picture, labelled boxes, predicted boxes).
        names: of the classes.
        windows: (left, top, right, bottom) of the part of each picture that is shown, in pixels; without them, whole pictures.
    """
    figure, panels = plt.subplots(
        len(pairs), 2, figsize=(7.6, 3.05 * len(pairs) + 0.35), dpi=DPI, layout="constrained", squeeze=False
    )
    for row, (picture, *both) in enumerate(pairs):
        for panel, boxes, name in zip(panels[row], both, ("labelled", "predicted"), strict=True):
            show(panel, picture, [box[:5] for box in boxes], pixels=320)
            panel.set_title(name if windows else f"{name}: {len(boxes)} boxes", fontsize=10)
            if windows:
                left, top, right, bottom = windows[row]
                panel.set(xlim=(left, right), ylim=(bottom, top))
    key(figure, names)
    return figure
