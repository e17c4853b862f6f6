"""Pictures of notebook 01: what a norm does to a training, to eight numbers, and which numbers share a mean."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, ORANGE, RED, SKY


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


def loss_curves(losses: Mapping[str, Sequence[float]], window: int, level: float) -> Figure:
    """Training losses over the steps, each the mean of `window` steps, and a grey line at the loss of guessing."""
    figure, panel = plt.subplots(figsize=(8, 3.6), dpi=DPI, layout="constrained")
    looks = ((RED, "-"), (ORANGE, "--"), (BLUE, ":"), (GREEN, "-."))
    for (name, values), (colour, line) in zip(losses.items(), looks, strict=False):
        smooth = np.convolve(values, np.ones(window) / window, mode="valid")
        steps = np.arange(window, window + len(smooth))
        panel.plot(steps, smooth, color=colour, linestyle=line, linewidth=2, label=name)
    panel.axhline(level, color="grey", linewidth=1, label="guessing")
    panel.set(xlabel="step", ylabel=f"loss, mean of {window} steps", ylim=(0, 1.05))
    panel.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    panel.grid(alpha=0.3)
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
