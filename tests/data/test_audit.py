"""A sound set with one planted fault at a time: each is found, with file and line, and nothing is written."""

import numpy as np
import pytest
import yaml
from PIL import Image

from cnx_tutorial.data.audit import DataError, audit


@pytest.fixture
def sound(tmp_path):
    """Three train and two val images with two boxes each."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 2)):
        for kind in ("images", "labels"):
            (tmp_path / kind / split).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / split / f"{i}.jpg")
            write(tmp_path / "labels" / split / f"{i}.txt", "0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.2 0.2\n")
    write(
        tmp_path / "data.yaml",
        yaml.safe_dump({"train": "images/train", "val": "images/val", "names": ["red", "white"]}),
    )
    return tmp_path


def write(file, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def change_yaml(folder, **changes) -> None:
    content = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    content = {k: v for k, v in (content | changes).items() if v is not None}
    write(folder / "data.yaml", yaml.safe_dump(content))


def label(line: str):
    return lambda folder: write(folder / "labels" / "train" / "1.txt", f"0 0.5 0.5 0.2 0.2\n{line}\n")


def truncate(folder) -> None:
    file = folder / "images" / "train" / "1.jpg"
    file.write_bytes(file.read_bytes()[:300])


def copy_image(source: str, target: str):
    return lambda folder: (folder / "images" / target).write_bytes((folder / "images" / source).read_bytes())


LABEL = "labels/train/1.txt"
FAULTS = {  # name: plant it, severity, file, line, what is said
    "class out of range": (label("2 0.5 0.5 0.2 0.2"), "error", LABEL, 2, "class 2 has no name; expected a whole number from 0 to 1"),
    "negative class": (label("-1 0.5 0.5 0.2 0.2"), "error", LABEL, 2, "class -1"),
    "half a class": (label("0.5 0.5 0.5 0.2 0.2"), "error", LABEL, 2, "class 0.5"),
    "box outside": (label("0 0.95 0.5 0.2 0.2"), "error", LABEL, 2, "sticks out of the image"),
    "box in pixels": (label("0 100 50 20 20"), "error", LABEL, 2, "divide by the image's size"),
    "box without area": (label("0 0.5 0.5 0 0.2"), "error", LABEL, 2, "has no area"),
    "negative width": (label("0 0.5 0.5 -0.2 0.2"), "error", LABEL, 2, "has no area"),
    "not a number": (label("0 nan 0.5 0.2 0.2"), "error", LABEL, 2, "not inside"),
    "text": (label("red 0.5 0.5 0.2 0.2"), "error", LABEL, 2, "given 'red 0.5 0.5 0.2 0.2', expected five numbers"),
    "four columns": (label("0 0.5 0.5 0.2"), "error", LABEL, 2, "expected five numbers"),
    "six columns": (label("0 0.5 0.5 0.2 0.2 0.9"), "error", LABEL, 2, "expected five numbers"),
    "truncated JPEG": (truncate, "error", "images/train/1.jpg", None, "does not decode"),
    "text as image": (lambda f: write(f / "images/val/0.jpg", "hello"), "error", "images/val/0.jpg", None, "does not decode"),
    "missing labels": (lambda f: (f / LABEL).unlink(), "warning", "images/train/1.jpg", None, "has no labels"),
    "empty labels": (lambda f: write(f / LABEL, "\n"), "warning", LABEL, None, "is empty"),
    "leak": (copy_image("train/0.jpg", "val/1.jpg"), "error", "images/val/1.jpg", None, "same picture as 0.jpg in train"),
    "duplicate": (copy_image("train/0.jpg", "train/2.jpg"), "warning", "images/train/2.jpg", None, "same picture as 0.jpg"),
    "missing folder": (lambda f: change_yaml(f, val="images/nowhere"), "error", "data.yaml", None, "looked for"),
    "missing root": (lambda f: change_yaml(f, path="gone"), "error", "data.yaml", None, "is not there"),
    "no val": (lambda f: change_yaml(f, val=None), "error", "data.yaml", None, "keys names, train and val; given: names, train"),
    "wrong nc": (lambda f: change_yaml(f, nc=3), "error", "data.yaml", None, "nc is 3, but there are 2 names"),
    "gap in names": (lambda f: change_yaml(f, names={0: "red", 2: "white"}), "error", "data.yaml", None, "without a gap"),
    "no YAML": (lambda f: write(f / "data.yaml", "names: [red"), "error", "data.yaml", None, "is not YAML"),
    "a list": (lambda f: write(f / "data.yaml", "- a\n"), "error", "data.yaml", None, "given: list"),
    "empty folder": (lambda f: (change_yaml(f, val="images/none"), (f / "images/none").mkdir()), "error", "images/none", None, "no image"),
}  # fmt: skip


def listing(folder) -> dict:
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_found_with_file_and_line(name, sound):
    plant, severity, file, line, said = FAULTS[name]
    plant(sound)
    before = listing(sound)
    report = audit(sound / "data.yaml")
    assert [(p.severity, p.file, p.line) for p in report.problems][:1] == [(severity, sound / file, line)], report
    assert len(report.problems) == (2 if name == "missing root" else 1)  # train and val lie under the root
    assert said in report.problems[0].message
    assert listing(sound) == before
    if severity == "error":
        with pytest.raises(DataError, match="fix or remove"):
            report.raise_if_errors()
    else:
        report.raise_if_errors()


@pytest.mark.parametrize("place", ["folder", "list", "text file", "absolute path"])
def test_a_sound_set_has_no_problem_however_it_is_named(place, sound):
    if place == "list":
        change_yaml(sound, train=["images/train"])
    elif place == "text file":
        write(sound / "train.txt", "".join(f"./images/train/{i}.jpg\n" for i in range(3)))
        change_yaml(sound, train="train.txt")
    elif place == "absolute path":
        change_yaml(sound, path=str(sound))
    report = audit(sound / "data.yaml")
    assert not report.problems, report
    assert report.images == {"train": 3, "val": 2} and report.boxes["train"] == {0: 3, 1: 3}
    assert "train: 3 images, 6 boxes (red 3, white 3)" in str(report)


def test_a_missing_yaml_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=rf"no such data YAML \(looked for .*{tmp_path.name}.*gone\.yaml"):
        audit(tmp_path / "gone.yaml").raise_if_errors()
