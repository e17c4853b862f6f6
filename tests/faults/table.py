"""The faults, what is done after each, and whether anything that was finished is gone."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.few import few_smears

ROOT = Path(__file__).parents[2]
EPOCHS = 4
SETTINGS = [f"epochs={EPOCHS}", "imgsz=32", "batch=4", "plots=False", "close_mosaic=2", "seed=3"]
# Two undisturbed trainings may differ in their last digit, and the optimizer makes more of it: 1e-5 was seen here. Ultralytics' own resume: 2e-2.
SAME = 1e-3
MOMENTS = (
    "before the first epoch",
    "in the first epoch",
    "in the third epoch",
    "in the second validation",
    "after the third epoch's row, before its checkpoint",
    "while the second last.pt is written",
    "in the final evaluation",
)


@dataclass
class Outcome:
    """ended: the exit status and what was said; afterwards: what going on came to; survived, and what of finished work is gone."""

    fault: str
    ended: str
    afterwards: str
    survived: bool
    lost: str = "nothing"

    def row(self) -> str:
        return f"| {self.fault} | {self.ended} | {self.afterwards} | {'yes' if self.survived else '**no**'} | {self.lost} |"


def environment(**changes: str | None) -> dict[str, str]:
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "YOLO_OFFLINE": "1",
        **{k: v for k, v in changes.items() if v is not None},
    }
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
    return env


def cnx(
    *words: str, cwd: Path, moment: str = "None", kind: str = "SIGTERM", **changes: str | None
) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tests.faults.child", moment, kind, *words]
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=300,
    )


def said(run: subprocess.CompletedProcess, folder: Path) -> str:
    """Exit status and the last line, without the folder's name."""
    lines = [line for line in run.stderr.strip().splitlines() if line.startswith("cnx:")]
    text = (lines[-1] if lines else "").replace(str(folder.resolve()), "...").replace("|", "/")[:220]
    return f"status {run.returncode}" + (f", `{text}`" if text else "")


def epochs(run: Path) -> list[str]:
    with (run / "results.csv").open(encoding="utf-8") as file:
        return [row[0] for row in csv.reader(file)][1:]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "weights" / "last.pt", "cpu", weights_only=False)["model"].state_dict()


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """How far the weights of two models are apart, as a part of their length."""
    one, other = (torch.cat([tensor.flatten().double() for tensor in state.values()]) for state in (a, b))
    return float((one - other).norm() / other.norm())


def judged(fault: str, ended: str, run: Path, reference: Path, going_on: subprocess.CompletedProcess | None) -> Outcome:
    """After going on: all epochs once, and the weights of the undisturbed training."""
    if going_on is not None and going_on.returncode:
        return Outcome(fault, ended, f"did not go on: {said(going_on, run)}", False, "the training")
    counted, apart = epochs(run), distance(weights(run), weights(reference))
    right = counted == [str(i + 1) for i in range(EPOCHS)] and apart < SAME
    afterwards = (
        f"epochs {', '.join(counted)} in results.csv, weights {'equal' if not apart else f'differ by {apart:.0e}'}"
    )
    return Outcome(fault, ended, afterwards, right, "nothing" if right else "see left")


def train(data: Path, cwd: Path, **how) -> subprocess.CompletedProcess:
    return cnx("train", f"data={data}", *SETTINGS, cwd=cwd, **how)


