"""The exercises of a solved notebook: title, points and cells, and which other cells an answer needs before it can be tried."""

import ast
import re
import symtable
from dataclasses import dataclass

from nbformat import NotebookNode

HEADING = re.compile(r"### Exercise \d+: (?P<title>.+?) \((?P<difficulty>\w+), (?P<minutes>\d+) minutes\)")
WEIGHT = {"easy": 1.0, "medium": 1.25, "hard": 1.5, "design": 1.5}  # a point is five minutes of an easy exercise


@dataclass(frozen=True)
class Exercise:
    """One exercise. `name` is the id of the cell that holds the answer; the checker's cell stands behind it."""

    name: str
    title: str
    points: int
    solution: str  # the source of our answer
    check: str  # "check.iou(my_iou)"


def exercises(solved: NotebookNode) -> list[Exercise]:
    """All exercises of a solved notebook, in order.

    Raises:
        ValueError: an answer has no heading "### Exercise N: title (difficulty, N minutes)" before it.
    """
    found, heading = [], None
    for cell, after in zip(solved.cells, [*solved.cells[1:], None], strict=True):
        if cell.cell_type == "markdown":
            heading = (list(HEADING.finditer(cell.source)) or [heading])[-1]
        elif cell.metadata.get("nbgrader", {}).get("solution"):
            if heading is None:
                raise ValueError(
                    f"the answer {cell.id} has no heading '### Exercise N: title (easy, 5 minutes)' before it"
                )
            found.append(Exercise(cell.id, heading["title"], points(heading), cell.source, after.source))
    return found


def points(heading: re.Match) -> int:
    """Points by minutes and difficulty, at least 1."""
    return max(1, round(int(heading["minutes"]) / 5 * WEIGHT.get(heading["difficulty"], 1.0)))


def needed_cells(solved: NotebookNode, sources: list[str]) -> list[str]:
    """The set-up and those cells of our notebook that define a name which one of `sources` uses, directly or by way of another cell; in order."""
    code = [
        cell
        for cell in solved.cells
        if cell.cell_type == "code" and "nbgrader" not in cell.metadata and cell.source.strip()
    ]
    wanted = set().union(*(names(source)[1] for source in sources))
    kept = {code[0].id}
    todo = True
    while todo:
        todo = False
        for cell in code:
            defined, used = names(cell.source)
            if cell.id in kept or not defined & wanted:
                continue
            kept.add(cell.id)
            wanted |= used
            todo = True
    return [cell.source for cell in code if cell.id in kept]


def names(source: str) -> tuple[set[str], set[str]]:
    """The global names that a cell defines, and those that it reads before it has defined them; of a cell with a syntax error, none."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return set(), set()
    defined, used = set(), set()
    for statement in statements:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        used |= reads(table) - defined
        defined |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    return defined, used


def reads(table: symtable.SymbolTable) -> set[str]:
    """The global names that a scope reads, those of the functions and classes in it included."""
    own = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")
    }
    return own.union(*(reads(child) for child in table.get_children()))
