"""The picture of notebook 06: the rows of a model YAML as boxes, by stride."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cnx_tutorial.teaching.figures.style import BLUE, DPI, GREEN, GREY, ORANGE, PINK, SKY, YELLOW

COLOURS = {"Conv": SKY, "C2f": ORANGE, "SPPF": PINK, "Concat": GREY, "nn.Upsample": "white", "Detect": YELLOW}


def row_graph(d: Mapping, seen: Mapping[int, tuple[int, int]]) -> Figure:
    """Each row as a box with index, name and channels, at the height of its stride, with lines from what it reads.

    Args:
        d: a model YAML with one Detect row at the end.
        seen: output channels and stride of each row but the last.
    """
    rows = [*d["backbone"], *d["head"]]
    places, previous, lane, direction = {}, None, 0.0, 1
    taken: dict[tuple[float, float], int] = {}
    for i in range(len(rows) - 1):
        level = math.log2(seen[i][1])
        if previous is not None and level != previous and (level > previous) != (direction > 0):
            lane, direction = lane + 3.4, -direction
        at = taken[lane, level] = taken.get((lane, level), -1) + 1
        places[i] = (lane + 1.05 * at, level)
        previous = level
    places[len(rows) - 1] = (lane + 3.6, 4.0)
    figure, panel = plt.subplots(figsize=(11.5, 5), dpi=DPI, layout="constrained")
    for i, (source, _, name, _) in enumerate(rows):
        for j in source if isinstance(source, list) else [source]:
            far = j != -1 and j != i - 1
            start = places.get(i - 1 if j == -1 else j)
            if start and i:
                style = (
                    dict(color=BLUE, linewidth=2, connectionstyle="arc3,rad=-0.18")
                    if far
                    else dict(color="#777777", linewidth=1)
                )
                panel.annotate(
                    "", places[i], start, arrowprops=dict(arrowstyle="-", shrinkA=14, shrinkB=14, **style), zorder=1
                )
        said = f"{i}\n{name.removeprefix('nn.')}\n{seen[i][0] if i in seen else ''}"
        box = dict(facecolor=COLOURS.get(name, GREEN), edgecolor="black", boxstyle="round,pad=0.25")
        panel.text(*places[i], said, ha="center", va="center", fontsize=8, bbox=box, zorder=3)
    xs = [x for x, _ in places.values()]
    panel.set(xlim=(min(xs) - 0.8, max(xs) + 0.8), ylim=(5.5, 0.5), yticks=range(1, 6), ylabel="stride", xticks=[])
    panel.set_yticklabels([2, 4, 8, 16, 32])
    panel.grid(axis="y", alpha=0.3)
    return figure
