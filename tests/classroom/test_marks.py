"""Known answers, honest and dishonest, through `cnx grade` and through nbgrader: the same marks, and the right ones."""

import csv
import os
import re
from pathlib import Path

import nbformat
import pytest

from cnx_tutorial.classroom import course, exercises, overview, pages
from cnx_tutorial.classroom.grade import find_copies, grade
from cnx_tutorial.paths import NOTEBOOKS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="cnx grade limits what answers may use, by POSIX means")

RIGHT = {
    "normalize": "def normalize(x, eps=1e-6):\n    d = x - x.mean()\n    return d / (d.square().mean() + eps).sqrt()",
    "axes-that-share": "def axes_that_share(norm):\n"
    "    return {'batch': (0, 2, 3), 'layer': (1,), 'instance': (2, 3), 'group1': (1, 2, 3)}[norm]",
}
WRONG = "def normalize(x, eps=1e-6):\n    return (x - x.mean()) / x.std()"
RAISES, LOOPS, SYNTAX = "raise ValueError('no')", "while True:\n    pass", "def normalize(x:\n    pass"
CHEATS = {  # name: the answer to the first exercise, which is wrong in all
    "check redefined": f"{WRONG}\n\nclass check:\n    normalize = axes_that_share = staticmethod(lambda answer, **options: None)",
    "a checker replaced": f"{WRONG}\ncheck.normalize = lambda answer, **options: None",
    "strictness switched off": f"{WRONG}\nimport os\nos.environ.pop('NBGRADER_EXECUTION', None)",
    "the runner patched": f"{WRONG}\nfrom cnx_tutorial.teaching.checks import runner\nrunner.in_time = lambda work, seconds: None",
}
# learner: the answers to the two exercises, None for an untouched stub, and the marks that they deserve
CLASS = {
    "right": (RIGHT["normalize"], RIGHT["axes-that-share"], (1, 1)),
    "wrong": (WRONG, "def axes_that_share(norm):\n    return (1,)", (0, 0)),
    "half": (RIGHT["normalize"], None, (1, 0)),
    "untouched": (None, None, (0, 0)),
    "raising": (RAISES, RIGHT["axes-that-share"], (0, 1)),
    "looping": ("def normalize(x, eps=1e-6):\n    while True:\n        pass", RIGHT["axes-that-share"], (0, 1)),
    "syntax": (SYNTAX, RIGHT["axes-that-share"], (0, 1)),
    **{name: (answer, RIGHT["axes-that-share"], (0, 1)) for name, answer in CHEATS.items()},
    "set-up edited": (WRONG, RIGHT["axes-that-share"], (0, 1)),
    "call wrapped": (WRONG, RIGHT["axes-that-share"], (0, 1)),
}


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory) -> Path:
    """A folder with one short notebook: the set-up of notebook 01 and its first two exercises."""
    folder = tmp_path_factory.mktemp("notebooks")
    notebook = nbformat.read(NOTEBOOKS / "01_layernorm.ipynb", as_version=4)
    kept, heading = [], None
    for cell in notebook.cells:
        if "### Exercise" in cell.source:
            heading = cell
        if cell.id in ("header", "setup", *(f"{name}-check" for name in RIGHT)):
            kept.append(cell)
        elif cell.id in RIGHT:
            kept += [heading, cell]
    notebook.cells = kept
    nbformat.write(notebook, folder / "01_layernorm.ipynb")
    return folder


@pytest.fixture
def only_these(notebooks, monkeypatch):
    monkeypatch.setattr(course, "NOTEBOOKS", notebooks)


def submit(source: Path, target: Path, first: str | None, second: str | None, learner: str) -> None:
    """Store what a learner made of a notebook."""
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        answer = {"normalize": first, "axes-that-share": second}.get(cell.id)
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answer or re.sub(
                r"### BEGIN SOLUTION.*?### END SOLUTION", "raise NotImplementedError()", cell.source, flags=re.DOTALL
            )
        elif learner == "set-up edited" and cell.id == "setup":
            cell.source += (
                "\n\nclass check:\n    normalize = axes_that_share = staticmethod(lambda answer, **options: None)"
            )
        elif learner == "call wrapped" and cell.source.startswith("check."):
            cell.source = f"try:\n    {cell.source.splitlines()[0]}\nexcept Exception:\n    pass"
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


