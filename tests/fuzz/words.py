"""Words after `cnx`: every mistake is one message, and nothing is written. Training, prediction and export themselves are not begun."""

import contextlib
import io
import os
from pathlib import Path

from hypothesis import strategies as st
from ultralytics.engine.model import Model
from ultralytics.utils import downloads

from cnx_tutorial import cli
from cnx_tutorial.compare import comparison
from tests.few import few_smears
from tests.fuzz.engine import Escape, Kind, first_line, place

COMMANDS = st.sampled_from(
    [
        "train",
        "train",
        "train",
        "val",
        "predict",
        "export",
        "compare",
        "data",
        "track",
        "benchmark",
        "trian",
        "",
        "help",
        "cfg",
        "version",
        "detect",
        "🦆",
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "1",
            "0",
            "-1",
            "3.5",
            "nan",
            "inf",
            "None",
            "True",
            "False",
            "[0]",
            "[",
            "{",
            "abc",
            "1e9",
            "few.yaml",
            "few",
            "smears",
            "gone.yaml",
            "gone",
            "yolov8n-convnext.yaml",
            "yolov8n.yaml",
            "yolov8q.yaml",
            "gone.pt",
            "broken.pt",
            "wrong.yaml",
            "x" * 5000,
            "ä血",
            "a b",
            "'",
            "\\",
            "..",
            "/",
            "cpu",
            "cuda:9",
            "AdamW",
            "AdmW",
            "\udcff",
            "__import__('os')",
        ]
    ),
    st.integers(-9, 10**6).map(str),
    st.text(max_size=5),
)
KEYS = [
    "model",
    "data",
    "epochs",
    "imgsz",
    "batch",
    "lr0",
    "optimizer",
    "device",
    "resume",
    "cfg",
    "single_cls",
    "classes",
    "fraction",
    "task",
    "name",
    "project",
    "against",
    "seeds",
    "interval",
    "engine",
    "jobs",
    "report",
    "mode",
    "source",
    "format",
    "seed",
    "epoch",
    "momentum",
    "freeze",
    "cache",
    "val",
    "workers",
    "nbs",
    "patience",
    "save_period",
]
PAIR = st.tuples(st.sampled_from(KEYS), VALUES).map("=".join)
WORD = st.one_of(
    PAIR,
    PAIR,
    PAIR,
    VALUES,
    st.sampled_from(
        [
            "--help",
            "-h",
            "detect",
            "classify",
            "segment",
            "resume",
            "audit",
            "smears",
            "bccd",
            "--out",
            "--from",
            "--seed",
            "--train",
            "--overwrite",
            "=",
        ]
    ),
)
WORDS = st.tuples(COMMANDS, st.lists(WORD, max_size=4)).map(lambda pair: [pair[0], *pair[1]])


class Reached(ValueError):
    """The words are accepted: what they ask for would begin now."""


def reached(*args, **kwargs):
    raise Reached("accepted")


def no_network(*args, **kwargs):
    raise ConnectionError("no network here")


def attempt(words: list[str], folder: Path) -> str:
    few_smears(folder, train=2, val=1)
    (folder / "wrong.yaml").write_text(
        "nc: 3\nbackbone: [[-1, 1, Convv, [16]]]\nhead: [[[0], 1, Detect, [nc]]]\n", encoding="utf-8"
    )
    (folder / "broken.pt").write_bytes(b"PK not a checkpoint")
    before, here = sorted(p.name for p in folder.iterdir()), Path.cwd()
    os.chdir(folder)
    said = io.StringIO()
    methods = [(Model, name, reached) for name in ("train", "val", "predict", "track", "export", "benchmark", "tune")]
    try:
        methods += [(comparison, "taken", reached), (downloads, "safe_download", no_network)]
        with cli.standing_in(*methods), contextlib.redirect_stderr(said):
            status = cli.main(words)
    except BaseException as error:
        if not isinstance(error, Exception):
            raise
        raise Escape(f"{type(error).__name__}: {first_line(error)} {place(error)}") from error
    finally:
        os.chdir(here)
    text = said.getvalue()
    if "Traceback" in text or "This should not end so" in text:
        raise Escape(f"unexpected: {text.strip()[:160]}")
    if status not in (0, 1, 2) or (status and len(text.strip()) < 8):
        raise Escape(f"status {status} with {text.strip()[:80]!r}")
    made = sorted(set(p.name for p in folder.iterdir()) - set(before))
    if made and words[0] not in ("data", "cfg", "copy-cfg"):
        raise Escape(f"wrote {made}")
    return "accepted" if "accepted" in text else "done" if not status else "refused"


KIND = Kind("command words", WORDS, attempt)
