"""Student copies: made from the solved notebooks and from nothing else, and green from the first minute."""

from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="student copies are made with nbgrader")

from cnx_tutorial.teaching import students

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
EXERCISES = sorted((NOTEBOOKS / "exercises").glob("[0-9]*.ipynb"))


def load(path: Path):
    return nbformat.read(path, as_version=4)


def test_every_solved_notebook_has_its_copy_and_the_other_way_round():
    with_exercises = {p.name for p in NOTEBOOKS.glob("[0-9]*.ipynb") if "BEGIN SOLUTION" in p.read_text("utf-8")}
    assert {path.name for path in EXERCISES} == with_exercises


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.name)
def test_copy_is_fresh(path):
    fresh, stored = students.student_copy(load(NOTEBOOKS / path.name)), load(path)
    assert [cell.source for cell in fresh.cells[1:]] == [cell.source for cell in stored.cells[1:]]
    assert [cell.metadata for cell in fresh.cells] == [cell.metadata for cell in stored.cells]


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.name)
def test_untouched_copy_has_no_answers_and_every_checker_says_not_attempted(path):
    cells = load(path).cells
    solutions = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]
    checks = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert 3 <= len(solutions) == len(checks) <= 6
    assert all("raise NotImplementedError()" in cell.source and "SOLUTION" not in cell.source for cell in solutions)
    assert all(cell.outputs[0].text.endswith("not attempted yet\n") for cell in checks)


def test_making_a_copy_again_changes_no_byte(tmp_path):
    cells = [
        nbformat.v4.new_markdown_cell("| **CPU seconds** | 1 |"),
        nbformat.v4.new_code_cell("def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"),
    ]
    marks = dict(grade=False, grade_id="f", locked=False, schema_version=3, solution=True, task=False)
    cells[1].metadata = nbformat.from_dict({"nbgrader": marks, "jupyter": {"source_hidden": True}})
    solved = tmp_path / "01_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), solved)
    before = solved.read_bytes()

    assert students.main([str(solved)]) == 0
    first = (tmp_path / "exercises" / solved.name).read_bytes()
    assert students.main([str(solved)]) == 0

    assert (tmp_path / "exercises" / solved.name).read_bytes() == first and solved.read_bytes() == before
    assert b"return 1" not in first and b"source_hidden" not in first and b"NotImplementedError" in first