class Bench:
    """A data set, and a training that nothing disturbs, to compare with."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.data = few_smears(folder / "few")
        (folder / "reference").mkdir()
        run = train(self.data, folder / "reference")
        if run.returncode:
            raise RuntimeError(run.stdout[-2000:] + run.stderr[-3000:])
        self.reference = folder / "reference" / "runs" / "few"

    def place(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
        return place

    def signalled(self, moment: str, kind: str) -> Outcome:
        """A signal at a moment, then `cnx train resume=True`, or the whole again where no epoch was finished."""
        place = self.place(f"{kind} {moment}".replace("'", ""))
        stopped = train(self.data, place, moment=moment, kind=kind)
        fault = f"{ {'SIGKILL': 'kill -9', 'SIGINT': 'Ctrl-C', 'SIGTERM': 'SIGTERM'}[kind] } {moment}"
        run = place / "runs" / "few"
        on = cnx("train", "resume=True", cwd=place)
        if not (run / "weights" / "last.pt").exists():
            told = on.returncode == 1 and "nothing to resume" in on.stderr and "Start again" in on.stderr
            again = train(self.data, place)
            outcome = judged(fault, said(stopped, place), place / "runs" / "few-2", self.reference, again)
            outcome.afterwards = f"resume says that nothing is there to resume; started again: {outcome.afterwards}"
            outcome.survived &= told
            return outcome
        return judged(fault, said(stopped, place), run, self.reference, on)

    def disk_full(self) -> Outcome | None:
        """A file system with room for one checkpoint; None where none can be mounted."""
        place = self.place("full")
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(place)], capture_output=True)
        if mount.returncode:
            return None
        try:
            stopped = train(self.data, place)
            told = stopped.returncode == 1 and "No space left" in stopped.stderr and "last.pt" in stopped.stderr
            left = [p.name for p in place.rglob("*.part")]
            subprocess.run(["mount", "-o", "remount,size=400m", str(place)], check=True)
            on = cnx("train", "resume=True", cwd=place)
            outcome = judged(
                "disk full while a checkpoint is written",
                said(stopped, place),
                place / "runs" / "few",
                self.reference,
                on,
            )
            outcome.survived &= told and not left
            return outcome
        finally:
            subprocess.run(["umount", str(place)], check=False)

    def read_only(self) -> Outcome | None:
        place = self.place("read only")
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(place)], capture_output=True
        ).returncode:
            return None
        try:
            run = train(self.data, place)
            told = run.returncode == 1 and "Read-only" in run.stderr
            return Outcome("read-only folder", said(run, place), "nothing was written", told)
        finally:
            subprocess.run(["umount", str(place)], check=False)

    def four_at_once(self) -> Outcome:
        place = self.place("four")
        command = [
            sys.executable,
            "-m",
            "tests.faults.child",
            "None",
            "SIGTERM",
            "train",
            f"data={self.data}",
            *SETTINGS,
        ]
        options = {
            "cwd": place,
            "env": environment(),
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }
        processes = [subprocess.Popen(command, **options) for _ in range(4)]
        statuses = [process.wait(timeout=600) for process in processes]
        runs = sorted((place / "runs").iterdir())
        right = [
            epochs(run) == [str(i + 1) for i in range(EPOCHS)] and (run / "weights" / "best.pt").is_file()
            for run in runs
        ]
        return Outcome(
            "four trainings at once in one folder", f"status {statuses}", f"folders {', '.join(r.name for r in runs)}, each with all its epochs",
            statuses == [0] * 4 and len(runs) == 4 and all(right),
        )  # fmt: skip

    def surroundings(self, fault: str, folder: str = "", **changes: str | None) -> Outcome:
        """A place or an environment that is unusual."""
        place = self.place(fault[:20]) / (folder or "here")
        place.mkdir(parents=True)
        run = train(self.data, place, **changes)
        return judged(fault, said(run, place), place / "runs" / "few", self.reference, run)

    def all(self) -> list[tuple[str, Callable[[], Outcome | None]]]:
        here = [(f"kill -9 {moment}", lambda m=moment: self.signalled(m, "SIGKILL")) for moment in MOMENTS]
        here += [
            (f"Ctrl-C {moment}", lambda m=moment: self.signalled(m, "SIGINT"))
            for moment in ("in the third epoch", "in the final evaluation")
        ]
        here += [("SIGTERM", lambda: self.signalled("in the third epoch", "SIGTERM"))]
        here += [("disk full", self.disk_full), ("read-only", self.read_only), ("four at once", self.four_at_once)]
        unusual = {
            "HOME that is not there": ("", {"HOME": str(self.folder / "nowhere"), "YOLO_CONFIG_DIR": None}),
            "LANG=C, ASCII terminal": (
                "",
                {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
            ),
            "blanks in the path": ("my own cells", {}),
            "an apostrophe in the path": ("the teacher's", {}),
            "Chinese characters in the path": ("血细胞", {}),
            "Chinese characters, ASCII terminal": ("血细胞", {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}),
            "a path of 200 characters more": ("x" * 100 + "/" + "y" * 100, {}),
        }
        return here + [
            (name, lambda n=name, f=f, c=c: self.surroundings(n, f, **c)) for name, (f, c) in unusual.items()
        ]
