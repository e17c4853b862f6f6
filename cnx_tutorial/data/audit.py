"""Read a YOLO detection set and say what would hurt training, each finding with its file and line. Writes nothing.

Why: Ultralytics skips an image with a bad label and goes on, counts a box of no area as a cell to be found, and knows nothing of a val image
that was trained on. Errors are what makes a figure wrong or a training fail; warnings are what may be meant.
"""

import hashlib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from cnx_tutorial.data.dataset_yaml import read_yaml
from cnx_tutorial.data.findings import AuditReport, DataError, Problem

__all__ = ["AuditReport", "DataError", "Problem", "audit"]
ROUNDING = 1e-3  # label files round to a few digits; a box may stick out by that much


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


def check_image(file: Path) -> tuple[str, str]:
    """A hash of the file, and why it does not decode (empty if it does)."""
    try:
        content = file.read_bytes()
        with Image.open(file) as image:
            image.load()
    except FileNotFoundError:
        return f"missing {file}", "is listed but not there; remove the line or restore the image"
    except ModuleNotFoundError:  # Ultralytics makes Pillow look for a plugin when it does not know the format
        return f"broken {file}", "does not decode as an image (its format is not known); replace or remove it"
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
