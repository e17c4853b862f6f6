"""Read a YOLO detection set and say what would hurt training, each finding with its file and line. Writes nothing.

Why: Ultralytics skips an image with a bad label and goes on, counts a box of no area as a cell to be found, and knows nothing of a val image
that was trained on. Errors are what makes a figure wrong or a training fail; warnings are what may be meant.
"""

import hashlib
import json
import os
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from PIL import Image

SPLITS = ("train", "val", "test")
SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
ROUNDING = 1e-3  # label files round to a few digits; a box may stick out by that much


class DataError(ValueError):
    """A data set that must not be trained on as it is."""


@dataclass(frozen=True)
class Problem:
    """One finding. severity: "error" or "warning"; line: 1 for the first line of a label file, None for a whole file."""

    severity: str
    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.file}{'' if self.line is None else f':{self.line}'}: {self.message}"


@dataclass
class AuditReport:
    """What `audit` found: images and boxes per split, and problems, errors first."""

    data: Path
    names: dict[int, str] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    boxes: dict[str, Counter] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        return [p for p in self.problems if p.severity == "error"]

    def raise_if_errors(self) -> None:
        """Raises DataError, naming the first five errors, if there is any."""
        if self.errors:
            lines = "\n  ".join(map(str, self.errors[:5]))
            more = (
                f"\n  ... and {len(self.errors) - 5} more: cnx data audit {self.data}" if len(self.errors) > 5 else ""
            )
            raise DataError(f"{self.data} has {len(self.errors)} errors; mend or remove these files:\n  {lines}{more}")

    def __str__(self) -> str:
        lines = [f"audit of {self.data}"]
        for split, count in self.images.items():
            kinds = ", ".join(f"{self.names.get(k, k)} {n}" for k, n in sorted(self.boxes[split].items()))
            lines.append(f"  {split}: {count} images, {sum(self.boxes[split].values())} boxes ({kinds or 'none'})")
        lines += [f"  {problem}" for problem in self.problems[:20]]
        lines += [f"  ... and {len(self.problems) - 20} more"] if len(self.problems) > 20 else []
        return "\n".join(lines + ["  nothing wrong found"] * (not self.problems))


def audit(data: str | Path) -> AuditReport:
    """Check a data YAML, every image and every label file that it leads to.

    Errors: a YAML without names, train or val; a folder that is not there; a label line that is not `class x y width height`; a class that has no
    name; a box outside the image or without area; an image that does not decode; the same picture in two splits (val would then measure memory).
    Warnings: an image without labels (it counts as background), the same picture twice in one split, the very same file in two splits (some YAMLs
    do that on purpose, to see whether a network can overfit), a folder that Ultralytics will download.
    """
    report = AuditReport(Path(data))
    splits = read_yaml(report)
    digests: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for split, files in splits.items():
        report.images[split], report.boxes[split] = len(files), Counter()
        with ThreadPoolExecutor() as pool:
            for image, (digest, wrong) in zip(files, pool.map(check_image, files), strict=True):
                digests[digest].append((split, image))
                report.problems += [Problem("error", image, None, wrong)] if wrong else []
                check_labels(report, split, image)
        if files and not report.boxes[split] and split != "test":
            message = f"{split} has no box at all; its labels were looked for as {label_file(files[0])}"
            report.problems.append(Problem("error", report.data, None, message))
    for copies in digests.values():
        for split, image in copies[1:]:
            first_split, first = copies[0]
            leak = split != first_split and image != first
            message = f"the same picture as {first.name} in {first_split}; {'remove one' if split == first_split else 'keep it in one split only'}"
            report.problems.append(Problem("error" if leak else "warning", image, None, message))
    report.problems.sort(key=lambda p: (p.severity, str(p.file), p.line or 0))
    return report


def read_yaml(report: AuditReport) -> dict[str, list[Path]]:
    """The image files of each split; faults of the YAML go into the report."""
    file = report.data

    def wrong(message: str) -> dict:
        report.problems.append(Problem("error", file, None, message))
        return {}

    if not file.is_file():
        return wrong(f"no such data YAML (looked for {file.absolute()}); give a file such as datasets/smears.yaml")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return wrong(f"is not YAML: {' '.join(str(error).split())}")
    named = (
        "nc" if isinstance(content, dict) and content.get("nc") else "names"
    )  # either tells how many classes there are
    if not isinstance(content, dict) or not all(content.get(key) for key in (named, "train", "val")):
        given = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        return wrong(f"a data YAML has the keys names, train and val; given: {given}")
    for key in ("path", *SPLITS):
        places = content[key] if isinstance(content.get(key), list) and key != "path" else [content.get(key) or ""]
        if not all(isinstance(place, str) for place in places):
            return wrong(f"{key} is a path{'' if key == 'path' else ' or a list of paths'}; given {content[key]!r}")
    nc, names = content.get("nc"), content.get("names")
    if names is None:
        names = [f"class_{k}" for k in range(nc)] if isinstance(nc, int) else None
    report.names = dict(enumerate(names)) if isinstance(names, list) else names
    if isinstance(names, dict) and all(str(k).isdecimal() for k in names):  # ids may be quoted
        report.names = {int(k): name for k, name in names.items()}
    if not isinstance(report.names, dict) or set(report.names) != set(range(len(report.names))):
        report.names = {}
        return wrong(f"names is a list, or numbers the classes 0, 1, 2, ... without a gap; given {names!r}")
    if nc is not None and nc != len(report.names):
        wrong(f"nc is {nc!r}, but there are {len(report.names)} names; leave nc out")
    root = root_of(file, content.get("path"))
    return {s: images_of(report, root, content[s], content.get("download")) for s in SPLITS if content.get(s)}


