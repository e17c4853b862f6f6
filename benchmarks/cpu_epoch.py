"""Claim: on a CPU, an epoch of stock YOLOv8n takes at most 0.6 of the time through our trainer as through plain Ultralytics.

    python benchmarks/cpu_epoch.py [--data bccd.yaml] [--imgsz 320] [--rounds 3] [--epochs 3]

Each run is a process of its own, plain and ours in turn; the first epoch of each is not counted. Prints and stores medians and their ratio.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import machine

RUN = """
import json, time
{module}
marks = []
mark = lambda trainer: marks.append(time.perf_counter())
yolo = YOLO("yolov8n.yaml")
for event in ("on_train_epoch_start", "on_train_epoch_end", "on_fit_epoch_end"):
    yolo.add_callback(event, mark)
yolo.train(data={data!r}, imgsz={imgsz}, epochs={epochs} , batch=16, device="cpu", plots=False, verbose=False, project={project!r})
print(json.dumps(marks))
"""
MODULES = {"plain": "from ultralytics import YOLO", "ours": "from cnx_tutorial import YOLO"}


def epochs(kind: str, data: str, imgsz: int, count: int) -> list[tuple[float, float]]:
    """(training, training and validation) seconds of each epoch but the first."""
    with tempfile.TemporaryDirectory() as project:
        code = RUN.format(module=MODULES[kind], data=data, imgsz=imgsz, epochs=count, project=project)
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stdout[-2000:] + run.stderr[-4000:])
    marks = json.loads(run.stdout.splitlines()[-1])
    # final validation calls on_fit_epoch_end once more, so the list may be one longer than 3 * count
    return [(marks[i + 1] - marks[i], marks[i + 2] - marks[i]) for i in range(3, 3 * count, 3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="bccd.yaml")
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    from cnx_tutorial.yolo.model import find_data

    data, seconds = find_data(args.data), {kind: [] for kind in MODULES}
    for _ in range(args.rounds):
        for kind in MODULES:
            seconds[kind] += epochs(kind, str(Path(data).resolve()), args.imgsz, args.epochs)
            print(kind, [f"{train:.2f} ({whole:.2f})" for train, whole in seconds[kind]], flush=True)
    median = {kind: [statistics.median(column) for column in zip(*rows, strict=True)] for kind, rows in seconds.items()}
    ratio, whole_ratio = (a / b for a, b in zip(median["ours"], median["plain"], strict=True))
    print(f"training epoch, ours over plain: {ratio:.2f}; with validation: {whole_ratio:.2f}")
    result = {
        "claim": __doc__.splitlines()[0],
        "ratio": round(ratio, 3),
        "ratio_with_validation": round(whole_ratio, 3),
        "seconds": {kind: [[round(v, 3) for v in row] for row in rows] for kind, rows in seconds.items()},
        "settings": vars(args) | {"data": Path(args.data).name, "model": "yolov8n.yaml", "batch": 16},
        "device": machine.processor(),
        "versions": machine.versions("ultralytics"),
        "commit": machine.commit(),
    }
    file = Path(__file__).parent / "results" / "cpu_epoch.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"stored in {file}")


if __name__ == "__main__":
    main()
