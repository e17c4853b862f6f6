"""Read a YOLO data set as Ultralytics does and say what would hurt training, each finding with its file and line. Writes nothing.

Why: Ultralytics leaves out an image with a bad label and goes on, counts a box without area as an object to detect, and does not notice a val image
that is also a train image. An error is something that spoils a training or its scores. A warning is something that Ultralytics handles; it says how.
"""

import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from cnx_tutorial.data.archive import is_archive, unpack
from cnx_tutorial.data.dataset_yaml import DataYaml, read_yaml
from cnx_tutorial.data.findings import AuditReport, DataError, Problem
from cnx_tutorial.data.images import look_at
from cnx_tutorial.data.labels import Labels, is_file, label_file, read_labels

__all__ = ["AuditReport", "DataError", "Problem", "audit"]
TASKS = ("detect", "segment", "pose", "obb")


def audit(
    data: str | Path,
    *,
    task: str = "detect",
    single_cls: bool = False,
    classes: list[int] | int | None = None,
    fraction: float | list = 1.0,
) -> AuditReport:
    """Check a data YAML, every image and every label file that it leads to.

    Errors: a YAML that Ultralytics refuses; a folder that is not there; a label line that it cannot read, so that it leaves the image out; a
    class without a name; a box outside the image or without area; an image that does not decode; a split in which no box is left; the same
    picture in two splits (val would then measure memory).
    Warnings: an image without labels (it counts as background), polygons (a detector learns the box around each), keypoints that are not read,
    lines that stand twice, a JPEG that will be repaired, the same picture twice in one split, the very same file in two splits (some YAMLs do that on
    purpose, to see whether a network can overfit), a test set that is not there, a folder that Ultralytics will download.

    Args:
        data: a data YAML, a folder with one, or a zip or tar archive with one.
        task, single_cls, classes, fraction: as in Ultralytics' arguments for the training; they change what its labels mean.
    """
    report = AuditReport(Path(str(data).strip()))
    if is_file(report.data) and report.data.suffix not in (".yaml", ".yml") and is_archive(report.data):
        return audit_archive(report, task=task, single_cls=single_cls, classes=classes, fraction=fraction)
    content = read_yaml(report, fraction)
    if content:
        examine(report, content, task, single_cls, classes)
    return report


def audit_archive(report: AuditReport, fraction: float | list, **how) -> AuditReport:
    """The same for an archive, unpacked into a temporary folder; findings name the files as archive/name."""
    archive = report.data
    with tempfile.TemporaryDirectory() as folder:
        try:
            root = unpack(archive, Path(folder))
        except ValueError as error:
            report.problems.append(Problem("error", archive, None, str(error).removeprefix(f"{archive} ")))
            return report
        report.data = root
        if content := read_yaml(report, fraction, unpacked_root(root)):
            examine(report, content, **how)
        real = Path(folder).resolve()

        def named(file: Path) -> Path:
            for base in (Path(folder), real):
                if file.is_relative_to(base):
                    return archive / file.relative_to(base)
            return file

        said = [(str(base) + "/", f"{archive}/") for base in (real, Path(folder))]
        report.problems = [
            Problem(p.severity, named(p.file), p.line, replaced(p.message, said)) for p in report.problems
        ]
        report.data = archive
    return report


def unpacked_root(folder: Path) -> Path:
    """The folder of the data YAML in an unpacked archive: Ultralytics reads the splits from there."""
    for pattern in ("*.yaml", "*.yml"):
        if found := list(folder.glob(pattern)) or list(folder.rglob(pattern)):
            return found[0].parent
    return folder


def replaced(text: str, pairs: list[tuple[str, str]]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def examine(report: AuditReport, data: DataYaml, task: str, single_cls: bool, classes: list[int] | int | None) -> None:
    """Images and labels of every split."""
    report.names = {0: "item"} if single_cls else data.names
    digests: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for split, files in data.files.items():
        report.labels[split], report.boxes[split] = [], Counter()
        found: Counter = Counter()
        with ThreadPoolExecutor() as pool:
            for image, look in zip(files, pool.map(lambda file: look_at(file, data.channels), files), strict=True):
                digests[look.digest].append((split, image))
                if look.fault:
                    found["faults"] += 1
                    report.problems.append(Problem("error", image, None, look.fault))
                if look.note:
                    report.problems.append(Problem("warning", image, None, look.note))
                labels = labels_of(report, image, data, task, single_cls, found)
                if not look.left_out and not labels.unread:
                    rows = labels.rows
                    if classes is not None:
                        rows = rows[np.isin(rows[:, 0], classes)]
                    if single_cls:
                        rows[:, 0] = 0
                    report.labels[split].append((image, rows))
                    report.boxes[split].update(int(kind) for kind in rows[:, 0])
                    found["read"] += len(labels.rows)
                    found["polygons"] += labels.polygons
        if files and split != "test":
            check_split(report, split, files, task, found, classes)
        report.images[split] = len(report.labels[split])
    say_copies(report, digests)
    report.problems.sort(key=lambda p: (p.severity, str(p.file), p.line or 0))


def labels_of(report: AuditReport, image: Path, data: DataYaml, task: str, single_cls: bool, found: Counter) -> Labels:
    """The labels of one image; what is wrong with them goes into the report."""
    file = label_file(image)
    if not is_file(file):
        message = f"has no labels, so it counts as background (looked for {str(file)[-300:]})"
        report.problems.append(Problem("warning", image, None, message))
        return Labels()
    try:
        labels = read_labels(file, len(data.names), task=task, kpt_shape=data.kpt_shape, single_cls=single_cls)
    except OSError as error:
        labels = Labels(faults=[(None, f"cannot be read ({error.strerror})")], unread=True)
    found["label files"] += 1
    found["cut"] += bool(labels.cut)
    found["faults"] += len(labels.faults)
    report.problems += [Problem("error", file, line, wrong) for line, wrong in labels.faults]
    if not labels.faults and not len(labels.rows):
        report.problems.append(Problem("warning", file, None, "is empty, so its image counts as background"))
    if labels.duplicates:
        message = f"{labels.duplicates} lines stand twice; Ultralytics reads one of each"
        report.problems.append(Problem("warning", file, None, message))
    return labels


def check_split(report: AuditReport, split: str, files: list[Path], task: str, found: Counter, classes: object) -> None:
    """What only the whole of a split shows."""

    def say(severity: str, message: str) -> None:
        report.problems.append(Problem(severity, report.data, None, f"{split} {message}"))

    if not report.boxes[split] and not found["faults"]:
        looked = f"its labels were looked for as {str(label_file(files[0]))[-300:]}"
        say("error", f"has no box at all{f' of classes={classes}' if found['read'] else ''}; {looked}")
    if task in ("segment", "obb") and found["polygons"] != found["read"]:
        boxes = found["read"] - found["polygons"]
        say(
            "error", f"has {boxes} objects without a polygon, and task={task} needs one for each: class x1 y1 x2 y2 ..."
        )
    elif task == "detect" and found["polygons"]:
        say("warning", f"has {found['polygons']} polygons; a detector learns the box around each")
    if found["cut"]:
        say("warning", f"has keypoints in {found['cut']} label files; task={task} reads only the boxes")


def say_copies(report: AuditReport, digests: dict[str, list[tuple[str, Path]]]) -> None:
    for copies in digests.values():
        for split, image in copies[1:]:
            first_split, first = copies[0]
            leak = split != first_split and image != first
            message = f"the same picture as {first.name} in {first_split}; {'remove one' if split == first_split else 'keep it in one split only'}"
            report.problems.append(Problem("error" if leak else "warning", image, None, message))
