"""Claim to test: a ConvNeXt backbone makes YOLOv8n more accurate, faster and smaller. The same work for both, seeds and spread noted.

    python benchmarks/headline.py [--data bccd.yaml] [--imgsz 192] [--epochs 40] [--seeds 0 1 2] [--models yolov8n.yaml yolov8n-convnext.yaml]
    python benchmarks/headline.py --device cuda --imgsz 640 --epochs 100 --seeds 0 1 2 3 4    # bfloat16, channels_last
    ... --jobs 14    # a large GPU trains many small networks side by side

Every model is trained with each learning rate of one small grid (seed 0), then with its own best one on all seeds. Score: val mAP of the last
epoch's weights, so nothing but the learning rate was chosen on val. Time is taken in a pass of its own, the models in turn in one process.
Every finished run is stored at once in benchmarks/results/headline_DATA.json (headline_DATA_cuda.json); started again, the script does what is
missing.
"""

import argparse
import contextlib
import copy
import io
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import machine

HERE = Path(__file__).parent
CONTROL = HERE / "yolov8n-our-neck.yaml"  # yolov8-our-neck.yaml, scale n: which part of the gain is the neck's?
MODELS = ["yolov8n.yaml", "yolov8n-convnext.yaml", "yolov8n-convnext-article.yaml", str(CONTROL)]
GRID = (0.01, 0.02, 0.04)
SETTINGS = {
    "batch": 16,
    "nbs": 16,
    "optimizer": "MuSGD",  # every model of the search learned more with it than with AdamW; momentum as Ultralytics' `auto` sets it
    "momentum": 0.9,
    "warmup_bias_lr": 0.0,
    "patience": 0,
    "plots": False,
    "val": False,
}


DTYPES = {"cpu": "float32", "cuda": "bfloat16"}  # of inference; training on CUDA is in bfloat16 too, by autocast


def core_sets(jobs: int, device: str) -> list[set[int]]:
    """The CPU cores of each job, so that trainings side by side do not disturb each other: one each on a CPU, all of them divided on a GPU."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    size = 1 if device == "cpu" else max(2, len(cores) // jobs)
    return [{cores[(job * size + i) % len(cores)] for i in range(size)} for job in range(jobs)]


def pin(cores) -> None:
    """Keep this process on the cores of one job."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores.get())


