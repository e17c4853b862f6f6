"""The picture of notebook 08: learning rate, losses and mAP of a training."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, ORANGE, RED


def training_curves(rates: Sequence[float], table: Mapping[str, Sequence[float]], stopped: int) -> Figure:
    """Three panels: the rate of each step, the parts of the training loss and the mAP of each epoch.

    Args:
        rates: learning rate of each step.
        table: Ultralytics' results.csv by column.
        stopped: the step at which the training was interrupted; a dashed line.
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.3), dpi=DPI, layout="constrained")
    left.plot(rates, color=BLUE)
    left.axvline(stopped, color=RED, linestyle="--", label="interrupted")
    left.set(title="learning rate", xlabel="step")
    left.legend()
    for part, colour, style in (("box", BLUE, "o-"), ("cls", ORANGE, "s--"), ("dfl", GREEN, "^:")):
        middle.plot(table["epoch"], table[f"train/{part}_loss"], style, color=colour, label=part)
    middle.set(title="training loss", xlabel="epoch")
    for name, colour, style in (("mAP50", BLUE, "o-"), ("mAP50-95", ORANGE, "s--")):
        right.plot(table["epoch"], table[f"metrics/{name}(B)"], style, color=colour, label=name)
    right.set(title="mAP on the validation images", xlabel="epoch", ylim=(-0.02, 1))
    for panel in (middle, right):
        panel.legend()
        panel.set_xticks(table["epoch"])
    for panel in (left, middle, right):
        panel.grid(alpha=0.3)
    return figure
