"""A training that was cut off goes on as if it had not been: the same weights, each epoch once, whichever class began it."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ultralytics import YOLO as StockYOLO

from cnx_tutorial import YOLO
from cnx_tutorial.yolo import files
from cnx_tutorial.yolo.resume import ENTRY, read_state
from tests.faults.table import SAME, distance

SETTINGS = {
    "epochs": 4, "imgsz": 64, "batch": 4, "nbs": 16, "close_mosaic": 2, "warmup_epochs": 1, "plots": False, "device": "cpu", "workers": 0,
    "verbose": False, "optimizer": "MuSGD", "lr0": 0.02,
}  # fmt: skip


class Cut(BaseException):
    """Ends a training at once, as a killed process would."""


def train(
    discs: Path, project: Path, stop_at: int | None = None, cls: type = YOLO, event="on_train_epoch_start", **changes
):
    yolo = cls("yolov8n-convnext.yaml")

    def stop(trainer):
        if trainer.epoch == stop_at:
            raise Cut

    yolo.add_callback(event, stop)
    try:
        yolo.train(data=str(discs), project=str(project), name="run", **{**SETTINGS, **changes})
    except Cut:
        pass
    return project / "run"


def weights(run: Path, name: str = "last.pt") -> dict:
    return torch.load(run / "weights" / name, "cpu", weights_only=False)["model"].state_dict()


def rows(run: Path) -> list[list[str]]:
    """results.csv without the seconds."""
    with (run / "results.csv").open(encoding="utf-8") as file:
        return [row[:1] + row[2:] for row in csv.reader(file)]


def assert_same(a: Path, b: Path) -> None:
    """The same but for the last digit, in which two undisturbed trainings differ now and then; Ultralytics' own resume ends 2e-2 away."""
    for name in ("last.pt", "best.pt"):
        first, second = weights(a, name), weights(b, name)
        assert first.keys() == second.keys() and distance(first, second) < SAME, (name, distance(first, second))
    for one, other in zip(rows(a), rows(b), strict=True):
        assert one[0] == other[0] and (
            one[0] == "epoch" or list(map(float, one)) == pytest.approx(list(map(float, other)), rel=5e-3, abs=5e-3)
        )