def loading(device: str) -> dict:
    """How images reach the network: on a GPU from memory, through processes of their own; the images are the same."""
    if device == "cpu":
        return {"workers": 0}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"workers": min(8, cores // 2), "cache": "ram"}


def train(model: str, data: str, imgsz: int, epochs: int, lr0: float, seed: int, device: str) -> dict:
    """One training from scratch; mAP50 and mAP50-95 on val after the last epoch, and the latter of each class."""
    from cnx_tutorial import YOLO

    with tempfile.TemporaryDirectory() as project, contextlib.redirect_stdout(io.StringIO()):
        yolo = YOLO(model)
        yolo.train(
            data=data,
            imgsz=imgsz,
            epochs=epochs,
            lr0=lr0,
            seed=seed,
            device=device,
            project=project,
            verbose=False,
            **loading(device),
            **SETTINGS,
        )
        box = YOLO(Path(yolo.trainer.last)).val(data=data, imgsz=imgsz, batch=16, device=device, plots=False, verbose=False,
                                                workers=0, project=project).box  # fmt: skip
    by_class = {yolo.names[i]: round(float(ap), 4) for i, ap in zip(box.ap_class_index, box.ap, strict=True)}
    return {"map50": round(float(box.map50), 4), "map": round(float(box.map), 4), "classes": by_class}


def build(model: str, classes: int):
    """The network as it is trained and used: with the data set's number of classes, which decides how wide the head is."""
    from ultralytics.nn.tasks import DetectionModel

    from cnx_tutorial import YOLO

    with contextlib.redirect_stdout(io.StringIO()):
        return DetectionModel(copy.deepcopy(YOLO(model).model.yaml), nc=classes, verbose=False)


def latency(models: list[str], classes: int, imgsz: int, rounds: int, device: str) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of fused inference for one image and for eight, the models in turn, each in its faster memory layout."""
    import torch  # here, not above: it counts the cores when it is imported, and pin() comes first

    dtype = getattr(torch, DTYPES[device])
    table: dict[str, dict[str, list[float]]] = {str(batch): {name: [] for name in models} for batch in (1, 8)}
    networks = {}
    for name in models:
        network = build(name, classes).eval().fuse(verbose=False).to(device, dtype)
        layouts = (torch.contiguous_format, torch.channels_last)
        networks[name] = [(copy.deepcopy(network).to(memory_format=layout), layout) for layout in layouts]
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    with torch.inference_mode():
        for _ in range(rounds):
            for batch, times in table.items():
                x = torch.rand(int(batch), 3, imgsz, imgsz, device=device, dtype=dtype)
                for name in models:
                    both = [_milliseconds(network, x, layout) for network, layout in networks[name]]
                    times[name].append(round(min(both), 3))
    return table


def epoch_seconds(models: list[str], data: str, imgsz: int, rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of training epochs, the models in turn; the first epoch of a training does not count."""
    from cnx_tutorial import YOLO

    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name in models:
            marks: list[float] = []
            with tempfile.TemporaryDirectory() as project, contextlib.redirect_stdout(io.StringIO()):
                yolo = YOLO(name)
                for event in ("on_train_epoch_start", "on_train_epoch_end"):
                    yolo.add_callback(event, lambda trainer, marks=marks: marks.append(time.perf_counter()))
                yolo.train(data=data, imgsz=imgsz, epochs=3, device=device, project=project, verbose=False,
                           **loading(device), **SETTINGS)  # fmt: skip
            seconds[name] += [round(end - start, 3) for start, end in zip(marks[2::2], marks[3::2], strict=True)]
    return seconds


def speed(models: list[str], data: str, classes: int, imgsz: int, rounds: int, device: str) -> dict:
    """Both times, in one process."""
    return {
        "latency_ms": latency(models, classes, imgsz, 3 * rounds, device),
        "train_seconds_per_epoch": epoch_seconds(models, data, imgsz, rounds, device),
    }


def _milliseconds(network, x, layout) -> float:
    """Median of 7 calls after 2 to warm up."""
    import torch

    wait = torch.cuda.synchronize if x.is_cuda else lambda: None
    x, times = x.contiguous(memory_format=layout), []
    for _ in range(9):
        wait()
        start = time.perf_counter()
        network(x)
        wait()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[2:])


def describe(model: str, imgsz: int, classes: int) -> dict:
    """Parameters and GFLOPs of the network as it is trained, with the data set's number of classes."""
    from cnx_tutorial.yolo import report

    network = build(model, classes)
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "gflops": round(report.gflops(network, imgsz), 3),
        "optimizer": SETTINGS["optimizer"],
        "grid": {},
        "runs": [],
    }


