"""`cnx course DIR`: a complete nbgrader course of the notebooks.

nbgrader does the work: release, collect, autograde, feedback and export are its own commands, and its documentation describes them. This writes its
configuration, and `source/` with one assignment for each notebook: stubs unfolded, points by minutes and difficulty, and behind each checker a hidden
test, which asks a freshly imported checker, so that a learner's changes to the checkers that lie in memory bring no marks.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from cnx_tutorial.classroom.exercises import exercises
from cnx_tutorial.data.staging import whole
from cnx_tutorial.paths import NOTEBOOKS
from cnx_tutorial.teaching.translation import in_chinese

HIDDEN = """

### BEGIN HIDDEN TESTS
import sys

for name in [name for name in sys.modules if name.startswith("cnx_tutorial.teaching")]:
    del sys.modules[name]
from cnx_tutorial.teaching import check as fresh_check

{call}
### END HIDDEN TESTS"""

CONFIGURATION = '''"""A course of the cnx_tutorial notebooks, written by `cnx course`. nbgrader's documentation describes every option."""

from pathlib import Path

c = get_config()
c.CourseDirectory.root = str(Path(__file__).parent)
c.CourseDirectory.course_id = "{course}"
c.ExecutePreprocessor.timeout = 600  # seconds a cell may take: some cells train
c.ExecutePreprocessor.interrupt_on_timeout = True  # the cells after a cell that is cut off are still graded
c.GenerateFeedback.exporter_class = "cnx_tutorial.classroom.pages.OfflineHTMLExporter"  # formulas that need no network
'''


def make_course(folder: Path, notebooks: list[str] | None = None, language: str = "en") -> list[str]:
    """Write the configuration and the sources of a course, and release its assignments; returns their names.

    Args:
        folder: of the course; made if it is not there.
        notebooks: numbers ("01") or names of the notebooks; None: all.
        language: of the text; "zh" is Chinese. Code, points and hidden tests are the same.

    Raises:
        ValueError: no notebook of that name; the message lists them.
        FileExistsError: an assignment is there already. Nothing was written then.
        ImportError: nbgrader is not installed.
        RuntimeError: nbgrader refused an assignment; the message holds what it said.
    """
    chosen = choose(notebooks)
    for path in chosen:
        if (folder / "source" / path.stem).exists():
            raise FileExistsError(
                f"{folder / 'source' / path.stem} is there already: name another folder, or leave {path.stem[:2]} out of --notebooks"
            )
    api = nbgrader_api(folder)
    for path in chosen:
        target = folder / "source" / path.stem / path.name
        target.parent.mkdir(parents=True)
        with whole(target) as draft:
            source = assignment(nbformat.read(path, as_version=4))
            nbformat.write(in_chinese(source, path.name) if language == "zh" else source, draft)
    with own_tools():
        for path in chosen:
            result = api.generate_assignment(path.stem)
            if not result["success"]:
                raise RuntimeError(
                    f"nbgrader could not release {path.stem}: {result.get('error') or result.get('log')}"
                )
    return [path.stem for path in chosen]


def choose(notebooks: list[str] | None) -> list[Path]:
    """The solved notebooks of these numbers or names, or all that have exercises."""
    every = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    chosen = []
    for name in [str(name) for name in notebooks or []]:
        found = [path for path in every if path.stem == Path(name).stem or path.stem[:2] == name.zfill(2)]
        if not found:
            raise ValueError(
                f"{name!r} is no notebook of this tutorial; expected one of {', '.join(path.stem for path in every)}"
            )
        chosen += found
    return list(dict.fromkeys(chosen or every))


def assignment(solved: NotebookNode) -> NotebookNode:
    """nbgrader's source of an assignment: our solved notebook with points, hidden tests, unfolded answers, and no outputs."""
    worth = {exercise.name: exercise.points for exercise in exercises(solved)}
    source, answer = nbformat.from_dict(solved), ""
    for cell in source.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("solution"):
            answer = cell.id
            cell.metadata.pop("jupyter", None)
            cell.metadata["tags"] = [tag for tag in cell.metadata.get("tags", []) if tag != "hide-input"]
        elif marks.get("grade"):
            marks["points"] = worth[answer]
            cell.source += HIDDEN.format(call=strict_call(cell.source))
    return source


def strict_call(check: str) -> str:
    """`check.iou(my_iou)` -> `fresh_check.iou(my_iou, strict=True)`."""
    call = re.fullmatch(r"check\.(\w+)\((.*)\)", check.strip(), re.DOTALL)
    if not call:
        raise ValueError(f"a checker's cell holds one call check.name(answer); this one holds {check!r}")
    return f"fresh_check.{call[1]}({call[2]}, strict=True)"


@contextmanager
def own_tools() -> Iterator[None]:
    """In this block the programs of this Python come first in PATH: nbgrader calls `alembic`, also where the environment is not activated."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def nbgrader_api(folder: Path):
    """nbgrader for the course in `folder`, whose configuration is written if it is not there."""
    try:
        from nbgrader.apps import NbGraderAPI
        from traitlets.config import Config, PyFileConfigLoader
    except ImportError as error:
        raise ImportError('cnx course needs nbgrader: pip install "cnx-tutorial[teach]"') from error
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "nbgrader_config.py"
    if not file.exists():
        with whole(file) as draft:
            draft.write_text(CONFIGURATION.format(course=re.sub(r"\W+", "_", folder.resolve().name)), encoding="utf-8")
    config = Config(PyFileConfigLoader(str(file.resolve())).load_config())
    return NbGraderAPI(config=config)
