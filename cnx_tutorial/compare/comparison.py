"""The order of a comparison: check everything, rehearse one epoch, choose each model's learning rate, train every seed, take the times, report.

Every finished training is stored at once, in a folder of its own below FOLDER/trainings. A comparison that is started again reads these results and
runs only the missing trainings.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from filelock import FileLock, Timeout

from cnx_tutorial.compare import page, results
from cnx_tutorial.compare.engines import engine
from cnx_tutorial.compare.question import CHOOSING, Question, asked, differences, marks, short, understand
from cnx_tutorial.compare.speed import latency
from cnx_tutorial.compare.training import TrainingFailed
from cnx_tutorial.data.audit import TASKS, audit
from cnx_tutorial.data.staging import whole


def compare(say: Callable[[str], None] = print, **words: object) -> dict:
    """Train all models in the same way and say which differences are larger than chance.

        compare(model="mine.yaml", against=["yolov8n.yaml"], data="bccd.yaml", epochs=40, seeds=[0, 1, 2], lr0=[0.01, 0.02, 0.04])
        compare(report="runs/compare/mine_bccd")     # only write the report of a folder again

    Args:
        say: is given each line of progress.
        words: model, against, data, seeds, lr0, interval, engine, address, jobs, device, project, name, as `cnx compare` takes them; every other
            one is an argument of Ultralytics' `train()`, alike for all models.

    Returns:
        What results.json holds, and "folder".

    Raises:
        ValueError: a word, model or data set cannot be used; nothing was trained then.
        OSError: the disk is full, or another comparison is at work in the folder; what was finished is stored.
    """
    if "report" in words:
        if more := sorted({*words} - {"report"}):
            raise ValueError(f"report= only draws a report again, so it takes no other word; given {more[0]}= too")
        return report(Path(str(words["report"])), say)
    question, where = understand(words)
    question = checked(question)
    place = engine(
        str(where.pop("engine", "processes")),
        question.device,
        where.pop("jobs", None),
        str(where.pop("address", "auto")),
    )
    folder = folder_of(question, **where)
    with taken(folder):
        remember(folder, question)
        Comparison(question, folder, place, say).run()
        return report(folder, say)


def checked(question: Question) -> Question:
    """The question, after a check of everything that it names: Ultralytics' arguments, every model, the data.

    Raises:
        ValueError, SyntaxError: something cannot be used.
    """
    from cnx_tutorial.yolo.model import YOLO, check_arguments, check_keys, is_theirs

    check_arguments(question.settings)
    check_keys(question.settings)
    for key, step, example in (
        ("imgsz", 32, "one whole multiple of 32, such as 192 or 640"),
        ("batch", 1, "a whole number from 1 up"),
    ):
        if not isinstance(value := question.settings[key], int) or value < 1 or value % step:
            raise ValueError(f"{key}={value}: a comparison needs {example}, the same for every model")
    tasks, networks = {}, {}
    for label, model in question.models.items():
        try:
            yolo = YOLO(model)
            tasks[label], networks[label] = yolo.task, yolo.model.yaml
        except Exception as error:
            raise ValueError(f"model {label} cannot be built: {error}") from error
    if len(set(tasks.values())) > 1:
        raise ValueError(
            f"models of different tasks cannot be compared: {', '.join(f'{k} is for {v}' for k, v in tasks.items())}"
        )
    device = question.device or ("0" if has_gpu() else "cpu")
    task = next(iter(tasks.values()))
    images, labels = [(question.data, 0)] if is_theirs(question.data) else [], []
    if task in TASKS and not is_theirs(question.data):
        meaning = {k: v for k in ("single_cls", "classes", "fraction") if (v := question.settings.get(k)) is not None}
        found = audit(question.data, task=task, **meaning)
        found.raise_if_errors()
        if len({*found.names.values()}) < len(found.names):
            raise ValueError(
                f"two classes of {question.data} have one name, so their scores could not be distinguished: {[*found.names.values()]}"
            )
        if not found.images.get("val"):
            raise ValueError(f"{question.data} names no val images, and a comparison needs them to measure on")
        for split, labelled in found.labels.items():
            images += [(f"{split}/{file.name}", file.stat().st_size) for file, _ in labelled]
            labels += [rows.tobytes() for _, rows in labelled]
        labels.append(repr(found.names).encode())
    elif task == "classify" and Path(question.data).is_dir():
        if not any((Path(question.data) / split).is_dir() for split in ("val", "validation", "test")):
            raise ValueError(f"{question.data} has no folder val, and a comparison needs its images to measure on")
        home = Path(question.data)
        images = [(file.relative_to(home).as_posix(), file.stat().st_size) for file in home.rglob("*.*")]
    return replace(question, device=device, marks=marks(networks, question.models, images, labels))


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def folder_of(question: Question, project: object = "runs/compare", name: object = None) -> Path:
    first = Path(next(iter(question.models))).stem
    return Path(str(project)).expanduser().absolute() / str(name or f"{first}_{Path(question.data).stem}")


@contextmanager
def taken(folder: Path):
    """This folder is ours while the block lasts.

    Raises:
        OSError: another comparison is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise OSError(f"another cnx compare is at work in {folder}: wait for it, or give another name=") from error


