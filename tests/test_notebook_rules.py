"""What nbval does not see: cleared outputs pass it, stderr and machine paths break it elsewhere, pictures are not compared.

`faults` lists what is wrong with a notebook. Every notebook of the project must have none, and a table of planted faults
shows that each rule can fail.
"""

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path for folder in ("notebooks", "notebooks/exercises") for path in (ROOT / folder).glob("*.ipynb"))
FIRST = ROOT / "notebooks" / "01_layernorm.ipynb"
CELLS, WORDS, CODE_LINES = range(30, 61), 3000, 25
UNCOMPARED_SHARE, TRUTH_SHARE = 0.10, 0.10
REAL = "real-cells"  # tag of cells that show BCCD where it is; nothing of it is stored
# Cells whose lesson is a False; anywhere else one is a check that failed, and nbval would keep it for ever.
FALSE_IS_MEANT = {"whole-read"}  # a YAML row that asks for random weights
MACHINE = re.compile(r"/(home|tmp|root|Users)/|[A-Z]:\\\\?Users|0x[0-9a-fA-F]{6,}")
LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)|(?:src|href)=\"([^\"]+)\"")


def faults(notebook: NotebookNode, folder: Path) -> list[str]:
    """Everything that breaks the rules for notebooks, one sentence each, with the id of the cell."""
    return [
        *_form(notebook),
        *_size(notebook),
        *_header(notebook),
        *_links(notebook, folder),
        *_exercises(notebook),
        *(fault for cell in notebook.cells if cell.cell_type == "code" for fault in _code(cell)),
        *_uncompared(notebook),
        *_pictures(notebook),
        *_truths(notebook),
    ]


def _form(notebook):
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"not a valid notebook: {error}"
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel is not named python3"
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        yield f"not executed once, in order, from a fresh kernel: {counts}"


def _size(notebook):
    if len(notebook.cells) not in CELLS:
        yield f"{len(notebook.cells)} cells"
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    if words > WORDS:
        yield f"{words} words"


def _header(notebook):
    noted = notebook.metadata.get("cnx", {}).get("cpu_seconds")
    said = re.search(r"CPU seconds\D*(\d+)", notebook.cells[0].source)
    if not noted or not said:
        yield "the header card or the metadata lacks the CPU seconds: record the notebook"
    elif not noted / 2 <= int(said[1]) <= noted * 2:
        yield f"the header says {said[1]} CPU seconds, measured were {noted}"
    if "minutes" not in notebook.cells[0].source:
        yield "the header card lacks the learner's minutes"


def _links(notebook, folder):
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for target in (a or b for a, b in LINK.findall(cell.source)):
            if not re.match(r"https?://|#|mailto:", target) and not (folder / target.split("#")[0]).exists():
                yield f"{cell.id}: {target} does not exist"


def _exercises(notebook):
    names = [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]
    if len(names) != len(set(names)):
        yield f"two cells have one grade_id: {names}"
    for cell, after in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        if "BEGIN SOLUTION" not in cell.source:
            continue
        if cell.source.count("### BEGIN SOLUTION") != cell.source.count("### END SOLUTION"):
            yield f"{cell.id}: a solution is not closed"
        if not cell.metadata.get("nbgrader", {}).get("solution"):
            yield f"{cell.id}: a solution without nbgrader's metadata"
        if (
            after is None
            or not after.metadata.get("nbgrader", {}).get("grade")
            or not after.source.startswith("check.")
        ):
            yield f"{cell.id}: no checker follows the solution"


def _code(cell):
    lines = cell.source.splitlines()
    if not cell.source.strip():
        yield f"{cell.id}: empty"
    if len(lines) > CODE_LINES:
        yield f"{cell.id}: {len(lines)} lines of code"
    if cell.source.rstrip().endswith(";"):
        yield f"{cell.id}: ends in ;"
    if any(line.lstrip().startswith(("!", "%")) for line in lines):
        yield f"{cell.id}: shell or magic command"
    if re.search("NBVAL_", cell.source):
        yield f"{cell.id}: nbval marker in the code: use a tag"
    if "execution" in cell.metadata:
        yield f"{cell.id}: timings are stored"
    for output in cell.outputs:
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
            yield f"{cell.id}: stored an error"
        if output.get("name") == "stderr":
            yield f"{cell.id}: stored stderr"
        data = output.get("data", {})
        text = str(output.get("text", "")) + "".join(str(data.get(kind, "")) for kind in ("text/plain", "text/html"))
        if re.search(r"\bFalse\b", text) and cell.id not in FALSE_IS_MEANT:
            yield f"{cell.id}: stored False: {text.strip()[:120]}"
        if MACHINE.search(text):
            yield f"{cell.id}: path or address of a machine: {MACHINE.search(text)[0]}"
        if "image/svg+xml" in data:
            yield f"{cell.id}: SVG, which is compared as text: draw PNG"