@pytest.fixture(scope="module")
def whole(discs, tmp_path_factory) -> Path:
    return train(discs, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("stop_at", [1, 2, 3])  # before, at and after the epoch in which mosaic is closed
def test_a_resumed_training_ends_with_the_same_weights(stop_at, discs, whole, tmp_path):
    run = train(discs, tmp_path, stop_at)
    YOLO(run / "weights/last.pt").train(resume=True)
    assert_same(run, whole)
    assert [p.name for p in run.parent.iterdir()] == ["run"]
    assert read_state(run / "weights/last.pt") is None  # what was for the resume is gone
    assert not list((run / "weights").glob("*.part"))


def test_cut_off_twice_and_in_the_middle_of_an_epoch(discs, whole, tmp_path):
    run = train(discs, tmp_path, 1, event="on_train_batch_end")
    again = YOLO(run / "weights/last.pt")
    again.add_callback("on_fit_epoch_end", lambda trainer: (_ for _ in ()).throw(Cut) if trainer.epoch == 2 else None)
    with pytest.raises(Cut):
        again.train(resume=True)
    YOLO(run / "weights/last.pt").train(resume=True)
    assert_same(run, whole)


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
def test_other_optimizers_go_on_exactly_too(optimizer, discs, tmp_path):
    changes = {"optimizer": optimizer, "lr0": 0.001, "epochs": 3}
    run = train(discs, tmp_path / "cut", 1, **changes)
    YOLO(run / "weights/last.pt").train(resume=True)
    assert_same(run, train(discs, tmp_path / "whole", **changes))


def test_results_csv_holds_each_epoch_once(discs, tmp_path):
    run = train(discs, tmp_path, 2)
    file = run / "results.csv"
    text = file.read_text(encoding="utf-8")
    third = text.splitlines()[-1].replace("2,", "3,", 1)
    file.write_text(
        text + third + "\n" + third[:20], encoding="utf-8"
    )  # killed after the row, before the checkpoint, and in the next row
    YOLO(run / "weights/last.pt").train(resume=True)
    assert [row[0] for row in rows(run)] == ["epoch", "1", "2", "3", "4"]


def test_an_evaluation_that_was_cut_off_is_made_up_for(discs, whole, tmp_path):
    run = train(discs, tmp_path, 3, event="on_fit_epoch_end")  # all epochs are trained, best.pt is not evaluated
    assert read_state(run / "weights/last.pt")["epoch"] == 3
    yolo = YOLO(run / "weights/last.pt")
    yolo.train(resume=True)
    assert_same(run, whole)
    assert yolo.metrics.box.map is not None


def test_a_moved_run_goes_on_where_it_is(discs, tmp_path):
    run = train(discs, tmp_path / "old", 1)
    shutil.move(run.parent, tmp_path / "new")
    YOLO(tmp_path / "new/run/weights/last.pt").train(resume=True)
    assert len(rows(tmp_path / "new/run")) == 5 and not (tmp_path / "old").exists()


@pytest.mark.parametrize("begun", [YOLO, StockYOLO])
@pytest.mark.parametrize("goes_on", [YOLO, StockYOLO])
def test_either_class_goes_on_with_what_either_began(begun, goes_on, discs, tmp_path):
    run = train(discs, tmp_path, 1, cls=begun)
    momentum = norms(torch.load(run / "weights/last.pt", "cpu", weights_only=False)["optimizer"])
    seen = []
    yolo = goes_on(run / "weights/last.pt")
    yolo.add_callback("on_train_start", lambda trainer: seen.append(norms(trainer.optimizer.state_dict())))
    yolo.train(resume=True)
    assert len(rows(run)) == 5
    assert seen[0] == pytest.approx(momentum, rel=1e-2, abs=1e-2) and max(momentum) > 0.1


def norms(optimizer: dict) -> list[float]:
    return sorted(float(entry["momentum_buffer"].float().norm()) for entry in optimizer["state"].values())


def test_checkpoints_are_whole_or_not_there(tmp_path):
    file = files.WholePath(tmp_path / "last.pt")
    file.write_bytes(b"first")
    assert file.read_bytes() == b"first" and [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    code = (
        "import sys, os, resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from cnx_tutorial.yolo import files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "files.WholePath(sys.argv[1]).write_bytes(bytes(5000))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True)
    if "No module named 'resource'" in run.stderr:
        pytest.skip("this system has no resource limits")
    assert "last.pt of before is whole" in run.stderr and "project=FOLDER" in run.stderr
    assert file.read_bytes() == b"first" and [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_two_trainings_never_take_one_folder(tmp_path):
    code = (
        "import sys, time; from types import SimpleNamespace as S; from cnx_tutorial.yolo import files\n"
        "args = S(project=sys.argv[1], name='run', task='detect', mode='train', exist_ok=False, resume=False)\n"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
        "print(files.take_save_dir(args).name)"
    )
    import time

    start = str(time.time() + 15)
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), start], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    names = [process.communicate()[0].split()[-1] for process in processes]
    assert sorted(names) == ["run", "run-2", "run-3", "run-4"] == sorted(p.name for p in tmp_path.iterdir())


def test_stock_ultralytics_reads_our_checkpoints(discs, tmp_path):
    run = train(discs, tmp_path, 1)
    assert ENTRY and read_state(run / "weights/last.pt")
    code = f"from ultralytics import YOLO; YOLO({str(run / 'weights/last.pt')!r}).predict({str(discs.parent / 'images/val/0.png')!r}, imgsz=64)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_val_and_predict_before_train_change_nothing(discs, whole, tmp_path):
    yolo = YOLO("yolov8n-convnext.yaml")
    image = str(discs.parent / "images/val/0.png")
    yolo.predict(image, imgsz=64, verbose=False)
    yolo.val(data=str(discs), imgsz=64, batch=4, plots=False, verbose=False, workers=0, project=str(tmp_path / "val"))
    list(yolo.predict([image], imgsz=64, verbose=False, stream=True))
    yolo.train(data=str(discs), project=str(tmp_path), name="run", **SETTINGS)
    assert_same(tmp_path / "run", whole)


@pytest.mark.parametrize("before", ["val", "predict", "both"])
def test_val_and_predict_before_train_change_nothing_in_a_loaded_model(before, discs, whole, tmp_path):
    best, image = whole / "weights/best.pt", str(discs.parent / "images/val/0.png")
    plain, used = YOLO(best), YOLO(best)
    if before != "val":
        used.predict(image, imgsz=64, verbose=False)
    if before != "predict":
        used.val(
            data=str(discs), imgsz=64, batch=4, plots=False, verbose=False, workers=0, project=str(tmp_path / "val")
        )
    for name, yolo in (("plain", plain), ("used", used)):
        yolo.train(data=str(discs), project=str(tmp_path), name=name, **{**SETTINGS, "epochs": 1})
    assert_same(tmp_path / "plain", tmp_path / "used")


def test_training_a_fused_model_is_refused(whole, discs, tmp_path):
    yolo = YOLO(whole / "weights/best.pt")
    yolo.fuse()
    with pytest.raises(ValueError, match=r"fuse.*load.*best\.pt"):
        yolo.train(data=str(discs), project=str(tmp_path), **SETTINGS)
    assert not list(tmp_path.iterdir())
