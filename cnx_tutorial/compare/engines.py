"""Where the trainings of a comparison run: side by side on this machine, one on each core or GPU, or on the nodes of a Ray cluster.

Each engine takes jobs and hands back what became of each, as they end. (joblib, which has backends for processes and for Ray, was looked at: there a
worker that dies ends the whole run, and a worker has no core of its own.)
"""

import contextlib
import logging
import queue
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import IO

from cnx_tutorial.compare.training import ATTEMPTS, Running, TrainingFailed, in_process, train
from cnx_tutorial.cores import free_memory, own_cores, quota

MEMORY = 2 * 2**30  # bytes that one training on a CPU is given
Done = tuple[dict, dict | TrainingFailed]  # a job, and its answer


class Processes:
    """Trainings on this machine, each in a slot of its own: some cores, and a GPU if it has one.

    Args:
        device: "cpu", "" (a GPU if there is one) or numbers of GPUs, "0,1".
        jobs: trainings side by side; None: one for each core, as far as the memory goes, or one for each GPU.
    """

    def __init__(self, device: str, jobs: int | None = None):
        cores = own_cores()
        allowed = min(len(cores), quota() or len(cores))
        if device in ("cpu", "mps"):
            count = jobs or max(1, min(allowed, free_memory() // MEMORY))
            count = count if device == "cpu" else 1
            devices = [device]
        else:
            devices = gpus(device)
            count = jobs or len(devices)
        each = max(1, allowed // count)
        self.slots = [
            {"cores": [cores[(i * each + j) % len(cores)] for j in range(each)], "threads": each, "device": devices[i % len(devices)]}
            for i in range(count)
        ]  # fmt: skip

    def __str__(self) -> str:
        count, slot = len(self.slots), self.slots[0]
        place = f"{slot['threads']} core{'s' * (slot['threads'] > 1)}"
        place = place if slot["device"] == "cpu" else f"a GPU and {place}"
        return f"{count} training{'s' * (count > 1)} side by side, each on {place}"

    @property
    def width(self) -> int:
        return len(self.slots)

    def run(self, jobs: list[dict], folder: Path) -> Iterator[Done]:
        """Each job and its answer, as they end; what a job left is in folder/NAME."""
        free: queue.Queue = queue.Queue()
        for slot in self.slots:
            free.put(slot)
        running = Running()

        def one(job: dict) -> dict:
            slot = free.get()
            try:
                return in_process({**job, **slot}, folder / job["name"], running)
            finally:
                free.put(slot)

        pool = ThreadPoolExecutor(len(self.slots))
        try:
            futures = {pool.submit(one, job): job for job in jobs}
            for future in as_completed(futures):
                error = future.exception()
                if error is not None and not isinstance(error, TrainingFailed):
                    raise error
                yield futures[future], error or future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            running.end()


def gpus(device: str) -> list[str]:
    """Numbers of GPUs that are here.

    Raises:
        ValueError: the device is none of ours.
    """
    import torch

    named, has = device.split(","), torch.cuda.device_count()
    if wrong := [name for name in named if not name.isdecimal() or int(name) >= has]:
        there = f"numbers of GPUs below {has}" if has else "no number of a GPU, since PyTorch sees none here"
        raise ValueError(f"device={wrong[0]}: expected cpu, mps or {there}")
    return named


class Here:
    """Trainings one after another in this process, which knows its classes already: for trainings of seconds, in a notebook or a test.

    Nothing protects the comparison from a training that is killed: it ends with it, and goes on from what is stored when it is started again.
    """

    width = 1

    def __init__(self, device: str):
        self.device = device if device in ("cpu", "mps") else gpus(device)[0]

    def __str__(self) -> str:
        return "one training after another, in this process"

    def run(self, jobs: list[dict], folder: Path) -> Iterator[Done]:
        """Each job and its answer; what a job left, and what it printed, is in folder/NAME."""
        for job in jobs:
            place = folder / job["name"]
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            with (place / "log.txt").open("w", encoding="utf-8") as log, printed_to(log):
                try:
                    answer = train({**job, "device": self.device}, place)
                except Exception as error:
                    answer = TrainingFailed.of(error)
            yield job, answer


@contextlib.contextmanager
def printed_to(file: IO[str]):
    """What is printed, and what Ultralytics' logger says, goes to a file while the block lasts."""
    handlers = [one for one in logging.getLogger("ultralytics").handlers if isinstance(one, logging.StreamHandler)]
    before = [one.setStream(file) for one in handlers]
    try:
        with contextlib.redirect_stdout(file):
            yield
    finally:
        for one, stream in zip(handlers, before, strict=True):
            if stream is not None:
                one.setStream(stream)


class Ray:
    """Trainings on a Ray cluster, one for each CPU or GPU that it has; every node needs this package, and the data under the same path.

    Args:
        device: as for `Processes`; numbers of GPUs mean nothing here, Ray gives each training one.
        jobs: most trainings at once; None: as many as the cluster takes.
        address: "auto" for the cluster that this machine belongs to, "local" for one that is begun here and ended afterwards, or HOST:PORT.

    Raises:
        ValueError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, device: str, jobs: int | None = None, address: str = "auto"):
        try:
            import ray
        except ImportError as error:
            raise ValueError(
                "engine=ray needs Ray, which is not installed: pip install 'ray>=2.40,<3', or leave engine= out"
            ) from error
        self.ray = ray
        if not ray.is_initialized():
            try:
                ray.init(address=address, log_to_driver=False, configure_logging=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise ValueError(
                    f"engine=ray found no cluster at address={address} ({str(error).strip().splitlines()[0][:200]}). "
                    "Start one with `ray start --head`, or give address=local"
                ) from error
        self.gpu = device != "cpu"
        has = int(ray.cluster_resources().get("GPU" if self.gpu else "CPU", 0))
        if not has:
            raise ValueError(f"the Ray cluster has no {'GPU: give device=cpu' if self.gpu else 'CPU'}")
        self.width = min(jobs or has, has)

    def __str__(self) -> str:
        kind = "GPU" if self.gpu else "CPU"
        return f"{self.width} training{'s' * (self.width > 1)} side by side on a Ray cluster, each on one {kind}"

    def run(self, jobs: list[dict], folder: Path) -> Iterator[Done]:
        """Each job and its answer, as they end; what a job left is in folder/NAME."""
        needs = {"num_gpus": 1} if self.gpu else {"num_cpus": 1}
        train = self.ray.remote(on_node).options(max_retries=ATTEMPTS - 1, **needs)
        waiting, futures = list(jobs), {}
        slot = {"cores": None, "threads": 1, "device": "0" if self.gpu else "cpu"}
        try:
            while waiting or futures:
                while waiting and len(futures) < self.width:
                    job = waiting.pop(0)
                    futures[train.remote({**job, **slot})] = job
                (ended,), _ = self.ray.wait(list(futures), num_returns=1)
                job = futures.pop(ended)
                try:
                    answer, files, failed = self.ray.get(ended)
                except self.ray.exceptions.RayError as error:
                    answer, files, failed = None, {}, {"text": f"its worker died: {str(error).strip().splitlines()[0]}"}
                for name, content in files.items():
                    (folder / job["name"]).mkdir(parents=True, exist_ok=True)
                    (folder / job["name"] / name).write_bytes(content)
                yield job, TrainingFailed(**failed) if failed else answer
        finally:
            for future in futures:
                self.ray.cancel(future, force=True)


def on_node(job: dict) -> tuple[dict | None, dict[str, bytes], dict | None]:
    """A training on a node of the cluster: its answer, its files, and how it failed. The node's disk keeps nothing."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "training"
        try:
            answer, failed = in_process(job, folder), None
        except TrainingFailed as error:
            answer, failed = None, error.as_words()
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} if folder.is_dir() else {}
    return answer, files, failed


def engine(name: str, device: str, jobs: object, address: str) -> Processes | Here | Ray:
    """The engine of a name.

    Raises:
        ValueError: there is none of this name; `jobs` is no number, or means nothing to the engine.
    """
    if name not in ("processes", "here", "ray"):
        raise ValueError(
            f"engine={name} is unknown; expected processes (side by side on this machine), here (in this process) or ray (a Ray cluster)"
        )
    if jobs is not None and (not str(jobs).isdecimal() or int(jobs) < 1):
        raise ValueError(f"jobs={jobs}: expected how many trainings run side by side, such as 2")
    if name == "here" and jobs is not None:
        raise ValueError(f"jobs={jobs}: engine=here trains one model after another; leave jobs= or engine= out")
    count = None if jobs is None else int(jobs)
    if name != "ray" and address != "auto":
        raise ValueError(f"address={address} is that of a Ray cluster: say engine=ray too")
    if name == "here":
        return Here(device)
    return Ray(device, count, address) if name == "ray" else Processes(device, count)
