"""Training on several GPUs, tried with two processes on a CPU: equal parameters, our rules, a resume, and the table and picture afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from cnx_tutorial import YOLO
from tests.yolo.test_register import MY_BLOCK, config

ROOT = Path(__file__).parents[2]
RUN = """
import sys
from tests.yolo import two_processes
two_processes.patch()
from cnx_tutorial.cli import main
sys.exit(main(sys.argv[1:]))
"""


def cnx(words: list[str], folder: Path, status: int = 0, **environment: str) -> str:
    ranks = folder / "ranks"
    ranks.mkdir(exist_ok=True)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"RANKS": str(ranks), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | environment
    run = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == status, run.stdout[-2000:] + run.stderr[-4000:]
    return run.stdout


@pytest.mark.skipif(
    sys.platform == "win32", reason="Ultralytics starts its processes with gloo on Linux and macOS alone"
)
def test_two_processes_train_what_one_would(tmp_path, discs):
    (tmp_path / "my_layers.py").write_text(MY_BLOCK, encoding="utf-8")
    (tmp_path / "yolov8n-mine.yaml").write_text(
        yaml.safe_dump(config([-1, 1, "MyBlock", [16]], layers="my_layers.py")), encoding="utf-8"
    )
    begun = YOLO(tmp_path / "yolov8n-mine.yaml")
    with torch.no_grad():
        begun.model.model[0].conv.weight.fill_(0.01)
    begun.save(tmp_path / "begun.pt")
    words = [
        f"data={discs}",
        "imgsz=64",
        "batch=4",
        "device=cpu",
        "plots=False",
        "lr0=0.001",
        "optimizer=SGD",
        f"project={tmp_path / 'runs'}",
        "name=two",
    ]
    cnx(["train", "model=begun.pt", "epochs=2", *words], tmp_path, status=1, STOP="1")
    last = tmp_path / "runs" / "two" / "weights" / "last.pt"
    said = cnx(["train", "resume=True", f"model={last}"], tmp_path)
    seen = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (tmp_path / "ranks").glob("*.json")}
    assert sorted(seen) == ["0_0", "0_1", "1_0", "1_1"]
    for epoch in "01":
        assert seen[f"0_{epoch}"]["parameters"] == seen[f"1_{epoch}"]["parameters"]
    assert seen["0_0"]["parameters"] != seen["0_1"]["parameters"]
    assert all(not one["decayed"] and "MyBlock" in one["layers"] for one in seen.values())
    assert abs(seen["0_0"]["mark"] - 0.01) < 0.01  # the weights that were put in beforehand were trained on
    assert "mAP50-95" in said and "not known" not in said.split("weights ")[0].replace("not known on", "")
    folder = tmp_path / "runs" / "two"
    assert (folder / "truth_and_predictions.png").is_file()
    assert [line.split(",")[0] for line in (folder / "results.csv").read_text(encoding="utf-8").splitlines()[1:]] == [
        "1",
        "2",
    ]
    assert type(YOLO(folder / "weights" / "best.pt").model.model[1][0]).__name__ == "MyBlock"
