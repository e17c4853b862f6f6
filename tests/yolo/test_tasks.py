"""The trainers' rules hold in every task: rows of ours and registered ones, no weight decay on one-dimensional parameters, weights that survive."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from cnx_tutorial import YOLO
from cnx_tutorial.nn import ConvNeXtBlock
from cnx_tutorial.yolo.model import RTDETR
from tests.yolo.task_sets import make_sets

HEADS = {
    "segment": [[1, 2], 1, "Segment", ["nc", 8, 16]],
    "pose": [[1, 2], 1, "Pose", ["nc", [4, 3]]],
    "obb": [[1, 2], 1, "OBB", ["nc", 1]],
    "detect": [[1, 2], 1, "Detect", ["nc"]],
    "classify": [-1, 1, "Classify", ["nc"]],
}


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> dict[str, str]:
    return make_sets(tmp_path_factory.mktemp("tasks"))


def model(task: str, folder: Path) -> YOLO:
    rows = [[-1, 1, "ConvNeXtStem", [16, 8, 8]], [-1, 1, "ConvNeXtBlock", [16]], [-1, 1, "ConvNeXtDownsample", [32]]]
    d = {"nc": 2, "grn": True, "backbone": rows, "head": [HEADS[task]]} | (
        {"kpt_shape": [4, 3]} if task == "pose" else {}
    )
    file = folder / f"yolov8-{task}.yaml"
    file.write_text(yaml.safe_dump(d), encoding="utf-8")
    return YOLO(file)


@pytest.mark.parametrize("task", HEADS)
def test_a_task_trains_by_the_rules_and_is_reloaded(task, sets, tmp_path):
    yolo, seen = model(task, tmp_path), {}
    assert yolo.task == task
    put_in = torch.full_like(next(m for m in yolo.model.modules() if isinstance(m, ConvNeXtBlock)).norm.bias, 0.25)
    next(m for m in yolo.model.modules() if isinstance(m, ConvNeXtBlock)).norm.bias.data.copy_(put_in)

    def look(trainer):
        names = {id(p): (name, p.ndim) for name, p in trainer.model.named_parameters()}
        seen["decayed"] = [
            names[id(p)] for g in trainer.optimizer.param_groups if g["weight_decay"] for p in g["params"]
        ]
        seen["bias"] = (
            next(m for m in trainer.model.modules() if isinstance(m, ConvNeXtBlock)).norm.bias.detach().clone()
        )
        seen["channels_last"] = next(p for p in trainer.model.parameters() if p.ndim == 4).is_contiguous(
            memory_format=torch.channels_last
        )

    yolo.add_callback("on_train_start", look)
    size = {"imgsz": 64, "epochs": 1, "batch": 3, "workers": 0, "plots": False, "device": "cpu"}
    yolo.train(data=sets[task], project=str(tmp_path), name="run", **size)
    assert seen["decayed"] and all(ndim != 1 for _, ndim in seen["decayed"])
    torch.testing.assert_close(seen["bias"], put_in)
    assert seen["channels_last"]
    again = YOLO(tmp_path / "run" / "weights" / "best.pt")
    assert again.task == task and any(isinstance(m, ConvNeXtBlock) for m in again.model.modules())
    assert len(again.predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, verbose=False)) == 1


def test_a_model_that_ends_with_rtdetrs_decoder_trains_by_the_rules(sets, tmp_path):
    rows = [[-1, 1, "ConvNeXtStem", [32, 8, 8]], [-1, 1, "ConvNeXtBlock", [32]], [-1, 1, "ConvNeXtDownsample", [32]]]
    file = tmp_path / "rtdetr-mine.yaml"
    head = [[[1, 2], 1, "RTDETRDecoder", ["nc", 64, 20, 4, 4, 1]]]
    file.write_text(yaml.safe_dump({"nc": 2, "backbone": rows, "head": head}), encoding="utf-8")
    yolo, decayed = RTDETR(file), []
    yolo.add_callback(
        "on_train_start",
        lambda t: decayed.extend(p.ndim for g in t.optimizer.param_groups if g["weight_decay"] for p in g["params"]),
    )
    yolo.train(
        data=sets["detect"],
        imgsz=64,
        epochs=1,
        batch=3,
        workers=0,
        plots=False,
        device="cpu",
        project=str(tmp_path),
        name="run",
    )
    assert decayed and 1 not in decayed
    assert isinstance(YOLO(tmp_path / "run" / "weights" / "best.pt"), RTDETR)