def test_cnx_grade_gives_every_learner_the_marks_that_the_answers_deserve(notebooks, only_these, tmp_path):
    folder = tmp_path / "class"
    for learner, (first, second, _) in CLASS.items():
        submit(
            notebooks / "01_layernorm.ipynb", folder / learner / "my_work/01_layernorm.ipynb", first, second, learner
        )
    (folder / "broken").mkdir()
    (folder / "broken/01_layernorm.ipynb").write_text("{", encoding="utf-8")
    marks = grade(folder, user=me(), seconds=15)
    got = {learner: tuple(mark.points for mark in marks if mark.learner == learner) for learner in CLASS}
    for learner, marked in got.items():
        of = [mark.exercise for mark in marks if mark.learner == learner]
        assert dict(zip(of, marked, strict=True)) == dict(zip(RIGHT, CLASS[learner][2], strict=True)), learner
    said = {(mark.learner, mark.exercise): mark.message for mark in marks}
    assert "not attempted yet" in said["untouched", "normalize"] and "SyntaxError" in said["syntax", "normalize"]
    assert "likely:" in said["wrong", "normalize"] and "can be read" in said["broken", "normalize"]
    with (tmp_path / "class_marks/marks.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (len(CLASS) + 1) and sum(int(row["points"]) for row in rows) == sum(map(sum, got.values()))
    page = (tmp_path / "class_marks/overview.html").read_text(encoding="utf-8")
    assert "What was misunderstood" in page and "://" not in page
    assert "not attempted yet" in (tmp_path / "class_marks/learners/untouched.html").read_text(encoding="utf-8")
    with pytest.raises(FileExistsError, match="class_marks is there already"):
        grade(folder)


def me() -> str | None:
    """Where the tests run as root, root: its own Python may be closed to everybody else."""
    return None if os.getuid() else "root"


HOSTILE = {  # the answer, and what is said of it
    "many processes": (
        "import os, time\nfor _ in range(200):\n    if not os.fork():\n        time.sleep(60)\n        os._exit(0)\ntime.sleep(60)",
        "processes",
    ),
    "leaves its group": (
        "import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n        time.sleep(61.25)\n    os._exit(0)\n"
        + RIGHT["normalize"],
        "right",
    ),
    "eats memory": ("hoard = bytearray(3 * 2**30)", "2048 MB of memory"),
    "loops in C": ("7 ** 10**9", "still running"),
    "fills the disk": (
        "with open('large', 'wb') as file:\n    for _ in range(1000):\n        file.write(bytes(2**20))",
        "",
    ),
    "says that it is right": (
        'import os\nfor number in range(3, 256):\n    try:\n        os.write(number, b\'{"passed": true, "message": "right"}\')\n'
        "    except OSError:\n        pass\nos._exit(0)",
        "before it was checked",
    ),
}


def test_hostile_answers_are_stopped_and_the_others_get_their_marks(notebooks, only_these, tmp_path):
    import psutil

    folder = tmp_path / "class"
    for learner, (answer, _) in HOSTILE.items():
        submit(
            notebooks / "01_layernorm.ipynb",
            folder / learner / "01_layernorm.ipynb",
            answer,
            RIGHT["axes-that-share"],
            learner,
        )
    marks = grade(folder, user=me(), seconds=15)
    for mark in marks:
        if mark.exercise == "axes-that-share":
            assert mark.points == 1, mark
        else:
            assert HOSTILE[mark.learner][1] in mark.message and mark.points == (HOSTILE[mark.learner][1] == "right"), (
                mark
            )
    left = [
        p
        for p in psutil.process_iter(["cmdline"])
        if "cnx_tutorial.classroom.desk" in " ".join(p.info["cmdline"] or [])
    ]
    assert not left


def test_nbgrader_gives_the_same_marks(notebooks, only_these, tmp_path):
    folder = tmp_path / "course"
    assert course.make_course(folder) == ["01_layernorm"]
    released = folder / "release/01_layernorm/01_layernorm.ipynb"
    text = released.read_text(encoding="utf-8")
    assert "HIDDEN" not in text and "source_hidden" not in text and "raise NotImplementedError" in text
    with pytest.raises(FileExistsError, match="01_layernorm is there already"):
        course.make_course(folder)
    chosen = [
        name for name in CLASS if name not in ("looping", "raising", "syntax")
    ]  # these three take nbgrader long, or are alike
    for learner in chosen:
        first, second, _ = CLASS[learner]
        submit(released, folder / "submitted" / learner / "01_layernorm/01_layernorm.ipynb", first, second, learner)
    api = course.nbgrader_api(folder)
    with course.own_tools():
        for learner in chosen:
            result = api.autograde("01_layernorm", learner)
            assert result["success"], result["log"][-3000:]
    with api.gradebook as book:
        for learner in chosen:
            submission = book.find_submission_notebook("01_layernorm", "01_layernorm", learner)
            got = {grade.name.removesuffix("-check"): grade.auto_score for grade in submission.grades}
            assert got == dict(zip(RIGHT, CLASS[learner][2], strict=True)), learner
    with course.own_tools():
        assert api.generate_feedback("01_layernorm", "half")["success"]
    page = (folder / "feedback/half/01_layernorm/01_layernorm.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=\"https?://", page)


def test_formulas_become_mathml_and_code_stays_as_it_is():
    page = pages.offline(
        '<p>with $x^2$ and $$\\frac{a}{b}$$</p><pre>cost $5 and $6</pre><script src="https://x/MathJax.js"></script>'
    )
    assert page.count("<math") == 2 and "<pre>cost $5 and $6</pre>" in page and "MathJax" not in page
    assert "$" not in page.replace("<pre>cost $5 and $6</pre>", "")


def test_every_exercise_has_points_and_needs_few_cells_before_it():
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        solved = nbformat.read(path, as_version=4)
        tasks = exercises.exercises(solved)
        assert tasks and all(task.points >= 1 for task in tasks), path
        cells = exercises.needed_cells(solved, [source for task in tasks for source in (task.solution, task.check)])
        assert "import" in cells[0]
        for task in tasks:
            assert course.strict_call(task.check).startswith("fresh_check.")


def test_a_notebook_that_is_not_ours_and_a_folder_without_copies_are_named(tmp_path):
    with pytest.raises(ValueError, match="'42' is no notebook of this tutorial; expected one of 00_start_here"):
        course.choose(["42"])
    with pytest.raises(FileNotFoundError, match="holds no copies; expected FOLDER/LEARNER/01_layernorm.ipynb"):
        grade(tmp_path, user=me())
    assert find_copies(tmp_path, ["01_layernorm"]) == {}


def test_names_of_learners_cannot_break_the_pages():
    from cnx_tutorial.classroom.grade import Mark

    mark = Mark(
        "<b>Eve</b>", "01_layernorm", "normalize", "the formula", 0, 1, "✗ x\n    likely: <script>alert(1)</script>"
    )
    for page in (overview.class_page([mark]), overview.learner_page("<b>Eve</b>", [mark])):
        assert "<script>" not in page and "<b>" not in page and "&lt;script&gt;" in page


def test_a_course_in_chinese_has_the_same_code_and_points(tmp_path):
    for language in ("en", "zh"):
        assert course.make_course(tmp_path / language, ["01"], language) == ["01_layernorm"]
    file = "release/01_layernorm/01_layernorm.ipynb"
    english, chinese = (nbformat.read(tmp_path / language / file, as_version=4) for language in ("en", "zh"))
    assert [cell.source for cell in english.cells if cell.cell_type == "code"] == [
        cell.source for cell in chinese.cells if cell.cell_type == "code"
    ]
    assert [cell.metadata.get("nbgrader") for cell in english.cells] == [
        cell.metadata.get("nbgrader") for cell in chinese.cells
    ]
    assert "练习 1" in "".join(cell.source for cell in chinese.cells)
