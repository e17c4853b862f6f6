"""Write docs/teaching/notebooks.md: aims, minutes, exercises with their points, and the misconceptions that the checkers name, notebook by notebook.

    python tools/teaching_page.py

All of it is read from the notebooks and from the tables of the checkers, so that the page cannot contradict them; a test holds it to that.
"""

import re
from pathlib import Path

import nbformat

from cnx_tutorial.classroom.exercises import exercises
from cnx_tutorial.paths import NOTEBOOKS, ROOT
from cnx_tutorial.teaching import check

PAGE = ROOT / "docs" / "teaching" / "notebooks.md"
HEAD = """# Notebook by notebook

Written by `python tools/teaching_page.py` from the notebooks and from the checkers' tables. The points are those of `cnx course` and `cnx grade`:
five minutes of an easy exercise are one point. A misconception that several exercises of a notebook know is listed once.
"""


def page() -> str:
    return "\n".join([HEAD, *(section(path) for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")))])


def section(path: Path) -> str:
    """One notebook: a heading, its card, a table of exercises, and the misconceptions of each."""
    solved = nbformat.read(path, as_version=4)
    title, card = card_of(solved)
    tasks = exercises(solved)
    parts = [
        f"## {title}\n",
        f"The learner can afterwards {card['You will be able to']}. {card['Your time'][0].upper()}{card['Your time'][1:]}.\n",
        "| exercise | points |\n|---|---|",
        *(f"| {task.title} | {task.points} |" for task in tasks),
        "",
    ]
    told = set()
    for task in tasks:
        rows = [row for row in misconceptions(task.check) if row not in told]
        told.update(rows)
        if rows:
            parts += [
                f"**{task.title[0].upper()}{task.title[1:]}**: what the checker names\n",
                *(f"- {row}" for row in rows),
                "",
            ]
    return "\n".join(parts)


def card_of(notebook: nbformat.NotebookNode) -> tuple[str, dict[str, str]]:
    """The title of a notebook, and the rows of the card below it."""
    header = notebook.cells[0].source
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", header, re.MULTILINE)
    return header.splitlines()[0].lstrip("# "), dict(rows)


def misconceptions(call: str) -> list[str]:
    """The sentences of the checker that `call` names, each once."""
    checker = getattr(check, re.match(r"check\.(\w+)", call)[1])
    table = getattr(checker, "table", None)
    return list(dict.fromkeys(said for said, _ in table.rows)) if table else []


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(PAGE.read_text(encoding='utf-8').splitlines())} lines")


if __name__ == "__main__":
    main()