def is_stored(entry: dict, lr0: float, seed: int, first: bool) -> bool:
    return (
        str(lr0) in entry["grid"] if first else any(run["seed"] == seed and run["lr0"] == lr0 for run in entry["runs"])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="bccd.yaml")
    parser.add_argument("--imgsz", type=int, default=192)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument(
        "--grid", type=float, nargs="*", default=GRID, help="learning rates; empty: those that are stored"
    )
    parser.add_argument("--device", choices=DTYPES, default="cpu")
    parser.add_argument(
        "--jobs", type=int, help="trainings side by side; default 2 on a CPU, one core each, and 1 on a GPU"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of the pass that takes the time; 0: not now")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/headline_DATA.json")
    args = parser.parse_args()
    args.jobs = args.jobs or (2 if args.device == "cpu" else 1)

    import yaml

    from cnx_tutorial.paths import find_data

    data = str(Path(find_data(args.data)).resolve())
    classes = len(yaml.safe_load(Path(data).read_text(encoding="utf-8"))["names"])
    stem = Path(args.data).stem + ("" if args.device == "cpu" else "_cuda")
    file = args.out or HERE / "results" / f"headline_{stem}.json"
    settings = {"data": Path(args.data).stem, "imgsz": args.imgsz, "epochs": args.epochs, "batch": SETTINGS["batch"]}
    result = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {**settings, "models": {}}
    if {key: result[key] for key in settings} != settings:
        sys.exit(
            f"{file} holds results of other settings, {[result[key] for key in settings]}; move it away, or give --out another file"
        )

    def store() -> None:
        result.update(
            device=machine.processor(args.device), versions=machine.versions("ultralytics"), commit=machine.commit()
        )
        draft = file.with_suffix(".part")
        draft.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        draft.replace(file)

    names = {model: Path(model).name for model in args.models}
    for model, name in names.items():
        if name not in result["models"]:
            result["models"][name] = describe(model, args.imgsz, classes)
    with multiprocessing.Manager() as manager:
        cores = manager.Queue()
        for one in core_sets(args.jobs, args.device):
            cores.put(one)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(args.jobs, context, pin, (cores,)) as pool:

            def run(wanted: list[tuple[str, float, int]]) -> None:
                futures = {
                    pool.submit(train, model, data, args.imgsz, args.epochs, lr0, seed, args.device): (
                        names[model],
                        lr0,
                        seed,
                    )
                    for model, lr0, seed in wanted
                }
                for future in as_completed(futures):
                    name, lr0, seed = futures[future]
                    score, entry = future.result(), result["models"][name]
                    if seed == args.seeds[0]:
                        entry["grid"][str(lr0)] = score
                    else:
                        entry["runs"].append({"seed": seed, **score, "lr0": lr0})
                    print(
                        f"{name} lr0={lr0} seed={seed}: mAP50 {score['map50']:.3f}, mAP50-95 {score['map']:.3f}",
                        flush=True,
                    )
                    store()

            # With one learning rate there is nothing to choose, so all seeds start at once.
            run(
                [
                    (m, lr0, seed)
                    for seed in (args.seeds if len(args.grid) == 1 else args.seeds[:1])
                    for m, n in names.items()
                    for lr0 in args.grid
                    if not is_stored(result["models"][n], lr0, seed, first=seed == args.seeds[0])
                ]
            )
            wanted = []
            for model, name in names.items():
                entry = result["models"][name]
                entry["lr0"] = float(max(entry["grid"], key=lambda lr0: entry["grid"][lr0]["map"]))
                first = {"seed": args.seeds[0], **entry["grid"][str(entry["lr0"])], "lr0": entry["lr0"]}
                entry["runs"] = [first] + [
                    run for run in entry["runs"] if run["lr0"] == entry["lr0"] and run["seed"] != first["seed"]
                ]
                done = {run["seed"] for run in entry["runs"]}
                wanted += [(model, entry["lr0"], seed) for seed in args.seeds if seed not in done]
            run(wanted)
    for entry in result["models"].values():
        entry["runs"].sort(key=lambda run: run["seed"])
    if args.rounds:
        os.environ |= machine.KEEP_MEMORY
        with ProcessPoolExecutor(1, context) as fresh:
            result["speed"] = fresh.submit(
                speed, args.models, data, classes, args.imgsz, args.rounds, args.device
            ).result()
        for kind in result["speed"]["latency_ms"].values():
            for model, name in names.items():
                kind[name] = kind.pop(model)
        table = result["speed"]["train_seconds_per_epoch"]
        for model, name in names.items():
            table[name] = table.pop(model)
    store()
    print(f"stored in {file}")


if __name__ == "__main__":
    main()
