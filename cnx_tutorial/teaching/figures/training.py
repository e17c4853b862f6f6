"""Pictures of notebook 08: four small trainings, a training that overfits, and the curves of a real one."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, ORANGE, PINK, RED, SKY

LINES = ((ORANGE, "-"), (RED, "--"), (BLUE, "-."), (PINK, ":"))


def four_runs(losses: Mapping[str, Sequence[float]], right: Mapping[str, float]) -> Figure:
    """Left the training loss of each step, on a logarithmic axis, one line a run; right what each run leaves on the correct labels, as bars."""
    figure, (left, bars) = plt.subplots(1, 2, figsize=(10, 3.6), dpi=DPI, layout="constrained", width_ratios=(1.8, 1))
    for (name, values), (colour, line) in zip(losses.items(), LINES, strict=True):
        left.plot(values, color=colour, linestyle=line, linewidth=2, label=name)
    left.set(title="training loss, on a logarithmic axis", xlabel="step", yscale="log")
    left.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    left.minorticks_off()
    left.legend()
    left.grid(alpha=0.3)
    first = next(iter(losses.values()))[0]
    drawn = bars.barh(list(right), list(right.values()), color=SKY, edgecolor=BLUE)
    bars.bar_label(drawn, [f"{value:.1f}" for value in right.values()], label_type="center")
    bars.axvline(first, color="black", linestyle="--", label="first loss")
    bars.set(title="loss on the correct labels at the end")
    bars.set_xlim(0, 1.2 * max(*right.values(), first))
    bars.invert_yaxis()
    bars.legend(loc="center right")
    return figure


def overfitting(train: Sequence[float], val: Sequence[float], best: int) -> Figure:
    """Loss of each epoch on the training and on the validation images; a dotted line at the epoch with the lowest validation loss."""
    figure, panel = plt.subplots(figsize=(7.5, 3.8), dpi=DPI, layout="constrained")
    panel.axvspan(best, len(val) - 1, color=GREY)
    panel.plot(train, "-", color=BLUE, linewidth=2, label="training: 24 crops")
    panel.plot(val, "--", color=RED, linewidth=2, label="validation: crops that the network never trains on")
    panel.axvline(best, color="black", linestyle=":")
    panel.plot(best, val[best], "o", color=RED, markersize=9)
    panel.set(xlabel="epoch", ylabel="loss", ylim=(0, None), xlim=(0, len(val) - 1))
    panel.grid(alpha=0.3)
    panel.legend()
    return figure


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
