"""What the stored trainings of a comparison say: numbers for results.json, and the table and verdicts in words."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnx_tutorial.compare.question import CHOOSING, Question
from cnx_tutorial.compare.verdicts import Difference, holm, over_images, paired

if TYPE_CHECKING:
    from cnx_tutorial.yolo.seen import Seen


def trainings(folder: Path) -> list[dict]:
    """All that are finished, "folder" added to each."""
    files = sorted((folder / "trainings").glob("*/result.json"))
    return [{**json.loads(file.read_text(encoding="utf-8")), "folder": file.parent} for file in files]


def main_score(scores: Mapping) -> float:
    """mAP50-95; of a classifier top-1."""
    return next(value for value in scores.values() if isinstance(value, float))


def grid_scores(grid: Sequence[float], stored: Sequence[dict], label: str) -> dict[float, float]:
    """Score on val of each learning rate of the grid that was tried with the seed for choosing, and of the one a step further.

    Rates of an earlier, other grid do not count: the models that are new would not have had them.
    """
    chosen = [one for one in stored if one["label"] == label and one["seed"] == CHOOSING]
    found = {one["lr0"]: main_score(one["scores"]["val"]) for one in sorted(chosen, key=lambda one: one["lr0"] or 0)}
    allowed = (*grid, one_step_further(grid, found))
    return {lr0: score for lr0, score in found.items() if lr0 in allowed}


def one_step_further(grid: Sequence[float], scores: Mapping[float, float]) -> float | None:
    """The next learning rate where the best of the grid lies at its edge; None inside, and where there is no grid."""
    rate = best({lr0: score for lr0, score in scores.items() if lr0 in grid})
    if len(grid) == 1 or rate not in (grid[0], grid[-1]):
        return None
    return float(f"{rate * rate / (grid[1] if rate == grid[0] else grid[-2]):.3g}")


def best(scores: Mapping[float, float]) -> float | None:
    """The learning rate of the highest score; of equal ones the lower rate."""
    return max(sorted(scores), key=scores.get) if scores else None


def rate_of(question: Question, stored: Sequence[dict], label: str) -> float | None:
    """A model's own learning rate: the best with the seed that is not counted, or the only one; None where none was tried yet."""
    return question.grid[0] if len(question.grid) == 1 else best(grid_scores(question.grid, stored, label))


def counted(stored: Sequence[dict], label: str, rate: float | None, seeds: Sequence[int]) -> list[dict]:
    """The trainings of a model with a learning rate, in the order of the seeds; shorter where one is not finished."""
    found = {one["seed"]: one for one in stored if one["label"] == label and one["lr0"] == rate}
    return [found[seed] for seed in seeds if seed in found]


def collect(folder: Path, question: Question) -> dict:
    """Everything that the report shows.

    Raises:
        ValueError: no training of a counted seed is finished.
    """
    stored = trainings(folder)
    failed = read(folder / "failed.json") or {}
    models, runs = {}, {}
    for label in question.models:
        rate = rate_of(question, stored, label)
        own = counted(stored, label, rate, question.seeds)
        if label in failed or len(own) != len(question.seeds):
            failed.setdefault(label, "not all of its trainings are finished")
            continue
        runs[label] = own
        models[label] = entry(question, own, rate, grid_scores(question.grid, stored, label))
    if not models:
        raise ValueError(
            f"{folder} has nothing to report: {'; '.join(f'{label}: {why}' for label, why in failed.items())}"
        )
    from cnx_tutorial.yolo import machine

    asked = next(iter(question.models))
    result = {
        "question": asdict(question),
        "models": models,
        "failed": failed,
        "speed": read(folder / "speed.json"),
        "versions": machine.versions(),
        "commit": machine.commit(),
        "comparisons": {},
    }
    if asked in models:
        for split in models[asked]["scores"]:
            pairs = [(asked, other) for other in models if other != asked and split in models[other]["scores"]]
            found = differences(runs, pairs, split, question.interval)
            result["comparisons"][split] = {other: one for (_, other), one in zip(pairs, found, strict=True)}
    return json.loads(json.dumps(result))


