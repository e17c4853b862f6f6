"""Data YAMLs, label files and images: what the audit says of them is what Ultralytics does with them."""

import io
import os
from pathlib import Path

import numpy as np
import yaml
from hypothesis import strategies as st
from PIL import Image
from ultralytics.data import utils
from ultralytics.utils import patches

from cnx_tutorial.data.audit import audit
from cnx_tutorial.data.images import look_at
from cnx_tutorial.data.labels import read_labels
from tests.data.test_differential import make, picture, shown, theirs
from tests.fuzz.engine import Escape, Kind

patches._pil_plugins_registered = True  # else each unknown file asks for a package to be installed

PLACES = [
    "images/train",
    "images/val",
    "../images/train",
    "./images/val",
    "images",
    "images/gone",
    "list.txt",
    "",
    ".",
    "..",
    "images\\train",
    "x" * 300,
    "a\0b",
    "images/train/0.jpg",
    "https://example.org/x.zip",
    "~",
    "*",
    "images/[ab]",
]
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.sampled_from([2.0, 1.5, float("nan"), float("inf"), 10**30]),
    st.text(max_size=6),
    st.dates(),
    st.sampled_from(["2", "two", "1e1", "0x2"]),
)
NAMES = st.one_of(
    st.lists(st.one_of(st.text(max_size=4), PLAIN), max_size=4),
    st.dictionaries(st.one_of(st.integers(-1, 3), st.sampled_from(["0", "1", "a"]), PLAIN), PLAIN, max_size=4),
    PLAIN,
)
PLACE = st.one_of(st.sampled_from(PLACES), st.lists(st.one_of(st.sampled_from(PLACES), PLAIN), max_size=3), PLAIN)
FIELDS = {
    "train": PLACE,
    "val": PLACE,
    "validation": PLACE,
    "test": PLACE,
    "path": PLACE,
    "names": NAMES,
    "nc": PLAIN,
    "channels": st.one_of(st.sampled_from([1, 3, 4]), PLAIN),
    "kpt_shape": st.one_of(st.lists(st.integers(-1, 3), max_size=3), PLAIN),
    "roboflow": PLAIN,
}


@st.composite
def data_yamls(draw) -> bytes:
    d = {"train": "images/train", "val": "images/val", "names": ["a", "b"]}
    for key in draw(st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=3)):
        if draw(st.booleans()):
            d[key] = draw(FIELDS[key])
        else:
            d.pop(key, None)
    text = yaml.safe_dump(d, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.binary(max_size=3)) + text[at + draw(st.integers(0, 2)) :]
    return text


def attempt_yaml(text: bytes, folder: Path) -> str:
    file = make(folder)
    (folder / "list.txt").write_text("./images/train/0.jpg\n", encoding="utf-8")
    file.write_bytes(text)
    here, sets = Path.cwd(), utils.DATASETS_DIR
    os.chdir(folder)
    utils.DATASETS_DIR = folder / "datasets"
    try:
        report = audit(file)
        if any("no detector has so many classes" in problem.message for problem in report.errors):
            return "an error that Ultralytics does not see"  # it gives each of them a name, which takes for ever
        expected = theirs(file)
    finally:
        os.chdir(here)
        utils.DATASETS_DIR = sets
    if isinstance(expected, str):
        if not report.errors:
            raise Escape(f"Ultralytics refuses it, the audit finds nothing: {expected[:100]}")
        return "both refuse"
    names, splits = expected
    if not report.errors and report.names != names:
        raise Escape(f"names {report.names} instead of {names}")
    for split, pairs in splits.items():
        ours = [(shown(file), rows) for file, rows in report.labels.get(split, [])]
        equal = len(ours) == len(pairs) and all(
            name == shown(other) and np.array_equal(rows, found)
            for (name, rows), (other, found) in zip(ours, pairs, strict=True)
        )
        if not equal and not report.errors:
            raise Escape(f"{split} differs from what Ultralytics trains on")
    return "both read" if not report.errors else "an error that Ultralytics does not see"


CELLS = st.one_of(
    st.sampled_from(
        [
            "0",
            "1",
            "2",
            "0.5",
            "0.1",
            "1.0",
            "1.009",
            "1.011",
            "-0.009",
            "-0.02",
            "nan",
            "inf",
            "-1",
            "1e-1",
            "0,5",
            "x",
            "+0.5",
            "1_0",
            "0x1",
            "١",
            "0.30000001",
            "-0.0",
            "1e400",
            ".",
        ]
    ),
    st.floats(0, 1).map(lambda v: f"{v:.4f}"),
    st.text(max_size=3),
)
LINES = st.one_of(
    st.lists(CELLS, min_size=4, max_size=11),
    st.tuples(st.sampled_from("01"), *[st.floats(0, 1).map(lambda v: f"{v:.3f}")] * 4).map(list),
)
SEPARATORS = st.sampled_from([" ", "\t", "  ", "\u00a0", " ", " "])
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\x0c", "\u2028", "\n", "\n"])


