"""The web site and the slides as they are put together. Sphinx builds them in `make site`; a browser looks at them in `make look`."""

import doctest
import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import slides  # noqa: E402
import web_site  # noqa: E402


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The pages, before Sphinx."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("site")
        patch.setattr(web_site, "BUILD", folder)
        patch.setattr(web_site, "SOURCE", folder / "source")
        web_site.assemble()
    return folder / "source"


def test_the_examples_of_the_reference_run():
    failed, tried = doctest.testfile(str(ROOT / "docs" / "site" / "api.md"), module_relative=False)
    assert not failed and tried >= 8


def test_the_first_page_has_its_picture_its_numbers_and_every_notebook(source):
    text = (source / "index.md").read_text(encoding="utf-8")
    assert not re.search(r"FIRST_PICTURE|HEADLINE|HOURS|ROAD|NOTEBOOKS|ZH_", text)
    assert (source / "_static" / "first.png").stat().st_size > 10_000
    assert text.count("](notebooks/") == len(web_site.names()) == 11
    assert re.search(r"by 0\.\d{3} \(95 % interval 0\.\d{3} to 0\.\d{3}\)", text) and re.search(
        r"About \d+ hours", text
    )


def test_each_term_is_in_the_glossary_once_and_is_linked_from_some_notebook(source):
    terms = [term.lower() for term in web_site.glossary()]
    assert len({*terms}) == len(terms)
    pages = "".join(path.read_text(encoding="utf-8") for path in (source / "notebooks").glob("*.ipynb"))
    linked = {term.lower() for term in re.findall(r"\{term\}`([^`]+)`", pages)}
    assert len(linked) >= 60 and linked <= {*terms}


def test_links_of_documents_lead_to_pages_that_are_there(source):
    for page in source.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), (page.name, target)


@pytest.mark.parametrize("name", ["02_stem_and_downsample", "06_yolov8_yaml"])
def test_slides_ask_before_they_answer_and_show_no_solution(name, tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "SOURCE", tmp_path)
    (tmp_path / "_static").mkdir()
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    text = slides.slides(notebook, name)
    questions = [cell.id for cell in notebook.cells if re.search(r"^\*\*Predict\*\*", cell.source, re.MULTILINE)]
    assert text.count("**Predict**") >= len(questions) >= 5
    for slide in re.split(r"^#{1,3} ", text, flags=re.MULTILINE):
        question, _, after = slide.partition("**Predict**")
        assert "```text" not in after and "![" not in after
    assert "SOLUTION" not in text and "Hint" not in text and "✓" not in text
    assert len(list(tmp_path.glob("_static/*.png"))) == text.count("![")
