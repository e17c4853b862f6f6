"""Pictures of notebook 02: patches as rows of a matrix, windows over an axis, a cell under a grid of patches, crops, a trial of stems."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, ORANGE, PINK, SKY, YELLOW


def patches_as_rows(image: Tensor, k: int) -> Figure:
    """An (H, W) image cut into k x k patches, and beside it the same numbers as a matrix with one row per patch."""
    height, width = image.shape
    colours = (SKY, ORANGE, GREEN, PINK)
    size = (height // k) * (width // k), k * k  # rows and columns of the matrix
    across = [width + 1.4, size[1] + 2.2]
    figure, panels = plt.subplots(
        1, 2, figsize=(0.75 * sum(across), 4), dpi=DPI, layout="constrained", width_ratios=across
    )
    for row, column in np.ndindex(height // k * k, width // k * k):
        patch = row // k * (width // k) + column // k
        place = row % k * k + column % k
        for panel, x, y in ((panels[0], column, row), (panels[1], place, patch)):
            face = dict(facecolor=colours[patch % 4], edgecolor="white", linewidth=1)
            panel.add_patch(Rectangle((x, y), 1, 1, **face))
            panel.text(x + 0.5, y + 0.5, f"{image[row, column].item():g}", ha="center", va="center", fontsize=12)
    for patch in range(size[0]):
        row, column = divmod(patch, width // k)
        panels[0].add_patch(Rectangle((column * k, row * k), k, k, fill=False, edgecolor="black", linewidth=3))
        panels[1].text(-0.15, patch + 0.5, f"patch {patch}", ha="right", va="center", fontsize=11)
    titles = f"image, {height} x {width}", f"one row per patch, {size[0]} x {size[1]}"
    for panel, title, limits in zip(panels, titles, ((-0.1, width + 0.1), (-1.7, size[1] + 0.1)), strict=True):
        panel.set(title=title, xlim=limits, ylim=(max(height, size[0]) + 0.1, -0.1), aspect="equal")
        panel.axis("off")
    return figure


def windows_on_an_axis(stems: Mapping[str, Sequence[int]], pixels: range, cell: range) -> Figure:
    """The windows of each stem as bars over one axis of the image, with a small cell marked.

    Args:
        stems: (k, s, p) by title, kernel, stride and padding in pixels.
        pixels: the part of the axis that is drawn; it starts after the border.
        cell: the pixels that the object covers. Windows that hold all of it are hatched.
    """
    heights = [0.7 - k // -s for k, s, _ in stems.values()]
    figure, panels = plt.subplots(
        len(stems), 1, figsize=(9, 0.7 * sum(heights)), dpi=DPI, layout="constrained", height_ratios=heights
    )
    for panel, (title, (k, s, p)) in zip(np.atleast_1d(panels), stems.items(), strict=True):
        starts = [start for start in range(-p, pixels.stop, s) if start + k > pixels.start]
        lanes = -(-k // s)  # windows on the same lane do not overlap
        panel.axvspan(cell.start, cell.stop, color=YELLOW, alpha=0.6)
        for start in starts:
            whole = start <= cell.start and cell.stop <= start + k
            look = dict(facecolor=ORANGE, hatch="///") if whole else dict(facecolor=SKY)
            lane = (start + p) // s % lanes
            panel.add_patch(Rectangle((start + 0.08, lane + 0.1), k - 0.16, 0.8, edgecolor=BLUE, **look))
        for pixel in pixels:
            count = sum(start <= pixel < start + k for start in starts)
            panel.text(pixel + 0.5, -0.1, str(count), ha="center", va="top", fontsize=10)
        panel.set_title(title, loc="left", fontsize=11)
        panel.set(xlim=(pixels.start, pixels.stop), ylim=(-0.55, lanes + 0.1), yticks=[])
        panel.set_xticks([pixel + 0.5 for pixel in pixels], list(pixels), fontsize=8)
        for side in ("left", "right", "top"):
            panel.spines[side].set_visible(False)
    np.atleast_1d(panels)[-1].set_xlabel("pixel; the row of numbers above the axis counts the windows of each")
    return figure


def cell_on_a_grid(pictures: Mapping[str, Image.Image], patch: int) -> Figure:
    """Each picture under a grid of square patches, and below it the mean colour of each patch."""
    figure, panels = plt.subplots(2, len(pictures), figsize=(2.3 * len(pictures), 4.8), dpi=DPI, layout="constrained")
    for column, (title, picture) in zip(panels.T, pictures.items(), strict=True):
        for panel, shown in zip(column, (picture, picture.reduce(patch)), strict=True):
            panel.imshow(shown, interpolation="nearest", extent=(0, picture.width, picture.height, 0))
            panel.set_xticks(range(0, picture.width + 1, patch), [])
            panel.set_yticks(range(0, picture.height + 1, patch), [])
            panel.grid(color="black", linewidth=1.5)
            panel.tick_params(length=0)
        column[0].set_title(title, fontsize=11)
    panels[0, 0].set_ylabel("pixels and patches")
    panels[1, 0].set_ylabel("mean of each patch")
    return figure


def rows_of_crops(rows: Mapping[str, Tensor]) -> Figure:
    """(n, 3, H, W) crops with numbers from -1 to 1, one row for each title."""
    count = max(map(len, rows.values()))
    size = (1.1 * count + 0.9, 1.2 * len(rows))
    figure, panels = plt.subplots(len(rows), count, figsize=size, dpi=DPI, layout="constrained", squeeze=False)
    for line, (title, crops) in zip(panels, rows.items(), strict=True):
        for panel, crop in zip(line, crops, strict=False):
            panel.imshow((crop.permute(1, 2, 0) + 1) / 2, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
        line[0].set_ylabel(title, rotation=0, ha="right", va="center")
    return figure


def trial_of_stems(trials: Mapping[str, Mapping[str, Sequence[int]]], of: int) -> Figure:
    """Mistakes of each stem: a bar for the mean of its trainings, and a dot for each training.

    Args:
        trials: by kind of network (a colour and hatching each), mistakes of each training by the stem's name.
        of: how many verdicts there were.
    """
    figure, panel = plt.subplots(figsize=(8.5, 3.8), dpi=DPI, layout="constrained")
    looks = (dict(color=SKY), dict(color=ORANGE, hatch="//"))
    names = list(next(iter(trials.values())))
    height = 0.8 / len(trials)
    for index, ((kind, results), look) in enumerate(zip(trials.items(), looks, strict=False)):
        middles = [names.index(name) + (index - (len(trials) - 1) / 2) * height for name in results]
        means = [np.mean(counts) for counts in results.values()]
        panel.barh(middles, means, height, label=kind, edgecolor=BLUE, **look)
        for middle, counts in zip(middles, results.values(), strict=True):
            panel.plot(counts, [middle] * len(counts), "o", color="black", markersize=4)
    panel.set(
        yticks=range(len(names)), yticklabels=names, xlabel=f"wrong verdicts of {of} (bar: mean; dot: one training)"
    )
    panel.set_xlim(left=0)
    panel.invert_yaxis()
    panel.legend()
    return figure
