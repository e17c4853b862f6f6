"""The Chinese notebooks: the same code, outputs, numbers and links as the English ones, and text that belongs to the English text of today."""

import copy

import nbformat
import pytest

from cnx_tutorial.cli import own_copies
from cnx_tutorial.paths import NOTEBOOKS
from cnx_tutorial.teaching import translation

NAMES = [path.stem for path in sorted(translation.CHINESE.glob("[0-9]*.ipynb"))]


def pair(name):
    return [nbformat.read(folder / f"{name}.ipynb", as_version=4) for folder in (NOTEBOOKS, translation.CHINESE)]


def test_every_notebook_has_a_translation():
    assert NAMES == [path.stem for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))]


@pytest.mark.parametrize("name", NAMES)
def test_the_translation_is_of_the_english_text_of_today(name):
    """After a change of an English cell: `python -m cnx_tutorial.teaching.translation text NAME`, translate what it shows, `... store FILE`."""
    assert translation.stale(*pair(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_code_and_outputs_are_the_english_ones(name):
    """After `make notebooks`: `python -m cnx_tutorial.teaching.translation make`."""
    english, chinese = pair(name)
    assert [cell.id for cell in english.cells] == [cell.id for cell in chinese.cells]
    for ours, theirs in zip(english.cells, chinese.cells, strict=True):
        if ours.cell_type == "code":
            assert (ours.source, ours.outputs, ours.execution_count) == (
                theirs.source,
                theirs.outputs,
                theirs.execution_count,
            ), ours.id
    assert english.metadata == chinese.metadata
    assert translation.CPU_SECONDS.search(chinese.cells[0].source)[2] == str(english.metadata.cnx.cpu_seconds)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_links_code_and_formulas_are_equal(name):
    english, chinese = map(translation.texts, pair(name))
    assert [(cell, found) for cell in english if (found := translation.differences(english[cell], chinese[cell]))] == []


def test_a_changed_english_cell_is_stale_and_new_cpu_seconds_are_not():
    english, chinese = pair("01_layernorm")
    changed = copy.deepcopy(english)
    (why,) = [cell for cell in changed.cells if cell.id == "why"]
    why.source += " More."
    changed.cells[0].source = translation.CPU_SECONDS.sub(r"\g<1>99", changed.cells[0].source)
    assert translation.stale(changed, chinese) == ["why: translates an older text"]
    new = translation.translated(changed, translation.texts(chinese), translation.marks(chinese))
    assert translation.CPU_SECONDS.search(new.cells[0].source)[2] == "99"


@pytest.mark.parametrize(
    ("english", "chinese", "kind"),
    [
        ("It has 36 cells.", "有 35 个细胞。", "numbers"),
        ("See [01](01_layernorm.ipynb).", "见 [01](02_stem.ipynb)。", "links"),
        ("Call `norm(x)`.", "调用 `norm(y)`。", "code"),
        ("Then $a = b$.", "于是 $a = c$。", "formulas"),
        ("## Why", "### 为什么", "headings"),
        ("<details>A</details>", "A", "folded parts"),
    ],
)
def test_a_difference_is_named(english, chinese, kind):
    assert [line.partition(":")[0] for line in translation.differences(english, chinese)] == [kind]
    assert translation.differences(english, english) == []


def test_a_file_of_text_goes_back_and_forth(tmp_path, monkeypatch):
    monkeypatch.setattr(translation, "CHINESE", tmp_path / "zh")
    file = tmp_path / "01_layernorm.txt"
    text = translation.as_text("01_layernorm")
    file.write_text(text.replace("# 01 · LayerNorm\n", "# 01 · 层归一化\n"), encoding="utf-8")
    assert translation.store(file) == []
    assert translation.as_text("01_layernorm").count("层归一化") == 1
    file.write_text("=== header of 000000000000\n旧\n\n=== none of 000000000000\n无\n", encoding="utf-8")
    assert translation.store(file) == [
        "header: the English text is another one now; print it again",
        "none: no such cell",
    ]


def test_a_learner_gets_copies_in_chinese_without_solutions(tmp_path):
    folder = own_copies(NOTEBOOKS / "exercises", tmp_path / "my_work_zh", "zh")
    for name in NAMES:
        copied = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        chinese = nbformat.read(translation.CHINESE / f"{name}.ipynb", as_version=4)
        copied.cells[0].source = translation.CPU_SECONDS.sub(r"\1", copied.cells[0].source)  # each has its own
        chinese.cells[0].source = translation.CPU_SECONDS.sub(r"\1", chinese.cells[0].source)
        assert translation.texts(copied) == translation.texts(chinese)
        assert not any("BEGIN SOLUTION" in cell.source for cell in copied.cells)


def test_the_chinese_readme_says_what_the_english_one_says():
    english, chinese = ((NOTEBOOKS.parent / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
    english = english.replace("[中文](README.zh.md)", "[English](README.md)")
    assert translation.differences(english, chinese) == []
    assert english.count("```") == chinese.count("```") and english.count("\n|") == chinese.count("\n|")