def root_of(file: Path, path: str | None) -> Path:
    """What train and val are relative to: `path`, else the YAML's folder. As in Ultralytics, a relative `path` counts from the current folder,
    then from the datasets_dir of its settings; the YAML's folder, which many expect, is tried last."""
    if not path:
        return file.parent
    candidates = [Path(path), datasets_dir() / path, file.parent / path]
    return next((folder for folder in candidates if folder.exists()), candidates[0])


def datasets_dir() -> Path:
    """datasets_dir of Ultralytics' settings file, read without importing Ultralytics; the current folder where there is none."""
    home = {"win32": Path.home() / "AppData/Roaming", "darwin": Path.home() / "Library/Application Support"}
    home = home.get(sys.platform) or Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    settings = Path(os.environ.get("YOLO_CONFIG_DIR") or home).expanduser() / "Ultralytics" / "settings.json"
    try:
        return Path(json.loads(settings.read_text(encoding="utf-8"))["datasets_dir"])
    except (OSError, ValueError, KeyError, TypeError):
        return Path()


def images_of(report: AuditReport, root: Path, places: str | list[str], download: object) -> list[Path]:
    """All images of a folder, a text file with one image a line, or a list of those."""
    files: list[Path] = []
    for place in [places] if isinstance(places, str) else places:
        path = root / place
        if path.is_dir():
            files += sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
        elif path.is_file():
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
            listed = [path.parent / line if line.startswith("./") else Path(line) for line in lines]
            files += [image for image in listed if image.suffix.lower() in SUFFIXES]
        elif download:
            message = f"{place!r} is not there yet ({path.absolute()}); Ultralytics will download it"
            report.problems.append(Problem("warning", report.data, None, message))
            continue
        else:
            message = f"{place!r} is not there: looked for {path.absolute()}; mend the path, or make the set (cnx data)"
            report.problems.append(Problem("error", report.data, None, message))
            continue
        if not files:
            report.problems.append(Problem("error", path, None, f"holds no image ({', '.join(sorted(SUFFIXES))})"))
    return files


def check_image(file: Path) -> tuple[str, str]:
    """A hash of the file, and why it does not decode (empty if it does)."""
    try:
        content = file.read_bytes()
        with Image.open(file) as image:
            image.load()
    except FileNotFoundError:
        return f"missing {file}", "is listed but not there; remove the line or restore the image"
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError and its own for damaged files
        return f"broken {file}", f"does not decode as an image ({error}); replace or remove it"
    return hashlib.sha256(content).hexdigest(), ""


def label_file(image: Path) -> Path:
    """Where Ultralytics looks for an image's labels: the last folder called images, replaced by labels."""
    parts = list(image.parts)
    for i in reversed(range(len(parts))):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def check_labels(report: AuditReport, split: str, image: Path) -> None:
    file = label_file(image)
    if not file.is_file():
        report.problems.append(
            Problem("warning", image, None, f"has no labels, so it counts as background (looked for {file})")
        )
        return
    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    if not any(map(str.strip, lines)):
        report.problems.append(Problem("warning", file, None, "is empty, so its image counts as background"))
    for number, line in enumerate(lines, 1):
        if line.strip():
            kind, wrong = check_line(line.split(), len(report.names))
            if wrong:
                report.problems.append(Problem("error", file, number, wrong))
            else:
                report.boxes[split][kind] += 1


def check_line(cells: list[str], classes: int) -> tuple[int, str]:
    """The class of one label line, and what is wrong with the line (empty if nothing)."""
    expected = "expected five numbers: class x y width height, the last four as parts of the image"
    try:
        kind, x, y, w, h = map(float, cells)
    except ValueError:
        return -1, f"given {' '.join(cells)!r}, {expected}"
    if not kind.is_integer() or not 0 <= kind < classes:
        return -1, f"class {cells[0]} has no name; expected a whole number from 0 to {classes - 1}"
    if not all(0 <= v <= 1 for v in (x, y, w, h)) and not w < 0 and not h < 0:
        return (
            -1,
            f"box {' '.join(cells[1:])} is not inside the image: each number lies between 0 and 1 (pixels? divide by the image's size)",
        )
    if w <= 0 or h <= 0:
        return -1, f"box {' '.join(cells[1:])} has no area; remove the line"
    if min(x - w / 2, y - h / 2) < -ROUNDING or max(x + w / 2, y + h / 2) > 1 + ROUNDING:
        return -1, f"box {' '.join(cells[1:])} sticks out of the image; cut it at the border"
    return int(kind), ""
