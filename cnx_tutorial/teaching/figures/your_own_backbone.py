"""The picture of notebook 10: images with the boxes and names that detectors gave them."""

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
