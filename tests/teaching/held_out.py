"""Try a file of answers that somebody else wrote, such as what a class got wrong, on the checkers.

    python -m tests.teaching.held_out FILE.py

In the file stand functions and classes, each named after an exercise, two underscores and anything. The docstring says what it is: "right", or
"wrong", or "wrong: words that the checker should say":

    def iou__not_clipped(a, b):
        '''wrong: negative sides'''
        ...

Prints a line for each, and ends with status 1 where a right answer was refused, a wrong one accepted, or the words were not said.
"""

import contextlib
import importlib.util
import io
import sys
from pathlib import Path

from cnx_tutorial.teaching import check


def tried(file: Path) -> list[tuple[str, str, str, bool]]:
    """(name, what it is, what the checker said, as it should be) for each answer in the file.

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
        rows.append((name, kind, text, text.startswith("✓") == (kind == "right") and words.strip() in text))
    return rows


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    try:
        rows = tried(Path(sys.argv[1]))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    for name, kind, text, good in rows:
        print(f"{'ok     ' if good else 'LOOK AT'} {name}, {kind}: {text.splitlines()[-1].strip()}")
    print(f"{len(rows)} answers, {sum(good for *_, good in rows)} as they should be")
    return int(not all(good for *_, good in rows))


if __name__ == "__main__":
    sys.exit(main())
