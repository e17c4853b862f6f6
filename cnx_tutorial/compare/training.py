"""One training of a comparison, in a process of its own: `python -m cnx_tutorial.compare.training FOLDER`, which holds job.json.

Why a process: a training that crashes or is killed takes nothing else with it, and each can have a core of its own. It ends when the process that
started it ends, however that happened.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ATTEMPTS = 3  # of a training whose process is killed from outside
# Arguments of a training that mean something for its evaluation too.
EVALUATION = "imgsz batch conf iou max_det classes single_cls agnostic_nms rect augment workers quantize nms".split()


def train(job: dict, folder: Path) -> dict:
    """Train, evaluate the last epoch's weights, and leave weights.pt, val.npz and, where the data has a test set, test.npz in the folder.

    The score is that of the last epoch: choosing the best epoch by its val score would make that score too high.
    """
    from cnx_tutorial import YOLO
    from cnx_tutorial.compare.average_precision import by_size, redrawn
    from cnx_tutorial.yolo.report import gflops
    from cnx_tutorial.yolo.seen import see

    start, marks = time.perf_counter(), []
    yolo = YOLO(job["model"])
    for event in ("on_train_epoch_start", "on_train_epoch_end"):
        yolo.add_callback(event, lambda trainer: marks.append(time.perf_counter()))
    rate = {} if job["lr0"] is None else {"lr0": job["lr0"]}
    settings = {**job["settings"], **rate, "data": job["data"], "seed": job["seed"], "device": job["device"]}
    yolo.train(**settings, project=str(folder), name="run", exist_ok=True)
    trainer = yolo.trainer
    if (
        trainer.batch_size != settings["batch"]
    ):  # Ultralytics makes it smaller where the memory of a GPU ends, for this model only
        raise RuntimeError(
            f"batch={settings['batch']} does not fit into the memory of this GPU: give a smaller batch=, the same for every model"
        )
    trained = YOLO(Path(trainer.last))
    imgsz = trainer.args.imgsz
    answer = {
        "parameters": sum(p.numel() for p in trained.model.parameters()),
        "gflops": round(gflops(trained.model, imgsz), 3) if isinstance(imgsz, int) else None,
        "task": yolo.task,
        "epoch_seconds": [round(end - begin, 3) for begin, end in zip(marks[::2], marks[1::2], strict=True)],
        "curve": trainer.read_results_csv(),
        "scores": {},
    }
    said = {key: settings[key] for key in EVALUATION if key in settings}
    for split in ("val", "test"):
        if split == "test" and not has_images(trainer.data.get("test")):
            continue
        scores, seen = see(
            trained, split, data=job["data"], device=job["device"], project=str(folder), name=split, **said
        )
        if split == "test" and not len(seen.true_image):
            print("the test images have no labels, so they cannot be scored")
            continue
        if yolo.task != "classify":
            scores["sizes"] = by_size(seen)
        answer["scores"][split] = scores
        seen.save(folder / f"{split}.npz", draws=redrawn(seen, yolo.task))
        shutil.rmtree(folder / split, ignore_errors=True)
    shutil.move(trainer.last, folder / "weights.pt")
    shutil.rmtree(folder / "run")
    return {**answer, "seconds": round(time.perf_counter() - start, 1)}


def has_images(paths: object) -> bool:
    """Whether a split of the data was named and is there."""
    found = paths if isinstance(paths, list | tuple) else [paths]
    return bool(found) and all(path and Path(path).exists() for path in found)


class TrainingFailed(RuntimeError):
    """A training ended with an error of its own; `disk_full` where it found no room to write."""

    def __init__(self, text: str, disk_full: bool = False):
        super().__init__(text)
        self.disk_full = disk_full

    @classmethod
    def of(cls, error: Exception) -> "TrainingFailed":
        """The failure of a training that raised this error."""
        return cls(
            (str(error).strip() or type(error).__name__)[:2000], isinstance(error, OSError) and error.errno == 28
        )

    def as_words(self) -> dict:
        """What makes it again: the arguments, as JSON or Ray carry them."""
        return {"text": str(self), "disk_full": self.disk_full}


class Running(set):
    """The processes that run trainings now, so that they can be ended together; after `end()` none begins."""

    ended = False

    def end(self) -> None:
        self.ended = True
        while self:
            for process in list(self):
                process.kill()
                process.wait()
                self.discard(process)


def in_process(job: dict, folder: Path, running: Running | None = None) -> dict:
    """Do `train(job, folder)` in a process of its own; where it is killed from outside, do it again.

    Args:
        job: with "cores" (numbers of CPU cores to stay on, or None) and "threads".
        running: the process is in this set for as long as it runs.

    Raises:
        TrainingFailed: with what the training said, or that it was killed each time.
    """
    running = Running() if running is None else running
    threads = str(job["threads"])
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    for _ in range(ATTEMPTS):
        if running.ended:
            raise TrainingFailed("it was ended")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        with (folder / "log.txt").open("wb") as log:
            command = [sys.executable, "-m", "cnx_tutorial.compare.training", str(folder)]
            # In a session of its own: Ctrl-C reaches the comparison alone, which then ends its trainings.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        running.add(process)
        if running.ended:  # meanwhile
            process.kill()
        try:
            said = process.stdout.read()
            status = process.wait()
        finally:
            process.kill()
            process.stdin.close()
            running.discard(process)
        if status == 0:
            return json.loads(said)
        if said:
            raise TrainingFailed(**json.loads(said))
        if not is_from_outside(status):
            break
    last = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    killed = f"its process was killed {ATTEMPTS} times (too little memory?)" if is_from_outside(status) else ""
    raise TrainingFailed(killed or f"its process ended with status {status}{': ' + last[0] if last else ''}")


def is_from_outside(status: int) -> bool:
    """Whether a process was ended by a signal; on Windows by another process (status 1 without a word of its own)."""
    return status < 0 or (os.name == "nt" and status == 1)


def main(folder: Path) -> int:
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the training prints goes where its warnings go, into log.txt
    threading.Thread(target=end_with_parent, daemon=True).start()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    if job["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job["cores"])
    try:
        done = train(job, folder)
    except Exception as error:
        import traceback

        print(json.dumps(TrainingFailed.of(error).as_words()), file=answer, flush=True)
        with contextlib.suppress(OSError):  # the log lies on the disk that may be full
            traceback.print_exc()
        return 1
    print(json.dumps(done), file=answer, flush=True)
    return 0


def end_with_parent() -> None:
    """The pipe from the process that started this one ends when that process ends."""
    while os.read(0, 1024):  # not through sys.stdin, whose lock would be in the way when this process ends
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