def remember(folder: Path, question: Question) -> None:
    """Write the question into the folder; refuse a folder with another one, or with other things.

    Raises:
        ValueError: the folder holds another comparison; the message lists what differs.
    """
    file = folder / "question.json"
    if stored := results.read(file):
        if other := differences(stored, question):
            raise ValueError(
                f"{folder} holds another comparison: {'; '.join(other)}. Give the words as they were, or another name="
            )
        # Models that are not asked about now keep their marks, for when they are again.
        question = replace(question, marks={**stored["marks"], **question.marks})
    elif any(found.name != ".lock" for found in folder.iterdir()):
        raise ValueError(f"{folder} is there already and holds no comparison: give another name=")
    write_json(file, asdict(question))


def write_json(file: Path, content: dict) -> None:
    """JSON that is there completely or not at all."""
    with whole(file) as draft:
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def in_words(seconds: float) -> str:
    """12 s, 7 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def job_of(question: Question, label: str, lr0: float | None, seed: int) -> dict:
    plain = label.removesuffix(".yaml")
    stem = "".join(c if c.isalnum() or c in "-._" else "_" for c in plain)[-80:]
    stem += "" if f"{stem}.yaml" == label.lower() else f"-{short(label.encode())}"  # two names must not become one
    rate = "" if lr0 is None else f"-lr{lr0!r}"
    job = {"name": f"{stem}{rate}-seed{seed}", "label": label, "model": question.models[label]}
    return job | {"data": question.data, "lr0": lr0, "seed": seed, "settings": question.settings}


class Comparison:
    """A question on its way to an answer in a folder."""

    def __init__(self, question: Question, folder: Path, place, say: Callable[[str], None]):
        self.question, self.folder, self.place, self.say = question, folder, place, say
        self.failed: dict[str, str] = {}
        shutil.rmtree(folder / "running", ignore_errors=True)  # what was cut off
        self.seconds: dict[str, float] = {}  # of one training, as the rehearsal says

    def run(self) -> None:
        question = self.question
        choosing = [job_of(question, label, lr0, CHOOSING) for label in question.models for lr0 in question.grid]
        choosing = choosing if len(question.grid) > 1 else []
        if self.missing(choosing) or not self.chosen_and_done():
            self.rehearse()
            self.announce(choosing)
        self.train(choosing)
        self.train(grown := [job for label in self.models() if (job := self.one_step_further(label))])
        if grown:
            self.say("at the edge of the grid, so one step further: " + ", ".join(job["name"] for job in grown))
        self.train(self.counted())
        write_json(self.folder / "failed.json", self.failed)
        if self.models():
            self.take_times()

    def models(self) -> list[str]:
        """Those that did not fail."""
        return [label for label in self.question.models if label not in self.failed]

    def counted(self) -> list[dict]:
        """One training a seed and model, the models in turn, each with its own learning rate."""
        stored = results.trainings(self.folder)
        rates = {label: results.rate_of(self.question, stored, label) for label in self.models()}
        return [
            job_of(self.question, label, rates[label], seed) for seed in self.question.seeds for label in self.models()
        ]

    def chosen_and_done(self) -> bool:
        return not any(self.one_step_further(label) for label in self.models()) and not self.missing(self.counted())

    def one_step_further(self, label: str) -> dict | None:
        """The missing training with the next learning rate, if the model's best rate is the largest or smallest of the grid; else None."""
        grid = self.question.grid
        further = results.one_step_further(grid, results.grid_scores(grid, results.trainings(self.folder), label))
        job = further and job_of(self.question, label, further, CHOOSING)
        return job if job and self.missing([job]) else None

    def stored_in(self, job: dict) -> Path:
        return self.folder / "trainings" / job["name"]

    def missing(self, jobs: Iterable[dict]) -> list[dict]:
        return [job for job in jobs if not (self.stored_in(job) / "result.json").is_file()]

    def rehearse(self) -> None:
        """One epoch of each model, to the end: shows what fails, and how long an epoch takes."""
        self.say(f"rehearsal, one epoch of each model, {self.place}")
        grid, home = self.question.grid, self.folder / "rehearsal"
        short = replace(self.question, settings={**self.question.settings, "epochs": 1})
        jobs = [job_of(short, label, grid[len(grid) // 2], CHOOSING) for label in self.question.models]
        for job, answer in self.place.run(jobs, self.folder / "running"):
            self.keep(job, answer, home)
            if not isinstance(answer, TrainingFailed):
                epoch = answer["curve"]["time"][-1]
                self.seconds[job["label"]] = answer["seconds"] + (int(self.question.settings["epochs"]) - 1) * epoch
        asked = next(iter(self.question.models))
        if asked in self.failed:
            raise ValueError(f"{asked}, the model that is asked about, cannot be trained: {self.failed[asked]}")

    def announce(self, choosing: list[dict]) -> None:
        q = self.question
        each = sum(self.seconds.values()) / max(1, len(self.seconds))
        choosing = [job for job in choosing if job["label"] not in self.failed]
        total = len(choosing) + len(self.models()) * len(q.seeds)
        jobs = len(self.missing(choosing))
        # The best rate is not known yet; a seed that is stored with any rate of the grid counts as done.
        done = {(one["label"], one["seed"]) for one in results.trainings(self.folder)}
        jobs += sum((label, seed) not in done for label in self.models() for seed in q.seeds)
        time_left = jobs * each / min(self.place.width, max(1, jobs))
        single = (len(choosing) + len(self.models())) * each / self.place.width
        parts = f"{len(self.models())} models, {len(q.seeds)} seeds"
        parts += f", {len(q.grid)} learning rates to choose from" if choosing else ""
        self.say(
            f"{total} trainings of {q.settings['epochs']} epochs ({parts}), {total - jobs} of them stored: about {in_words(time_left)}"
        )
        if len(q.seeds) > 1:
            self.say(f"(with seeds={q.seeds[0]} alone about {in_words(single)} in all, and no verdict)")

    def train(self, jobs: list[dict]) -> None:
        jobs = [job for job in self.missing(jobs) if job["label"] not in self.failed]
        start = time.monotonic()
        for done, (job, answer) in enumerate(self.place.run(jobs, self.folder / "running") if jobs else (), 1):
            self.keep(job, answer, self.folder / "trainings")
            left = len(jobs) - done
            said = "failed" if isinstance(answer, TrainingFailed) else shown(answer["scores"]["val"])
            more = f"; {left} more, {in_words((time.monotonic() - start) / done * left)}" if left else ""
            self.say(f"{job['name']}: {said}{more}")

    def keep(self, job: dict, answer: dict | TrainingFailed, home: Path) -> None:
        """Move what a training left to its place, complete; note a failure of its model.

        Raises:
            OSError: the disk is full.
        """
        left = self.folder / "running" / job["name"]
        named = {key: job[key] for key in ("label", "lr0", "seed")}
        if isinstance(answer, TrainingFailed):
            if answer.disk_full:
                raise OSError(28, f"No space left on device while {job['name']} was trained. Make room; what is finished is stored in "
                                  f"{self.folder}, and the same command goes on with it")  # fmt: skip
            if (
                diverged := job["seed"] == CHOOSING
                and home / job["name"] == self.stored_in(job)
                and "NaN" in str(answer)
            ):
                # The rate is too high: this rate is excluded, but the model is not.
                self.stored_in(job).mkdir(parents=True, exist_ok=True)
                lost = {"scores": {"val": {"score": 0.0}}, "failed": str(answer)}
                write_json(self.stored_in(job) / "result.json", {**named, **lost})
            else:
                self.failed.setdefault(job["label"], str(answer))
            place = self.folder / "failed" / job["name"]
        else:
            place = home / job["name"]
            (left / "job.json").unlink(missing_ok=True)
            write_json(left / "result.json", {**named, **answer})
        place.parent.mkdir(exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        if left.is_dir():
            left.replace(place)
        if isinstance(answer, TrainingFailed):
            became = f"learning rate {job['lr0']} has lost" if diverged else "failed and is left out"
            self.say(f"{job['label']} {became}: {answer} (see {place})")

    def take_times(self) -> None:
        """Time the models one after another, when nothing else runs, and again if a model is new. If this fails, the scores are still reported."""
        from cnx_tutorial.yolo import machine

        file = self.folder / "speed.json"
        if (stored := results.read(file)) and set(stored["latency_ms"]["1"]) >= set(self.models()):
            return
        imgsz = self.question.settings["imgsz"]
        first = self.question.device.split(",")[0]
        # A Ray cluster may have GPUs that this machine has not.
        device = first if first == "mps" or has_gpu() else "cpu"
        self.say("taking the times of one image, the models in turn")
        jobs = self.counted()[: len(self.models())]  # of the first seed
        weights = {job["label"]: str(self.stored_in(job) / "weights.pt") for job in jobs}
        try:
            times = latency(weights, imgsz, device)
        except RuntimeError as error:
            return self.say(f"{error}; the report has no times, and the same command takes them again")
        write_json(file, {"latency_ms": times, "imgsz": imgsz, "device": machine.processor(device)})


def shown(scores: dict) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in scores.items() if isinstance(value, float))


def report(folder: Path, say: Callable[[str], None]) -> dict:
    """Write results.json and report.html of a folder, and say its table and verdicts.

    Raises:
        ValueError: there is no comparison in the folder, or none of its trainings is finished.
    """
    stored = results.read(folder / "question.json")
    if not stored:
        raise ValueError(
            f"{folder} holds no comparison (no question.json in it); give the folder that cnx compare named"
        )
    result = results.collect(folder, asked(stored))
    write_json(folder / "results.json", result)
    page.write(result, folder, folder / "report.html")
    say("")
    say(results.text(result))
    say(f"report   {folder / 'report.html'}")
    say(f"numbers  {folder / 'results.json'}")
    return {**result, "folder": str(folder)}


__all__ = ["compare"]
