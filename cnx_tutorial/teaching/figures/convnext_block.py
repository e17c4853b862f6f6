"""Pictures of notebook 03: receptive fields, where the parameters are, blocks as chains of layers."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, LOOKS, ORANGE, PINK, SKY, YELLOW


def paths_to_the_centre(fields: Mapping[str, Tensor]) -> Figure:
    """Tables of path counts, one (H, W) tensor of whole numbers for each title; more paths, darker cell."""
    figure, panels = plt.subplots(1, len(fields), figsize=(9.5, 4.9), dpi=DPI, layout="constrained")
    for panel, (title, paths) in zip(np.atleast_1d(panels), fields.items(), strict=True):
        most = max(paths.max().item(), 2)
        for row, column in np.ndindex(*paths.shape):
            count = paths[row, column].item()
            dark = (count / most) ** 0.5
            face = dict(facecolor=GREY) if not count else dict(facecolor=BLUE, alpha=0.15 + 0.85 * dark)
            panel.add_patch(Rectangle((column, row), 1, 1, edgecolor="white", linewidth=1, **face))
            colour = "white" if dark > 0.6 else "black"
            panel.text(column + 0.5, row + 0.5, str(count), ha="center", va="center", fontsize=10, color=colour)
        panel.set(title=title, xlim=(-0.1, paths.shape[1] + 0.1), ylim=(paths.shape[0] + 0.1, -0.1), aspect="equal")
        panel.axis("off")
    return figure


def shares(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """One bar for each title, divided by part; parts of 2 % or more are labelled inside the bar."""
    looks = dict(zip(dict.fromkeys(part for parts in counts.values() for part in parts), LOOKS, strict=False))
    figure, panel = plt.subplots(figsize=(9, 0.9 + 1.1 * len(counts)), dpi=DPI, layout="constrained")
    for title, parts in counts.items():
        start, total = 0.0, sum(parts.values())
        for part, count in parts.items():
            share = 100 * count / total
            colour, hatch = looks[part]
            panel.barh(title, share, left=start, color=colour, hatch=hatch, edgecolor="black")
            if share >= 2:
                look = dict(ha="center", va="center", fontsize=9, rotation=90 if share < 12 else 0)
                box = dict(facecolor="white", edgecolor="none", pad=1.5)
                panel.text(start + share / 2, title, f"{part} {share:.0f} %", bbox=box, **look)
            start += share
    panel.set(xlabel="share in %", xlim=(0, 100))
    panel.invert_yaxis()
    return figure


def chains(columns: Mapping[str, Sequence[tuple[str, float]]]) -> Figure:
    """Layers as boxes, from bottom to top, one chain for each title.

    Args:
        columns: (name, width) of each layer; the width is its number of channels, in units of the narrowest.
    """
    colours = {"norm": SKY, "GELU": YELLOW, "ReLU": YELLOW, "+ x": GREEN, "gamma": PINK}
    height = max(len(layers) for layers in columns.values())
    figure, panels = plt.subplots(1, len(columns), figsize=(9.5, 0.5 * height + 0.6), dpi=DPI, layout="constrained")
    for panel, (title, layers) in zip(np.atleast_1d(panels), columns.items(), strict=True):
        panel.plot([0, 0], [-0.6, len(layers) + 0.4], color="#555555", zorder=0)
        for row, (name, width) in enumerate(layers):
            across = 1.2 + 0.8 * width
            face = dict(facecolor=colours.get(name, ORANGE), edgecolor="black")
            panel.add_patch(Rectangle((-across / 2, row), across, 0.75, **face))
            panel.text(0, row + 0.375, name, ha="center", va="center", fontsize=10)
        panel.set(title=title, xlim=(-2.4, 2.4), ylim=(-0.7, height + 0.5))
        panel.axis("off")
    return figure
