"""The measured comparison of the models, read from benchmarks/results/headline_*.json, and the table that README and notebook 08 show.

Nothing here measures: `benchmarks/headline.py` does, and stores. Whatever is said about the models is computed from the stored numbers, so that
words cannot run ahead of them.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
STOCK, OURS, ARTICLE = "yolov8n.yaml", "yolov8n-convnext.yaml", "yolov8n-convnext-article.yaml"
CONTROL = "yolov8n-our-neck.yaml"  # in benchmarks/: the backbone of YOLOv8n, the neck and the head of ours
NAMES = {STOCK: "YOLOv8n", ARTICLE: "article", CONTROL: "with our neck", OURS: "ours"}
T_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571}  # Student's t, 95 %, two-sided, by degrees of freedom


def headline(data: str) -> dict:
    """The stored results of one data set: "bccd", "smears", or "bccd_s", the next larger models on BCCD.

    Raises:
        FileNotFoundError: nobody has measured it yet; the message says how to.
    """
    file = RESULTS / f"headline_{data}.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"no {file.name} in benchmarks/results: run `python benchmarks/headline.py --data {data}.yaml` in a clone"
        )
    return json.loads(file.read_text(encoding="utf-8"))


def scores(result: Mapping, model: str, metric: str = "map") -> list[float]:
    """The metric of a model ("map" or "map50"), one number for each seed, in the order of the seeds."""
    return [run[metric] for run in sorted(result["models"][model]["runs"], key=lambda run: run["seed"])]


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of the differences a - b, seed by seed, and half the width of its 95 % confidence interval (Student's t)."""
    differences = [x - y for x, y in zip(a, b, strict=True)]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return statistics.mean(differences), T_95[len(differences) - 1] * error


def verdict(mean: float, half: float) -> str:
    """What an interval of mean ± half allows to say."""
    return "more" if mean - half > 0 else "less" if mean + half < 0 else "not told apart"


def cells(result: Mapping, model: str) -> dict[str, str]:
    """The row names of the table, and what stands in them for one model."""
    entry, speed = result["models"][model], result["speed"]
    found = {
        name: f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
        for name, values in (("mAP50-95", scores(result, model)), ("mAP50", scores(result, model, "map50")))
    }
    return found | {
        "parameters": f"{entry['parameters']:,}",
        f"GFLOPs at {result['imgsz']} px": f"{entry['gflops']:.2f}",
        "learning rate": f"{entry['lr0']:g}",
        "s per epoch": f"{statistics.median(speed['train_seconds_per_epoch'][model]):.1f}",
        "ms, one by one": f"{statistics.median(speed['latency_ms']['1'][model]):.1f}",
        "ms, by eight": f"{statistics.median(speed['latency_ms']['8'][model]) / 8:.1f}",
    }


def table(result: Mapping, models: Sequence[str] = tuple(NAMES)) -> str:
    """The comparison as a Markdown table, its columns aligned; mAP as mean ± standard deviation over the seeds."""
    columns = {model: cells(result, model) for model in models}
    rows = [["", *(NAMES.get(model, model) for model in models)]]
    rows += [[name, *(columns[model][name] for model in models)] for name in columns[models[0]]]
    return aligned(rows)


def by_class(result: Mapping, models: Sequence[str] = tuple(NAMES)) -> str:
    """AP50-95 of each class, the mean over the seeds, as a Markdown table."""
    runs = {model: result["models"][model]["runs"] for model in models}
    rows = [["AP50-95", *(NAMES.get(model, model) for model in models)]]
    for name in runs[models[0]][0]["classes"]:
        rows.append(
            [name, *(f"{statistics.mean(run['classes'][name] for run in runs[model]):.3f}" for model in models)]
        )
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first row its head, each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in lines
    )


def layers_table(result: Mapping) -> str:
    """What benchmarks/layers.py stored as a Markdown table: time of ours by the fastest peer's, its median and middle half of the rounds."""
    rows = [["", "inference", "forward and backward"]]
    for name, kinds in result["cases"].items():
        said = []
        for kind in ("inference", "training"):
            low, middle, high = kinds[kind]["ratio"]
            said.append(f"{middle:.2f} ({low:.2f} to {high:.2f}) of {kinds[kind]['fastest_peer']}")
        rows.append([name, *said])
    return aligned(rows)


def ratios(result: Mapping, model: str, by: str) -> dict[str, float]:
    """Parameters and times of a model by those of another; of times the median of the rounds' ratios."""
    speed, count = result["speed"], {name: entry["parameters"] for name, entry in result["models"].items()}
    times = {"training": speed["train_seconds_per_epoch"]}
    times |= {"one image": speed["latency_ms"]["1"], "eight images": speed["latency_ms"]["8"]}
    each = {name: zip(taken[model], taken[by], strict=True) for name, taken in times.items()}
    return {"parameters": count[model] / count[by]} | {
        name: statistics.median(a / b for a, b in pairs) for name, pairs in each.items()
    }


def in_words(ratios: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
