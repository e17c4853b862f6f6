"""A labelled box: where its file is, how a line of it is written, and how Ultralytics reads it.

A label file has one line for each object: `class x y width height`, the last four as fractions of the image. Ultralytics also reads polygons
(`class x1 y1 x2 y2 ...`) and keypoints behind a box. It leaves an image out when it cannot read its labels.
Source: `verify_image_label` and `img2label_paths` in ultralytics/data/utils.py 8.4.190; tests/data/test_differential.py holds both equal.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

TOLERANCE = 0.01  # by so much may a coordinate lie outside 0 to 1, as in Ultralytics
LARGEST = 64 * 2**20  # bytes; a label file of a million boxes is half as large
EXPECTED = "expected five numbers: class x y width height, the last four as parts of the image"


@dataclass
class Labels:
    """What a label file says.

    rows: (n, 5), class x y width height, in the order in which Ultralytics trains on them; empty where it leaves the image out.
    faults: (line, sentence), line None for the whole file. unread: Ultralytics leaves the image out because of them.
    polygons: the boxes were computed from that many polygons. cut: lines whose keypoints are not read. duplicates: lines left out as copies.
    """

    rows: np.ndarray = field(default_factory=lambda: np.zeros((0, 5), np.float32))
    faults: list[tuple[int | None, str]] = field(default_factory=list)
    unread: bool = False
    polygons: int = 0
    cut: int = 0
    duplicates: int = 0


def label_file(image: Path | str) -> Path:
    """Where Ultralytics looks for an image's labels: the last folder called images is replaced by labels, the suffix by .txt."""
    folder, other = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"
    return Path(other.join(str(image).rsplit(folder, 1)).rsplit(".", 1)[0] + ".txt")


