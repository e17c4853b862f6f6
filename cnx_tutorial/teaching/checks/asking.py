"""For answers that are functions of plain things: ask many questions, compare, and name the mistake that fits every answer.

A mistake is named only if it explains all that the learner's function returned, so two mistakes that agree on one question are told apart by
another.
"""

import copy
import inspect
import math
import numbers
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from cnx_tutorial.teaching.checks.runner import Mismatch, call, expect_callable

CHANGED_INPUT = "an operation that changes its input (append, sort, pop, +=, x[...] = ...): work on a copy"
TO_PLAIN = "return plain numbers, or tensors of them on the CPU, not other objects"


def ask(
    answer: object,
    questions: Sequence[tuple],
    right: Callable,
    mistakes: Mapping[str, Callable],
    otherwise: str,
    *,
    arguments: str,
    tolerance: float = 1e-6,
) -> None:
    """Raise Mismatch unless answer(*question) is right(*question) for all questions.

    Args:
        answer: the learner's function.
        questions: the arguments of each call.
        right: what a right answer gives.
        mistakes: by the sentence that names it, a function that makes this mistake; it may raise where the mistake cannot be made.
        otherwise: the hint where no mistake fits.
        arguments: the hint where the call itself fails.
        tolerance: of numbers, relative and absolute.
    """
    expect_callable(answer, "function")
    got = []
    for question in questions:
        given = copy.deepcopy(question)
        value = call(answer, *given, what=f"for {asked(answer, question)}", likely=arguments)
        got.append(plain(value, asked(answer, question)))
        if not same(plain(given), plain(question), 0.0):
            raise Mismatch("your code changed its input", asked(answer, question), asked(answer, given), CHANGED_INPUT)
    want = [plain(right(*copy.deepcopy(question))) for question in questions]
    for question, mine, theirs in zip(questions, got, want, strict=True):
        if not same(mine, theirs, tolerance):
            likely = next(
                (said for said, mistake in mistakes.items() if explains(mistake, questions, got, tolerance)), otherwise
            )
            raise Mismatch(f"the result is wrong for {asked(answer, question)}", shown(theirs), shown(mine), likely)


def explains(mistake: Callable, questions: Sequence[tuple], got: Sequence, tolerance: float) -> bool:
    """True if the mistake gives what the learner's function gave, for every question."""
    try:
        return all(
            same(plain(mistake(*copy.deepcopy(question))), mine, tolerance)
            for question, mine in zip(questions, got, strict=True)
        )
    except Exception:  # this mistake cannot be made here
        return False


def asked(answer: Callable, question: tuple) -> str:
    """The arguments of a call, each with the name that the learner's function has for it."""
    try:
        names = list(inspect.signature(answer).bind(*question).arguments)
    except (TypeError, ValueError):  # not callable so: the call has its own message
        names = []
    if len(names) != len(question):  # *args, or not callable so
        return ", ".join(shown(item) for item in question)
    return ", ".join(f"{name}={shown(item)}" for name, item in zip(names, question, strict=True))


def plain(value: object, call: str = "the call") -> object:
    """Tensors, arrays and tuples as lists, numbers as Python's; anything else is refused: `call` says whose result it is."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        if value.device.type == "cpu" and not value.is_sparse and not value.is_complex():
            return value.tolist()
    elif isinstance(value, Mapping):
        return {str(key): plain(item, call) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        return [plain(item, call) for item in value]
    elif isinstance(value, (set, frozenset)):
        return sorted((plain(item, call) for item in value), key=str)
    elif isinstance(value, numbers.Real):
        return float(value)
    elif type(value).__module__ == "numpy":
        return plain(value.tolist(), call)
    raise Mismatch(
        f"the result is no plain value for {call}",
        "numbers",
        f"an object of type {type(value).__name__}",
        TO_PLAIN,
    )


def same(a: object, b: object, tolerance: float) -> bool:
    """Equal in form, and in numbers up to the tolerance."""
    if isinstance(a, bool) or isinstance(b, bool) or isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and a == b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key], tolerance) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
    return a is None and b is None


def shown(value: object) -> str:
    """The value in few characters, numbers with four digits."""
    if isinstance(value, tuple):
        return short("(" + ", ".join(shown(item) for item in value) + ("," if len(value) == 1 else "") + ")")
    if isinstance(value, Tensor):
        return f"a {tuple(value.shape)} tensor" if value.numel() > 8 else shown(value.tolist())
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return short("[" + ", ".join(shown(item) for item in value) + "]")
    if isinstance(value, Mapping):
        return short("{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}")
    return short(repr(value))


def short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."
