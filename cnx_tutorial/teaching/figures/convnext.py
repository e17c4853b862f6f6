"""Pictures of notebook 04: the road from ResNet, effective receptive fields, the maps of the stages."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from cnx_tutorial.teaching.figures.style import BLUE, DPI, ORANGE, RED


def road(steps: Mapping[str, float], xlabel: str) -> Figure:
    """One dot per step, from top to bottom, with its value beside it; steps that go back are marked with another sign."""
    figure, panel = plt.subplots(figsize=(8, 0.36 * len(steps) + 0.9), dpi=DPI, layout="constrained")
    values, rows = list(steps.values()), range(len(steps))
    panel.plot(values, rows, "-", color="#999999", zorder=1)
    for row, value in enumerate(values):
        back = row > 0 and value < values[row - 1]
        panel.plot(value, row, "v" if back else "o", color=RED if back else BLUE, markersize=9 if back else 7)
        place, side = ((-9, 3), "right") if back else ((7, 3), "left")
        panel.annotate(f"{value:.1f}", (value, row), xytext=place, ha=side, textcoords="offset points", fontsize=9)
    panel.set(yticks=rows, yticklabels=list(steps), xlabel=xlabel, xlim=(min(values) - 0.5, max(values) + 0.8))
    panel.invert_yaxis()
    panel.grid(axis="x", alpha=0.3)
    return figure


def effective_fields(fields: Mapping[str, Tensor], window: int) -> Figure:
    """Maps of gradient sizes, (H, W) each, on one square-root scale of their own, with a dashed frame of `window` pixels around the centre."""
    figure, panels = plt.subplots(1, len(fields), figsize=(7.5, 3.9), dpi=DPI, layout="constrained")
    for panel, (title, field) in zip(panels, fields.items(), strict=True):
        panel.imshow((field / field.max()).sqrt(), cmap="Blues")
        corner = field.shape[0] // 2 - window // 2 - 0.5
        panel.add_patch(
            Rectangle((corner, corner), window, window, fill=False, edgecolor=ORANGE, linestyle="--", linewidth=2)
        )
        panel.set(title=title, xlabel="pixel")
    panels[0].set_ylabel("pixel")
    return figure


def stage_maps(
    picture: Image.Image,
    maps: Sequence[Tensor],
    boxes: Sequence[tuple[float, float, float, float]] = (),
    room: float = 6.0,
) -> Figure:
    """The picture, and beside it each stage's (H, W) map in grey, four of them at half its size.

    Args:
        picture: the image.
        maps: of the four stages, finest first.
        boxes: (x1, y1, x2, y2) in pixels of the picture; framed in it, and at the same spot of each map.
        room: pixels of the picture between a box and its frame.
    """
    figure, grid = plt.subplot_mosaic("AABC\nAADE", figsize=(10.5, 4.1), dpi=DPI, layout="constrained")
    panels = list(grid.values())
    panels[0].imshow(picture)
    panels[0].set_title(f"{picture.width} x {picture.height} pixels", fontsize=10)
    for panel, features in zip(panels[1:], maps, strict=False):
        panel.imshow(features, cmap="gray")
        height, width = features.shape
        panel.set_title(f"stride {picture.width // width}: {height} x {width} grid cells", fontsize=10)
    strides = (1, *(picture.width // features.shape[1] for features in maps))
    for panel, stride in zip(panels, strides, strict=False):
        for x1, y1, x2, y2 in boxes:
            corner = ((x1 - room) / stride - 0.5, (y1 - room) / stride - 0.5)  # pixel 0 is drawn from -0.5 to 0.5
            sides = ((x2 - x1 + 2 * room) / stride, (y2 - y1 + 2 * room) / stride)
            panel.add_patch(Rectangle(corner, *sides, fill=False, edgecolor="white", linewidth=3))
            panel.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=RED, linewidth=1.5))
    for panel in panels:
        panel.axis("off")
    return figure
