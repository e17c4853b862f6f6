"""Make the student copies: `python -m cnx_tutorial.teaching.students [notebooks...]`.

The solved notebook is the only source. nbgrader's own preprocessors empty the solutions and lock the checkers; the copy is
then executed and stored in `notebooks/exercises/`, where each checker says "not attempted yet".
"""

import argparse
import copy
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from cnx_tutorial.teaching.record import NOTEBOOKS, report, store


def student_copy(solved: NotebookNode) -> NotebookNode:
    """The notebook without its solutions and outputs.

    Raises:
        ImportError: nbgrader is not installed; it comes with `pip install nbgrader`.
        RuntimeError: nbgrader found a solution that is not closed, or one outside of a solution cell.
    """
    from nbgrader.preprocessors import ClearSolutions, LockCells  # nbgrader is needed only to make the copies

    notebook = copy.deepcopy(solved)
    for preprocessor in (ClearSolutions(), LockCells()):
        notebook, _ = preprocessor.preprocess(notebook, {})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if cell.metadata.get("nbgrader", {}).get("solution"):  # it was folded while it held the answer
            cell.metadata.pop("jupyter", None)
            cell.metadata.pop("tags", None)
    return notebook


def make(solved: Path) -> bool:
    """Store the executed student copy of the notebook at `solved`; True if the file changed.

    Raises:
        RecordingFailed: a cell of the copy raised or wrote to stderr. Nothing is then written.
    """
    target = solved.parent / "exercises" / solved.name
    target.parent.mkdir(exist_ok=True)
    notebook = student_copy(nbformat.read(solved, as_version=4))
    if target.exists():  # the copy's own CPU seconds, so that making it again changes nothing
        notebook.metadata["cnx"] = nbformat.read(target, as_version=4).metadata.get("cnx", {})
    return store(notebook, target)


def main(arguments: list[str] | None = None) -> int:
    """Make the copies of the given solved notebooks, or of all; the exit code is the number of those that failed."""
    parser = argparse.ArgumentParser(
        prog="python -m cnx_tutorial.teaching.students", description=__doc__.splitlines()[0]
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all solved notebooks")
    return report(make, parser.parse_args(arguments).notebooks or sorted(NOTEBOOKS.glob("[0-9]*.ipynb")))


if __name__ == "__main__":
    sys.exit(main())
