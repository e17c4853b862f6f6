"""What all checkers share: call the learner's code safely, compare tensors, and say one helpful thing.

A checker must survive whatever it is given: None, a string, an exception, an endless loop. So the examination runs in
a daemon thread that is told to stop when its time is up; that works the same in a notebook, in a script and on Windows.
"""

import ctypes
import functools
import os
import sys
import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

SECONDS = 10.0  # before an answer counts as an endless loop; the slowest right answer takes well under one


class NotAttempted(Exception):
    """The stub is untouched, as far as one can see; the text says what was seen when that could also be a slip."""


class Mismatch(Exception):
    """The first thing that does not hold."""

    def __init__(self, found: str, expected: str, got: str, likely: str):
        super().__init__(f"{found}\n    expected: {expected}; got {got}\n    likely: {likely}")


class CheckFailed(AssertionError):
    """What a checker raises under `strict=True`, with the message that it would have printed."""


class _TimeIsUp(BaseException):
    """Raised inside the learner's thread; not an Exception, so that `except Exception` does not swallow it."""


def exercise(holds: str) -> Callable:
    """Make a checker out of `examine(answer)`, which raises Mismatch or NotAttempted at the first fault.

    Args:
        holds: what is true of a right answer; printed after the tick.
    """

    def decorate(examine: Callable[[object], None]) -> Callable[..., None]:
        @functools.wraps(examine)
        def checker(answer: object, *, strict: bool | None = None, seconds: float = SECONDS) -> None:
            if strict is None:
                strict = os.environ.get("NBGRADER_EXECUTION") == "autograde"
            passed, message = _judge(examine, answer, seconds)
            if strict and not passed:
                raise CheckFailed(message)
            if not strict:
                _say(message)

        del checker.__wrapped__  # help() shows the checker's own arguments
        return checker

    def _judge(examine: Callable, answer: object, seconds: float) -> tuple[bool, str]:
        name = examine.__name__
        with torch.random.fork_rng(devices=[]):  # layers that the answer makes draw random numbers
            outcome = in_time(lambda: examine(answer), seconds)
        if outcome is None:
            return True, f"✓ {name}: {holds}"
        if isinstance(outcome, NotAttempted):
            return False, f"○ {name}: not attempted yet{outcome}"
        if not isinstance(outcome, Mismatch):
            outcome = Mismatch(
                "the answer cannot be examined",
                "something that the checker can call and compare",
                f"{type(outcome).__name__}: {_first_line(outcome)}",
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
            f"it was still running after {seconds:g} s and was stopped",
            "an answer within a fraction of a second",
            "none",
            "a loop that never ends: look at what should make its condition false",
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
    except NotImplementedError:
        raise NotAttempted() from None
    except (Exception, SystemExit) as error:
        raise Mismatch(
            f"it stops with an error {what}", "a result", f"{type(error).__name__}: {_first_line(error)}", likely
        ) from error
    if result is None:
        raise NotAttempted(" (it returns None: if you have written it, look for a missing `return`)")
    if result is ...:
        raise NotAttempted()
    return result


def expect_callable(answer: object, kind: str) -> None:
    """Refuse what is no function (kind "function") or no class (kind "class")."""
    if answer is None or answer is ...:
        raise NotAttempted()
    is_class = isinstance(answer, type)
    if is_class != (kind == "class") or not callable(answer):
        got = f"an object of type {type(answer).__name__}" if not is_class else f"the class {answer.__name__}"
        raise Mismatch(
            f"this is no {kind}",
            f"the {kind} itself",
            got,
            f"pass the name of your {kind}, without parentheses behind it",
        )


def expect_tensor(
    got: object, want: Tensor, *, where: str, wrong: Sequence[tuple[str, Tensor]] = (), atol: float = 1e-7
):
    """Raise Mismatch unless `got` equals `want`.

    Args:
        where: "on a (2, 3, 4, 5) input", for the message.
        wrong: pairs of a usual mistake, in a sentence, and what it gives; the first that equals `got` is reported.
        atol: the largest difference that counts as equal.
    """
    size = tuple(want.shape)
    if not isinstance(got, Tensor):
        raise Mismatch(
            f"the result is no tensor {where}",
            "a torch.Tensor",
            type(got).__name__,
            "return the tensor itself, and nothing beside it",
        )
    if got.device != want.device:
        raise Mismatch(
            f"the result is on another device {where}",
            str(want.device),
            str(got.device),
            "stay on the input's device: x.device",
        )
    if got.dtype != want.dtype:
        raise Mismatch(
            f"the dtype changed {where}",
            str(want.dtype),
            str(got.dtype),
            "stay in the input's dtype: no .float(), no .half()",
        )
    same = [mistake for mistake, value in wrong if _equal(got, value, atol)]
    if tuple(got.shape) != size:
        likely = same[0] if same else "an axis was lost or moved: keepdim=True keeps it, permute brings it back"
        raise Mismatch(f"the shape is wrong {where}", str(size), str(tuple(got.shape)), likely)
    if _equal(got, want, atol):
        return
    worst = (got - want).abs().nan_to_num(torch.inf).argmax()
    index = tuple(int(i) for i in torch.unravel_index(worst, want.shape))
    likely = (
        same[0] if same else "none of the usual mistakes; compare with the loop version on a tensor of eight numbers"
    )
    raise Mismatch(f"the values are wrong {where}", f"{want[index]:.4g} at {list(index)}", f"{got[index]:.4g}", likely)


def expect_untouched(now: Tensor, before: Tensor) -> None:
    """Raise Mismatch if the learner's code wrote into its input."""
    if not torch.equal(now, before):
        raise Mismatch(
            "your code changed its input",
            "x as it was before the call",
            "other numbers in x",
            "an in-place operation (x -= ..., x.sub_()): write x = x - ...",
        )


def expect_gradients(
    got: object,
    inputs: Sequence[Tensor],
    names: Sequence[str],
    want: Sequence[Tensor],
    seed: Tensor,
    wrong: Sequence[tuple[str, Tensor]],
) -> None:
    """Raise Mismatch unless backward from `seed` gives `want`; `wrong` holds mistaken gradients of the first input."""
    grads: Sequence[Tensor | None] = [None] * len(inputs)
    if got.requires_grad:
        grads = torch.autograd.grad(got, inputs, seed, allow_unused=True)
    for name, grad, target in zip(names, grads, want, strict=True):
        if grad is None:
            raise Mismatch(
                f"no gradient reaches {name}",
                "a gradient",
                "none",
                "something cuts the graph: .detach(), .data, .numpy() or torch.no_grad()",
            )
        expect_tensor(grad, target, where=f"in the gradient of {name}", wrong=wrong if name == names[0] else ())


def _equal(got: Tensor, want: Tensor, atol: float) -> bool:
    return got.shape == want.shape and torch.allclose(got, want, rtol=1e-7, atol=atol, equal_nan=True)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["no message"])[0][:160]


def _say(message: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(message.encode(encoding, errors="replace").decode(encoding))  # old Windows consoles have no tick
