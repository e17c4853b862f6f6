"""Make a set of slides for each notebook: `python tools/slides.py`, or `make slides`. They end in build/site/slides; the space bar moves on.

The slides are the notebook's own cells: headings, the first paragraph of a section, formulas, lists, questions, and what the cells printed and drew.
Exercises are named; solutions stay out. A section that is too long for one slide goes on on the next.
"""

import base64
import math
import re
import shutil
import sys

import nbformat
from web_site import BUILD, names, sphinx

from cnx_tutorial.paths import NOTEBOOKS

SOURCE, HTML = BUILD / "slides-source", BUILD / "slides"
LINES, LETTERS = 13, 72  # of text on a slide
CONF = """
from cnx_tutorial import __version__

project = "cnx_tutorial"
author = "The cnx_tutorial authors"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.mathjax", "sphinx-mathjax-offline", "sphinx_revealjs"]
myst_enable_extensions = ["amsmath", "dollarmath"]
html_static_path = revealjs_static_path = ["_static"]
revealjs_css_files = ["revealjs/dist/theme/white.css", "slides.css"]
revealjs_style_theme = "white"
revealjs_script_conf = {"width": 1280, "height": 720, "margin": 0.04, "hash": True, "slideNumber": True, "center": False, "transition": "none"}
"""
CSS = """
.reveal { font-size: 33px; text-align: left; }
.reveal h1 { font-size: 2em; } .reveal h2 { font-size: 1.5em; } .reveal h3 { font-size: 1.2em; }
.reveal h1, .reveal h2, .reveal h3 { text-transform: none; text-align: left; }
.reveal .slides, .reveal p, .reveal ul { text-align: left; }
.reveal ul { display: block; }
.reveal pre { font-size: 24px; width: 100%; box-shadow: none; margin: 8px 0; } .reveal pre code { max-height: none; }
.reveal table { font-size: 24px; margin: 0; }
.reveal section img { max-height: 430px; max-width: 100%; margin: 8px 0; border: none; box-shadow: none; }
"""


def blocks(notebook, stem: str) -> list[tuple[str, list[tuple[str, float]]]]:
    """Headings, each with what stands below it: a piece of Markdown and how many lines it takes."""
    found: list[tuple[str, list]] = []
    exercise = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            first = True
            for part in re.split(r"\n\n+", re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)):
                if heading := re.match(r"#{1,3} .+", part):
                    exercise = part.startswith("### Exercise")
                    found.append((heading[0], []))
                    first = True
                    continue
                listed = part.lstrip().startswith(("-", "|", "$$"))
                asked = re.match(r"\*\*(Predict|Look)\*\*", part)
                if part.strip() and (asked or first or (listed and not exercise)):
                    if not listed:
                        first = False
                    found[-1][1].append((part, lines_of(part)))
        elif not (cell.metadata.get("nbgrader") or "real-cells" in cell.metadata.get("tags", [])):
            for output in cell.outputs:
                if picture := output.get("data", {}).get("image/png"):
                    name = f"{stem}-{cell.id}.png"
                    found[-1][1].append((f"![{cell.metadata.mystnb.image.alt}](_static/{name})", 8.2))
                    (SOURCE / "_static" / name).write_bytes(base64.b64decode(picture))
                elif output.get("name") == "stdout" and len(rows := output.text.rstrip().splitlines()) <= 14:
                    shown = "\n".join(row[:100] for row in rows)
                    found[-1][1].append((f"```text\n{shown}\n```", 0.8 * len(rows) + 1))
    return found


def lines_of(part: str) -> float:
    """How many lines of a slide a piece of Markdown takes, roughly."""
    if part.startswith("|"):
        return 1.1 * len(part.splitlines())
    return 0.6 + sum(math.ceil(max(len(line), 1) / LETTERS) for line in part.splitlines()) * (2 if "$$" in part else 1)


def slides(notebook, stem: str) -> str:
    """The Markdown of a set: a heading of the first level, and one slide after another below it."""
    pages = []
    for heading, parts in blocks(notebook, stem):
        marks, _, title = heading.partition(" ")
        level = len(marks)
        pages.append(f"{heading}\n")
        used, asked = 1.5 * level, False
        for part, high in parts:
            if asked or (used + high > LINES and used > 2 * level):
                pages.append(f"{'#' * min(level + 1, 3)} {title}\n")
                used = 2.5
            pages.append(f"{part}\n")
            used += high
            asked = part.startswith("**Predict**")  # what comes next gives the answer
    return "\n".join(pages)


def main() -> int:
    shutil.rmtree(SOURCE, ignore_errors=True)
    (SOURCE / "_static").mkdir(parents=True)
    (SOURCE / "conf.py").write_text(CONF, encoding="utf-8")
    (SOURCE / "_static" / "slides.css").write_text(CSS, encoding="utf-8")
    for name in names():
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        # A link to another notebook would leave the slides.
        text = re.sub(r"(?<!!)\[([^\]]*)\]\((?!http)[^)]*\)", r"\1", slides(notebook, name))
        (SOURCE / f"{name}.md").write_text(text, encoding="utf-8")
    toc = "\n".join(names())
    (SOURCE / "index.md").write_text(f"# Slides\n\n```{{toctree}}\n{toc}\n```\n", encoding="utf-8")
    status = sphinx("revealjs", SOURCE, HTML)
    if status == 0:
        print(f"{len(names())} sets of slides: {HTML}")
    return status


if __name__ == "__main__":
    sys.exit(main())
