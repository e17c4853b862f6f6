"""The notebooks in another language: `python -m cnx_tutorial.teaching.translation [text NAME | store FILE | make | stale]`.

    text NAME     print the text of one notebook, cell by cell, with the translation that is there (NAME is 03_convnext_block)
    store FILE    take translated text in that form into notebooks/zh, each cell marked with the English text that it translates
    make          write notebooks/zh again: code, outputs and pictures from the English notebooks, text from the translation
    stale         say which cells have no translation, or one of an older English text

Only text is translated. Code cells and what they print are those of the English notebook, so the two cannot drift apart.
"""

import argparse
import copy
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from cnx_tutorial.data.staging import whole
from cnx_tutorial.paths import NOTEBOOKS

CHINESE = NOTEBOOKS / "zh"
# Measured when a notebook is recorded, so no part of a translation.
CPU_SECONDS = re.compile(r"(CPU (?:seconds|秒)\D*)(\d+)")
CELL = re.compile(r"^=== (\S+)(?: of ([0-9a-f]+))?$", re.MULTILINE)
NUMBER, LINK = re.compile(r"\d+(?:[.,]\d+)*"), re.compile(r"\]\(([^)\s]+)\)")
CODE, FORMULA = re.compile(r"(`+)(.+?)\1", re.DOTALL), re.compile(r"\$\$[^$]+\$\$|\$[^$]+\$")


def name_of(cell: NotebookNode) -> str:
    """What the text of a cell is called here: the cell's id, and with /alt behind it the description of its picture."""
    return cell.id if cell.cell_type == "markdown" else f"{cell.id}/alt"


def texts(notebook: NotebookNode) -> dict[str, str]:
    """What is to be translated, by name: the text cells, and the descriptions of pictures."""
    found = {}
    for cell in notebook.cells:
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        if text := cell.source if cell.cell_type == "markdown" else alt:
            found[name_of(cell)] = text
    return found


def mark(text: str) -> str:
    """Twelve digits of a hash of an English text. The CPU seconds in it do not count: they change when the notebook is recorded again."""
    return hashlib.sha256(CPU_SECONDS.sub(r"\1", text).encode()).hexdigest()[:12]


def marks(notebook: NotebookNode) -> dict[str, str]:
    """For each text of a translated notebook, the mark of the English text that it translates; none where it is still English."""
    cells = {name_of(cell): cell.metadata.get("cnx", {}).get("translation_of") for cell in notebook.cells}
    return {name: of for name, of in cells.items() if of is not None}