@st.composite
def label_files(draw) -> bytes:
    text = draw(st.sampled_from(["", "", "", "\ufeff"]))
    lines = draw(st.lists(LINES, max_size=4))
    for line in lines + lines[: draw(st.integers(0, 1))]:
        text += draw(SEPARATORS).join(line) + draw(ENDS)
    content = text.encode("utf-8", "surrogatepass")
    return content + draw(st.sampled_from([b"", b"", b"", b"\0", b"\xff", b"\xc3"]))


LABEL_ARGUMENTS = st.sampled_from(
    [
        ("detect", (0, 0), False),
        ("detect", (0, 0), True),
        ("detect", (2, 3), False),
        ("pose", (2, 3), False),
        ("pose", (1, 2), True),
    ]
)


def attempt_labels(example: tuple[bytes, tuple], folder: Path) -> str:
    content, (task, shape, single) = example
    picture(0).save(folder / "0.png")
    file = folder / "0.txt"
    file.write_bytes(content)
    ours = read_labels(file, 2, task=task, kpt_shape=shape, single_cls=single)
    found = utils.verify_image_label((str(folder / "0.png"), str(file), "", task == "pose", 2, *shape, single))
    if (found[0] is None) != ours.unread:
        raise Escape(
            f"Ultralytics {'leaves the image out: ' + found[-1][-80:] if found[0] is None else 'reads it'}, the audit does not"
        )
    if ours.unread:
        if not ours.faults or not ours.faults[0][1]:
            raise Escape("left out without a reason")
        return "both leave it out"
    if not np.array_equal(ours.rows, found[1]):
        raise Escape(f"rows differ: {ours.rows.tolist()} and {found[1].tolist()}")
    return "both read it"


FORMATS = [
    ("JPEG", ".jpg"),
    ("PNG", ".png"),
    ("BMP", ".bmp"),
    ("TIFF", ".tif"),
    ("WEBP", ".webp"),
    ("GIF", ".jpg"),
    ("JPEG2000", ".jp2"),
    ("AVIF", ".avif"),
    ("PPM", ".jpg"),
    ("PNG", ".jpg"),
]
MODES = ["RGB", "L", "RGBA", "P", "1", "CMYK", "I;16"]


@st.composite
def image_files(draw) -> tuple[str, bytes]:
    kind, suffix = draw(st.sampled_from(FORMATS))
    size = draw(st.sampled_from([(24, 32), (9, 32), (10, 10), (1, 1), (33, 17)]))
    content = encoded(kind, draw(st.sampled_from(MODES)), size)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        what = draw(st.sampled_from(["cut", "flip", "insert", "append"]))
        if what == "cut":
            content = content[:at]
        elif what == "flip" and content:
            content = content[:at] + bytes([content[at] ^ draw(st.integers(1, 255))]) + content[at + 1 :]
        else:
            more = draw(st.binary(min_size=1, max_size=4))
            content = content + more if what == "append" else content[:at] + more + content[at:]
    return suffix, content


def encoded(kind: str, mode: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    try:
        image = Image.fromarray(np.zeros(size, np.uint16)) if mode == "I;16" else picture(1, size, mode)
        image.save(out, kind)
    except (OSError, KeyError, ValueError):  # a format that has no such mode, or that this Pillow does not write
        out = io.BytesIO()
        picture(1, size).save(out, "PNG")
    return out.getvalue()


def attempt_image(example: tuple[str, bytes], folder: Path) -> str:
    suffix, content = example
    file, copy = folder / f"a{suffix}", folder / f"b{suffix}"
    file.write_bytes(content)
    copy.write_bytes(content)
    look = look_at(file)
    if file.read_bytes() != content:
        raise Escape("the audit changed the image")
    try:
        message = utils.check_image(str(copy))[0]
    except Exception:
        if not look.left_out or not look.fault:
            raise Escape("Ultralytics leaves it out, the audit says it is fine") from None
        return "both leave it out"
    if look.left_out:
        raise Escape(f"Ultralytics takes it, the audit says: {look.fault[:80]}")
    if bool(message) != bool(look.note) and not look.fault:
        raise Escape(f"Ultralytics says {message[-60:]!r}, the audit {look.note!r}")
    readable = patches.imread(str(copy if not message else file)) is not None
    if readable != (not look.fault):
        raise Escape(f"OpenCV {'reads' if readable else 'does not read'} it, the audit says {look.fault!r}")
    return "both take it" if readable else "an error that Ultralytics meets later"


KINDS = [
    Kind("data YAML", data_yamls(), attempt_yaml),
    Kind("labels", st.tuples(label_files(), LABEL_ARGUMENTS), attempt_labels),
    Kind("images", image_files(), attempt_image),
]
