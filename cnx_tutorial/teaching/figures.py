"""The pictures of the notebooks: one function each, drawn from the tensors that the cell computed.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; marks or labels say the same again without
colour. Sizes and resolution are fixed, so that a picture is the same wherever it is drawn.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#E8E8E8"
LOOKS = ((ORANGE, "//"), (SKY, ""), (GREEN, ""), (PINK, ""), (YELLOW, ".."))  # colour and hatching of a bar's parts
DPI = 100


def before_and_after(before: Tensor, after: Tensor) -> Figure:
    """Two panels of dots, numbers and normalised numbers, each with its mean and a band of one standard deviation."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), dpi=DPI, layout="constrained")
    for panel, values, title in zip(panels, (before, after), ("before: x", "after: (x - mean) / std"), strict=True):
        mean, std = values.mean().item(), values.std(correction=0).item()
        panel.axhspan(mean - std, mean + std, color=SKY, alpha=0.35, label=f"mean ± std: {round(mean)} ± {round(std)}")
        panel.axhline(mean, color=BLUE, linestyle="--")
        panel.plot(values.tolist(), "o", color=RED)
        panel.set(title=title, xlabel="channel", xticks=range(len(values)))
        panel.legend(loc="upper left")
        panel.margins(y=0.25)
    panels[0].set_ylabel("value")
    return figure


def memory_blocks(layouts: Mapping[str, Tensor], pixel: tuple[int, int] = (0, 1)) -> Figure:
    """Memory as a row of blocks, one row for each (1, C, H, W) tensor; block k holds the number at offset k.

    Args:
        layouts: tensors by title, of one shape and of any strides that fill their memory without gaps.
        pixel: (h, w) whose channels get a thick frame.
    """
    colours = (SKY, ORANGE, GREEN, PINK)
    figure, panels = plt.subplots(len(layouts), 1, figsize=(9, 1.75 * len(layouts)), dpi=DPI, layout="constrained")
    for panel, (title, tensor) in zip(np.atleast_1d(panels), layouts.items(), strict=True):
        for _, c, h, w in np.ndindex(*tensor.shape):
            offset = c * tensor.stride(1) + h * tensor.stride(2) + w * tensor.stride(3)
            chosen = (h, w) == pixel
            frame = dict(edgecolor="black", linewidth=3, zorder=2) if chosen else dict(edgecolor="white", linewidth=1)
            panel.add_patch(Rectangle((offset + 0.04, 0.04), 0.92, 0.92, facecolor=colours[c % 4], **frame))
            panel.text(offset + 0.5, 0.5, f"c{c}\n({h},{w})", ha="center", va="center", fontsize=10, zorder=3)
            panel.text(offset + 0.5, -0.12, str(offset), ha="center", va="top", fontsize=9, color="#555555")
        panel.set_title(f"{title}: strides {tuple(tensor.stride())}", loc="left", fontsize=11)
        panel.set(xlim=(-0.1, tensor.numel() + 0.1), ylim=(-0.45, 1.1))
        panel.axis("off")
    return figure


def shared_statistics(masks: Mapping[str, Tensor], chosen: tuple[int, int, int, int]) -> Figure:
    """Which numbers share a mean with the `chosen` one, for each norm: filled cells, with a cross on the chosen cell.

    Args:
        masks: boolean (N, C, H, W) tensors by title, True where the number shares the mean.
        chosen: index (n, c, h, w).
    """
    figure, panels = plt.subplots(1, len(masks), figsize=(10, 4.3), dpi=DPI, layout="constrained")
    for panel, (title, mask) in zip(panels, masks.items(), strict=True):
        images, channels, height, width = mask.shape
        for n, c, h, w in np.ndindex(*mask.shape):
            across, down = h * width + w, n * (channels + 1.2) + c
            style = dict(facecolor=ORANGE, hatch="///") if mask[n, c, h, w] else dict(facecolor=GREY)
            panel.add_patch(Rectangle((across, down), 1, 1, edgecolor="white", linewidth=1, **style))
            if (n, c, h, w) == chosen:
                panel.plot(across + 0.5, down + 0.5, "X", color="black", markersize=10)
        for n in range(images):
            panel.text(0, n * (channels + 1.2) - 0.15, f"image {n}", fontsize=9)
        panel.set(xlim=(-0.1, height * width + 0.1), ylim=(images * (channels + 1.2) - 1.1, -0.9), aspect="equal")
        panel.set_title(title, fontsize=10)
        panel.set_xlabel(f"{height} x {width} pixels")
        panel.set_xticks([])
        panel.set_yticks([])
        for side in panel.spines.values():
            side.set_visible(False)
    panels[0].set_ylabel("channels")
    return figure


def error_curves(x: Sequence[float], errors: Mapping[str, Sequence[float]], xlabel: str, ylabel: str) -> Figure:
    """Errors on two logarithmic axes, one line each; zeros are drawn at the bottom edge."""
    figure, panel = plt.subplots(figsize=(7.5, 3.8), dpi=DPI, layout="constrained")
    looks = ((RED, "o-"), (BLUE, "s--"), (GREEN, "^:"))
    for (label, values), (colour, style) in zip(errors.items(), looks, strict=False):
        panel.loglog(x, np.maximum(values, 1e-9), style, color=colour, label=label)
    panel.set(xlabel=xlabel, ylabel=ylabel)
    panel.grid(alpha=0.3)
    panel.legend()
    return figure


def error_bars(errors: Mapping[str, float], xlabel: str) -> Figure:
    """One horizontal bar for each error, on a logarithmic axis, with its size written beside it."""
    figure, panel = plt.subplots(figsize=(8, 0.55 * len(errors) + 1.1), dpi=DPI, layout="constrained")
    bars = panel.barh(list(errors), list(errors.values()), color=SKY, edgecolor=BLUE)
    panel.bar_label(bars, [f"{value:.2g}" for value in errors.values()], padding=4)
    panel.set(xscale="log", xlabel=xlabel)
    panel.set_xlim(right=max(errors.values()) * 20)
    panel.invert_yaxis()
    return figure


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


def curves(x: Tensor, lines: Mapping[str, Tensor], xlim: tuple[float, float]) -> Figure:
    """Functions of x as lines, the first solid, the second dashed, the third dotted, between the limits of xlim."""
    figure, panel = plt.subplots(figsize=(6.5, 3.2), dpi=DPI, layout="constrained")
    shown = (x >= xlim[0]) & (x <= xlim[1])
    for (label, y), (colour, style) in zip(lines.items(), ((BLUE, "-"), (RED, "--"), (GREEN, ":")), strict=False):
        panel.plot(x[shown].tolist(), y[shown].tolist(), style, color=colour, label=label)
    panel.set(xlabel="x")
    panel.grid(alpha=0.3)
    panel.legend()
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
