"""Pictures of notebook 03: windows on an image, receptive fields, where the parameters are, blocks as columns of boxes, maps of cells."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from PIL import Image
from torch import Tensor

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREY, LOOKS, ORANGE, PINK, RED, SKY, YELLOW


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


def error_pairs(errors: Mapping[str, Mapping[str, float]], tolerance: float, xlabel: str) -> Figure:
    """Two bars for each mistake on a logarithmic axis, with their sizes beside them, and a dashed line at the tolerance.

    Args:
        errors: mistake -> (kind -> size). The first kind is plain, the second hatched; a size of 0 has no bar and is written as 0.
        tolerance: what a test would let through.
        xlabel: of the axis.
    """
    figure, panel = plt.subplots(figsize=(8, 0.8 * len(errors) + 1.1), dpi=DPI, layout="constrained")
    left = min(size for sizes in errors.values() for size in sizes.values() if size) / 3
    for row, sizes in enumerate(errors.values()):
        for (kind, size), (colour, hatch), up in zip(
            sizes.items(), ((SKY, ""), (ORANGE, "//")), (-0.2, 0.2), strict=True
        ):
            label = kind if row == 0 else None
            panel.barh(
                row + up, max(size, left), height=0.38, color=colour, hatch=hatch, edgecolor="black", label=label
            )
            said = f"{size:.0f}" if size >= 100 or not size else f"{size:#.2g}".rstrip(".")
            panel.text(1.3 * max(size, left), row + up, said, va="center", fontsize=9)
    panel.axvline(tolerance, color=RED, linestyle="--", label=f"tolerance {tolerance:g}")
    largest = max(size for sizes in errors.values() for size in sizes.values())
    panel.set(
        xscale="log", xlabel=xlabel, xlim=(left, 20 * largest), yticks=range(len(errors)), yticklabels=list(errors)
    )
    panel.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    return figure


def windows_on_image(
    picture: Image.Image, centre: tuple[float, float], strides: Sequence[int], kernels: Sequence[int]
) -> Figure:
    """What a window of k x k grid cells covers of an image, one panel for each stride.

    Args:
        picture: the image.
        centre: (x, y) in pixels; the windows stand around the grid cell that holds it.
        strides: pixels per side of a grid cell, one panel each; the grid is drawn in white.
        kernels: k of each window, at most three: dashed, solid, dotted.
    """
    figure, panels = plt.subplots(1, len(strides), figsize=(10.5, 3.1), dpi=DPI, layout="constrained")
    for panel, stride in zip(panels, strides, strict=True):
        panel.imshow(picture)
        for axis, size in ((panel.axvline, picture.width), (panel.axhline, picture.height)):
            for line in range(stride, size, stride):
                axis(line - 0.5, color="white", linewidth=0.3)
        for k, look in zip(kernels, ("--", "-", ":"), strict=False):
            left, top = ((axis // stride - k // 2) * stride - 0.5 for axis in centre)
            frame = dict(fill=False, edgecolor="black", linestyle=look, linewidth=2)
            panel.add_patch(Rectangle((left, top), k * stride, k * stride, **frame))
        sizes = (
            f"{look} {k} x {k}: {k * stride} pixels"
            for k, look in zip(kernels, ("dashed", "solid", "dotted"), strict=False)
        )
        panel.set_title("\n".join((f"stride {stride}", ", ".join(sizes))), fontsize=9)
        panel.axis("off")
    return figure


def chains(columns: Mapping[str, Sequence[tuple[str, str, int]]]) -> Figure:
    """Blocks of networks as columns of boxes, read from the bottom to the top.

    Args:
        columns: for each title the boxes, (what it does, its name, its channels in units of C). What it does is "pixels" (mixes them),
            "channels", "norm", "activation", "scale" or "add"; an "add" takes a line from the start of the column, or from the "add" before it.
    """
    looks = {
        "pixels": (ORANGE, "///"),
        "channels": (SKY, ""),
        "norm": ("white", ""),
        "activation": (YELLOW, "..."),
        "scale": (PINK, "xx"),
        "add": (GREY, ""),
    }
    height = max(len(boxes) for boxes in columns.values())
    figure, panels = plt.subplots(1, len(columns), figsize=(9.5, 0.5 * height + 1.2), dpi=DPI, layout="constrained")
    for panel, (title, boxes) in zip(np.atleast_1d(panels), columns.items(), strict=True):
        panel.annotate("", (0, len(boxes) + 0.5), (0, -0.7), arrowprops=dict(arrowstyle="->"), zorder=0)
        taken = -0.45  # where the line of the next sum leaves the column
        for row, (kind, name, channels) in enumerate(boxes):
            across = 1.7 + 0.45 * channels
            colour, hatch = looks[kind]
            panel.add_patch(
                Rectangle((-across / 2, row), across, 0.72, facecolor=colour, hatch=hatch, edgecolor="black")
            )
            label = f"{name}  ({channels if channels > 1 else ''}C)" if kind in ("pixels", "channels") else name
            box = (
                dict(facecolor="white", edgecolor="none", pad=1) if hatch else None
            )  # letters on hatching are hard to read
            panel.text(0, row + 0.36, label, ha="center", va="center", fontsize=9, bbox=box)
            if kind == "add":
                panel.plot([0, 2.1, 2.1], [taken, taken, row + 0.36], color="black", linewidth=1.2, zorder=0)
                panel.annotate(
                    "",
                    (across / 2, row + 0.36),
                    (2.1, row + 0.36),
                    arrowprops=dict(arrowstyle="->", shrinkA=0, shrinkB=0),
                )
                taken = row + 0.86
        panel.set(title=title, xlim=(-2.3, 2.4), ylim=(-0.9, height + 0.6))
        panel.axis("off")
    handles = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="black", label=kind) for kind, (colour, hatch) in looks.items()
    ]
    for handle, label in zip(
        handles, ("mixes pixels", "mixes channels", "norm", "activation", "layer scale", "sum"), strict=True
    ):
        handle.set_label(label)
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=9)
    return figure


def cell_maps(picture: Image.Image, maps: Mapping[str, Tensor], names: Sequence[str]) -> Figure:
    """The picture and maps of class numbers, (H, W) each, two in a row.

    Args:
        names: of the classes 0, 1, ...; drawn in four colours of falling brightness.
    """
    colours = ("#F2F2F2", "#F0B860", BLUE, "black")[: len(names)]
    rows = -(-(1 + len(maps)) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(8.5, 0.4 + 3.3 * rows), dpi=DPI, layout="constrained")
    panels = grid.ravel()
    panels[0].imshow(picture)
    panels[0].set_title(f"{picture.width} x {picture.height} pixels", fontsize=10)
    for panel, (title, classes) in zip(panels[1:], maps.items(), strict=False):
        panel.imshow(classes, cmap=ListedColormap(colours), vmin=-0.5, vmax=len(names) - 0.5, interpolation="nearest")
        panel.set_title(title, fontsize=10)
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    handles = [
        Patch(facecolor=colour, edgecolor="black", label=name) for name, colour in zip(names, colours, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(names), fontsize=9)
    return figure
