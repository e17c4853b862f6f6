"""Put many backbones into YOLO, and print what each came to.

    python -m tests.backbones [--only SOURCE]

For each: `cnx yaml` writes the model YAML, `cnx train` trains one epoch on the drawn smears, and a fresh process that is told nothing else loads
best.pt with plain Ultralytics, exports it to ONNX and compares the outputs. The backbone's maps are compared with the donor's on a normalised image.
Weights are random, in the place of published ones.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from cnx_tutorial.yolo.backbone import Backbone
from cnx_tutorial.yolo.sources import as_list
from tests.reliability import write_section

SOURCES = (
    "timm:resnet18", "timm:convnext_atto", "timm:convnextv2_atto", "timm:mobilenetv4_conv_small", "timm:efficientnet_b0", "timm:regnety_002",
    "timm:swin_tiny_patch4_window7_224", "timm:edgenext_xx_small", "timm:fastvit_t8", "timm:repvit_m0_9", "torchvision:resnet18",
    "torchvision:mobilenet_v3_small", "torchvision:convnext_tiny", "mine.py:Mine",
)  # fmt: skip
MINE = """
from torch import nn


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(nn.Conv2d(a, b, s, s) for a, b, s in ((3, 16, 8), (16, 32, 2), (32, 64, 2)))

    def forward(self, x):
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
"""
RELOAD = """
import json, sys
import numpy as np, onnxruntime, torch
from ultralytics import YOLO
best = sys.argv[1]
x = torch.rand(1, 3, 96, 96)
with torch.no_grad():
    wanted = YOLO(best).model.float().eval()(x)[0].numpy()
file = YOLO(best).export(format="onnx", imgsz=96, simplify=False)
got = onnxruntime.InferenceSession(file).run(None, {"images": x.numpy()})[0]
print(json.dumps(float(np.abs(got - wanted).max() / max(1, np.abs(wanted).max()))))
"""


def from_donor(source: str) -> float | None:
    """The largest difference between the backbone's maps and the donor's, as a part of their size; None for a class of one's own."""
    home, _, name = source.partition(":")
    net = Backbone(source, strides=[8, 16, 32]).eval() if home in ("timm", "torchvision") else None
    if net is None:
        return None
    image = torch.rand(1, 3, 64, 96)
    normalised = (image - net.mean) / net.std
    with torch.no_grad():
        if home == "timm":
            import timm

            more = {"strict_img_size": False} if name.startswith("swin") else {}
            donor = timm.create_model(name, features_only=True, **more).eval()
            donor.load_state_dict(net.net.state_dict(), strict=False)
            maps = [
                m.permute(0, 3, 1, 2) if last else m
                for m, last in ((as_list(donor(normalised))[i], last) for i, last in net.picks)
            ]
        else:
            import torchvision
            from torchvision.models.feature_extraction import NodePathTracer

            whole = torchvision.models.get_model(name)
            whole.load_state_dict(net.net.state_dict(), strict=False)
            output = next(node for node in net.net.graph.nodes if node.op == "output")
            tracer = NodePathTracer(leaf_modules=[torchvision.ops.StochasticDepth])
            tracer.trace(whole.eval())
            kept = {node.name for node in output.args[0]}
            maps, modules = [], dict(whole.named_modules())
            for name in [name for node, name in tracer.node_to_qualname.items() if node.name in kept]:
                module = modules.get(name) or modules[name.rpartition(".")[0]]  # of a sum, the block that ends with it
                module.register_forward_hook(lambda _, __, out: maps.append(out))
            whole(normalised)
        return max(
            float((a - b).abs().max() / max(1, float(b.abs().max()))) for a, b in zip(net(image), maps, strict=True)
        )


def cnx(words: list[str], folder: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "cnx_tutorial.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )
    if run.returncode:
        raise RuntimeError(f"cnx {' '.join(words)}: {(run.stderr.strip().splitlines() or ['no word'])[-1]}")
    return run.stdout


def tried(source: str, folder: Path) -> dict[str, str]:
    """One backbone through all steps, as a row of the table."""
    name = source.replace(":", "-").replace(".py", "")
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    cnx(["yaml", f"backbone={source}", "weights=False", f"out=yolov8n-{name}.yaml"], folder)
    about = [
        line[2:]
        for line in (folder / f"yolov8n-{name}.yaml").read_text(encoding="utf-8").splitlines()
        if line.startswith("# ")
    ]
    maps = {line.split()[3].rstrip(":"): line.split()[-2] for line in about if line.startswith("map of stride")}
    parameters = next(line.partition("classes: ")[2] for line in about if line.startswith("parameters"))
    cnx(
        [
            "train",
            f"model=yolov8n-{name}.yaml",
            "epochs=1",
            "imgsz=96",
            "fraction=0.1",
            f"name={name}",
            "plots=False",
            "workers=0",
        ],
        folder,
    )
    run = subprocess.run(
        [sys.executable, "-c", RELOAD, str(folder / "runs" / name / "weights" / "best.pt")],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise RuntimeError((run.stderr.strip().splitlines() or ["no word"])[-1])
    donor = from_donor(source)
    parts = dict(part.rsplit(" ", 1) for part in parameters.split(", ") if not part.startswith("in all"))
    return {
        "backbone": f"`{source}`",
        "strides": ", ".join(maps),
        "channels": ", ".join(maps.values()),
        "parameters of backbone, neck, head": ", ".join(parts.values()) if len(parts) == 3 else parameters,
        "maps from the donor's": "no donor" if donor is None else f"{donor:.0e}",
        "trained, reloaded": "yes",
        "ONNX from PyTorch": f"{json.loads(run.stdout.splitlines()[-1]):.0e}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", help="one source; default: all")
    args = parser.parse_args()
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for source in args.only or SOURCES:
            try:
                rows.append(tried(source, Path(folder)))
            except Exception as error:  # every backbone gets its line
                failed += 1
                rows.append({"backbone": f"`{source}`", "strides": f"FAILED: {str(error)[:300]}"})
            print(rows[-1], flush=True)
    heads = [
        "backbone",
        "strides",
        "channels",
        "parameters of backbone, neck, head",
        "maps from the donor's",
        "trained, reloaded",
        "ONNX from PyTorch",
    ]
    lines = [
        f"| {' | '.join(heads)} |",
        "|" + "---|" * len(heads),
        *(f"| {' | '.join(row.get(h, '') for h in heads)} |" for row in rows),
    ]
    print("\n".join(lines))
    if not args.only:
        write_section("backbones", "`python -m tests.backbones` printed:\n\n" + "\n".join(lines), "backbones.md")
    return failed


if __name__ == "__main__":
    sys.exit(main())
