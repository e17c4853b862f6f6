"""Is the comparison sharp? Every stored output is changed, and strict nbval must notice: `make mutants` or

    python -m tests.mutants [notebooks...]

Twice for each notebook: once the last digit of every output is changed (a letter, where there is no digit), once a line of every output is
dropped (the output itself, where it has one line). What is stored in one cell has no influence on another, so all cells are changed at once and
each must fail by itself. Prints the cells that were not caught and the share that was; ends with 1 below 95 %.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
NEEDED = 0.95
FAILED = re.compile(r"::Cell (\d+)\b.* FAILED")


def changed_digit(text: str) -> str:
    """The text with its last digit one up; without digits, with its last letter turned into another."""
    for pattern, other in (
        (r"\d(?!.*\d)", lambda m: str((int(m[0]) + 1) % 10)),
        (r"\w(?!.*\w)", lambda m: "x" if m[0] != "x" else "y"),
    ):
        after = re.sub(pattern, other, text, count=1, flags=re.DOTALL)
        if after != text:
            return after
    return text + "?"


def dropped_line(text: str) -> str:
    """The text without its last line that says something; empty where that was the only one."""
    lines = text.splitlines(keepends=True)
    while lines and not lines.pop().strip():
        pass
    return "".join(lines)


def mutate(cell, change) -> bool:
    """Change what the cell has stored; False where nothing is stored that nbval could compare."""
    for number, output in enumerate(cell.outputs):
        if output.output_type == "stream":
            output.text = change(output.text)
            if not output.text:
                del cell.outputs[number]
            return True
        if "text/plain" in output.get("data", {}):
            output.data["text/plain"] = change(output.data["text/plain"])
            if not output.data["text/plain"]:
                del cell.outputs[number]
            return True
    return False


def survivors(path: Path, change) -> tuple[int, list[str]]:
    """How many compared cells were changed, and the ids of those whose change strict nbval did not notice."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ignored = {"nbval-ignore-output", "nbval-skip"}
    mutated = {}
    for number, cell in enumerate(code):
        if not ignored & set(cell.metadata.get("tags", [])) and mutate(cell, change):
            mutated[number] = cell.id
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(notebook, Path(folder) / path.name)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-v", "--tb=no", path.name]
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    failed = {int(number) for number in FAILED.findall(run.stdout)}
    if failed - set(mutated):
        raise SystemExit(
            f"{path.name}: cells fail that were not changed, the notebook itself is not green: {failed - set(mutated)}\n{run.stdout[-2000:]}"
        )
    return len(mutated), [f"{cell} ({change.__name__})" for number, cell in mutated.items() if number not in failed]


def main() -> int:
    total, missed = 0, 0
    for path in [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        for change in (changed_digit, dropped_line):
            count, survived = survivors(path, change)
            total, missed = total + count, missed + len(survived)
            print(
                f"{path.name}: {change.__name__}: {count - len(survived)} of {count} caught",
                *survived,
                sep="\n    ",
                flush=True,
            )
    share = 1 - missed / total
    print(f"{total - missed} of {total} changed outputs are caught: {share:.1%} (at least {NEEDED:.0%} are needed)")
    return share < NEEDED


if __name__ == "__main__":
    sys.exit(main())
