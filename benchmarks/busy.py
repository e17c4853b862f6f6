"""Claim: on a CPU, stock YOLOv8n trains in at most 0.6 of plain Ultralytics' time through our trainer, and beside busy programs in at most 1.1 of it.

    python benchmarks/busy.py [--data bccd.yaml] [--imgsz 320] [--rounds 3] [--epochs 3] [--busy N]

Each run is a process of its own, the trainers in turn; the first epoch of each is not counted. Everything is measured twice: alone, and beside
as many programs in endless loops as there are cores. "first edition" is our trainer as it was: all cores, and threads that spin while they
wait. Prints and stores the median seconds of a training step and their ratios to plain Ultralytics.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

RUN = """
import json, time
{module}
marks, epoch = [], []
def begin(trainer): epoch.append(time.perf_counter())
def end(trainer): marks.append((time.perf_counter() - epoch[-1]) / len(trainer.train_loader))
yolo = YOLO({model!r})
yolo.add_callback("on_train_epoch_start", begin)
yolo.add_callback("on_train_epoch_end", end)
yolo.train(data={data!r}, imgsz={imgsz}, epochs={epochs}, batch=16, device="cpu", workers=0, project={project!r},
           plots=False, val=False, verbose=False)
print(json.dumps(marks))
"""
SPINNING = """
import torch  # before us, so that its threads spin while they wait
from cnx_tutorial.yolo import quiet
quiet.WAITS_BRIEFLY = True  # it took all cores all the same
from cnx_tutorial import YOLO
"""
LATE = "import torch\nfrom cnx_tutorial import YOLO"  # as a notebook may begin: how threads wait can no longer be said
KINDS = {  # what is imported, and which model is trained
    "plain Ultralytics": ("from ultralytics import YOLO", "yolov8n.yaml"),
    "first edition": (SPINNING, "yolov8n.yaml"),
    "ours": ("from cnx_tutorial import YOLO", "yolov8n.yaml"),
    "ours, PyTorch imported before": (LATE, "yolov8n.yaml"),
    "ours, yolov8n-convnext": ("from cnx_tutorial import YOLO", "yolov8n-convnext.yaml"),
}
SITUATIONS = ("alone", "busy")


@contextmanager
def busy_loops(count: int):
    """Programs that never rest, for as long as this block lasts."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def steps(kind: str, data: str, imgsz: int, epochs: int) -> list[float]:
    """Seconds of a training step, the mean of each epoch but the first."""
    module, model = KINDS[kind]
    with tempfile.TemporaryDirectory() as project:
        code = RUN.format(module=module, model=model, data=data, imgsz=imgsz, epochs=epochs, project=project)
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stdout[-2000:] + run.stderr[-4000:])
    return json.loads(run.stdout.splitlines()[-1])[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="bccd.yaml")
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--busy", type=int, default=os.cpu_count(), help="endless loops beside the training")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "busy.json")
    args = parser.parse_args()
    from cnx_tutorial.paths import find_data
    from cnx_tutorial.yolo import machine

    data = str(Path(find_data(args.data)).resolve())
    seconds: dict[str, dict[str, list[float]]] = {situation: {kind: [] for kind in KINDS} for situation in SITUATIONS}
    for _ in range(args.rounds):
        for situation, table in seconds.items():
            for kind in KINDS:
                with busy_loops(args.busy if situation == "busy" else 0):
                    table[kind] += steps(kind, data, args.imgsz, args.epochs)
                print(f"{situation:6} {kind:30} {statistics.median(table[kind]):.3f} s a step", flush=True)
    median = {s: {kind: statistics.median(values) for kind, values in table.items()} for s, table in seconds.items()}
    plain = "plain Ultralytics"
    ratio = {s: {kind: round(row[kind] / row[plain], 3) for kind in KINDS} for s, row in median.items()}
    print(f"\n{'seconds a step':30} {'alone':>8} {'':>6} {'busy':>8}")
    for kind in KINDS:
        cells = [f"{median[s][kind]:8.3f} ({ratio[s][kind]:.2f})" for s in SITUATIONS]
        print(f"{kind:30} {' '.join(cells)}")
    result = {
        "claim": " ".join(__doc__.partition("\n\n")[0].split()),
        "ratio": ratio,
        "seconds_per_step": {s: {kind: [round(v, 4) for v in values] for kind, values in t.items()} for s, t in seconds.items()},
        "settings": {"data": Path(args.data).name, "imgsz": args.imgsz, "batch": 16, "rounds": args.rounds, "epochs": args.epochs, "busy": args.busy},
        "device": machine.processor(),
        "versions": machine.versions(),
        "commit": machine.commit(),
    }  # fmt: skip
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"stored in {args.out}")


if __name__ == "__main__":
    main()
