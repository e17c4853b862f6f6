"""What can be seen of a call: its result, the gradients that flow through it, an error, an argument that it changed; and when two of these are alike."""

import copy
import inspect
import math
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn

from cnx_tutorial.teaching.checks.runner import Mismatch, NotAttempted, first_line

TO_PLAIN = "return plain numbers, or tensors of them on the CPU, not other objects"
AXES = "the right numbers with their axes in another order: permute them back, or do not permute"
FLAT = "the right numbers in one row: keep the axes"
ROUNDED = "the result was rounded: return the number as it is, and round only what you print"
IN_FLOAT32 = "right to about six digits only, as if computed in float32: use the input's dtype throughout, without .float()"
IN_PLACE = "an operation in place overwrote what the gradient needs: write x = x * ..., not x *= ... or x.mul_(...)"
CUT = "something cuts the graph: .detach(), .data, .item(), .tolist(), .numpy(), torch.tensor() or torch.no_grad()"
CONSTANT = "the values are right and the gradient is not: something was taken for a constant (.detach(), .item())"
DTYPE = "stay in the input's dtype: .float(), .half() and torch.tensor(a list) change it"
DEVICE = "stay on the input's device: x.device"
FORMS = {(int, float): "one number", list: "a list or a tuple", dict: "a dictionary"}
SHAPE = "an axis was lost or moved: keepdim=True keeps it, permute brings it back"


@dataclass
class Seen:
    """One call. `value` is plain or a tensor; `gradients` are those of the tensors that went in, by their place, None where none arrived."""

    value: object = None
    gradients: dict[object, Tensor | None] | None = None
    error: str = ""
    changed: str = ""
    stopped: Mismatch | None = None

    def failed(self) -> bool:
        """It ended with an error, or as a division by zero does: with nan."""
        return bool(self.error) or (isinstance(self.value, float) and math.isnan(self.value))

    def has_floats(self) -> bool:
        return any(isinstance(item, float) for item in leaves(self.value))

    def compared_with(self, right: "Seen") -> tuple[str, str, str, str | None]:
        """What is wrong, what was expected, what was seen, and what it usually comes from (of tensors)."""
        mine, want = self.value, right.value
        if not isinstance(want, Tensor) or right.error:
            if isinstance(mine, dict) and isinstance(want, dict):  # what differs, of many
                names = [name for name in [*want, *mine] if name not in mine or name not in want or not same(mine[name], want[name], 0.0)][:3]
                want, mine = ({name: one[name] for name in names if name in one} for one in (want, mine))
                return "the result is wrong", shown(want), shown(mine), None
            return "the result is wrong", shown(right), shown(self), None
        if not isinstance(mine, Tensor):
            return ("the result is no tensor", "a torch.Tensor", shown(self), "return the tensor itself, and nothing beside it")
        if mine.device != want.device:
            return "the result is on another device", str(want.device), str(mine.device), DEVICE
        if mine.shape != want.shape:
            hint = FLAT if mine.numel() == want.numel() and mine.ndim < want.ndim else SHAPE
            return "the shape is wrong", str(tuple(want.shape)), str(tuple(mine.shape)), hint
        if mine.dtype != want.dtype:
            return "the dtype changed", str(want.dtype), str(mine.dtype), DTYPE
        if not tensors_alike(mine, want):
            hint = IN_FLOAT32 if torch.allclose(mine, want, rtol=1e-5, atol=1e-6) else None
            return "the values are wrong", *worst(want, mine), hint
        for place, grad in (right.gradients or {}).items():
            got = (self.gradients or {}).get(place)
            if got is None:
                return ("the values are right, and a gradient is missing", "a gradient for each tensor that goes in", "none", CUT)
            if not tensors_alike(got, grad):
                return ("the gradient is wrong", *worst(grad, got), IN_FLOAT32 if torch.allclose(got, grad, rtol=1e-5) else CONSTANT)
        return "the result is wrong", shown(right), shown(self), None


