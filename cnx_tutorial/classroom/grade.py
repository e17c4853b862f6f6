"""`cnx grade FOLDER`: marks for a folder of learners' copies, without nbgrader.

Of a copy only the answers are taken, by the ids of their cells. The cells around them and the checkers are those of our own notebook, so that
what else a learner changed plays no part. Each answer is tried in a process of its own (`desk.py` says within which limits, and what they do not
protect from).
"""

import csv
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from tqdm import tqdm

from cnx_tutorial.classroom.course import choose, strict_call
from cnx_tutorial.classroom.exercises import Exercise, exercises, needed_cells
from cnx_tutorial.classroom.overview import class_page, learner_page
from cnx_tutorial.cores import cpu_count
from cnx_tutorial.data.staging import whole

LARGEST = 50 * 2**20  # bytes of a copy


@dataclass(frozen=True)
class Mark:
    """What one answer of one learner got. `message` is the checker's sentence, or "right"."""

    learner: str
    notebook: str
    exercise: str
    title: str
    points: int
    most: int
    message: str


def grade(
    folder: Path,
    out: Path | None = None,
    notebooks: list[str] | None = None,
    user: str | None = None,
    seconds: int = 60,
    memory_mb: int = 2048,
    file_mb: int = 50,
    processes: int = 20,
) -> list[Mark]:
    """Mark every copy below `folder`, whose first subfolders are the learners, and write `marks.csv`, `overview.html` and a page for each learner.

    Args:
        folder: of the class; FOLDER/anna/01_layernorm.ipynb, FOLDER/ben/my_work/01_layernorm.ipynb and so on.
        out: where the results go; default: a folder beside `folder`, its name with "_marks".
        notebooks: numbers or names; default: all of which there is a copy.
        user: the system's user whose rights the answers get; default: the user "nobody" if we are root, else our own user.
        seconds, memory_mb, file_mb, processes: what one answer may use.

    Raises:
        FileNotFoundError: no learner's copy is in `folder`.
        FileExistsError: `out` is there already.
        ValueError: no notebook, or no user, of that name; or that user may not read this package.
        OSError: the system has no fork (Windows).
    """
    if not hasattr(os, "fork"):
        raise OSError(
            "cnx grade needs Linux or macOS, because it limits what an answer may use; on Windows use it in WSL"
        )
    out = out or marks_folder(folder)
    if out.exists():
        raise FileExistsError(f"{out} is there already: name another folder with --out, or remove it")
    copies = find_copies(folder, [path.stem for path in choose(notebooks)])
    if not copies:
        raise FileNotFoundError(
            f"{folder} holds no copies; expected FOLDER/LEARNER/01_layernorm.ipynb, or FOLDER/LEARNER/my_work/01_layernorm.ipynb"
        )
    limits = {
        "seconds": seconds,
        "memory_mb": memory_mb,
        "file_mb": file_mb,
        "processes": processes,
        "jobs": cpu_count(),
        **rights(user),
    }
    marks = []
    for path in choose(notebooks):
        mine = {learner: found[path.stem] for learner, found in copies.items() if path.stem in found}
        if mine:
            marks += mark_notebook(path, mine, limits)
    marks.sort(key=lambda mark: (mark.learner, mark.notebook))
    write_results(marks, out)
    return marks


def marks_folder(folder: Path) -> Path:
    """Where the marks of the class in `folder` go unless one says otherwise."""
    return folder.with_name(f"{folder.resolve().name}_marks")


def find_copies(folder: Path, stems: list[str]) -> dict[str, dict[str, Path]]:
    """{learner: {name of the notebook: the copy}}; of several copies the one that was changed last."""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.glob("*/**/*.ipynb"), key=lambda path: path.stat().st_mtime):
        inside = path.relative_to(folder).parts
        if path.stem in stems and not any(part.startswith(".") for part in inside):
            found.setdefault(inside[0], {})[path.stem] = path
    return dict(sorted(found.items()))


