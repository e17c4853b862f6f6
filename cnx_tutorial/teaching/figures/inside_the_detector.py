"""Pictures of notebook 05: two necks, the distances of one grid cell, the grid cells that learn."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from cnx_tutorial.teaching.figures.dataset import LINES, show
from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, ORANGE, PINK, RED, SKY, YELLOW

COLUMNS = {"backbone": GREEN, "top-down (FPN)": ORANGE, "bottom-up (PAN)": PINK}
MARKS = ("^", "o", "s")


def necks(networks: Mapping[str, Mapping[str, Mapping[int, int]]]) -> Figure:
    """One panel for each network: its feature maps as boxes, the coarsest on top, with what each reads.

    Args:
        networks: by title; each has its maps by column ("backbone", "top-down (FPN)", "bottom-up (PAN)"), as channels by stride.
    """
    figure, panels = plt.subplots(1, len(networks), figsize=(11, 4.9), dpi=DPI, layout="constrained", sharey=True)
    for panel, (title, columns) in zip(panels, networks.items(), strict=True):
        at = {
            (name, stride): (2.1 * x, stride.bit_length()) for x, name in enumerate(columns) for stride in columns[name]
        }
        detect = 2.1 * len(columns)
        low, high = (f(stride for _, stride in at).bit_length() for f in (min, max))
        panel.add_patch(
            Rectangle((detect - 0.5, low - 0.4), 1.1, high - low + 0.8, facecolor=YELLOW, edgecolor="black")
        )
        panel.text(detect + 0.05, (low + high) / 2, "Detect", ha="center", va="center", fontsize=10)
        for before, name in pairwise(columns):
            for stride in columns[name]:
                near = stride * 2 if "top" in name else stride // 2
                _arrow(
                    panel,
                    at.get((name, near), at.get((before, near))),
                    at[name, stride],
                    BLUE,
                    "--" if "top" in name else ":",
                )
                same = [(column, stride) for column in columns if (column, stride) in at and column != name]
                _arrow(panel, at[same[-1] if same[-1][0] == before else same[0]], at[name, stride], "#555555", "-")
        for stride in {stride for _, stride in at}:
            last = [name for name in columns if stride in columns[name]][-1]
            _arrow(panel, at[last, stride], (detect - 0.5, stride.bit_length()), "#555555", "-", 0)
        for (name, stride), place in at.items():
            look = dict(facecolor=COLUMNS[name], edgecolor="black", boxstyle="round,pad=0.35", alpha=0.7)
            panel.text(
                *place, f"{columns[name][stride]} ch.", ha="center", va="center", fontsize=9, bbox=look, zorder=3
            )
        for x, name in enumerate(columns):
            panel.text(2.1 * x, 7.0, name.replace(" (", "\n("), ha="center", va="center", fontsize=9)
        panel.set(title=title, xlim=(-0.9, detect + 0.8), ylim=(2.4, 7.5), yticks=range(3, 7), xticks=[])
        panel.set_yticklabels([f"stride {2 ** (y - 1)} (P{y - 1})" for y in range(3, 7)])
        panel.grid(axis="y", alpha=0.3)
    looks = {
        "same stride": ("#555555", "-"),
        "upsampled: sides doubled": (BLUE, "--"),
        "convolution of stride 2: sides halved": (BLUE, ":"),
    }
    keys = [Line2D([], [], color=colour, linestyle=style, linewidth=1.6) for colour, style in looks.values()]
    figure.legend(keys, looks, loc="outside lower center", ncols=len(looks))
    return figure


def _arrow(
    panel: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, style: str, gap: int = 22
) -> None:
    near = 11 if start[0] == end[0] else gap  # boxes are wider than high
    look = dict(arrowstyle="->", color=colour, linestyle=style, linewidth=1.6, shrinkA=near or 22, shrinkB=near)
    panel.annotate("", end, start, arrowprops=look, zorder=1)


def distance_bars(
    picture: Image.Image, chances: Sequence[Sequence[float]], centre: Sequence[float], stride: int
) -> Figure:
    """At the left the box that one grid cell predicts; at the right its four distributions as bars, each with its expectation.

    Args:
        picture: the image.
        chances: of each bin, for left, top, right and bottom.
        centre: of the grid cell, in pixels.
        stride: of its map.
    """
    figure = plt.figure(figsize=(10.5, 4.4), dpi=DPI, layout="constrained")
    grid = figure.add_gridspec(2, 4)
    panel = figure.add_subplot(grid[:, :2])
    panel.imshow(picture)
    x, y = centre
    means = [sum(i * chance for i, chance in enumerate(side)) for side in chances]
    left, top, right, bottom = (mean * stride for mean in means)
    panel.add_patch(
        Rectangle(
            (x - left, y - top), left + right, top + bottom, fill=False, edgecolor=PINK, linewidth=2, linestyle=":"
        )
    )
    panel.add_patch(
        Rectangle((x - stride / 2, y - stride / 2), stride, stride, fill=False, edgecolor="black", linewidth=1.5)
    )
    ends = {"left": (x - left, y), "top": (x, y - top), "right": (x + right, y), "bottom": (x, y + bottom)}
    for end in ends.values():
        panel.annotate(
            "", end, centre, arrowprops=dict(arrowstyle="->", color=YELLOW, linewidth=2, shrinkA=0, shrinkB=0)
        )
    panel.plot(x, y, "o", color=YELLOW, markeredgecolor="black")
    panel.axis("off")
    for i, (name, side) in enumerate(zip(ends, chances, strict=True)):
        bars = figure.add_subplot(grid[i // 2, 2 + i % 2])
        bars.bar(range(len(side)), side, color=SKY, edgecolor=BLUE)
        bars.axvline(means[i], color=RED, linestyle="--")
        bars.set(title=f"{name}: {means[i]:.2f} strides", ylim=(0, 1), xticks=range(len(side)))
    figure.supxlabel("right half: bins of the distance in strides, and the probability of each", fontsize=9)
    return figure


def assigned_cells(
    picture: Image.Image, truths: Sequence[tuple], cells: Mapping[int, Sequence[tuple]], names: Sequence[str]
) -> Figure:
    """One panel for each stride: the true (class, x1, y1, x2, y2) boxes, the grid, and a mark at each grid cell that learns from one of them.

    Args:
        cells: by stride, (class, x, y) of the centres in pixels.
    """
    figure, panels = plt.subplots(-(-len(cells) // 2), 2, figsize=(10, 8.6), dpi=DPI, layout="constrained")
    for panel, (stride, points) in zip(panels.flat, cells.items(), strict=True):
        show(panel, picture, truths)
        panel.vlines(range(0, picture.width + 1, stride), 0, picture.height, color=GREY, linewidth=stride / 40)
        panel.hlines(range(0, picture.height + 1, stride), 0, picture.width, color=GREY, linewidth=stride / 40)
        for kind, mark in enumerate(MARKS):
            mine = [(x, y) for k, x, y in points if k == kind]
            panel.plot(
                *zip(*mine, strict=True) if mine else ([], []),
                mark,
                color=LINES[kind][0],
                markeredgecolor="white",
                markeredgewidth=0.6,
                markersize=4 if stride < 8 else 6,
            )
        panel.set(
            title=f"stride {stride}: {len(points)} grid cells learn", xlim=(0, picture.width), ylim=(picture.height, 0)
        )
    looks = zip(LINES, MARKS, strict=True)
    keys = [Line2D([], [], color=colour, linestyle=line, marker=mark, linewidth=2) for (colour, line), mark in looks]
    figure.legend(keys, names, loc="outside lower center", ncols=len(names))
    return figure
