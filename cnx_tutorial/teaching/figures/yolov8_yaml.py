"""Pictures of notebook 06: the rows of a model YAML as boxes, by stride, and the parameters of the parts of detectors."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, LOOKS, ORANGE, PINK, SKY, YELLOW

COLOURS = {"Conv": SKY, "C2f": ORANGE, "SPPF": PINK, "Concat": GREY, "nn.Upsample": "white", "Detect": YELLOW}
NEXT_TO, NEXT_LANE = 1.05, 3.4  # distances of boxes of one stride, and of the ways down and up


def row_graph(d: Mapping, seen: Mapping[int, tuple[int, int]]) -> Figure:
    """Each row as a box with index, name and channels, at the height of its stride, with lines from what it reads.

    A line is thick where a row is read by its index, and thin where it is the row before. Detect is as high as the strides that it reads.

    Args:
        d: a model YAML with one Detect row at the end.
        seen: output channels and stride of each row but the last.
    """
    rows = [*d["backbone"], *d["head"]]
    places = places_of({i: math.log2(stride) for i, (_, stride) in seen.items()})
    detect = len(rows) - 1
    right = max(x for x, _ in places.values()) + 1.6
    figure, panel = plt.subplots(figsize=(11.5, 5), dpi=DPI, layout="constrained")
    for i, (source, _, _, _) in enumerate(rows):
        for j in source if isinstance(source, list) else [source]:
            if i == 0:  # it reads the image
                continue
            start = places[i - 1 if j == -1 else j]
            end, bend = (places[i], -0.18) if i < detect else ((right, start[1]), 0)
            far = dict(color=BLUE, linewidth=2.2, connectionstyle=f"arc3,rad={bend}")
            look = far if j != -1 else dict(color="#555555", linewidth=1)
            panel.annotate("", end, start, arrowprops=dict(arrowstyle="-", shrinkA=0, shrinkB=0, **look), zorder=1)
    for i, (x, level) in places.items():
        name = rows[i][2].removeprefix("nn.").replace("ConvNeXt", "ConvNeXt\n").replace("\n_", "\n")
        box = dict(facecolor=COLOURS.get(rows[i][2], GREEN), edgecolor="black", boxstyle="round,pad=0.25")
        panel.text(x, level, f"{i}\n{name}\n{seen[i][0]}", ha="center", va="center", fontsize=8, bbox=box, zorder=3)
    levels = [places[j][1] for j in rows[detect][0]]
    size = (0.5, max(levels) - min(levels) + 0.5)
    corner = (right - size[0] / 2, min(levels) - 0.25)
    panel.add_patch(
        FancyBboxPatch(corner, *size, boxstyle="round,pad=0.02", facecolor=YELLOW, edgecolor="black", zorder=2)
    )
    middle = (max(levels) + min(levels)) / 2
    panel.text(right, middle, f"{detect}\nDetect", ha="center", va="center", fontsize=8, zorder=3)
    panel.set(xlim=(-0.8, right + 0.6), ylim=(5.5, 0.25), yticks=range(1, 6), ylabel="stride", xticks=[])
    panel.set_yticklabels([2, 4, 8, 16, 32])
    panel.grid(axis="y", alpha=0.3)
    end, begin = max(places[i][0] for i in range(len(d["backbone"]))), places[len(d["backbone"])][0]
    if end < begin:
        panel.axvline((end + begin) / 2, color="black", linestyle=":", zorder=0)
        for x, side, part in (
            (-0.5, "left", "backbone"),
            ((end + begin) / 2 + 0.2, "left", "head: the neck and Detect"),
        ):
            panel.text(x, 0.33, part, ha=side, va="top", fontsize=11)
    return figure


def parts_in_millions(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """One bar for each model, as long as its parameters, divided by part; the share of each part stands inside."""
    looks = dict(zip(dict.fromkeys(part for parts in counts.values() for part in parts), LOOKS, strict=False))
    figure, panel = plt.subplots(figsize=(9, 1.3 + 0.9 * len(counts)), dpi=DPI, layout="constrained")
    longest = max(sum(parts.values()) for parts in counts.values())
    for title, parts in counts.items():
        start, total = 0.0, sum(parts.values())
        for part, count in parts.items():
            colour, hatch = looks[part]
            look = dict(
                color=colour, hatch=hatch, edgecolor="black", label=part if title == next(iter(counts)) else None
            )
            panel.barh(title, count / 1e6, left=start / 1e6, **look)
            box = dict(facecolor="white", edgecolor="none", pad=1.5)
            turned = 90 if count < 0.04 * longest else 0
            middle = (start + count / 2) / 1e6
            panel.text(
                middle,
                title,
                f"{100 * count / total:.0f} %",
                bbox=box,
                ha="center",
                va="center",
                fontsize=9,
                rotation=turned,
            )
            start += count
        panel.text((total + 0.01 * longest) / 1e6, title, f"{total / 1e6:.2f} million", va="center", fontsize=10)
    panel.set(xlabel="parameters in millions", xlim=(0, 1.17 * longest / 1e6))
    panel.invert_yaxis()
    panel.legend(loc="lower right")
    return figure


def places_of(levels: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    """Where each row is drawn: a new column of boxes begins where the way turns from down to up, or back."""
    places, previous, lane, direction = {}, None, 0.0, 1
    taken: dict[tuple[float, float], int] = {}
    for i, level in levels.items():
        if previous is not None and level != previous and (level > previous) != (direction > 0):
            lane, direction = lane + NEXT_LANE, -direction
        at = taken[lane, level] = taken.get((lane, level), -1) + 1
        places[i] = (lane + NEXT_TO * at, level)
        previous = level
    return places
