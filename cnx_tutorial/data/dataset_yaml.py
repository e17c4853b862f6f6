"""From what was given as `data=` to the image files of its splits, by Ultralytics' rules. Looks, and changes nothing.

Source: `check_det_dataset`, `find_dataset_yaml` and `BaseDataset.get_img_files` in ultralytics 8.4.190; tests/data/test_differential.py holds
both equal.
"""

import glob
import json
import os
import re
import reprlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from cnx_tutorial.data.findings import AuditReport, Problem
from cnx_tutorial.data.images import SUFFIXES

SPLITS = ("train", "val", "test")
TYPES = {
    "path": str,
    "train": (str, list),
    "val": (str, list),
    "test": (str, list),
    "names": (list, dict),
    "kpt_shape": list,
    "flip_idx": list,
}
LARGEST = 64 * 2**20  # bytes of a YAML or of a list of images
UNPRINTABLE = re.compile(r"[^\x09\x0A\x0D\x20-\x7E\x85\xA0-\uD7FF\uE000-\uFFFD\U00010000-\U0010ffff]+")


class Wrong(Exception):
    """A fault of the data YAML; its text is the finding."""


@dataclass
class DataYaml:
    """What a data YAML means. files: the image files of each split, sorted, as Ultralytics lists them."""

    names: dict[int, str]
    channels: int = 3
    kpt_shape: tuple[int, int] = (0, 0)
    files: dict[str, list[Path]] = field(default_factory=dict)


def read_yaml(report: AuditReport, fraction: float | list = 1.0, root: Path | None = None) -> DataYaml | None:
    """Read the data YAML that `report` is about; its faults go into the report, and with an error in the YAML itself the answer is None.

    Args:
        fraction: as Ultralytics' argument: the part (or number) of the train images that is used.
        root: the folder of an unpacked archive, which counts instead of the YAML's `path`.
    """
    try:
        file = report.data = find_yaml(report.data)
        content = load(file)
        data = checked(content)
        places = places_of(file, content, root)
    except Wrong as wrong:
        report.problems.append(Problem("error", report.data, None, str(wrong)))
        return None
    except (OSError, ValueError, RuntimeError) as error:  # a name of 5,000 characters, a zero byte, links in a circle
        reason = getattr(error, "strerror", None) or str(error)[:300]
        report.problems.append(Problem("error", report.data, None, f"cannot be read ({reason})"))
        return None
    for split, listed in places.items():
        data.files[split] = images_of(report, split, listed, content.get("download"))
    for number, split in enumerate(SPLITS):
        share = fraction if split == "train" else 1.0  # one number is for train alone, a list for all splits
        if isinstance(fraction, list):
            share = fraction[number] if number < len(fraction) else 1.0
        if isinstance(share, int | float) and share not in (0, 1) and data.files.get(split):
            files = data.files[split]
            data.files[split] = files[: share if isinstance(share, int) else max(1, round(len(files) * share))]
    return data


def find_yaml(given: Path) -> Path:
    """The YAML itself: of a name without suffix, and of a folder, as Ultralytics finds it."""
    if not given.exists() and given.suffix not in (".yaml", ".yml"):
        given = next((named for suffix in (".yaml", ".yml") if (named := Path(f"{given}{suffix}")).exists()), given)
    if not given.exists():
        raise Wrong(
            f"no such data YAML (looked for {given.absolute()}); give a file such as datasets/smears.yaml, or make one: cnx data smears"
        )
    if given.is_dir():
        found = next((f for e in ("*.yaml", "*.yml") if (f := list(given.glob(e)) or list(given.rglob(e)))), [])
        if len(found) > 1:
            found = [file for file in found if file.stem == given.stem]
        if len(found) != 1:
            raise Wrong("is a folder in which there is not one data YAML, or one of the folder's name; give the file")
        given = found[0]
    if not given.is_file():
        raise Wrong("is not a regular file; give a data YAML")
    return given


