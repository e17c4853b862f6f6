"""report.html: one file with everything in it, to open anywhere, without a network."""

import base64
import html
import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cnx_tutorial.compare import results
from cnx_tutorial.data.staging import whole
from cnx_tutorial.yolo.report import Box, draw, legend, read_image
from cnx_tutorial.yolo.seen import Seen

# A model is told from another by its mark and its line, so that the figures are readable in grey and by those who see few colours.
MARKS, LINES = "osD^vPX*<>", ("-", "--", ":", "-.")
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
CONFIDENT, OVERLAP = 0.25, 0  # a prediction that is drawn; IoU threshold 0.50, the first of ten
HOW_MANY = 3  # images on which one model does better, and as many on which the other does
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
th, td { border-bottom: 1px solid #bbb; padding: .2rem .8rem; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
figure { margin: 1.5rem 0 } img { max-width: 100%; height: auto } figcaption { color: #333 }
.verdict { border-left: .3rem solid #111; padding-left: .8rem; margin: .8rem 0 }
"""


def write(result: Mapping, folder: Path, file: Path) -> None:
    """Write the page of a result; `folder` is the comparison's, whose stored predictions are drawn."""
    asked = next(iter(result["question"]["models"]))
    title = f"{asked} compared with {', '.join(label for label in result['question']['models'] if label != asked)}"
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [f'<p class="verdict">{html.escape(line)}</p>' for line in results.verdicts(result)]
    parts += [f"<p>{html.escape(line)}</p>" for line in results.remarks(result)]
    parts += ["<h2>Scores and costs</h2>", html_table(results.table(result))]
    parts.append(
        "<p>Scores on the validation images: mean ± standard deviation over the seeds, of the last epoch's weights.</p>"
    )
    if any("test" in one["scores"] for one in result["models"].values()):
        parts += ["<h2>On the test images</h2>", html_table(results.table(result, "test"))]
        parts.append("<p>They took no part in any choice.</p>")
    with matplotlib.rc_context({"text.parse_math": False, "svg.hashsalt": "cnx"}):
        for figure_of in (cost_figure, curve_figure, score_figure):
            if drawn := figure_of(result):
                parts.append(as_html(*drawn))
        stored = results.trainings(folder)
        for other in result["comparisons"].get("val", {}):
            if drawn := pictures(result, stored, asked, other):
                parts.append(as_html(*drawn, kind="jpg"))
    parts += ["<h2>Other differences</h2>", *other_differences(result, asked)]
    parts += ["<h2>What was fixed</h2>", html_table(fixed(result))]
    body = "\n".join(parts)
    page = f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title><link rel="icon" href="data:,">'
    page += f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    with whole(file) as draft:
        draft.write_text(page, encoding="utf-8")


def html_table(rows: Sequence[Sequence[str]]) -> str:
    lines = []
    for i, row in enumerate(rows):
        tag = "th" if i == 0 else "td"
        lines.append("<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in row) + "</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def as_html(figure: Figure, caption: str, kind: str = "svg") -> str:
    content = io.BytesIO()
    FigureCanvasAgg(figure)
    options = {"metadata": {"Date": None}} if kind == "svg" else {"pil_kwargs": {"quality": 85}}
    figure.savefig(content, format=kind, dpi=110, **options)
    mime = {"svg": "image/svg+xml", "jpg": "image/jpeg"}[kind]
    data = base64.b64encode(content.getvalue()).decode()
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="data:{mime};base64,{data}"><figcaption>{text}</figcaption></figure>'


def look_of(i: int) -> dict[str, str]:
    return {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)]}


def main_name(result: Mapping) -> str:
    return next(iter(next(iter(result["models"].values()))["scores"]["val"][0]))


def cost_figure(result: Mapping) -> tuple[Figure, str]:
    """Score against latency and against parameters, every seed a mark."""
    score = main_name(result)
    times = results.latency(result, 1)
    costs = [("parameters, millions", {label: one["parameters"] / 1e6 for label, one in result["models"].items()})]
    if set(result["models"]) <= set(times):
        costs.insert(
            0, ("milliseconds for one image", {label: statistics.median(times[label]) for label in result["models"]})
        )
    figure = Figure(figsize=(5 * len(costs), 4), layout="constrained")
    for axis, (name, cost) in zip(figure.subplots(1, len(costs), squeeze=False)[0], costs, strict=True):
        for i, label in enumerate(result["models"]):
            scores = results.values(result, label, score)
            axis.scatter([cost[label]] * len(scores), scores, s=36, alpha=0.8, label=label, **look_of(i))
        axis.set_xlabel(name)
        axis.set_ylabel(f"{score} on val")
        axis.set_xlim(left=0)
        axis.grid(color="#ddd")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure, f"{score} of every seed against what a model costs; further up and further to the left is better"


def curve_figure(result: Mapping) -> tuple[Figure, str] | None:
    """The score after each epoch where it was measured, else the loss: mean of the seeds, and from the lowest to the highest of them."""
    first = next(iter(result["models"].values()))["curves"][0]
    wanted = {"segment": "metrics/mAP50-95(M)", "pose": "metrics/mAP50-95(P)", "classify": "metrics/accuracy_top1"}
    task = next(iter(result["models"].values()))["task"]
    key = wanted.get(task, "metrics/mAP50-95(B)")
    measured = key in first and result["question"]["settings"].get("val", True)
    if len(first.get("epoch", [])) < 2:
        return None
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    for i, (label, one) in enumerate(result["models"].items()):
        if measured:
            rows = [curve[key] for curve in one["curves"]]
        else:
            rows = [np.sum([v for k, v in curve.items() if k.startswith("train/")], axis=0) for curve in one["curves"]]
        count = min(map(len, rows))  # with patience= a seed may have ended sooner
        rows = np.array([row[:count] for row in rows], dtype=float)
        epochs = np.array(one["curves"][0]["epoch"][:count], dtype=float)
        axis.plot(epochs, rows.mean(0), LINES[i % 4], color=COLOURS[i % len(COLOURS)], label=label)
        axis.fill_between(epochs, rows.min(0), rows.max(0), color=COLOURS[i % len(COLOURS)], alpha=0.15, linewidth=0)
    name = f"{main_name(result)} on val" if measured else "training loss"
    axis.set_xlabel("epoch")
    axis.set_ylabel(name)
    axis.grid(color="#ddd")
    axis.legend()
    return figure, f"{name} after each epoch: the mean of the seeds, and shaded from the lowest to the highest of them"


def score_figure(result: Mapping) -> tuple[Figure, str]:
    """Scores of each class and size, every seed a mark."""
    first = next(iter(result["models"]))
    names = [key for key in results.flat(result["models"][first]["scores"]["val"][0]) if " of " in key][:23]
    names = [name for name in names if any(v is not None for v in results.values(result, first, name))]
    figure = Figure(figsize=(9, 1.2 + 0.35 * len(names)), layout="constrained")
    axis = figure.subplots()
    count = len(result["models"])
    for i, label in enumerate(result["models"]):
        for row, name in enumerate(names):
            scores = [v for v in results.values(result, label, name) if v is not None]
            height = row + (i - (count - 1) / 2) * 0.7 / count
            axis.scatter(
                scores, [height] * len(scores), s=24, alpha=0.8, label=label if row == 0 else None, **look_of(i)
            )
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.grid(axis="x", color="#ddd")
    axis.legend(loc="best")
    return (
        figure,
        "Scores on val by class and by size of the object (COCO's sizes: small below 32 x 32 pixels, large from 96 x 96), every seed a mark",
    )


def image_scores(seen: Seen) -> np.ndarray:
    """F1 of each image: 2 x true positives / (confident predictions + true objects); 1 if there are no objects and no predictions."""
    count = len(seen.images)
    sure = seen.confidence >= CONFIDENT
    found = np.bincount(seen.image[sure], minlength=count)
    right = np.bincount(seen.image[sure & (seen.match[:, OVERLAP] >= 0)], minlength=count)
    there = np.bincount(seen.true_image, minlength=count)
    return np.where(found + there > 0, 2 * right / np.maximum(found + there, 1), 1.0)


def pictures(result: Mapping, stored: Sequence[dict], asked: str, other: str) -> tuple[Figure, str] | None:
    """The val images on which two models differ most over all seeds: truth, and what each finds with the first seed."""
    if result["models"][asked]["task"] == "classify":
        return None
    seen = {}
    for label in (asked, other):
        one = result["models"][label]
        runs = results.counted(stored, label, one["lr0"], one["seeds"])
        seen[label] = [Seen.load(run["folder"] / "val.npz") for run in runs]
    ahead = np.mean([image_scores(s) for s in seen[asked]], axis=0) - np.mean(
        [image_scores(s) for s in seen[other]], axis=0
    )
    order = np.argsort(ahead)
    chosen = [*(i for i in order[::-1][:HOW_MANY] if ahead[i] > 0), *(i for i in order[:HOW_MANY] if ahead[i] < 0)]
    images = seen[asked][0].images
    chosen = [i for i in chosen if Path(str(images[i])).is_file()]
    if not chosen:
        return None
    figure = Figure(figsize=(11, 3.4 * len(chosen)), layout="constrained")
    axes = figure.subplots(len(chosen), 3, squeeze=False)
    for row, i in zip(axes, chosen, strict=True):
        try:
            pixels = read_image(Path(str(images[i])), 3)
        except OSError:
            continue
        draw(row[0], pixels, "truth", boxes_of(seen[asked][0], i, true=True))
        for axis, label in zip(row[1:], (asked, other), strict=True):
            draw(axis, pixels, label, boxes_of(seen[label][0], i))
        row[0].text(
            0,
            -0.06,
            f"{Path(str(images[i])).name}, F1 of {asked} {'higher' if ahead[i] > 0 else 'lower'} by {abs(ahead[i]):.2f}",
            transform=row[0].transAxes,
            fontsize=8,
        )
    legend(figure, results.class_names(result, asked, seen[asked][0]))
    return figure, (
        f"The val images on which {asked} and {other} differ most (F1 at confidence {CONFIDENT} and IoU 0.5, mean of the seeds); the boxes are "
        "those of the first seed, each class with a colour and a line of its own"
    )


def boxes_of(seen: Seen, image: int, true: bool = False) -> list[Box]:
    """The true boxes of an image, or the confident ones that a model found."""
    if true:
        chosen, kinds, boxes = seen.true_image == image, seen.true_kind, seen.true_box
    else:
        chosen, kinds, boxes = (seen.image == image) & (seen.confidence >= CONFIDENT), seen.kind, seen.box
    return [(kind, *box) for kind, box in zip(kinds[chosen].tolist(), boxes[chosen].tolist(), strict=True)]


def other_differences(result: Mapping, asked: str) -> list[str]:
    """Mean differences of all scores with their intervals."""
    parts = []
    for split, others in result["comparisons"].items():
        for other, found in others.items():
            rows = [[f"{asked} minus {other}, {split}", "mean", "interval over seeds"]]
            for name, (mean, low, high) in found["others"].items():
                rows.append([name, f"{mean:+.3f}", "one seed" if low is None else f"{low:+.3f} to {high:+.3f}"])
            parts.append(html_table(rows))
    parts.append(
        "<p>These intervals are not corrected for their number, so one in twenty misses zero by chance: they carry no verdict.</p>"
    )
    return parts


def fixed(result: Mapping) -> list[list[str]]:
    question = result["question"]
    rows = [["", ""], ["data", question["data"]], ["hash of images and labels", question["marks"].get("data", "")]]
    rows += [["seeds", ", ".join(map(str, question["seeds"]))], ["device", question["device"]]]
    rows += [["times taken on", (result["speed"] or {}).get("device", "not taken")]]
    rows += [[key, str(value)] for key, value in question["settings"].items()]
    rows += [[name, text] for name, text in result["versions"].items()]
    rows += [["commit", result["commit"] or "not a clone"]]
    for label, one in result["models"].items():
        tried = ", ".join(f"{lr0}: {score:.3f}" for lr0, score in one["grid"].items())
        rows.append([f"{label}: rates tried", tried or "one rate only"])
    return rows