def read(file: Path) -> dict | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def entry(question: Question, runs: Sequence[dict], rate: float | None, grid: Mapping[float, float]) -> dict:
    """One model: what it is, its learning rate and the scores of each seed."""
    beyond = [lr0 for lr0 in grid if lr0 not in question.grid]
    return {
        "parameters": runs[0]["parameters"],
        "gflops": runs[0]["gflops"],
        "task": runs[0]["task"],
        "lr0": rate,
        "grid": {f"{lr0:g}": round(score, 4) for lr0, score in grid.items()},
        "beyond_the_grid": beyond,
        "at_the_edge": bool(grid) and rate in (min(grid), max(grid)) and len(grid) > 1,
        "seeds": list(question.seeds),
        "scores": {split: [rounded(one["scores"][split]) for one in runs] for split in runs[0]["scores"]},
        "epoch_seconds": [statistics.median(one["epoch_seconds"]) for one in runs],
        "curves": [one["curve"] for one in runs],
    }


def rounded(scores: Mapping) -> dict:
    return {
        key: rounded(value) if isinstance(value, Mapping) else None if value is None else round(value, 4)
        for key, value in scores.items()
    }


def differences(
    runs: Mapping[str, Sequence[dict]], pairs: Sequence[tuple[str, str]], split: str = "val", interval: float = 95.0
) -> list[dict]:
    """For each pair of models the verdict on the first, and the differences of the other scores, which have intervals and no verdict.

    Args:
        runs: the trainings of each model, as `counted` gives them, the same seeds for all.
        pairs: labels; p-values are corrected for their number.
    """
    labels = dict.fromkeys(label for pair in pairs for label in pair)
    single = {label: [main_score(one["scores"][split]) for one in runs[label]] for label in labels}
    draws = {label: [draws_of(one["folder"], split) for one in runs[label]] for label in labels}
    tests = [paired(single[one], single[other], interval) for one, other in pairs]
    found = []
    for (one, other), (mean, low, high, _), p in zip(pairs, tests, holm([test[3] for test in tests]), strict=True):
        difference = Difference(mean, low, high, p, *over_images(draws[one], draws[other], interval), interval)
        a, b = ([flat(run["scores"][split]) for run in runs[label]] for label in (one, other))
        more = {
            key: paired([x[key] for x in a], [x[key] for x in b], interval)[:3] for key in a[0] if shared(key, a, b)
        }
        found.append({**asdict(difference), "verdict": difference.verdict, "others": more})
    return found


def draws_of(folder: Path, split: str) -> np.ndarray:
    with np.load(folder / f"{split}.npz") as stored:
        return stored["draws"]


def flat(scores: Mapping) -> dict[str, float | None]:
    """{"mAP50": ..., "AP50-95 of RBC": ..., "mAP50-95 of small": ...}"""
    found = {}
    for key, value in scores.items():
        if isinstance(value, Mapping):
            of = "mAP50-95 of {} objects" if key == "sizes" else "AP50-95 of {}" if "mAP50" in scores else "top-1 of {}"
            found |= {of.format(name): one for name, one in value.items()}
        else:
            found[key] = value
    return found


def shared(key: str, a: Sequence[Mapping], b: Sequence[Mapping]) -> bool:
    """Whether every training of both models has this score."""
    return all(one.get(key) is not None for one in (*a, *b))


def class_names(result: Mapping, label: str, seen: "Seen") -> dict[int, str]:
    """Names of the classes that have true objects, by number; the stored scores name them in the order of their numbers."""
    said = result["models"][label]["scores"]["val"][0]["classes"]
    return dict(zip(np.unique(seen.true_kind).tolist(), said, strict=True))


def values(result: Mapping, label: str, score: str, split: str = "val") -> list[float | None]:
    """A score of a model, one number for each seed."""
    return [flat(one).get(score) for one in result["models"][label]["scores"][split]]


def latency(result: Mapping, batch: int) -> dict[str, list[float]]:
    """Milliseconds of each model for a batch, several times; empty where no times were taken."""
    return result["speed"]["latency_ms"][str(batch)] if result["speed"] else {}


