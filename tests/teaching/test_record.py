"""The recorder writes what cells print, the same bytes each time, and nothing at all when a cell fails."""

import base64
import io
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from cnx_tutorial.teaching import record

HEADER = "# A notebook\n\n| **CPU seconds** | 50, measured |"


def write(path: Path, *sources: str) -> Path:
    notebook = new_notebook(cells=[new_markdown_cell(HEADER), *(new_code_cell(source) for source in sources)])
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata["execution"] = {"iopub.status.idle": "2020-01-01T00:00:00Z"}
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return path


def test_recording_stores_outputs_in_order_without_timings(tmp_path):
    path = write(tmp_path / "a.ipynb", "x = 6", "print(x * 7)", "x")
    assert record.main([str(path)]) == 0
    notebook = nbformat.read(path, as_version=4)
    code = notebook.cells[1:]
    assert [cell.execution_count for cell in code] == [1, 2, 3] and len(notebook.cells) == 4
    assert code[1].outputs[0].text == "42\n" and code[2].outputs[0].data["text/plain"] == "6"
    assert not any("execution" in cell.metadata for cell in notebook.cells)
    assert notebook.metadata.kernelspec.name == "python3"


def test_recording_twice_changes_no_byte(tmp_path, capsys):
    path = write(tmp_path / "a.ipynb", "import matplotlib.pyplot as plt", "plt.plot([1, 2])\nplt.show()")
    # The first time matplotlib may build its cache of fonts, which takes other CPU seconds.
    for cold in (True, False):
        assert record.main([str(path)]) == 0
        assert "recorded" in capsys.readouterr().out or not cold
    first = path.read_bytes()
    assert record.main([str(path)]) == 0
    assert path.read_bytes() == first and b"image/png" in first
    assert capsys.readouterr().out.splitlines() == ["a.ipynb: unchanged"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("print('half')\n1 / 0", "cell 2 (cell-2) raised ZeroDivisionError"),
        ("import warnings\nwarnings.warn('noise')", "cell 2 (cell-2) wrote to stderr"),
        ("import os\nos._exit(1)", "DeadKernelError"),
    ],
)
def test_failing_cell_is_named_and_nothing_is_written(tmp_path, capsys, source, said):
    bad, good = write(tmp_path / "bad.ipynb", "1 + 1", source), write(tmp_path / "good.ipynb", "1 + 1")
    before = bad.read_bytes()
    assert record.main([str(bad), str(good)]) == 1
    assert bad.read_bytes() == before and {entry.name for entry in tmp_path.iterdir()} == {"bad.ipynb", "good.ipynb"}
    assert said in capsys.readouterr().err
    assert nbformat.read(good, as_version=4).cells[1].execution_count == 1


def test_header_gets_the_measured_cpu_seconds(tmp_path):
    path = write(tmp_path / "a.ipynb", "import time\nwhile time.process_time() < 2:\n    pass")
    record.record(path)
    notebook = nbformat.read(path, as_version=4)
    noted = notebook.metadata.cnx.cpu_seconds
    assert 2 <= noted < 50 and f"| {noted}, measured |" in notebook.cells[0].source


def test_pictures_lose_their_version_stamp_and_no_pixel(tmp_path):
    path = write(tmp_path / "a.ipynb", "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    record.record(path)
    png = base64.b64decode(nbformat.read(path, as_version=4).cells[1].outputs[0].data["image/png"])
    assert b"Software" not in png and np.asarray(Image.open(io.BytesIO(png))).std() > 1

    stamped = io.BytesIO()
    from PIL.PngImagePlugin import PngInfo

    note = PngInfo()
    note.add_text("Software", "someone 1.0")
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save(stamped, "png", pnginfo=note)
    plain = record.without_text_chunks(stamped.getvalue())
    assert b"Software" in stamped.getvalue() and b"Software" not in plain
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(plain))), pixels)