def observe(function: Callable, question: tuple, see: Callable | None = None, words: str = "the call", gradients: bool = True, grown: Sequence[int] | None = None) -> Seen:
    """Call function(*question) and look. Tensors of float64 get a gradient; `see(result, question)` says what of the result counts."""
    before, given = own_copy(question), list(own_copy(question))
    wanted = range(len(given)) if grown is None else grown
    grown = {i: given[i].requires_grad_() for i in wanted if isinstance(given[i], Tensor) and given[i].dtype == torch.float64}
    for i, leaf in grown.items():
        given[i] = leaf.clone()  # no leaf, so that an operation in place is seen as such, and is no error
    try:
        result = function(*given)
        value = see(result, given) if see else result
    except (NotAttempted, NotImplementedError):
        raise
    except Exception as error:
        if isinstance(error, Mismatch) and error.__cause__ is None:
            raise
        cause = error.__cause__ if isinstance(error, Mismatch) else error
        return Seen(error=f"{type(cause).__name__}: {first_line(cause)}")
    changed = next((n for n, a, b in zip(named(function, question), given, before, strict=True) if not unchanged(a, b)), "")
    if isinstance(value, Tensor) and any(isinstance(item, Tensor) for item in question):
        seen = Seen(value.detach(), changed=changed)
        if grown and gradients and not changed:
            seen.gradients = seeded_gradients(value, grown)
        return seen
    return Seen(plain(value, words), changed=changed)


def seeded_gradients(result: Tensor, leaves: Mapping) -> dict[object, Tensor | None]:
    """By name or place of each leaf: backward from the same random numbers for every result of that shape."""
    if not result.requires_grad or result.device.type != "cpu" or result.dtype != torch.float64:
        return dict.fromkeys(leaves)
    seed = torch.randn(result.shape, generator=torch.Generator().manual_seed(3), dtype=result.dtype)
    try:
        found = torch.autograd.grad(result, list(leaves.values()), seed, allow_unused=True)
    except RuntimeError as error:
        raise Mismatch("the gradient cannot be computed", "a gradient", first_line(error), IN_PLACE) from None
    return dict(zip(leaves, found, strict=True))


def own_copy(question: tuple) -> tuple:
    return tuple(item.detach().clone() if isinstance(item, Tensor) else copy.deepcopy(item) for item in question)


def unchanged(a: object, b: object) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a.detach(), b)
    try:
        return plain(a) == plain(b)
    except Mismatch:  # a model, say
        return True


def alike(a: Seen, b: Seen, tolerance: float) -> bool:
    """The same for whoever looks: both fail, or values, gradients and what was changed agree."""
    if a.failed() or b.failed():
        return a.failed() and b.failed()
    if bool(a.changed) != bool(b.changed):
        return False
    if isinstance(a.value, Tensor) and isinstance(b.value, Tensor):
        return tensors_alike(a.value, b.value) and gradients_alike(a.gradients, b.gradients)
    return same(a.value, b.value, tolerance)


def tensors_alike(a: Tensor, b: Tensor) -> bool:
    """Equal in shape, dtype, device and numbers: to 1e-7 in float64, to 0.01 in what is shorter."""
    if (a.shape, a.dtype, a.device) != (b.shape, b.dtype, b.device) or a.device.type != "cpu":
        return False
    return torch.allclose(a, b, rtol=1e-7, atol=1e-7 if a.dtype == torch.float64 else 0.01, equal_nan=True)


def gradients_alike(a: dict | None, b: dict | None) -> bool:
    """Equal, as far as there is a gradient: the root has none at 0."""
    for mine, theirs in zip((a or {}).values(), (b or {}).values(), strict=False):
        if any(grad is not None and not grad.isfinite().all() for grad in (mine, theirs)):
            continue
        if (mine is None) != (theirs is None) or (mine is not None and not tensors_alike(mine, theirs)):
            return False
    return True


