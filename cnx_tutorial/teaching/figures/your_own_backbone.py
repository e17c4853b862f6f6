"""The picture of notebook 10: images with the boxes that were found."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from cnx_tutorial.teaching.figures.style import BLUE, DPI, ORANGE


def found_shapes(pictures: Sequence[Image.Image], found: Sequence[Sequence[tuple]], names: Sequence[str]) -> Figure:
    """Pictures side by side with (class, x1, y1, x2, y2) boxes in pixels; two classes, told apart by colour and line."""
    looks = (dict(edgecolor=BLUE, linestyle="-"), dict(edgecolor=ORANGE, linestyle="--"))
    figure, panels = plt.subplots(1, len(pictures), figsize=(3.2 * len(pictures), 3.6), dpi=DPI, layout="constrained")
    for panel, picture, boxes in zip(panels, pictures, found, strict=True):
        panel.imshow(picture)
        for kind, x1, y1, x2, y2 in boxes:
            panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=2, **looks[kind]))
        panel.axis("off")
    keys = [Rectangle((0, 0), 1, 1, fill=False, linewidth=2, **look) for look in looks]
    figure.legend(keys, names, loc="outside lower center", ncols=len(names))
    return figure
