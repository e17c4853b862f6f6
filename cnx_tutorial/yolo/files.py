"""Files of a training that are whole or not there: checkpoints, results.csv, and a folder that two trainings never share.

Ultralytics overwrites the last checkpoint in place: a process that is killed while it writes leaves half a file. It also chooses a folder's name
some time before it makes the folder, so that two trainings that start at the same moment choose the same name.
"""

import contextlib
import csv
import io
import logging
import os
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

import torch
from ultralytics.cfg import get_save_dir as stock_get_save_dir
from ultralytics.utils import LOCAL_RANK, LOGGER, RANK
from ultralytics.utils.torch_utils import strip_optimizer as stock_strip_optimizer


class WholePath(type(Path())):
    """A path whose `write_bytes` and `write_text` put a new file in the place of the old one only when it is complete."""

    def write_bytes(self, data: bytes) -> int:
        draft = Path(f"{self}.{uuid.uuid4().hex[:8]}.part")
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self)  # noqa: PTH105 (Path.replace would make a WholePath again)
        except OSError as error:
            kept = f"{self.name} of before is whole" if self.exists() else f"there is no {self.name}"
            raise OSError(
                error.errno,
                f"{error.strerror} while writing {self}; {kept}. Make room or choose another disk with project=FOLDER; "
                "what is finished goes on with resume=True",
            ) from error
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        return len(data)

    def write_text(self, data: str, encoding: str = "utf-8", **options) -> int:
        return self.write_bytes(data.encode(encoding))


def take_save_dir(args, name: str | None = None) -> Path:
    """Ultralytics' `get_save_dir`, and the folder is made in the same moment: who finds it taken gets the next number."""
    while True:
        folder = stock_get_save_dir(args, name)
        if (
            RANK > 0
            or LOCAL_RANK != -1
            or getattr(args, "resume", False)
            or args.exist_ok
            or getattr(args, "save_dir", None)
        ):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


LATER: ContextVar[list | None] = ContextVar("LATER", default=None)


@contextlib.contextmanager
def stripping_later() -> Iterator[None]:
    """In this block `strip_optimizer` changes no file; at its end it does all that it was asked for."""
    asked: list = []
    token = LATER.set(asked)
    try:
        yield
    finally:
        LATER.reset(token)
    for f, s, updates in asked:
        strip_optimizer(f, s, updates)


def strip_optimizer(f: str | Path = "best.pt", s: str = "", updates: dict | None = None) -> dict:
    """Ultralytics' `strip_optimizer`, which writes the smaller checkpoint beside the old one and then in its place."""
    if LATER.get() is not None:
        LATER.get().append((f, s, updates))
        return torch.load(f, "cpu", weights_only=False)
    target = Path(s or f)
    draft = Path(f"{target}.{uuid.uuid4().hex[:8]}.part")

    def without_draft(record: logging.LogRecord) -> bool:
        record.msg = str(record.msg).replace(f" saved as {draft},", f" saved as {s}," if s else "")
        return True

    LOGGER.addFilter(without_draft)
    try:
        stripped = stock_strip_optimizer(f, str(draft), updates)
        if draft.exists():
            draft.replace(target)
    finally:
        LOGGER.removeFilter(without_draft)
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return stripped


def keep_epochs(file: Path, epochs: int) -> None:
    """Leave in results.csv one whole row for each of the first `epochs` epochs."""
    if not file.is_file():
        return
    lines = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8", errors="replace"))))
    if not lines:
        return
    head, *rows = lines
    kept = {}
    for row in rows:
        if len(row) == len(head) and row[0].strip().isdecimal() and 1 <= int(row[0]) <= epochs:
            kept[int(row[0])] = ",".join(row)
    text = "\n".join([",".join(head), *(kept[epoch] for epoch in sorted(kept))]) + "\n"
    WholePath(file).write_text(text)
