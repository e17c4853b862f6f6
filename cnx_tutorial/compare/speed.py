"""How long an image takes: `python -m cnx_tutorial.compare.speed`, with what is asked for as JSON on its standard input.

The models are timed in turn, in one process that does nothing else, each fused and in the faster of two memory layouts. A machine that slows down
meanwhile slows all of them, so their ratios stay what they are.
"""

import copy
import json
import os
import statistics
import subprocess
import sys
import time

# glibc keeps what was freed. Else some calls fetch their large maps anew from the system, a fifth of their time and more, and whose calls do so
# depends on what else lies in memory. glibc reads these when a process starts.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
BATCHES, CALLS, WARM_UP = (1, 8), 7, 2


def latency(weights: dict[str, str], imgsz: int, device: str, rounds: int = 9) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of each model for one image and for eight, {"1": {model: [one number a round]}, "8": ...}, in a process of its own.

    Args:
        weights: for each model a checkpoint, or anything that `YOLO` takes.
        imgsz: side of the images in pixels.
        device: "cpu", "mps", or the number of a GPU; there the networks are in bfloat16.
    """
    asked = json.dumps({"weights": weights, "imgsz": imgsz, "device": device, "rounds": rounds})
    command = [sys.executable, "-m", "cnx_tutorial.compare.speed"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, env=os.environ | KEEP_MEMORY)
    if done.returncode:
        raise RuntimeError(f"the times could not be taken: {done.stderr.strip()[-1000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(weights: dict[str, str], imgsz: int, device: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    import torch

    from cnx_tutorial import YOLO
    from cnx_tutorial.cores import cpu_count
    from cnx_tutorial.yolo.report import in_channels

    on_cuda = device.isdecimal()
    place, kind = torch.device(f"cuda:{device}" if on_cuda else device), torch.bfloat16 if on_cuda else torch.float32
    networks, channels = {}, 3
    for name, file in weights.items():
        network = YOLO(file).model
        channels = in_channels(network)
        network = network.float().eval().fuse(verbose=False).to(place, kind)
        layouts = (torch.contiguous_format, torch.channels_last)
        networks[name] = [(copy.deepcopy(network).to(memory_format=layout), layout) for layout in layouts]
    torch.set_num_threads(cpu_count())
    table: dict[str, dict[str, list[float]]] = {str(batch): {name: [] for name in weights} for batch in BATCHES}
    with torch.inference_mode():
        for _ in range(rounds):
            for batch, times in table.items():
                image = torch.rand(int(batch), channels, imgsz, imgsz, device=place, dtype=kind)
                for name, versions in networks.items():
                    times[name].append(round(min(milliseconds(*version, image) for version in versions), 3))
    return table


def milliseconds(network, layout, image) -> float:
    """Median of some calls after a few to warm up."""
    import torch

    wait = torch.cuda.synchronize if image.is_cuda else lambda: None
    image, times = image.contiguous(memory_format=layout), []
    for _ in range(WARM_UP + CALLS):
        wait()
        start = time.perf_counter()
        network(image)
        wait()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[WARM_UP:])


if __name__ == "__main__":
    print(json.dumps(measured(**json.load(sys.stdin))))
