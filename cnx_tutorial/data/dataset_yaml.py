"""From a data YAML to the image files of its splits, by Ultralytics' rules.

Source: `check_det_dataset` and `BaseDataset.get_img_files` in ultralytics 8.4.190.
"""

import json
import os
import sys
from pathlib import Path

import yaml

from cnx_tutorial.data.findings import AuditReport, Problem

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
SPLITS = ("train", "val", "test")


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
