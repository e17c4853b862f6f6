"""Claim: on a CPU, one step of MuSGD takes less time with Muon's updates in float32 than in bfloat16, as Ultralytics computes them.

    python benchmarks/muon.py [--rounds 5]

Steps of both kinds in turn, in one process, on the gradients of one batch; the median counts. The gain depends on the CPU: one with instructions
for bfloat16 products (AVX-512 BF16, AMX) gains less, or nothing.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from cnx_tutorial import YOLO
from cnx_tutorial.cores import cpu_count
from cnx_tutorial.yolo import machine
from cnx_tutorial.yolo.quiet import all_cores

MODELS = ("yolov8n.yaml", "yolov8n-convnext.yaml")


def seconds(optimizer) -> float:
    start = time.perf_counter()
    optimizer.step()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    from ultralytics.optim import MuSGD

    torch.set_num_threads(cpu_count())
    found = {}
    for model in MODELS:
        parameters = [p for p in YOLO(model).model.parameters() if p.ndim >= 2]
        for parameter in parameters:
            parameter.requires_grad_()
            parameter.grad = torch.randn_like(parameter)
        optimizer = MuSGD([{"params": parameters, "lr": 1e-9, "use_muon": True}])
        times: dict[str, list[float]] = {"bfloat16": [], "float32": []}
        for _ in range(rounds + 1):
            times["bfloat16"].append(seconds(optimizer))
            with all_cores():
                torch.set_num_threads(cpu_count())
                times["float32"].append(seconds(optimizer))
        found[model] = {kind: [round(value, 4) for value in values[1:]] for kind, values in times.items()}
        before, after = (statistics.median(found[model][kind]) for kind in ("bfloat16", "float32"))
        print(f"{model}: {before:.3f} s a step in bfloat16, {after:.3f} s in float32, ratio {after / before:.2f}")
    result = {"claim": __doc__.splitlines()[0], "seconds": found, "threads": torch.get_num_threads()}
    result |= {"device": machine.processor(), "versions": machine.versions(), "commit": machine.commit()}
    file = Path(__file__).parent / "results" / "muon.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"stored in {file}")


if __name__ == "__main__":
    main()