def rights(user: str | None) -> dict[str, int | None]:
    """The user and group that the answers get; None: our own."""
    if os.getuid():
        if user:
            raise ValueError("--user needs an administrator's rights (root); without it the answers run as you")
        return {"uid": None, "gid": None}
    try:
        entry = pwd.getpwnam(user or "nobody")
    except KeyError:
        raise ValueError(f"this system has no user {user or 'nobody'!r}; give one with --user") from None
    if entry.pw_uid == 0:
        return {"uid": None, "gid": None}
    command = [sys.executable, "-c", "import cnx_tutorial.teaching.checks.engine"]
    who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    try:
        subprocess.run(command, capture_output=True, cwd="/", check=True, **who)
    except (OSError, subprocess.CalledProcessError):
        raise ValueError(
            f"the user {entry.pw_name} cannot read this Python and this package ({sys.prefix}): install them where all may read, "
            "or grade as a user of yours with few rights, or accept the risk with --user root"
        ) from None
    return {"uid": entry.pw_uid, "gid": entry.pw_gid}


def mark_notebook(path: Path, copies: dict[str, Path], limits: dict) -> list[Mark]:
    """The marks of all learners in one notebook."""
    solved = nbformat.read(path, as_version=4)
    tasks = exercises(solved)
    base = needed_cells(solved, [task.solution for task in tasks] + [task.check for task in tasks])
    tries, said = [], {}
    for learner, copy in copies.items():
        answers, fault = read_answers(copy)
        for task in tasks:
            key = f"{len(said) + len(tries)}"
            if fault or task.name not in answers:
                said[key] = (learner, task, False, fault or "the cell of this exercise is missing in the copy")
                continue
            own = [source for source in needed_cells(solved, [answers[task.name]]) if source not in base]
            tries.append(
                {
                    "id": key,
                    "sources": [*own, answers[task.name]],
                    "call": strict_call(task.check),
                    "of": (learner, task),
                }
            )
    who = {one["id"]: one.pop("of") for one in tries}
    for outcome in tqdm(run_desk(base, tries, limits), total=len(tries), desc=path.stem, unit="answer"):
        said[outcome["id"]] = (*who[outcome["id"]], outcome["passed"], outcome["message"])
    return [mark_of(learner, path.stem, task, passed, message) for learner, task, passed, message in said.values()]


def mark_of(learner: str, notebook: str, task: Exercise, passed: bool, message: str) -> Mark:
    return Mark(learner, notebook, task.name, task.title, task.points if passed else 0, task.points, message)


def read_answers(copy: Path) -> tuple[dict[str, str], str]:
    """The answers of a copy by the ids of their cells, and what is wrong with the file, if something is."""
    try:
        if copy.stat().st_size > LARGEST:
            return {}, f"the copy is larger than {LARGEST // 2**20} MB"
        notebook = nbformat.read(copy, as_version=4)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        return {
            cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", ""): cell.source for cell in cells
        }, ""
    except Exception as error:  # whatever a file can hold
        return {}, f"the copy is no notebook that can be read: {type(error).__name__}"


def run_desk(cells: list[str], tries: list[dict], limits: dict) -> Iterator[dict]:
    """What became of each try, as they end.

    Raises:
        RuntimeError: the cells of our own notebook could not be run.
    """
    hears, says = os.pipe()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "cnx_tutorial.classroom.desk", str(says)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, pass_fds=[says], env=environment, text=True, **streams) as desk:
        os.close(says)
        desk.stdin.write(json.dumps({"cells": cells, "tries": tries, "limits": limits}))
        desk.stdin.close()
        with os.fdopen(hears, encoding="utf-8") as answers:
            for line in answers:
                yield json.loads(line)
        errors = desk.stderr.read()
    if desk.returncode:
        raise RuntimeError(
            f"the cells before the answers could not be run: {(errors.strip().splitlines() or ['no message'])[-1]}"
        )


def write_results(marks: list[Mark], out: Path) -> None:
    """marks.csv, overview.html, and learners/NAME.html for each."""
    (out / "learners").mkdir(parents=True)
    with whole(out / "marks.csv") as draft, draft.open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, list(asdict(marks[0])))
        table.writeheader()
        table.writerows(asdict(mark) for mark in marks)
    for learner in dict.fromkeys(mark.learner for mark in marks):
        own = [mark for mark in marks if mark.learner == learner]
        (out / "learners" / f"{learner}.html").write_text(learner_page(learner, own), encoding="utf-8")
    (out / "overview.html").write_text(class_page(marks), encoding="utf-8")
