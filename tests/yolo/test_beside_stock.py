"""What stock Ultralytics does in a process that has imported us, and what Ultralytics' own extra processes know of us."""

import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import ultralytics
import ultralytics.nn
from ultralytics.nn import tasks

from cnx_tutorial import YOLO
from cnx_tutorial.yolo.parser import yaml_model_load

SIZE = {"imgsz": 64, "epochs": 1, "batch": 4, "workers": 0, "plots": False, "device": "cpu"}


def run(code: str, folder: Path, **environment: str) -> str:
    import os

    known = {key: value for key, value in os.environ.items() if key not in ("YOLO_OFFLINE", "YOLO_AUTOINSTALL")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=known | environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def test_stock_calls_may_install_and_go_online_and_ours_do_not(tmp_path):
    code = """
import cnx_tutorial.yolo
from ultralytics import utils
from ultralytics.utils import checks
from cnx_tutorial.yolo.quiet import all_cores
utils.ONLINE.ask = lambda: True  # as with a network
print(bool(checks.AUTOINSTALL), bool(checks.ONLINE), checks.ONLINE is utils.ONLINE)
with all_cores():
    print(bool(checks.AUTOINSTALL), bool(checks.ONLINE))
"""
    assert run(code, tmp_path).splitlines() == ["True True True", "False False"]
    assert run(code, tmp_path, YOLO_AUTOINSTALL="0").splitlines()[0] == "False True True"


def test_a_stock_training_has_no_threads_of_opencv_and_leaves_ours_alone(discs, tmp_path):
    before, seen = cv2.getNumThreads(), []
    cv2.setNumThreads(0)
    off = cv2.getNumThreads()
    cv2.setNumThreads(before)
    stock = ultralytics.YOLO("yolov8n.yaml")
    stock.add_callback("on_train_epoch_start", lambda trainer: seen.append(cv2.getNumThreads()))
    stock.train(data=str(discs), project=str(tmp_path), **SIZE)
    assert seen == [off] and cv2.getNumThreads() == before


def test_a_yaml_of_a_stock_name_in_the_current_folder_is_not_taken_for_a_scale_of_it(tmp_path, monkeypatch):
    stock = yaml_model_load("yolov10n.yaml")
    (tmp_path / "yolov10.yaml").write_text(
        "nc: 3\nbackbone: [[-1, 1, Conv, [8, 3, 8]]]\nhead: [[[0], 1, Detect, [nc]]]\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    assert yaml_model_load("yolov10n.yaml") == stock
    assert yaml_model_load("yolov10.yaml")["nc"] == 3
    assert ultralytics.nn.yaml_model_load is tasks.yaml_model_load is yaml_model_load


@pytest.fixture
def rows(tmp_path) -> Path:
    file = tmp_path / "yolov8-few.yaml"
    file.write_text(
        "nc: 2\nbackbone: [[-1, 1, ConvNeXtStem, [16, 8, 8]], [-1, 1, ConvNeXtBlock, [16]], [-1, 1, ConvNeXtDownsample, [32]]]\n"
        "head: [[[1, 2], 1, Detect, [nc]]]\n",
        encoding="utf-8",
    )
    return file


def test_several_data_sets_are_trained_on_by_our_rules(rows, discs, tmp_path):
    yolo = YOLO(rows)
    results = yolo.train(data=["smears.yaml", str(discs)], fraction=0.1, project=str(tmp_path / "runs"), **SIZE)
    assert len(results) == 2 and all(results.values()), results


def test_tuning_starts_trainings_that_find_our_rows_and_sets(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    YOLO(rows).tune(
        data="smears.yaml", iterations=1, fraction=0.1, project=str(tmp_path / "runs"), name="tune", val=True, **SIZE
    )
    found = list((tmp_path / "runs").rglob("best_hyperparameters.yaml"))
    assert found


def test_fuse_takes_what_ultralytics_takes_and_returns_what_it_returns():
    """Ultralytics' own ProfileModels calls fuse(verbose=False)."""
    ours, stock = YOLO("yolov8n.yaml"), ultralytics.YOLO("yolov8n.yaml")
    assert ours.fuse(verbose=False, imgsz=64) is ours and stock.fuse(verbose=False, imgsz=64) is stock
    assert ours.model.is_fused() and stock.model.is_fused()
