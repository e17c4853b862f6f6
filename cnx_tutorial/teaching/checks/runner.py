"""What all checkers share: call the learner's code safely, and say one helpful thing.

A checker must survive whatever it is given: None, a string, an exception, an endless loop. So the examination runs in
a daemon thread that is told to stop when its time is up; that works the same in a notebook, in a script and on Windows. What it cannot stop is a
call that stays inside a library's C code, such as a product of huge matrices: the thread goes on until that call ends.
"""

import ctypes
import functools
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

import torch

from cnx_tutorial.teaching.checks.chinese import said

SECONDS = 10.0  # before an answer counts as an endless loop; the slowest right answer takes well under one
GRADERS_SECONDS = 60.0  # where marks depend on it, on a machine that grades a whole class


class NotAttempted(Exception):
    """The stub is untouched, as far as one can see; the text says what was seen when that could also be a slip."""


@dataclass
class Mismatch(Exception):
    """The first thing that does not hold, and what it usually comes from."""

    found: str
    expected: str
    got: str
    likely: str

    def __str__(self) -> str:
        return f"{self.found}\n    {said('expected')}: {self.expected}; {said('got')} {self.got}\n    {said('likely')}: {said(self.likely)}"


class CheckFailed(AssertionError):
    """What a checker raises under `strict=True`, with the message that it would have printed."""


class _TimeIsUp(BaseException):
    """Raised inside the learner's thread; not an Exception, so that `except Exception` does not swallow it."""


def exercise(holds: str, seconds: float = SECONDS) -> Callable:
    """Make a checker out of `examine(answer)`, which raises Mismatch or NotAttempted at the first fault.

    Args:
        holds: what is true of a right answer; printed after the tick, and before what was measured, if examine returns that as a text.
        seconds: before an answer counts as an endless loop.
    """
    limit = seconds

    def decorate(examine: Callable[[object], None]) -> Callable[..., None]:
        @functools.wraps(examine)
        def checker(answer: object, *, strict: bool | None = None, seconds: float | None = None) -> None:
            if strict is None:
                strict = os.environ.get("NBGRADER_EXECUTION") in ("autograde", "validate")
            passed, message = _judge(examine, answer, seconds or max(limit, GRADERS_SECONDS if strict else 0))
            if strict and not passed:
                raise CheckFailed(message)
            if not strict:
                _say(message)

        del checker.__wrapped__  # help() shows the checker's own arguments
        checker.holds = holds
        return checker

    def _judge(examine: Callable, answer: object, seconds: float) -> tuple[bool, str]:
        name, threads = examine.__name__, torch.get_num_threads()
        torch.set_num_threads(1)  # the tensors are tiny: more threads would only wait for each other
        try:
            with torch.random.fork_rng(devices=[]):  # layers that the answer makes draw random numbers
                measured: list[str | None] = []
                outcome = in_time(lambda: measured.append(examine(answer)), seconds)
        finally:
            torch.set_num_threads(threads)
        if outcome is None:
            return True, f"✓ {name}: {said(holds)}" + (f" ({measured[0]})" if any(measured) else "")
        if isinstance(outcome, NotAttempted):
            return False, f"○ {name}: {said('not attempted yet')}{outcome}"
        if not isinstance(outcome, Mismatch):
            outcome = Mismatch(
                "the answer cannot be examined",
                "something that the checker can call and compare",
                f"{type(outcome).__name__}: {first_line(outcome)}",
                "it returns, or is, something else than the exercise asks for; read its first sentence again",
            )
        return False, f"✗ {name}: {outcome}"

    return decorate


def in_time(work: Callable[[], object], seconds: float) -> BaseException | None:
    """Run work() in a thread; return None when it ends well, else what it raised, or a Mismatch when its time is up."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # SystemExit and the like must not escape into the notebook either
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True, name="cnx-check")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        for _ in range(20):  # again and again: a bare `except:` in the loop swallows the first ones
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_TimeIsUp))
            thread.join(0.1)
            if not thread.is_alive():
                break
        return Mismatch(
            f"it was still running after {seconds:g} s and was stopped", "an answer within a fraction of a second", "none", "a loop that never ends: look at what should make its condition false"
        )
    return raised[0] if raised else None


def call(answer: Callable, *args, what: str, likely: str = "read the last line of the error", **kwargs) -> object:
    """answer(*args, **kwargs), with what it raises turned into a verdict.

    Args:
        what: the call in words, for the message: "on a (2, 3, 4, 5) input".
        likely: the mistake that an error here most often comes from.
    """
    try:
        result = answer(*args, **kwargs)
    except NotImplementedError as nothing:
        stub = raised_in(nothing)
        if stub in ("<lambda>", *own_names(answer)):
            raise NotAttempted() from None
        raise Mismatch(f"it stops in a call of {stub}", "a result", "NotImplementedError", f"{stub} is not written yet: its exercise comes first") from None
    except (Exception, SystemExit) as error:
        raise Mismatch(f"it stops with an error {what}", "a result", f"{type(error).__name__}: {first_line(error)}", likely) from error
    if result is None:
        raise NotAttempted(" (it returns None: if you have written it, look for a missing `return`)")
    if result is ...:
        raise NotAttempted()
    return result


def raised_in(error: BaseException) -> str:
    """The function that raised it; of a method, its class."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_qualname.rpartition("<locals>.")[2].split(".")[0]


def own_names(answer: object) -> list[str]:
    """What the answer, and the classes that it is made of, are called."""
    kinds = answer.__mro__ if isinstance(answer, type) else type(answer).__mro__
    return [getattr(answer, "__name__", ""), *(kind.__name__ for kind in kinds)]


def expect_callable(answer: object, kind: str) -> None:
    """Refuse what is no function (kind "function") or no class (kind "class")."""
    if answer is None or answer is ...:
        raise NotAttempted()
    is_class = isinstance(answer, type)
    if is_class != (kind == "class") or not callable(answer):
        got = f"an object of type {type(answer).__name__}" if not is_class else f"the class {answer.__name__}"
        raise Mismatch(f"this is no {kind}", f"the {kind} itself", got, f"pass the name of your {kind}, without parentheses behind it")


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["no message"])[0][:160]


def _say(message: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(message.encode(encoding, errors="replace").decode(encoding))  # old Windows consoles have no tick
