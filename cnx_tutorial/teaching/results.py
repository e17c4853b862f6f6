"""The stored comparisons of our own models, as notebook 09 and the README show them. `benchmarks/headline.py` measures and stores them."""

import json
import statistics
from collections.abc import Mapping, Sequence

from scipy.stats import t

from cnx_tutorial.compare.results import aligned, spread, values
from cnx_tutorial.paths import RESULTS

STOCK, OURS, ARTICLE = "yolov8n.yaml", "yolov8n-convnext.yaml", "yolov8n-convnext-article.yaml"
CONTROL = "yolov8n-our-neck.yaml"  # in benchmarks/: the backbone of YOLOv8n, the neck and the head of ours
NAMES = {STOCK: "YOLOv8n", ARTICLE: "article", CONTROL: "with our neck", OURS: "ours"}
STEPS = {  # what each step of the stored "opponents" changed
    "yolov8n-p2.yaml": "stride-4 map, P2 (Ultralytics' yolov8n-p2)",
    "yolov8n-one-way.yaml": "top-down neck only (FPN without PAN)",
    "yolov8n-narrow.yaml": "fewer channels in the neck",
    CONTROL: "reg_max 8 in place of 16",
    OURS: "ConvNeXt backbone",
}
OPPONENTS = {
    OURS: "ours",
    STOCK: "YOLOv8n",
    "yolov8n-p2.yaml": "YOLOv8n-p2",
    "yolo11n.yaml": "YOLO11n",
    "yolo26n.yaml": "YOLO26n",
    CONTROL: "with our neck",
}
T_95 = {n: round(float(t.ppf(0.975, n)), 3) for n in range(1, 6)}  # Student's t, 95 %, two-sided, by degrees of freedom


def headline(name: str) -> dict:
    """A stored comparison: "bccd", "smears", or "bccd_s", the next larger models on BCCD.

    Raises:
        FileNotFoundError: it has not been measured yet; the message says how to measure it.
    """
    file = RESULTS / f"headline_{name}.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"no {file.name} in benchmarks/results: run `python benchmarks/headline.py {name}` in a clone"
        )
    return json.loads(file.read_text(encoding="utf-8"))


def scores(result: Mapping, model: str, metric: str = "mAP50-95") -> list[float]:
    """A score of a model, one number for each seed, in the order of the seeds."""
    return values(result, model, metric)


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of the differences a - b, seed by seed, and half the width of its 95 % confidence interval (Student's t)."""
    differences = [x - y for x, y in zip(a, b, strict=True)]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return statistics.mean(differences), T_95[len(differences) - 1] * error


def verdict(mean: float, half: float) -> str:
    """What an interval of mean ± half allows to say, in the words of `cnx compare`."""
    return "higher" if mean - half > 0 else "lower" if mean + half < 0 else "no detectable difference"


def training_seconds(result: Mapping) -> dict[str, list[float]]:
    """Seconds of an epoch of each model, several times."""
    return {model: one["epoch_seconds"] for model, one in result["models"].items()}


def cells(result: Mapping, model: str) -> dict[str, str]:
    """The row names of the table, and what stands in them for one model."""
    entry, times = result["models"][model], result["speed"]["latency_ms"]
    found = {name: spread(scores(result, model, name)) for name in ("mAP50-95", "mAP50")}
    return found | {
        "parameters": f"{entry['parameters']:,}",
        f"GFLOPs at {result['question']['settings']['imgsz']} px": f"{entry['gflops']:.2f}",
        "learning rate": f"{entry['lr0']:g}",
        "s per epoch": f"{statistics.median(entry['epoch_seconds']):.1f}",
        "ms, one by one": f"{statistics.median(times['1'][model]):.1f}",
        "ms, by eight": f"{statistics.median(times['8'][model]) / 8:.1f}",
    }


def table(result: Mapping, models: Sequence[str] = tuple(NAMES)) -> str:
    """The comparison as a Markdown table, its columns aligned; mAP as mean ± standard deviation over the seeds."""
    columns = {model: cells(result, model) for model in models}
    rows = [["", *(NAMES.get(model, model) for model in models)]]
    rows += [[name, *(columns[model][name] for model in models)] for name in columns[models[0]]]
    return aligned(rows)


def by_class(result: Mapping, models: Sequence[str] = tuple(NAMES)) -> str:
    """AP50-95 of each class, the mean over the seeds, as a Markdown table."""
    rows = [["AP50-95", *(NAMES.get(model, model) for model in models)]]
    for name in result["models"][models[0]]["scores"]["val"][0]["classes"]:
        means = [statistics.mean(scores(result, model, f"AP50-95 of {name}")) for model in models]
        rows.append([name, *(f"{mean:.3f}" for mean in means)])
    return aligned(rows)


def steps_table(result: Mapping) -> str:
    """From YOLOv8n to ours, one change at a time, as a Markdown table: score, what the change did to it, parameters, time of one image."""
    times = result["speed"]["latency_ms"]["1"]

    def row(model: str, words: str, change: Sequence[str]) -> list[str]:
        entry, latency = result["models"][model], statistics.median(times[model])
        score = spread(scores(result, model))
        return [words, score, *change, f"{entry['parameters'] / 1e6:.2f} M", f"{latency:.1f}"]

    rows = [["", "mAP50-95", "change", "over seeds", "over images", "verdict", "parameters", "ms, one image"]]
    rows.append(row(STOCK, "YOLOv8n", [""] * 4))
    for one in result["steps"]:
        ends = [f"{one[low]:+.3f} to {one[high]:+.3f}" for low, high in (("low", "high"), ("image_low", "image_high"))]
        rows.append(row(one["step"], "+ " + STEPS[one["step"]], [f"{one['mean']:+.3f}", *ends, one["verdict"]]))
    return aligned(rows)


def opponents_table(result: Mapping) -> str:
    """Ours against each opponent, as a Markdown table: scores, the difference with its intervals, and the costs of ours by the opponent's."""
    rows = [
        [
            "",
            "mAP50-95",
            "ours minus it",
            "over seeds",
            "over images",
            "verdict",
            "parameters",
            "one image",
            "eight images",
        ]
    ]
    for model, name in OPPONENTS.items():
        change = [""] * 7
        if model != OURS:
            one, costs = result["comparisons"]["val"][model], ratios(result, OURS, model)
            ends = [
                f"{one[low]:+.3f} to {one[high]:+.3f}" for low, high in (("low", "high"), ("image_low", "image_high"))
            ]
            change = [f"{one['mean']:+.3f}", *ends, one["verdict"]]
            change += [f"{costs[cost]:.2f}" for cost in ("parameters", "one image", "eight images")]
        rows.append([name, spread(scores(result, model)), *change])
    return aligned(rows)


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
    """Parameters and times of a model, divided by the values of another; for times, the median of the rounds' ratios."""
    count = {name: entry["parameters"] for name, entry in result["models"].items()}
    times = {"training": training_seconds(result)}
    times |= {"one image": result["speed"]["latency_ms"]["1"], "eight images": result["speed"]["latency_ms"]["8"]}
    each = {name: zip(taken[model], taken[by], strict=True) for name, taken in times.items()}
    return {"parameters": count[model] / count[by]} | {
        name: statistics.median(a / b for a, b in pairs) for name, pairs in each.items()
    }


def in_words(ratios: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
