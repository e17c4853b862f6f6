"""Re-execute notebooks and store what they print: `python -m cnx_tutorial.teaching.record [notebooks...]`.

What the notebooks show is recorded, never typed. A notebook is written back only if every cell ran and printed nothing
on stderr. Recording twice on one machine gives the same bytes: no timings, no version stamps in pictures. The CPU
seconds in the header card are measured here too, and rewritten only when they are off by more than half.
"""

import argparse
import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CPU_SECONDS = re.compile(r"(CPU seconds\D*)(\d+)")  # as the header card says it
CELL_SECONDS = 900
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class RecordingFailed(RuntimeError):
    """A cell did not run as it should; the message says which, and how."""


def record(path: Path) -> bool:
    """Execute the notebook at `path` and store what it prints; True if the file changed.

    Raises:
        RecordingFailed: see `execute`. The file is then as it was.
    """
    return store(nbformat.read(path, as_version=4), path)


def store(notebook: NotebookNode, path: Path) -> bool:
    """Execute the notebook in the folder of `path`, and write it there if that changes a byte; True if it did.

    Raises:
        RecordingFailed: see `execute`. Nothing is then written.
    """
    _store_cpu_seconds(notebook, execute(notebook, path.parent))
    nbformat.validate(notebook)
    after = (nbformat.writes(notebook) + "\n").encode("utf-8")
    if path.exists() and after == path.read_bytes():
        return False
    draft = path.with_name(path.name + ".part")
    draft.write_bytes(after)
    draft.replace(path)
    return True


def execute(notebook: NotebookNode, folder: Path) -> float:
    """Run all cells in a fresh kernel whose working folder is `folder`; return its CPU seconds, imports included.

    Raises:
        RecordingFailed: a cell raised, timed out or wrote to stderr, or the kernel died.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    stopwatch = nbformat.v4.new_code_cell("import os; print(sum(os.times()[:4]))")
    notebook.cells.append(stopwatch)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    try:
        client.execute(env=environment, stderr=subprocess.DEVNULL)  # the kernel's own log; cells print elsewhere
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise RecordingFailed(_first_failure(notebook, error)) from error
    finally:
        notebook.cells.remove(stopwatch)
    for number, cell in enumerate(notebook.cells):
        _clean_outputs(number, cell)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    return float(stopwatch.outputs[0].text)


def _first_failure(notebook: NotebookNode, error: Exception) -> str:
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                source = "\n        ".join(cell.source.splitlines())
                return f"cell {number} ({cell.id}) raised {output.ename}: {output.evalue}\n        {source}"
    return ANSI.sub("", f"{type(error).__name__}: {error}")


def _clean_outputs(number: int, cell: NotebookNode) -> None:
    """Refuse stderr, which differs between machines, and drop the version stamps from pictures."""
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr":
            raise RecordingFailed(f"cell {number} ({cell.id}) wrote to stderr: {output.text.strip()[:500]}")
        picture = output.get("data", {}).get("image/png")
        if picture:
            plain = without_text_chunks(base64.b64decode(picture))
            output.data["image/png"] = base64.b64encode(plain).decode("ascii")


def without_text_chunks(png: bytes) -> bytes:
    """The same PNG without its tEXt chunks, in which matplotlib notes its version."""
    kept, position = [png[:8]], 8  # the signature, then chunks: 4 bytes length, 4 bytes kind, data, 4 bytes checksum
    while position < len(png):
        end = position + 12 + int.from_bytes(png[position : position + 4], "big")
        if png[position + 4 : position + 8] != b"tEXt":
            kept.append(png[position:end])
        position = end
    return b"".join(kept)


def _store_cpu_seconds(notebook: NotebookNode, measured: float) -> None:
    """Note the measured seconds in the metadata and in the header card, unless what stands there is near enough."""
    noted = notebook.metadata.setdefault("cnx", {}).get("cpu_seconds", 0)
    if not noted or (abs(measured - noted) > 3 and not noted / 1.5 <= measured <= noted * 1.5):
        noted = notebook.metadata["cnx"]["cpu_seconds"] = max(1, round(measured))
    header = notebook.cells[0]
    header.source = CPU_SECONDS.sub(rf"\g<1>{noted}", header.source, count=1)


def main(arguments: list[str] | None = None) -> int:
    """Record the given notebooks, or all of them; the exit code is the number of those that failed."""
    parser = argparse.ArgumentParser(prog="python -m cnx_tutorial.teaching.record", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: the solved notebooks")
    return report(record, parser.parse_args(arguments).notebooks or sorted(NOTEBOOKS.glob("[0-9]*.ipynb")))


def report(work: Callable[[Path], bool], paths: Iterable[Path]) -> int:
    """Do work(path) for each notebook, say for each what came of it, and return how many failed."""
    failures = 0
    for path in paths:
        try:
            print(f"{path.name}: {'recorded' if work(path) else 'unchanged'}", flush=True)
        except (RecordingFailed, OSError, nbformat.reader.NotJSONError) as error:
            failures += 1
            print(f"{path.name}: NOT recorded, the file is as it was: {error}", file=sys.stderr, flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
