"""Pictures of notebook 01: what normalising does, where a number lies in memory, who shares a mean."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, ORANGE, PINK, RED, SKY


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
