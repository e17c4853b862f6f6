"""What is compared with what: read from `key=value` words, checked before anything is trained, and remembered in the comparison's folder."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cnx_tutorial.paths import find_data
from cnx_tutorial.recipe import DATA, MODEL, recipe

CHOOSING = 1000  # the seed with which learning rates are chosen; it is not counted afterwards
GRID, SEEDS = (0.01, 0.02, 0.04), (0, 1, 2)
OWN = ("model", "against", "data", "seeds", "lr0", "interval", "engine", "address", "jobs", "device", "project", "name")
# Defaults: all models train all epochs and are measured afterwards, so that the work is the same; the user's words replace them.
ALIKE = {"patience": 0, "plots": False, "verbose": False}
NOT_HERE = {
    "seed": "say seeds=0,1,2",
    "resume": "started again with the same words, a comparison goes on where it was",
    "mode": "a comparison trains and evaluates",
    "task": "the models' YAMLs say it",
    "cfg": "say each argument",
    "exist_ok": "a comparison's folder is gone on with",
    "save_dir": "say project= and name=",
    "out": "say project= and name=",
    "time": "models of different speed would not do the same work: give epochs=",
    "save": "weights are kept",
    "pretrained": "give a .pt file as a model, model=weights.pt",
    "weights": "it would be right for one of the models only; put the weights into a .pt file and give that as a model",
    "freeze_backbone": "it would be right for one of the models only",
    "backbone_lr": "it would be right for one of the models only",
}


@dataclass(frozen=True)
class Question:
    """A comparison, all its words understood.

    Args:
        models: for each name in the report what `YOLO(...)` takes; the first is asked about, the others are what it is held against.
        data: data YAML (of a classifier: folder).
        seeds: one training each, for each model.
        grid: learning rates among which each model's own is chosen; (None,): Ultralytics chooses (optimizer=auto).
        settings: Ultralytics' arguments, alike for all.
        interval: per cent of the confidence intervals.
        device: "cpu", or numbers of GPUs, "0,1".
        marks: hashes of the files that the models and the data are, to notice a change.
    """

    models: dict[str, str]
    data: str
    seeds: tuple[int, ...]
    grid: tuple[float | None, ...]
    settings: dict[str, object]
    interval: float
    device: str
    marks: dict[str, str] = field(default_factory=dict)


def read_words(words: list[str]) -> dict[str, object]:
    """key=value words as arguments of `compare`: our own as they stand, Ultralytics' with the values that `yolo` reads.

    Raises:
        ValueError: a word has no =.
    """
    from cnx_tutorial.yolo.model import read_value

    if odd := [word for word in words if "=" not in word]:
        raise ValueError(f"cnx compare takes key=value words, such as data=bccd.yaml; given {odd[0][:80]!r}")
    given = dict(word.split("=", 1) for word in words)
    return {key: value if key in (*OWN, "report") else read_value(value) for key, value in given.items()}


def understand(words: dict[str, object]) -> tuple[Question, dict[str, object]]:
    """The question that some words ask, and the words that say only where and how it is answered (engine, address, jobs, project, name).

    Raises:
        ValueError: a word means nothing; says what was given and what was expected.
    """
    words = dict(words)
    for key, instead in NOT_HERE.items():
        if key in words:
            raise ValueError(f"cnx compare takes no {key}=: {instead}")
    model = str(words.pop("model", MODEL))
    against = listed(words.pop("against", None))
    models = named([model, *(against or [stock_of(model)])])
    data = str(find_data(str(words.pop("data", DATA))))
    data = str(Path(data).resolve()) if Path(data).exists() else data
    seeds = numbers("seeds", words.pop("seeds", SEEDS), int, "whole numbers such as 0,1,2")
    if CHOOSING in seeds:
        raise ValueError(f"seeds={CHOOSING} is the seed with which learning rates are chosen; take another")
    grid = words.pop("lr0", None)
    if str(words.get("optimizer", "")).lower() == "auto":
        if grid is not None:
            raise ValueError(f"optimizer=auto chooses the learning rate itself, so lr0={grid} would mean nothing")
        rates: tuple[float | None, ...] = (None,)
    else:
        rates = tuple(sorted(numbers("lr0", GRID if grid is None else grid, float, "learning rates such as 0.01,0.02")))
        if odd := [rate for rate in rates if not 0 < rate < 10]:
            raise ValueError(f"lr0={odd[0]:g} is no learning rate; expected numbers above 0, such as 0.01,0.02,0.04")
    if "interval" in words and len(seeds) == 1:
        raise ValueError(
            f"interval={words['interval']} was asked for, and one seed has no spread: give at least two, such as seeds=0,1,2"
        )
    (interval,) = numbers("interval", words.pop("interval", 95), float, "a per cent such as 95")
    if not 50 <= interval < 100:
        raise ValueError(f"interval={interval:g} is a per cent, from 50 to below 100")
    device = str(words.pop("device", "") or "").strip("[]() ").replace(" ", "")
    where = {key: words.pop(key) for key in ("engine", "address", "jobs", "project", "name") if key in words}
    given = {**recipe(set(words)), **ALIKE, **words}
    given.pop("lr0", None)
    return Question(models, data, seeds, rates, given, interval, device), where


def listed(value: object) -> list[str]:
    """ "a,b" or a list as a list of texts."""
    if value is None:
        return []
    parts = value if isinstance(value, list | tuple) else str(value).strip("[]()").split(",")
    return [str(part).strip().strip("'\"") for part in parts if str(part).strip()]


def numbers(key: str, value: object, kind: type, expected: str) -> tuple:
    """A number or a list of them; each once."""
    found = []
    for part in listed(value):
        try:
            number = kind(part)
        except ValueError:
            raise ValueError(f"{key}={part[:80]}: expected {expected}") from None
        if not math.isfinite(number) or (kind is int and not 0 <= number < 2**31):
            raise ValueError(f"{key}={part[:80]}: expected {expected}")
        if number in found:
            raise ValueError(f"{key} says {part[:80]} twice: each counts once, so leave one out")
        found.append(number)
    if not found:
        raise ValueError(f"{key}= has no value; expected {expected}")
    return tuple(found)


def stock_of(model: str) -> str:
    """YOLOv8 of the same scale."""
    from cnx_tutorial.yolo.model import YOLO

    try:
        return f"yolov8{YOLO(model).model.yaml.get('scale') or 'n'}.yaml"
    except Exception as error:
        raise ValueError(f"model {model} cannot be built: {error}") from error


def named(models: list[str]) -> dict[str, str]:
    """Each model under its file's name; where two files have one name, with their folders."""
    # A name alone may be one of ours or Ultralytics'; a path starts in this folder, even if its scale letter (n, s, m) is not in the file's name.
    places = [
        Path(model).expanduser().resolve() if Path(model).exists() or "/" in model else Path(model) for model in models
    ]
    for i, place in enumerate(places):
        if place in places[:i]:
            raise ValueError(
                f"{models[i]} was given twice: a model is compared with another, such as against=yolov8n.yaml. "
                "To see how far two runs of one model differ, give a copy of its YAML under another name"
            )
    names = [place.name for place in places]
    twice = {name for name in names if names.count(name) > 1}
    labels = [str(place) if place.name in twice else place.name for place in places]
    return {label: str(place) for label, place in zip(labels, places, strict=True)}


