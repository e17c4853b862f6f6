"""Every task with every YOLO family, with ConvNeXt rows as the backbone, through every step; prints what ran.

    python -m tests.tasks [FAMILY ...]

`cnx yaml backbone=convnext` writes the model; it is built, trained for one epoch, validated and predicts; a fresh process that is told nothing else
loads best.pt with plain Ultralytics, and exports it to ONNX, whose outputs are compared.
"""

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from cnx_tutorial.yolo.model import RTDETR, YOLO
from cnx_tutorial.yolo.parser import stock_yaml_model_load
from cnx_tutorial.yolo.write_yaml import FAMILIES, write_yaml
from tests.reliability import write_section
from tests.yolo.task_sets import TASKS, make_sets

STEPS = ("build", "train", "val", "predict", "reload", "ONNX")
SIZE = {"imgsz": 64, "workers": 0, "plots": False, "device": "cpu"}
RELOAD = """
import json, sys
import numpy as np, onnxruntime, torch
import ultralytics
kind = getattr(ultralytics, sys.argv[2])
best = sys.argv[1]
x = torch.rand(1, 3, 64, 64)
model = kind(best)
assert any(type(m).__name__ == "ConvNeXtBlock" for m in model.model.modules())
print(json.dumps("reload"), flush=True)
def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
    return [tensor for one in inside for tensor in tensors(one)]
with torch.no_grad():
    given = tensors(kind(best).model.float().eval()(x))
file = model.export(format="onnx", imgsz=64, simplify=False)
got = torch.from_numpy(onnxruntime.InferenceSession(file).run(None, {"images": x.numpy()})[0])
wanted = next(tensor for tensor in given if tensor.shape == got.shape)
if getattr(model.model, "end2end", False) or sys.argv[2] == "RTDETR":  # boxes of nearly equal scores come in any order
    wanted, got = (t.sort(dim=1).values for t in (wanted, got))
assert (wanted - got).abs().max() <= 1e-4 * max(1, float(wanted.abs().max())), float((wanted - got).abs().max())
print(json.dumps("ONNX"), flush=True)
"""


def whole(family: str, task: str, folder: Path) -> Path:
    """A model YAML with our rows as the backbone."""
    file = folder / f"{FAMILIES.get(family, 'rtdetr-')}n-{task}.yaml"
    if family != "RT-DETR":
        file.write_text(write_yaml("convnext", task=task, family=family), encoding="utf-8")
        return file
    d = copy.deepcopy(stock_yaml_model_load("yolov8-rtdetr.yaml"))
    for i, channels in ((2, 128), (4, 256), (6, 512), (8, 1024)):
        d["backbone"][i] = [-1, 1, "ConvNeXtBlock", [channels]]
    d["scales"] = {"n": d["scales"]["n"]}
    file.write_text(yaml.safe_dump({k: v for k, v in d.items() if k not in ("scale", "yaml_file")}), encoding="utf-8")
    return file


def tried(family: str, task: str, data: str, folder: Path) -> list[str]:
    """For each step "yes", or why it did not run."""
    done, kind = [], RTDETR if family == "RT-DETR" else YOLO
    name = f"{family}-{task}"
    try:
        yolo = kind(whole(family, task, folder)) if kind is RTDETR else kind(whole(family, task, folder), task=task)
        done.append("yes")
        yolo.train(data=data, epochs=1, batch=3, project=str(folder), name=name, **SIZE)
        done.append("yes")
        yolo.val(data=data, project=str(folder), name=f"{name}-val", **SIZE)
        done.append("yes")
        assert len(yolo.predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, verbose=False)) == 1
        done.append("yes")
        best = folder / name / "weights" / "best.pt"
        run = subprocess.run(
            [sys.executable, "-c", RELOAD, str(best), kind.__name__], cwd=folder, capture_output=True, text=True
        )
        said = [line for line in run.stdout.splitlines() if line in ('"reload"', '"ONNX"')]
        done += ["yes"] * len({json.loads(line) for line in said})
        if run.returncode:
            raise RuntimeError((run.stderr.strip().splitlines() or ["no word"])[-1])
    except Exception as error:  # each cell says what it came to
        done.append(f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}")
    return (done + [""] * len(STEPS))[: len(STEPS)]


def main(families: tuple[str, ...] = (*FAMILIES, "RT-DETR")) -> int:
    lines = [f"| family | task | {' | '.join(STEPS)} |", "|" + "---|" * (2 + len(STEPS))]
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sets = make_sets(folder / "sets")
        for family in families:
            for task in TASKS if family != "RT-DETR" else ("detect",):
                row = tried(family, task, sets[task], folder)
                failed += row.count("yes") != len(STEPS)
                lines.append(f"| {family} | {task} | {' | '.join(row)} |")
                print(lines[-1], flush=True)
    print("\n".join(lines))
    if len(families) > len(FAMILIES):
        write_section("tasks", "`python -m tests.tasks` printed:\n\n" + "\n".join(lines), "backbones.md")
    return failed


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])) if sys.argv[1:] else main())
