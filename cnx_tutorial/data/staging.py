"""Make a file or a folder completely or not at all: write beside it, and move it into place at the end."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def may_write(out: Path, overwrite: bool) -> None:
    """Refuse a folder that is there, and even with `overwrite` one that holds anything but a data set.

    Raises:
        FileExistsError: `out` is there and overwrite is False, or it holds other things than images and labels; the message names them.
    """
    if not out.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"{out} is there already: give another folder (--out), or ask to replace it (--overwrite)"
        )
    others = sorted(p.name for p in out.iterdir() if p.name not in ("images", "labels")) if out.is_dir() else [out.name]
    if others:
        raise FileExistsError(
            f"{out} holds more than a data set's images and labels ({', '.join(others[:3])}), and --overwrite would delete it: "
            "give another folder (--out)"
        )


def replace(out: Path, made: Path, old: Path, overwrite: bool = True) -> None:
    """Put `made` in the place of `out` by renaming alone, so that an interruption leaves either the old set or the new one.

    Raises:
        FileExistsError: another process made `out` since `may_write` looked, and overwrite is False; theirs stays.
    """
    if overwrite and out.exists():
        out.rename(old)
    try:
        made.rename(
            out
        )  # a folder that is not empty is never replaced by this, so of two that are begun at once one fails here
    except BaseException as error:
        if old.exists() and not out.exists():
            old.rename(out)
        if isinstance(error, OSError) and not overwrite and out.exists():
            raise FileExistsError(
                f"{out} was made by another process in the meantime; what it made stays. Give another folder (--out)"
            ) from error
        raise


@contextmanager
def staging_beside(out: Path) -> Iterator[Path]:
    """A folder on the same disk as `out`, gone at the end of the block, whatever happened; so are parents made for it, if nothing came of them."""
    missing = [folder for folder in out.absolute().parents if not folder.exists()]  # the innermost first
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise OSError(
            f"cannot write into {out.parent} ({error.strerror}): give a folder of yours with --out"
        ) from error
    try:
        yield staging
    except OSError as error:
        if isinstance(error, ConnectionError) or error.errno is None:
            raise
        raise OSError(
            error.errno,
            f"{error.strerror} while writing {out} ({error.filename or 'no file named'}); nothing was kept. "
            "Make room or give another folder with --out",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in missing:
            if any(folder.iterdir()):
                break
            folder.rmdir()


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A draft beside `file` to write to; it is moved into place when the block has ended well, so that `file` is complete or not there."""
    draft = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield draft
        draft.replace(file)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