def spread(numbers: Sequence[float | None], form: str = ".3f") -> str:
    """Mean and standard deviation; of one number that number."""
    known = [number for number in numbers if number is not None]
    if not known:
        return "none"
    more = f" ± {statistics.stdev(known):{form}}" if len(known) > 1 else ""
    return f"{statistics.mean(known):{form}}{more}"


def table(result: Mapping, split: str = "val") -> list[list[str]]:
    """Rows of the comparison's table, the first its head: one column a model."""
    models = [label for label in result["models"] if split in result["models"][label]["scores"]]
    rows = [["", *models]]
    first = result["models"][models[0]]["scores"][split][0]
    rows += [[score, *(spread(values(result, label, score, split)) for label in models)] for score in flat(first)]
    if split != "val":
        return rows
    entries = [result["models"][label] for label in models]
    rows.append(["parameters", *(f"{one['parameters']:,}" for one in entries)])
    if all(one["gflops"] is not None for one in entries):
        rows.append(
            [f"GFLOPs at {result['question']['settings']['imgsz']} px", *(f"{one['gflops']:.2f}" for one in entries)]
        )
    rows.append(["learning rate", *(f"{one['lr0']:g}" if one["lr0"] else "auto" for one in entries)])
    rows.append(["seconds an epoch", *(f"{statistics.median(one['epoch_seconds']):.1f}" for one in entries)])
    for batch, said in ((1, "ms, one image"), (8, "ms an image, by eight")):
        times = latency(result, batch)
        if all(label in times for label in models):
            rows.append([said, *(f"{statistics.median(times[label]) / batch:.1f}" for label in models)])
    return rows


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first row its head, each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in lines
    )


def verdicts(result: Mapping) -> list[str]:
    """One sentence for each model that was compared with, and each split."""
    asked = next(iter(result["question"]["models"]))
    lines = []
    for split, others in result["comparisons"].items():
        for other, found in others.items():
            lines.append(sentence(asked, other, split, found, result))
    return lines


def sentence(asked: str, other: str, split: str, found: Mapping, result: Mapping) -> str:
    score = next(iter(result["models"][asked]["scores"][split][0]))
    images = f"over images {found['image_low']:+.3f} to {found['image_high']:+.3f}"
    if found["p"] is None:
        return (
            f"{split}: {score} of {asked} minus that of {other}: {found['mean']:+.3f} ({images}). One seed each: a difference smaller than that "
            "between two seeds says nothing, so there is no verdict."
        )
    seeds = f"{found['interval']:g} % interval over seeds {found['low']:+.3f} to {found['high']:+.3f}"
    verdict = found["verdict"]
    said = (
        f"{asked} is {verdict} than {other}"
        if verdict in ("higher", "lower")
        else f"{verdict} between {asked} and {other}"
    )
    count = len(result["comparisons"][split])
    corrected = f"p = {found['p']:.3f}" + (f", corrected for {count} comparisons" if count > 1 else "")
    return f"{split}: {said}. {score} differs by {found['mean']:+.3f} ({seeds}, {images}; {corrected})."


def remarks(result: Mapping) -> list[str]:
    """What a reader has to know beside table and verdicts."""
    lines = []
    for label, one in result["models"].items():
        if one["beyond_the_grid"]:
            tried = ", ".join(f"{lr0:g}" for lr0 in one["beyond_the_grid"])
            still = "; the best is still at the edge, so a better one may lie beyond" if one["at_the_edge"] else ""
            lines.append(
                f"{label}: its best learning rate lay at the edge of the grid, so {tried} was tried too{still}."
            )
    if max(main_score(one) for entry in result["models"].values() for one in entry["scores"]["val"]) < 0.01:
        lines.append(
            "No model has learned anything yet, its score is below 0.01: train more epochs before you compare."
        )
    lines += [f"{label} is not in the table: {why}" for label, why in result["failed"].items()]
    return lines


def text(result: Mapping) -> str:
    """Table, verdicts and remarks, as a terminal shows them."""
    parts = [aligned(table(result))]
    if "test" in result["comparisons"] or any("test" in one["scores"] for one in result["models"].values()):
        parts.append("on the test images, which took no part in any choice:\n" + aligned(table(result, "test")))
    parts += ["\n".join(lines) for lines in (verdicts(result), remarks(result)) if lines]
    return "\n\n".join(parts)
