"""Try a file of answers that somebody else wrote, such as what a class got wrong, on the checkers.

    python -m tests.teaching.held_out FILE.py

In the file stand functions and classes, each named after an exercise, two underscores and anything. The docstring says what it is: "right", or
"wrong", or "wrong: words that the checker should say":

    def precision_recall__swapped(tp, fp, fn):
        '''wrong: the two are swapped'''
        ...

A class of layers may be a subclass of a right one from tests/teaching/planted. Prints what the checker says of each, and ends with status 1 where a
right answer was refused, a wrong one accepted, the words were not said, or no misconception was named. Give the words that only the right sentence
has: a single word can stand in another sentence by chance.
"""

import contextlib
import importlib.util
import io
import sys
from collections.abc import Callable
from pathlib import Path

from cnx_tutorial.teaching import check


def tried(file: Path) -> list[tuple[str, str, str, str]]:
    """(name, what it is, what the checker said, what is wrong with that or "") for each answer in the file.

    Raises:
        ValueError: an answer is named after no exercise, or its docstring does not begin with right or wrong; the message says which.
    """
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = []
    for name, answer in vars(module).items():
        exercise, two, _ = name.partition("__")
        if not two or not exercise:
            continue
        checker = getattr(check, exercise, None)
        kind, _, words = (answer.__doc__ or "").strip().partition(":")
        if not hasattr(checker, "holds"):
            known = sorted(key for key, value in vars(check).items() if hasattr(value, "holds"))
            raise ValueError(f"{file}: {name} is named after no exercise; expected one of {', '.join(known)}")
        if kind not in ("right", "wrong"):
            raise ValueError(f'{file}: the docstring of {name} must begin with "right" or "wrong", got {kind[:40]!r}')
        with contextlib.redirect_stdout(io.StringIO()) as said:
            checker(answer)
        text = said.getvalue().strip()
        rows.append((name, kind, text, fault(checker, kind, words.strip(), text)))
    return rows


def fault(checker: Callable, kind: str, words: str, text: str) -> str:
    """What is wrong with what the checker said, or ""."""
    if text.startswith("✓") != (kind == "right"):
        return "a right answer was refused" if kind == "right" else "a wrong answer was accepted"
    if kind == "right":
        return ""
    table = getattr(checker, "table", None)
    if table and any(text.endswith(f"likely: {fallback}") for fallback in (table.hint, table.in_error)):
        return "no misconception was named: the table may need a row"
    return "" if words in text else f"the words are missing: {words}"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    try:
        rows = tried(Path(sys.argv[1]))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    for name, kind, text, wrong in rows:
        print(f"{f'LOOK AT, {wrong}:' if wrong else 'ok'} {name}, {kind}\n    {text}\n")
    print(f"{len(rows)} answers, {sum(not wrong for *_, wrong in rows)} as they should be")
    return int(any(wrong for *_, wrong in rows))


if __name__ == "__main__":
    sys.exit(main())