def load(file: Path) -> dict:
    if file.suffix.lower() not in (".yaml", ".yml"):
        raise Wrong("a data YAML ends in .yaml or .yml; rename it, or give another file")
    text = file_text(file, errors="ignore")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(text, Loader=loader)
    except (
        Exception
    ):  # a YAMLError, or a ValueError for a date that does not exist; without odd characters it may be right
        try:
            content = yaml.load(UNPRINTABLE.sub("", text), Loader=loader)
        except Exception as error:
            raise Wrong(f"is not YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(content, dict):
        raise Wrong(f"a data YAML has the keys names, train and val; given: {type(content).__name__}")
    return {key: None if isinstance(value, str) and value == "None" else value for key, value in content.items()}


def file_text(file: Path, errors: str = "strict") -> str:
    if (size := file.stat().st_size) > LARGEST:
        raise Wrong(f"{file} has {size / 2**20:.0f} MiB, which is no list of names; give another file")
    return file.read_text(encoding="utf-8-sig", errors=errors)


def checked(content: dict) -> DataYaml:
    """Names, channels and keypoints; Wrong where Ultralytics refuses them. `validation` becomes `val` in `content`."""
    if "val" not in content and "validation" in content:
        content["val"] = content.pop("validation")
    nc, names = content.get("nc"), content.get("names")
    if not all(content.get(key) for key in ("train", "val")) or (names is None and "nc" not in content):
        raise Wrong(f"a data YAML has the keys names, train and val; given: {', '.join(map(str, content))[:300]}")
    for key, kinds in TYPES.items():
        if content.get(key) is not None and not isinstance(content[key], kinds):
            kinds = kinds if isinstance(kinds, tuple) else (kinds,)
            words = {str: "text", list: "a list", dict: "numbered lines"}
            raise Wrong(f"{key} is {' or '.join(words[kind] for kind in kinds)}; given {reprlib.repr(content[key])}")
    for key in SPLITS:
        if isinstance(content.get(key), list) and not all(isinstance(place, str) for place in content[key]):
            raise Wrong(f"{key} is a path or a list of paths; given {reprlib.repr(content[key])}")
    if "nc" in content and not isinstance(nc, int):
        try:
            number = float(nc)
        except (TypeError, ValueError):
            number = 0.5
        if number != number or number in (float("inf"), -float("inf")) or number != int(number):
            raise Wrong(f"nc is a whole number; given {reprlib.repr(nc)}")
        nc = int(number)
    if nc is not None and nc > 10**6:
        raise Wrong(f"nc is {nc}: no detector has so many classes")
    if names is None:
        names = [f"class_{k}" for k in range(nc)]
    elif nc is not None and nc != len(names):
        raise Wrong(f"nc is {nc!r}, but there are {len(names)} names; leave nc out")
    listed = names if isinstance(names, list) else list(names.values())
    if nested := next((name for name in listed if isinstance(name, list | dict)), None):
        raise Wrong(f"each of the names is one text; one of those given is a {type(nested).__name__}")
    try:
        named = {int(k): str(name) for k, name in (enumerate(names) if isinstance(names, list) else names.items())}
    except (TypeError, ValueError, OverflowError):
        named = {}
    if not named or max(named) >= len(named) or 0 not in named:
        raise Wrong(f"names is a list, or numbers the classes 0, 1, 2, ... without a gap; given {reprlib.repr(names)}")
    channels, shape = content.get("channels", 3), content.get("kpt_shape", (0, 0))
    if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
        raise Wrong(f"channels is a whole number from 1 up; given {reprlib.repr(channels)}")
    if not isinstance(shape, Sequence) or len(shape) != 2 or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise Wrong(f"kpt_shape is [number of keypoints, 2 or 3]; given {reprlib.repr(shape)}")
    return DataYaml(named, channels, (shape[0], shape[1]))


def places_of(file: Path, content: dict, unpacked: Path | None) -> dict[str, list[Path]]:
    """Where the images of each split are: `path`, else the YAML's folder, and below it what the split says.

    As in Ultralytics a relative `path` counts from the current folder, then from the datasets_dir of its settings; `../` at the beginning of a
    split is left off where nothing is there (Roboflow writes it so); links are followed to where they lead, which decides where labels are.
    """
    root = Path(unpacked or content.get("path") or file.parent)
    if not root.exists() and not root.is_absolute():
        root = (datasets_dir() / root).resolve()
    places = {}
    for split in SPLITS:
        given = content.get(split)
        if isinstance(given, str) and given:
            place = (root / given).resolve()
            if not place.exists() and given.startswith("../"):
                place = (root / given[3:]).resolve()
            places[split] = [place]
        elif given:
            places[split] = [(root / one).resolve() for one in given]
    return places


def datasets_dir() -> Path:
    """datasets_dir of Ultralytics' settings file, read without importing Ultralytics; ./datasets where there is none yet."""
    home = {"win32": Path.home() / "AppData/Roaming", "darwin": Path.home() / "Library/Application Support"}
    home = home.get(sys.platform) or Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    settings = Path(os.environ.get("YOLO_CONFIG_DIR") or home).expanduser() / "Ultralytics" / "settings.json"
    try:
        return Path(json.loads(settings.read_text(encoding="utf-8"))["datasets_dir"])
    except (OSError, ValueError, KeyError, TypeError):
        return Path("datasets")


def images_of(report: AuditReport, split: str, places: list[Path], download: object) -> list[Path]:
    """All images of a folder, a text file with one image a line, or a list of those, sorted."""
    found: list[str] = []
    for place in places:
        if place.is_dir():
            # glob.glob follows linked folders and passes over hidden ones, as Ultralytics does with it.
            found += glob.glob(str(Path(glob.escape(str(place))) / "**" / "*.*"), recursive=True)  # noqa: PTH207
        elif place.is_file():
            try:
                lines = file_text(place).strip().splitlines()
            except (Wrong, UnicodeDecodeError) as error:
                message = f"{split}: is neither a folder nor a list of images in UTF-8, one a line ({error})"
                report.problems.append(Problem("error", place, None, message))
                continue
            folder = str(place.parent) + os.sep
            found += [line.replace("./", folder, 1) if line.startswith("./") else line for line in lines]
        elif download:
            message = f"{split}: {place} is not there yet; Ultralytics will download it"
            report.problems.append(Problem("warning", report.data, None, message))
            return []
        else:
            # A test set is only read by who asks for it: many data YAMLs name one that was never given out.
            message = f"{split}: {str(place)[:300]!r} is not there: looked for {str(place)[:300]}; correct the path, or make the set (cnx data)"
            report.problems.append(Problem("warning" if split == "test" else "error", report.data, None, message))
            return []
    files = sorted(name.replace("/", os.sep) for name in found if name.rpartition(".")[-1].lower() in SUFFIXES)
    if not files and not any(problem.file in places for problem in report.problems):
        severity = "warning" if split == "test" else "error"
        report.problems.append(Problem(severity, places[0], None, f"{split}: holds no image ({', '.join(SUFFIXES)})"))
    return [Path(name) for name in files]