def marks(
    networks: dict[str, dict], models: dict[str, str], images: list[tuple[str, int]], labels: list[bytes]
) -> dict[str, str]:
    """A short hash of each model, and of the data: names and sizes of its images, wherever they are, and all labels.

    Args:
        networks: for each model the YAML that it was built from.
        models: for each model what `YOLO(...)` takes; of a checkpoint the whole file counts.
    """
    found = {}
    for label, network in networks.items():
        content = json.dumps(
            {k: v for k, v in network.items() if k != "yaml_file"}, sort_keys=True, default=str
        ).encode()
        file = Path(models[label])
        layers = file.parent / str(network.get("layers"))
        parts = [content] + [
            one.read_bytes() for one in (file, layers) if one.is_file() and one.suffix in (".pt", ".py")
        ]
        found[label] = short(b"".join(parts))
    return {**found, "data": short(json.dumps(sorted(images)).encode() + b"".join(labels))}


def short(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def differences(stored: dict, question: Question) -> list[str]:
    """What of a stored question is another one.

    With more or fewer models, seeds and learning rates it is still the same question; also if models and images have moved to another folder.
    """
    now = json.loads(json.dumps(asdict(question)))
    found = []
    for label, new in now["models"].items():
        old = stored["models"].get(label, new)
        if stored["marks"].get(label, now["marks"][label]) != now["marks"][label]:
            found.append(f"{label} was {old}, {'and has changed since' if old == new else f'now {new}'}")
    if stored["marks"].get("data") != now["marks"].get("data"):
        said = "the images or labels of the data have changed since"
        found.append(said if stored["data"] == now["data"] else f"data={stored['data']}, now {now['data']}")
    if (stored["device"] == "cpu") != (now["device"] == "cpu"):
        found.append(f"device={stored['device']}, now {now['device']}")
    for key in sorted({*stored["settings"], *now["settings"]}):
        old, new = stored["settings"].get(key), now["settings"].get(key)
        if old != new:
            found.append(f"{key}={old}, now {new}")
    return found


def asked(stored: dict) -> Question:
    """The question that a folder remembers."""
    return Question(**{**stored, "seeds": tuple(stored["seeds"]), "grid": tuple(stored["grid"])})