def is_file(path: Path) -> bool:
    """Whether a regular file is there; a name that no system takes is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def format_box(kind: int, x1: float, y1: float, x2: float, y2: float, width: float, height: float) -> str:
    """The line of a box with corners in pixels, for an image of width x height pixels.

    Raises:
        ValueError: a number is not finite, or the box has no area.
    """
    if not all(map(math.isfinite, (x1, y1, x2, y2, width, height))) or not (x1 < x2 and y1 < y2):
        raise ValueError(
            f"a box needs four finite corners, left before right and top before bottom; given {x1}, {y1}, {x2}, {y2}"
        )
    values = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height
    return " ".join([str(kind), *(f"{value:.6f}" for value in values)])


def read_labels(
    file: Path, classes: int, *, task: str = "detect", kpt_shape: Sequence[int] = (0, 0), single_cls: bool = False
) -> Labels:
    """Read a label file as Ultralytics does for a training.

    Args:
        file: a file that exists.
        classes: number of classes.
        task: "pose" reads the keypoints, all others leave them out.
        kpt_shape: (number of keypoints, 2 or 3), as the data YAML says it.
        single_cls: all classes count as one.
    """
    if (size := file.stat().st_size) > LARGEST:
        return Labels(faults=[(None, f"has {size / 2**20:.0f} MiB, so it is no label file; {EXPECTED}")], unread=True)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return Labels(faults=[(None, f"is not UTF-8 text (byte {error.start}); save it as UTF-8")], unread=True)
    numbered = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    points, axes = kpt_shape
    labels, wide = Labels(), 5 + points * axes
    if task != "pose":
        labels.cut = sum(len(cells) == wide for _, cells in numbered) if points else 0
        numbered = [(number, cells[:5] if points and len(cells) == wide else cells) for number, cells in numbered]
        points = 0
    try:
        rows, segments = numbers([cells for _, cells in numbered], points, axes, classes, single_cls)
    except ValueError as error:
        return Labels(faults=[blame(numbered, points * axes, classes, single_cls, str(error))], unread=True)
    for (number, cells), row in zip(numbered, rows, strict=True):
        if wrong := box_fault(cells, row):
            labels.faults.append((number, wrong))
    keep = unique(rows, segments)
    labels.rows, labels.polygons, labels.duplicates = rows[keep][:, :5], len(segments), len(rows) - len(keep)
    return labels


def numbers(
    lines: list[list[str]], points: int, axes: int, classes: int, single_cls: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """All lines as an array (n, 5 + points * axes), and the polygons that they were; ValueError where Ultralytics leaves the image out."""
    segments: list[np.ndarray] = []
    columns = 5 + points * axes
    if not points and any(len(cells) > 6 for cells in lines):
        if any(len(cells) == 5 for cells in lines):
            raise ValueError("boxes (5 numbers a line) and polygons (more numbers) in one file; write all of one kind")
        kinds = np.array([cells[0] for cells in lines], np.float32).reshape(-1, 1)
        segments = [np.array(cells[1:], np.float32).reshape(-1, 2) for cells in lines]
        corners = np.array([[*s.min(0), *s.max(0)] for s in segments], np.float32)
        rows = np.concatenate([kinds, (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1)
    else:
        rows = np.array(lines, np.float32)
    if not len(rows):
        return np.zeros((0, columns), np.float32), segments
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise ValueError(f"{len(lines[0])} numbers a line, expected {columns}")
    places = rows[:, 5:].reshape(-1, axes)[:, :2] if points else rows[:, 1:]
    if not places.max() <= 1 + TOLERANCE:
        raise ValueError("coordinates above 1; they are parts of the image")
    if not (rows.min() >= 0 or (rows.min() >= -TOLERANCE and rows[:, 3:5].min() >= 0)):
        raise ValueError("negative numbers")
    if (rows[:, 0] % 1 != 0).any():
        raise ValueError("classes that are not whole numbers")
    if not (single_cls or rows[:, 0].max() < classes):
        raise ValueError("classes without a name")
    return rows, segments


def unique(rows: np.ndarray, segments: list[np.ndarray]) -> np.ndarray:
    """Which rows Ultralytics keeps: one of each, sorted where there are copies. Two polygons may share a class and a box."""
    _, keep = np.unique(rows, axis=0, return_index=True) if len(rows) else (rows, np.arange(0))
    if len(keep) < len(rows) and segments:
        whole = np.array([kind.tobytes() + s.tobytes() for kind, s in zip(rows[:, 0], segments, strict=True)], object)
        _, keep = np.unique(whole, return_index=True)
    return keep if len(keep) < len(rows) else np.arange(len(rows))


def blame(
    numbered: list[tuple[int, list[str]]], more: int, classes: int, single_cls: bool, reason: str
) -> tuple[int | None, str]:
    """The line because of which Ultralytics leaves an image out, and what is wrong with it; else the reason for the whole file."""
    for number, cells in numbered:
        if wrong := line_fault(cells, more, classes, single_cls):
            return number, wrong
    return None, f"has {reason}"


def line_fault(cells: list[str], more: int, classes: int, single_cls: bool) -> str:
    """What is wrong with one line by itself; empty if nothing. more: numbers of keypoints behind the box."""
    given = shortened(" ".join(cells))
    try:
        kind, *values = np.array(cells, np.float32).tolist()
    except ValueError:
        return f"given {given!r}, {EXPECTED}"
    polygon = not more and len(values) >= 6 and len(values) % 2 == 0
    if len(values) != 4 + more and not polygon:
        return f"given {given!r}, {EXPECTED}" + (f", and {more} of keypoints behind them" if more else "")
    if not kind.is_integer() or not 0 <= kind or not (single_cls or kind < classes):
        return f"class {cells[0]} has no name; expected a whole number from 0 to {classes - 1}"
    if not polygon and min(values[2:4]) < 0:
        return f"box {given.partition(' ')[2]} has no area; remove the line"
    if not all(-TOLERANCE <= value <= 1 + TOLERANCE for value in (values[4:] if more else values)):
        return f"box {given.partition(' ')[2]} is not inside the image: each number lies between 0 and 1 (pixels? divide by the image's size)"
    return ""


def box_fault(cells: list[str], row: np.ndarray) -> str:
    """What would spoil a training that Ultralytics accepts: a box that no detector can find."""
    x, y, w, h = (float(value) for value in row[1:5])
    if w <= 0 or h <= 0:
        return f"box {shortened(' '.join(cells[1:]))} has no area; remove the line"
    if min(x - w / 2, y - h / 2) < -TOLERANCE or max(x + w / 2, y + h / 2) > 1 + TOLERANCE:
        return f"box {shortened(' '.join(cells[1:]))} sticks out of the image; cut it at the border"
    return ""


def shortened(text: str, most: int = 120) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."