def stored(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of the Chinese notebook of a file name, and their marks; both are empty if there is no such notebook."""
    if not (CHINESE / name).exists():
        return {}, {}
    chinese = nbformat.read(CHINESE / name, as_version=4)
    return texts(chinese), marks(chinese)


def translated(english: NotebookNode, chinese: dict[str, str], of: dict[str, str]) -> NotebookNode:
    """The English notebook with each text that has a translation exchanged for it; also of a student copy, which has the same ids."""
    notebook = copy.deepcopy(english)
    seconds = CPU_SECONDS.search(notebook.cells[0].source)
    for cell in notebook.cells:
        name = name_of(cell)
        if name not in chinese or name not in of:
            continue
        if cell.cell_type == "markdown":
            cell.source = chinese[name]
        else:
            cell.metadata["mystnb"]["image"]["alt"] = chinese[name]
        cell.metadata.setdefault("cnx", {})["translation_of"] = of[name]
    if seconds:
        header = notebook.cells[0]
        header.source = CPU_SECONDS.sub(rf"\g<1>{seconds[2]}", header.source, count=1)
    return notebook


def in_chinese(english: NotebookNode, name: str) -> NotebookNode:
    """A notebook, its student copy or its assignment, with the Chinese text of the notebook of this file name, if there is one."""
    return translated(english, *stored(name))


def stale(english: NotebookNode, chinese: NotebookNode) -> list[str]:
    """The texts that have no translation, or one of another English text."""
    of = marks(chinese)
    return [
        f"{name}: {'translates an older text' if name in of else 'not translated'}"
        for name, text in texts(english).items()
        if of.get(name) != mark(text)
    ]


def differences(english: str, chinese: str) -> list[str]:
    """What must be the same in both languages and is not: numbers, links, code, formulas, headings and folded parts."""

    def parts(text: str) -> dict[str, Counter]:
        text = CPU_SECONDS.sub(r"\1", text)
        code = [found[1] for found in CODE.findall(text)]
        plain = CODE.sub(" ", text)
        formulas = FORMULA.findall(plain)
        plain = LINK.sub("]", FORMULA.sub(" ", plain))
        return {
            "numbers": Counter(NUMBER.findall(plain)),
            "links": Counter(LINK.findall(text)),
            "code": Counter(code),
            "formulas": Counter(formulas),
            "headings": Counter(re.findall(r"^#+ ", text, re.MULTILINE)),
            "folded parts": Counter(re.findall(r"</?\w+>", text)),
        }

    ours, theirs = parts(english), parts(chinese)
    return [
        f"{kind}: only in English {sorted((ours[kind] - theirs[kind]).elements())}, only in Chinese {sorted((theirs[kind] - ours[kind]).elements())}"
        for kind in ours
        if ours[kind] != theirs[kind]
    ]


def as_text(name: str) -> str:
    """The texts of a notebook: the English of each cell, and the Chinese, where it is there and belongs to that English."""
    english = texts(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4))
    there, of = stored(f"{name}.ipynb")
    return "".join(
        f"=== {cell} of {mark(text)}\n{there[cell] if of.get(cell) == mark(text) else text}\n\n"
        for cell, text in english.items()
    )


def sections(text: str) -> Iterator[tuple[str, str | None, str]]:
    """Of a text in the form of `as_text`: the cell, the mark of its English text, and what stands there."""
    _, *rest = CELL.split(text)
    for cell, of, body in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        yield cell, of, body.strip("\n")


def store(file: Path) -> list[str]:
    """Take the translated texts of a file named after its notebook into notebooks/zh; what is wrong with them, by cell.

    A cell is refused where its English text has changed since the file was printed, or where `differences` finds any.
    """
    name = f"{file.name.split('.')[0]}.ipynb"
    english = nbformat.read(NOTEBOOKS / name, as_version=4)
    originals, (chinese, of), wrong = texts(english), stored(name), []
    for cell, given, text in sections(file.read_text(encoding="utf-8")):
        if cell not in originals:
            wrong.append(f"{cell}: no such cell")
        elif given != mark(originals[cell]):
            wrong.append(f"{cell}: the English text is another one now; print it again")
        elif found := differences(originals[cell], text):
            wrong.extend(f"{cell}: {one}" for one in found)
        elif text != originals[cell]:
            chinese[cell], of[cell] = text, given
    write(translated(english, chinese, of), CHINESE / name)
    return wrong


def write(notebook: NotebookNode, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with whole(path) as draft:
        nbformat.write(notebook, draft)


def main(arguments: list[str] | None = None) -> int:
    """The exit code is 1 where a text is stale or was refused."""
    parser = argparse.ArgumentParser(
        prog="python -m cnx_tutorial.teaching.translation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("text", "store", "make", "stale"))
    parser.add_argument("name", nargs="?", help="a notebook, or a file of text")
    args = parser.parse_args(arguments)
    if args.what in ("text", "store") and not args.name:
        parser.error(f"{args.what} needs the name of a {'notebook' if args.what == 'text' else 'file'}")
    if args.what == "text":
        print(as_text(Path(args.name).stem), end="")
        return 0
    if args.what == "store":
        lines = store(Path(args.name))
    else:
        lines = []
        for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
            english = nbformat.read(path, as_version=4)
            chinese = in_chinese(english, path.name)
            if args.what == "make" and (CHINESE / path.name).exists():
                write(chinese, CHINESE / path.name)
            lines += [f"{path.name} {one}" for one in stale(english, chinese)]
    for line in lines:
        print(line)
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
