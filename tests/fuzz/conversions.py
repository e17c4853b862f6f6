"""VOC annotations and archives: what is read is right, what is not is refused by name, and nothing is written elsewhere."""

import io
import tarfile
import zipfile
from pathlib import Path

from hypothesis import strategies as st

from cnx_tutorial.data.archive import unpack
from cnx_tutorial.data.voc import voc_to_yolo
from tests.fuzz.engine import Escape, Kind, refused

NAMES = ("Platelets", "RBC", "WBC")
NUMBERS = st.one_of(
    st.integers(-20, 220).map(str),
    st.sampled_from(
        ["nan", "inf", "-inf", "1e999", "", " 12 ", "1e3", "0", "-0", "12.5", "x", "٣", "1_0", "1e-9", "199.9999999"]
    ),
)
CLASSES = st.one_of(
    st.sampled_from(["RBC", "WBC", "Platelets", " RBC ", "RBC\n", "rbc", "", "Cat"]), st.text(max_size=3)
)


@st.composite
def annotations(draw) -> bytes:
    size = "".join(
        f"<{side}>{draw(NUMBERS)}</{side}>"
        for side in draw(st.sampled_from([("width", "height"), ("width",), ("height", "width", "depth")]))
    )
    if draw(st.integers(0, 3)):
        size = "<width>200</width><height>100</height>"
    text = f"<annotation><size>{size}</size>"
    for _ in range(draw(st.integers(0, 3))):
        corners = {key: draw(NUMBERS) for key in ("xmin", "ymin", "xmax", "ymax")}
        if draw(st.integers(0, 9)) == 0:
            corners.pop(draw(st.sampled_from(list(corners))))
        box = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
        name = draw(CLASSES).replace("<", "").replace("&", "")
        text += f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"
    content = (text + "</annotation>").encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(max_size=3)) + content[at + draw(st.integers(0, 3)) :]
    if draw(st.integers(0, 30)) == 0:
        content = (
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "'
            + b"x" * 50
            + b'"><!ENTITY c "'
            + b"&b;" * 50
            + b'">]>'
            + content
        )
    return content


def attempt_voc(content: bytes, folder: Path) -> str:
    file = folder / "cell.xml"
    file.write_bytes(content)
    try:
        lines, dropped = voc_to_yolo(file, NAMES)
    except Exception as error:
        return refused(error, "cell.xml")
    for line in lines:
        kind, *values = line.split()
        x, y, w, h = map(float, values)
        inside = min(x - w / 2, y - h / 2) >= -1e-5 and max(x + w / 2, y + h / 2) <= 1 + 1e-5
        if kind not in "012" or not (w > 0 and h > 0 and inside):
            raise Escape(f"the label line {line!r}")
    return "converted" if lines else "dropped" if dropped else "empty"


MEMBERS = st.one_of(
    st.sampled_from(
        [
            "a.txt",
            "d/a.txt",
            "d/b.txt",
            "../out.txt",
            "/out.txt",
            "d/../../out.txt",
            "C:\\out.txt",
            "..\\out.txt",
            "\\\\server\\out",
            "d",
            "d/",
            "con",
            "a\0b",
            "__MACOSX/a",
            ".DS_Store",
            "x" * 300,
            "a/" * 50 + "b",
            ".",
        ]
    ),
    st.text(min_size=1, max_size=8),
)
CONTENTS = st.one_of(st.binary(max_size=20), st.sampled_from([bytes(10**5), bytes(3 * 2**20)]))


@st.composite
def archives(draw) -> bytes:
    out = io.BytesIO()
    members = draw(st.lists(st.tuples(MEMBERS, CONTENTS), max_size=4))
    try:
        if draw(st.booleans()):
            with zipfile.ZipFile(
                out, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]))
            ) as packed:
                for name, content in members:
                    packed.writestr(name, content)
        else:
            with tarfile.open(fileobj=out, mode=draw(st.sampled_from(["w", "w:gz", "w:bz2", "w:xz"]))) as packed:
                for name, content in members:
                    entry = tarfile.TarInfo(name)
                    entry.size = len(content)
                    entry.type = draw(
                        st.sampled_from(
                            [tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
                        )
                    )
                    entry.linkname = "../../out" if entry.type != tarfile.REGTYPE else ""
                    packed.addfile(entry, io.BytesIO(content))
    except (ValueError, IndexError, OSError):  # a name that cannot be packed
        pass
    content = out.getvalue()
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        if draw(st.booleans()):
            content = content[:at]
        elif content:
            content = content[:at] + bytes([content[at] ^ draw(st.integers(1, 255))]) + content[at + 1 :]
    return content


def attempt_archive(content: bytes, folder: Path) -> str:
    file, target = folder / "given.zip", folder / "target"
    file.write_bytes(content)
    target.mkdir()
    try:
        made = unpack(file, target)
    except Exception as error:
        taken = refused(error, "given.zip")
    else:
        taken = "unpacked"
        if not made.is_relative_to(target) or not made.is_dir():
            raise Escape(f"it says that it unpacked to {made}")
    if {p.name for p in folder.iterdir()} != {"given.zip", "target"}:
        raise Escape("a file beside the target folder")
    if any(p.is_symlink() or not (p.is_file() or p.is_dir()) for p in target.rglob("*")):
        raise Escape("a link or a special file was unpacked")
    return taken


KINDS = [Kind("VOC", annotations(), attempt_voc), Kind("archives", archives(), attempt_archive)]