def plain(value: object, call: str = "the call") -> object:
    """Tensors, arrays and tuples as lists, NumPy's numbers as Python's; anything else is refused: `call` says whose result it is."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Tensor):
        if value.device.type == "cpu" and not value.is_sparse and not value.is_complex():
            return value.tolist()
    elif isinstance(value, Mapping):
        return {str(key): plain(item, call) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        return [plain(item, call) for item in value]
    elif isinstance(value, (set, frozenset)):
        return sorted((plain(item, call) for item in value), key=str)
    elif type(value).__module__ == "numpy":
        return plain(value.tolist(), call)
    kind = type(value).__name__
    raise Mismatch(f"the result is no plain value for {call}", "numbers", f"an object of type {kind}", TO_PLAIN)


def same(a: object, b: object, tolerance: float) -> bool:
    """Equal in form, and in numbers up to the tolerance; True is not 1."""
    if isinstance(a, (bool, str)) or isinstance(b, (bool, str)):
        return type(a) is type(b) and a == b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) or (a != a and b != b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key], tolerance) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
    return a is None and b is None


def leaves(value: object) -> Iterator[object]:
    """The single items of nested lists and dicts."""
    if isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def changed_leaves(value: object, change: Callable) -> object:
    """The same form, with each number changed; flags, words and None stay."""
    if isinstance(value, (list, tuple)):
        return [changed_leaves(item, change) for item in value]
    if isinstance(value, dict):
        return {key: changed_leaves(item, change) for key, item in value.items()}
    return change(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def slips(right: Callable) -> Iterator[tuple[str, Callable]]:
    """What goes wrong in any exercise: the right answer, handed over wrongly."""

    def after(change: Callable) -> Callable:
        return lambda *question: change(right(*question))

    yield "the input came back as it was", lambda *question: question[0]
    yield "the numbers are right and stand in reversed order", after(lambda v: list(v)[::-1])
    yield "every number is one too large", after(lambda v: changed_leaves(v, lambda n: n + 1))
    yield "every number is one too small", after(lambda v: changed_leaves(v, lambda n: n - 1))
    yield "the sign is turned", after(lambda v: -v if isinstance(v, Tensor) else changed_leaves(v, lambda n: -n))
    yield ("every number is twice what it should be", after(lambda v: 2 * v if isinstance(v, Tensor) else changed_leaves(v, lambda n: 2 * n)))
    yield ("every number is half of what it should be", after(lambda v: v / 2 if isinstance(v, Tensor) else changed_leaves(v, lambda n: n / 2)))
    for digits in range(7):
        yield ROUNDED, after(lambda v, d=digits: changed_leaves(v, lambda n: round(float(n), d)))
    yield "the result is right, and lies in a list of its own: return it without the list", after(lambda v: [v])
    yield "only the first item came back: return all of them", after(lambda v: list(v)[0])
    yield "only the last item came back: return all of them", after(lambda v: list(v)[-1])
    yield ("the items are right, and were joined into one flat list: keep their groups", after(lambda v: [i for part in v for i in part]))
    yield "the items are right, and were sorted: keep their order", after(lambda v: sorted(v))
    yield ("the answers are right, but 0 and 1: the exercise asks for True and False", after(lambda v: [int(i) for i in v] if isinstance(v, list) else int(v)))
    yield "the result is right, and was turned into text: return it as it is", after(str)
    yield FLAT, after(lambda v: v.flatten())
    for order in (o for axes in (2, 3, 4) for o in permutations(range(axes)) if o != tuple(range(axes))):
        yield AXES, after(lambda v, o=order: v.permute(o))


def named(function: Callable, question: tuple) -> list[str]:
    """The learner's names for the arguments of a call."""
    try:
        names = list(inspect.signature(function).bind(*question).arguments)
    except (TypeError, ValueError):  # not callable so: the call has its own message
        names = []
    return names if len(names) == len(question) else [f"argument {i + 1}" for i in range(len(question))]


def asked(function: Callable, question: tuple) -> str:
    """The arguments of a call, each with the name that the learner's function has for it."""
    names = named(function, question)
    return ", ".join(shown(item) if name.startswith("argument ") else f"{name}={shown(item)}" for name, item in zip(names, question, strict=True))


def length(question: object) -> int:
    """How much there is to work through by hand."""
    if isinstance(question, Tensor):
        return 4 * question.numel()
    if isinstance(question, nn.Module):
        return len(list(question.parameters()))
    if isinstance(question, (tuple, list)):
        return sum(map(length, question)) + len(question)
    return len(repr(question))


def worst(want: Tensor, mine: Tensor) -> tuple[str, str]:
    """The place where two tensors of one shape differ most, with as many digits as it takes to see it."""
    index = torch.unravel_index((mine - want).abs().nan_to_num(torch.inf).argmax(), want.shape)
    place = [int(i) for i in index]
    right, got = want[tuple(place)].item(), mine[tuple(place)].item()
    digits = next((count for count in range(4, 17) if f"{right:.{count}g}" != f"{got:.{count}g}"), 17)
    return f"{right:.{digits}g} at {place}", f"{got:.{digits}g}"


def shown(value: object) -> str:
    """The value in few characters, as one writes it in Python; numbers with seven digits."""
    if isinstance(value, Seen):
        return value.error or shown(value.value)
    if isinstance(value, tuple):
        return short("(" + ", ".join(map(shown, value)) + ("," if len(value) == 1 else "") + ")")
    if isinstance(value, nn.Module):
        return f"a small model of {len(list(value.parameters()))} tensors"
    if isinstance(value, Tensor):
        return f"a {tuple(value.shape)} tensor" if value.numel() > 8 else shown(value.tolist())
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return shown(value.tolist())
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, list):
        return short("[" + ", ".join(map(shown, value)) + "]")
    if isinstance(value, Mapping):
        return short("{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}")
    return short(repr(value))


def short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."
