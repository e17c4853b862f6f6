"""The pages of `cnx grade`, plain HTML without a network: one for each learner, and one of the class with the misconceptions that occurred."""

import re
from collections import Counter
from collections.abc import Iterable
from html import escape
from urllib.parse import quote

STYLE = """body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ccc }
pre { white-space: pre-wrap; margin: 0; font-size: .9rem }"""
LIKELY = re.compile(r"^\s*likely: (.+)$", re.MULTILINE)


def learner_page(learner: str, marks: list) -> str:
    """The marks of one learner, with what the checker said to each answer."""
    parts = []
    for notebook in dict.fromkeys(mark.notebook for mark in marks):
        own = [mark for mark in marks if mark.notebook == notebook]
        rows = [(mark.title, f"{mark.points} of {mark.most}", f"<pre>{escape(mark.message)}</pre>") for mark in own]
        parts.append(
            f"<h2>{escape(notebook)}: {total(own)}</h2>{table(('exercise', 'points', 'what the checker says'), rows, raw={2})}"
        )
    return page(f"{learner}: {total(marks)}", "".join(parts))


def class_page(marks: list) -> str:
    """The class: points of each learner, how each exercise went, and which misconception occurred how often."""
    learners = list(dict.fromkeys(mark.learner for mark in marks))
    notebooks = list(dict.fromkeys(sorted(mark.notebook for mark in marks)))
    people = []
    for learner in learners:
        own = [mark for mark in marks if mark.learner == learner]
        each = [total([mark for mark in own if mark.notebook == notebook]) for notebook in notebooks]
        link = f'<a href="learners/{quote(learner)}.html">{escape(learner)}</a>'
        people.append((link, *each, total(own)))
    tasks = []
    for notebook, exercise in dict.fromkeys((mark.notebook, mark.exercise) for mark in marks):
        own = [mark for mark in marks if (mark.notebook, mark.exercise) == (notebook, exercise)]
        right = sum(mark.points > 0 for mark in own)
        untouched = sum("not attempted yet" in mark.message for mark in own)
        tasks.append((notebook, own[0].title, right, len(own) - right - untouched, untouched))
    said = [(sentence, count) for sentence, count in Counter(filter(None, map(misconception, marks))).most_common()]
    return page(
        f"The class: {len(learners)} learners",
        table(("learner", *notebooks, "all"), people, raw={0})
        + f"<h2>How each exercise went</h2>{table(('notebook', 'exercise', 'right', 'wrong', 'not attempted'), tasks)}"
        + f"<h2>What was misunderstood</h2>{table(('what the checkers named', 'how often'), said)}",
    )


def misconception(mark) -> str:
    """The likely mistake that the checker named; "" for a right answer or an untouched one."""
    found = LIKELY.search(mark.message)
    return found[1] if found else ""


def total(marks: list) -> str:
    return f"{sum(mark.points for mark in marks)} of {sum(mark.most for mark in marks)}" if marks else "no copy"


def table(head: tuple, rows: Iterable[tuple], raw: frozenset | set = frozenset()) -> str:
    """Rows as an HTML table; the columns in `raw` are HTML already."""
    cells = "".join(f"<th>{escape(str(name))}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell if i in raw else escape(str(cell))}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )
