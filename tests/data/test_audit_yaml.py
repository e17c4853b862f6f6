"""The audit reads a data YAML as Ultralytics does: what trains there is not refused here, and nothing in it makes the audit itself fail."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from cnx_tutorial.data.audit import audit


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The set is in set/, its YAML in yamls/, and tmp_path is the current folder."""
    for seed, split in enumerate(("train", "val")):
        for kind in ("images", "labels"):
            (tmp_path / "set" / kind / split).mkdir(parents=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / "images" / split / "0.jpg")
        (tmp_path / "set" / "labels" / split / "0.txt").write_text("0 .5 .5 .2 .2\n", encoding="utf-8")
    (tmp_path / "yamls").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def examined(place: Path, leave_out: str = "", **changes):
    content = {"path": str(place / "set"), "train": "images/train", "val": "images/val", "names": ["cell"]} | changes
    content.pop(leave_out, None)
    (place / "yamls" / "data.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return audit(place / "yamls" / "data.yaml")


ACCEPTED = {
    "path from the current folder": {"path": "set"},
    "quoted ids": {"names": {"0": "cell"}},
    "nc and no names": {"nc": 1, "leave_out": "names"},
    "nc as text": {"nc": "1"},
    "nc as a float": {"nc": 1.0},
    "a byte-order mark before the labels": {},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_ultralytics_trains_on_is_accepted(name, place):
    if "byte-order" in name:
        (place / "set/labels/train/0.txt").write_text("0 .5 .5 .2 .2\n", encoding="utf-8-sig")
    report = examined(place, **ACCEPTED[name])
    assert not report.problems, report
    assert report.boxes["train"] == {0: 1}


@pytest.mark.parametrize("entry", ["{}/images/train/0.jpg", "./images/train/0.jpg", "set/images/train/0.jpg"])
def test_lists_name_images_from_the_root_the_list_or_the_current_folder(entry, place):
    text = entry.format(place / "set") + "\nnotes.md\n"
    (place / "set" / "train.txt").write_text(text, encoding="utf-8-sig")
    report = examined(place, train="train.txt")
    assert not report.problems and report.images["train"] == 1, report


def test_a_relative_path_is_found_in_ultralytics_datasets_folder(place, tmp_path, monkeypatch):
    shutil.move(place / "set", place / "many" / "set")
    (tmp_path / "config" / "Ultralytics").mkdir(parents=True)
    settings = yaml.safe_dump({"datasets_dir": str(place / "many")}, default_flow_style=True, default_style='"')
    (tmp_path / "config" / "Ultralytics" / "settings.json").write_text(settings, encoding="utf-8")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))
    report = examined(place, path="set")
    assert not report.problems, report


def test_one_folder_as_train_and_val_is_a_warning_a_copy_is_an_error(place):
    report = examined(place, val="images/train")
    assert [p.severity for p in report.problems] == ["warning"] and "keep it in one split only" in str(report)
    shutil.copy(place / "set/images/train/0.jpg", place / "set/images/val/0.jpg")
    assert [p.severity for p in examined(place).problems] == ["error"]


def test_what_ultralytics_will_download_is_a_warning(place):
    report = examined(place, path=str(place / "later"), download="https://example.org/later.zip")
    assert report.problems and not report.errors and "will download it" in str(report)


def test_labels_in_the_wrong_place_are_an_error_and_the_right_place_is_named(place):
    shutil.move(place / "set" / "labels", place / "set" / "annotations")
    report = examined(place)
    assert len(report.errors) == 2 and str(Path("labels", "train", "0.txt")) in report.errors[0].message


BROKEN = {
    "names: null": {"names": None},
    "ids of two kinds": {"names": {0: "cell", "x": "dust"}},
    "names as text": {"names": "cell"},
    "train: null": {"train": None},
    "train as a number": {"train": 3},
    "train as numbers": {"train": [3]},
    "path as a number": {"path": 3},
    "nc as a word": {"nc": "one"},
    "nothing after nc": {"nc": None},
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_key_is_an_error_in_the_report_not_an_exception(name, place):
    report = examined(place, **BROKEN[name])
    assert len(report.errors) == 1 and report.errors[0].file == place / "yamls" / "data.yaml", report
