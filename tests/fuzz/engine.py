"""Draw examples with Hypothesis, try each, and collect what escapes.

An escape is a traceback from inside a library, an error that does not name what was given, a hang, a file outside the folder asked for, or a
silent wrong result. A kind is a strategy and a function `attempt(example, folder)`, which says in a word how the product took the example, and
raises Escape.
"""

import contextlib
import io
import logging
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

HANG = 10  # seconds


class Escape(Exception):
    """What must not happen."""


class Hang(BaseException):
    """Raised by the alarm clock."""


@dataclass
class Kind:
    """name, how examples are drawn, and what is done with one."""

    name: str
    examples: SearchStrategy
    attempt: Callable[[object, Path], str]


@dataclass
class Tried:
    """How many examples of a kind were tried, how each was taken, and the shortest example of each escape."""

    name: str
    count: int = 0
    seconds: float = 0.0
    taken: Counter = field(default_factory=Counter)
    escapes: dict[str, str] = field(default_factory=dict)

    def escaped(self, what: str, example: object) -> None:
        shown = repr(example)
        if len(shown) < len(self.escapes.get(what, "x" * 10**6)):
            self.escapes[what] = shown


def refused(error: Exception, name: str) -> str:
    """The word for a good refusal: a ValueError that names the file."""
    if not isinstance(error, ValueError) or isinstance(error, UnicodeError):
        raise Escape(f"{type(error).__name__}: {first_line(error)} {place(error)}") from error
    if name not in str(error):
        raise Escape(f"the message does not name {name}: {first_line(error)}") from error
    return "refused"


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:160]


def place(error: BaseException) -> str:
    """Where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"(in {Path(frames[-1].filename).name}, {frames[-1].name})" if frames else ""


def tried(kind: Kind, count: int, number: int = 0) -> Tried:
    """Try `count` examples of a kind, drawn by that seed."""
    result, begun = Tried(kind.name), time.monotonic()
    with tempfile.TemporaryDirectory() as place_for_all:
        folder = Path(place_for_all) / "work"

        @seed(number)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(kind.examples)
        def one(example):
            folder.mkdir()
            result.count += 1
            try:
                with quiet(), alarm():
                    result.taken[kind.attempt(example, folder)] += 1
            except Escape as escape:
                result.escaped(str(escape), example)
            except Hang:
                result.escaped(f"no answer in {HANG} s", example)
            except Exception as error:
                result.escaped(f"{type(error).__name__}: {first_line(error)} {place(error)}", example)
            finally:
                shutil.rmtree(folder)
            if others := [p.name for p in Path(place_for_all).iterdir()]:
                result.escaped(f"wrote outside its folder: {others}", example)

        one()
    result.seconds = time.monotonic() - begun
    return result


@contextlib.contextmanager
def alarm():
    """Hang after HANG seconds, where the system has an alarm clock."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HANG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def quiet():
    """Nothing is printed, and nothing logged."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
