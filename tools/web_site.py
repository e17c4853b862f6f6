"""Make the web site: `python tools/web_site.py`, or `make site`. It ends in build/site/html; open index.html.

Nothing is executed, and nothing is asked of the network: the pages of the notebooks show what is stored in them. Every warning is an error.
"""

import base64
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from teaching_page import card_of

from cnx_tutorial.paths import NOTEBOOKS, ROOT
from cnx_tutorial.teaching.translation import CHINESE

SHELL, BUILD = ROOT / "docs" / "site", ROOT / "build" / "site"
SOURCE, HTML = BUILD / "source", BUILD / "html"
LANGUAGES = {"notebooks": (NOTEBOOKS, "English"), "zh": (CHINESE, "中文")}  # folder of the site -> notebooks, name
DOCUMENTS = {  # in the repository -> in the site
    "docs/benchmarks.md": "benchmarks.md",
    "docs/backbones.md": "backbones.md",
    "docs/reliability.md": "reliability.md",
    "docs/teaching/README.md": "teaching/README.md",
    "docs/teaching/notebooks.md": "teaching/notebooks.md",
    "docs/teaching/hub/README.md": "teaching/hub.md",
    "README.md": "using.md",
    "docs/accuracy_and_cost.png": "accuracy_and_cost.png",
    "docs/truth_and_predictions.png": "truth_and_predictions.png",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def names() -> list[str]:
    return [path.stem for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))]


def assemble() -> None:
    """Put all pages into SOURCE."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    (SOURCE / "_static").mkdir(parents=True)
    for file in ("site.css", "site.js"):
        shutil.copy(SHELL / file, SOURCE / "_static")
    for file in ("conf.py", "api.md", "glossary.md"):
        shutil.copy(SHELL / file, SOURCE)
    for path, place in DOCUMENTS.items():
        (SOURCE / place).parent.mkdir(exist_ok=True)
        if path.endswith(".png"):
            shutil.copy(ROOT / path, SOURCE / place)
            continue
        text = (ROOT / path).read_text(encoding="utf-8")
        if place == "using.md":
            text = "# Using the package\n\n" + text[text.index("## Two commands") :]
        (SOURCE / place).write_text(with_links(text, path, place), encoding="utf-8")
    terms = glossary()
    for name in names():
        page(name, "notebooks", "zh", terms)
        page(name, "zh", "notebooks", [])
    landing()


def with_links(text: str, path: str, page: str) -> str:
    """The links of a document, from its place in the repository to its place in the site; of a file that the site has not, only the name."""

    def moved(found: re.Match) -> str:
        picture, label, target = found.groups()
        file, mark, part = target.partition("#")
        if "://" in target or not file:
            return found[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), file))
        if file.startswith("notebooks/"):
            there = file
        elif file in DOCUMENTS:
            there = DOCUMENTS[file]
        else:
            return label
        return f"{picture}[{label}]({posixpath.relpath(there, posixpath.dirname(page) or '.')}{mark}{part})"

    return LINK.sub(moved, text)


def glossary() -> list[str]:
    """The terms, the longest first."""
    block = (SHELL / "glossary.md").read_text(encoding="utf-8").split("```")[1]
    return sorted(re.findall(r"^(?!\{)(\S.*)$", block, re.MULTILINE), key=len, reverse=True)


def page(name: str, folder: str, other: str, terms: list[str]) -> None:
    """A notebook, with a link to the other language below its title, and its terms linked to the glossary where they are bold first."""
    notebook = nbformat.read(LANGUAGES[folder][0] / f"{name}.ipynb", as_version=4)
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n[{LANGUAGES[other][1]}](../{other}/{name}.ipynb)\n{rest}"
    left = list(terms)
    for cell in notebook.cells:
        for term in list(left) if cell.cell_type == "markdown" else ():
            bold = re.compile(rf"(?<!\[)\*\*({re.escape(term)})\*\*(?![^|\n]*\|$)", re.IGNORECASE | re.MULTILINE)
            cell.source, linked = bold.subn(r"{term}`\1`", cell.source, count=1)
            if linked:
                left.remove(term)
    target = SOURCE / folder / f"{name}.ipynb"
    target.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, target)


def card(name: str, folder: str) -> tuple[str, str, int]:
    """Title, what one learns, and minutes, from the header of a notebook."""
    title, rows = card_of(nbformat.read(LANGUAGES[folder][0] / f"{name}.ipynb", as_version=4))
    learns, _, time, *_ = rows.values()
    return title, learns, sum(map(int, re.findall(r"\d+", time)))


def landing() -> None:
    """The first page: its picture from notebook 00, its numbers from the notebooks' cards and from the stored comparison."""
    first = nbformat.read(NOTEBOOKS / f"{names()[0]}.ipynb", as_version=4)
    (cell,) = [cell for cell in first.cells if cell.id == "hook-figure"]
    (SOURCE / "_static" / "first.png").write_bytes(base64.b64decode(cell.outputs[0].data["image/png"]))
    stored = json.loads((ROOT / "benchmarks" / "results" / "headline_opponents.json").read_text(encoding="utf-8"))
    found = stored["comparisons"]["val"]["yolov8n.yaml"]
    road, total = ["| | you can afterwards | minutes |", "|---|---|---|"], 0
    for name in names():
        title, learns, minutes = card(name, "notebooks")
        road.append(f"| [{title}](notebooks/{name}.ipynb) | {learns} | {minutes} |")
        total += minutes
    text = (SHELL / "index.md").read_text(encoding="utf-8")
    for key, value in {
        "FIRST_PICTURE": f"![{cell.metadata.mystnb.image.alt}](_static/first.png)",
        "HEADLINE": f"by {found['mean']:.3f} (95 % interval {found['low']:.3f} to {found['high']:.3f})",
        "HOURS": f"About {round(total / 60)} hours",
        "ROAD": "\n".join(road),
        "NOTEBOOKS": "\n".join(f"notebooks/{name}" for name in names()),
    }.items():
        text = text.replace(key, value)
    (SOURCE / "index.md").write_text(text, encoding="utf-8")
    rows = [f"| [{title}]({name}.ipynb) | {learns} |" for name in names() for title, learns, _ in [card(name, "zh")]]
    toc = "```{toctree}\n:hidden:\n" + "\n".join(names()) + "\n```"
    head = "# 把你自己的主干网络放进 YOLO，并测出它带来了什么\n\n[English](../index.md)\n\n| 笔记本 | 你将学会 |\n|---|---|"
    (SOURCE / "zh" / "index.md").write_text("\n".join([head, *rows, "", toc, ""]), encoding="utf-8")


def sphinx(builder: str, source: Path, target: Path) -> int:
    """Build pages afresh with Sphinx, every warning an error; its exit status."""
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", builder, str(source), str(target)]
    return subprocess.run(command, env={**os.environ, "YOLO_OFFLINE": "1"}).returncode


def main() -> int:
    assemble()
    status = sphinx("html", SOURCE, HTML)
    if status == 0:
        size = sum(file.stat().st_size for file in HTML.rglob("*") if file.is_file())
        print(f"{len(list(HTML.rglob('*.html')))} pages, {size / 2**20:.0f} MB: {HTML / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
