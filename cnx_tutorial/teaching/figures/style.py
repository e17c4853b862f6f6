"""What all pictures share: colours, resolution and the charts that more than one notebook draws.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; marks or labels say the same again without
colour. Sizes and resolution are fixed, so that a picture is the same wherever it is drawn.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
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
LOOKS = (
    (ORANGE, "//"),
    (SKY, ""),
    (GREEN, ""),
    (PINK, ""),
    (YELLOW, ".."),
    (BLUE, "xx"),
)  # colour and hatching of a bar's parts
DPI = 100


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


def error_bars(errors: Mapping[str, float], xlabel: str, log: bool = True) -> Figure:
    """One horizontal bar for each error, on a logarithmic axis (or from 0 on), with its size written beside it."""
    figure, panel = plt.subplots(figsize=(8, 0.55 * len(errors) + 1.1), dpi=DPI, layout="constrained")
    bars = panel.barh(list(errors), list(errors.values()), color=SKY, edgecolor=BLUE)
    labels = [f"{value:.0f}" if value >= 100 else f"{value:#.2g}".rstrip(".") for value in errors.values()]
    panel.bar_label(bars, labels, padding=4)
    panel.set(xscale="log" if log else "linear", xlabel=xlabel)
    panel.set_xlim(right=max(errors.values()) * (20 if log else 1.15))
    panel.invert_yaxis()
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