def _uncompared(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ignored = [cell for cell in code if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    if len(ignored) > UNCOMPARED_SHARE * len(code):
        yield f"{len(ignored)} of {len(code)} code cells are not compared"
    for cell in ignored:
        if not cell.metadata.get("cnx", {}).get("uncompared_because"):
            yield f"{cell.id}: not compared, and metadata.cnx.uncompared_because does not say why"
    for cell in code:
        if "nbval-skip" in cell.metadata.get("tags", []):
            yield f"{cell.id}: nbval-skip"


def _pictures(notebook):
    for before, cell, after in zip(notebook.cells, notebook.cells[1:], [*notebook.cells[2:], None], strict=False):
        if not any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            continue
        if REAL in cell.metadata.get("tags", []):
            yield f"{cell.id}: a picture of real cells is stored"
        if len(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) < 40:
            yield f"{cell.id}: no mystnb.image.alt that describes the picture"
        if before.cell_type != "markdown" or not re.search(r"\*\*Look\*\*[^\n]*\?", before.source):
            yield f"{cell.id}: the text before it asks no **Look** question"
        if after is None or after.cell_type != "markdown":
            yield f"{cell.id}: no text after it says what there was to see"


def printed(notebook: NotebookNode) -> list[str]:
    """Every line that a cell printed or returned, without those of the checkers."""
    texts = (
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    return [line for text in texts for line in text.splitlines() if line.strip() and not line.startswith("<Figure")]


def _truths(notebook):
    lines = printed(notebook)
    bare = [line for line in lines if re.search(r"\b(True|False)\b", line)]
    if len(bare) > TRUTH_SHARE * len(lines):
        yield f"{len(bare)} of {len(lines)} printed lines say True or False, where a prediction deserves a number: {bare[:3]}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix())
def test_notebook_keeps_the_rules(path):
    assert faults(nbformat.read(path, as_version=4), path.parent) == []


def _minutes(card: str) -> int:
    """Reading and exercises, of a header card."""
    return sum(map(int, re.search(r"(\d+) minutes of reading and running, (\d+) of exercises", card).groups()))


def test_minutes_of_readme_and_first_notebook_are_those_of_the_header_cards():
    tables = (ROOT / "README.md").read_text(encoding="utf-8"), nbformat.read(NOTEBOOKS[0], as_version=4)
    tables = tables[0], _cell(tables[1], "map").source
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        minutes = _minutes(nbformat.read(path, as_version=4).cells[0].source)
        for table in tables:
            assert re.search(rf"^\| \[?{path.stem[:2]} .*\| {minutes} \|$", table, re.MULTILINE), (path.name, minutes)


def test_trainings_with_two_stems_have_the_same_numbers_in_notebooks_02_and_06_and_in_the_notes():
    names = "02_stem_and_downsample.ipynb", "06_yolov8_yaml.ipynb"
    first, second = (nbformat.read(ROOT / "notebooks" / name, as_version=4) for name in names)
    prose, table = _cell(first, "small-cell-stem-exercise").source, _cell(second, "stem-measured").source
    scores = [re.findall(r"0\.\d{3}", line)[-2:] for line in table.splitlines() if line.startswith("|")][2:]
    notes = (ROOT / "benchmarks" / "NOTES.md").read_text(encoding="utf-8")
    assert re.findall(r"0\.\d{3}", prose) == scores[0]  # without and with two overlapping convolutions
    assert [len(row) for row in scores] == [2, 2, 2, 2] and all(number in notes for row in scores for number in row)


def _cell(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def _clear(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def _tag(*names):
    def plant(notebook):
        for name in names:
            _cell(notebook, name).metadata["tags"] = ["nbval-ignore-output"]

    return plant


def _output(**fields):
    def plant(notebook):
        _cell(notebook, "eight-loop").outputs.append(NotebookNode(fields))

    return plant


def _source(name, text):
    def plant(notebook):
        _cell(notebook, name).source += text

    return plant


def _no_alt(notebook):
    del _cell(notebook, "eight-figure").metadata["mystnb"]


def _no_description(notebook):
    text = _cell(notebook, "eight-figure-text")
    text.source = text.source.replace("Look", "See")


def _no_explanation(notebook):
    i = notebook.cells.index(_cell(notebook, "eight-figure"))
    notebook.cells.insert(i + 1, nbformat.v4.new_code_cell("1"))


def _real_picture(notebook):
    _cell(notebook, "eight-figure").metadata["tags"] = ["real-cells"]


def _other_seconds(notebook):
    notebook.metadata.cnx.cpu_seconds *= 3


def _no_checker(notebook):
    notebook.cells.remove(_cell(notebook, "normalize-check"))


def _kernel(notebook):
    notebook.metadata.kernelspec.name = "my-env"


PLANTED = {
    "outputs cleared": (_clear, "not executed once"),
    "other kernel": (_kernel, "python3"),
    "stderr": (_output(output_type="stream", name="stderr", text="careful"), "stderr"),
    "error": (_output(output_type="error", ename="E", evalue="e", traceback=[]), "error"),
    "machine path": (_output(output_type="stream", name="stdout", text="saved in /home/me/x"), "of a machine"),
    "check that failed": (_output(output_type="stream", name="stdout", text="as predicted: False"), "stored False"),
    "address": (_output(output_type="stream", name="stdout", text="<Line2D at 0x7f11aa22>"), "of a machine"),
    "trailing semicolon": (_source("eight-figure", ";"), "ends in ;"),
    "shell": (_source("setup", "\n!ls"), "shell or magic"),
    "magic": (_source("setup", "\n%time 1"), "shell or magic"),
    "marker": (_source("setup", "\n# NBVAL_SKIP"), "marker"),
    "long cell": (_source("setup", "\npass" * 30), "lines of code"),
    "too many words": (_source("recap", " word" * 3000), "words"),
    "dead link": (_source("recap", "\n[next](no_such.ipynb)"), "does not exist"),
    "dead picture": (_source("recap", '\n<img src="no_such.png">'), "does not exist"),
    "uncompared without reason": (_tag("eight-loop"), "does not say why"),
    "too many uncompared": (
        _tag("eight-loop", "eight-short", "layer-check", "float-eight", "sharing-count"),
        "are not compared",
    ),
    "no alt text": (_no_alt, "alt"),
    "no question": (_no_description, "no **Look** question"),
    "no explanation": (_no_explanation, "what there was to see"),
    "real cells stored": (_real_picture, "real cells"),
    "bare truths": (_output(output_type="stream", name="stdout", text="equal: True\n" * 30), "deserves a number"),
    "CPU seconds wrong": (_other_seconds, "CPU seconds"),
    "solution without checker": (_no_checker, "no checker"),
}


@pytest.mark.parametrize(("plant", "said"), PLANTED.values(), ids=PLANTED)
def test_planted_fault_is_found(plant, said):
    notebook = nbformat.read(FIRST, as_version=4)
    before = copy.deepcopy(notebook)
    plant(notebook)
    assert notebook != before
    assert any(said in fault for fault in faults(notebook, FIRST.parent))


def _nbval(path: Path) -> subprocess.CompletedProcess:
    """Strict nbval in a process and folder of its own, as a stranger would run it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-q", path.name]
    return subprocess.run(command, cwd=path.parent, env=environment, capture_output=True, text=True, encoding="utf-8")


def test_strict_nbval_passes_a_copy_and_fails_one_changed_digit(tmp_path):
    (tmp_path / "same").mkdir()
    (tmp_path / "changed").mkdir()
    same = tmp_path / "same" / FIRST.name
    shutil.copy(FIRST, same)
    notebook = nbformat.read(FIRST, as_version=4)
    output = _cell(notebook, "sharing-count").outputs[0]
    assert "36" in output.text
    output.text = output.text.replace("36", "37")
    changed = tmp_path / "changed" / FIRST.name
    nbformat.write(notebook, changed)

    green, red = _nbval(same), _nbval(changed)

    assert green.returncode == 0, green.stdout[-2000:]
    assert red.returncode == 1 and re.search(r"\b1 failed\b", red.stdout), red.stdout[-2000:]


def test_kernels_under_nbval_do_not_see_pytests_variable(tmp_path):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    source = "import os\nprint('PYTEST_CURRENT_TEST' in os.environ)"
    cell = nbformat.v4.new_code_cell(
        source, execution_count=1, outputs=[nbformat.v4.new_output("stream", name="stdout", text="False\n")]
    )
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), tmp_path / "seen.ipynb")
    result = _nbval(tmp_path / "seen.ipynb")
    assert result.returncode == 0, result.stdout[-2000:]
