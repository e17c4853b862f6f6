"""One engine for every exercise: ask many questions, observe all that shows, and name the misconception that explains it.

An exercise is data. The right answer is made of named steps (`Steps`), or it is a function with knobs (keyword-only arguments). Questions are a few
pinned ones, at exact boundaries, and others that are drawn from a fixed seed. A row is one misconception: its sentence, and the steps or knobs that
it changes. The row, or the pair of rows, that explains everything seen is named; where none does, the smallest question that failed is shown.
"""

import ast
import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from torch import Tensor

from cnx_tutorial.teaching.checks.observe import FORMS, Seen, alike, asked, length, observe, same, shown, slips
from cnx_tutorial.teaching.checks.runner import Mismatch, NotAttempted, call, exercise, expect_callable

CHANGED_INPUT = "an operation that changes its input (append, sort, pop, +=, x.sub_(), x[...] = ...): write x = x - ..., or work on a copy"
STATE = "the same call gives another result the second time: something survives a call, such as a mutable default argument or a global"
NOTHING = "no branch of the code returns something here: look at the conditions, and for a missing return"
SIZE = "it runs for other sizes: a size is written into the code, or one axis is taken for another"
TO_INTEGER = "the exercise asks for whole numbers: divide with //, or round"
UNEXPLAINED = "none of the usual mistakes; work out by hand what stands after 'for', step by step"
LAST_LINE = "read the last line of the error"

Row = tuple[str, Mapping[str, object] | Callable]


class Steps:
    """A function as named steps. Each step is a function of arguments and earlier steps, by the names of its parameters; the last one is the result.

    Args:
        arguments: as in a lambda: "x, eps=1e-6".
        steps: by name, in order.
    """

    def __init__(self, arguments: str, /, **steps: Callable):
        said = ast.parse(f"lambda {arguments}: 0", mode="eval").body.args
        self.arguments = [argument.arg for argument in said.args]
        last = self.arguments[len(self.arguments) - len(said.defaults) :]
        self.defaults = dict(zip(last, map(ast.literal_eval, said.defaults), strict=True))
        self.steps = {name: (step, needs(step)) for name, step in steps.items()}

    def changed(self, **changes) -> "Steps":
        """The same with other steps, or with other defaults of arguments."""
        other = copy.copy(self)
        other.defaults = self.defaults | {name: changes.pop(name) for name in list(changes) if name in self.defaults}
        if unknown := changes.keys() - self.steps.keys():
            raise KeyError(f"no step named {', '.join(sorted(unknown))}; there are {', '.join(self.steps)}")
        other.steps = self.steps | {name: (step, needs(step)) for name, step in changes.items()}
        return other

    def __call__(self, *args: object, **named: object) -> object:
        values = self.defaults | dict(zip(self.arguments, args, strict=False)) | named
        for name, (step, inputs) in self.steps.items():
            values[name] = step(*(values[needed] for needed in inputs))
        return values[name]


def needs(step: Callable) -> list[str]:
    """The arguments and earlier steps that a step takes; a parameter with a default is its own affair."""
    return [p.name for p in inspect.signature(step).parameters.values() if p.default is p.empty]


def variant(right: Callable, changes: Mapping[str, object] | Callable) -> Callable:
    """The right answer with a misconception: changed steps, turned knobs, or another function in its place."""
    if callable(changes):
        return changes
    return right.changed(**changes) if isinstance(right, Steps) else functools.partial(right, **changes)


@dataclass
class Exercise:
    """An exercise as data. `examine(answer)` raises Mismatch or NotAttempted at what does not hold.

    Args:
        right: the right answer.
        rows: the misconceptions.
        pinned: questions, each a tuple of arguments; or a function that makes them, where that takes long.
        draw: draws one more question.
        drawn: how many are drawn.
        tolerance: of plain numbers, relative and absolute.
        whole: only whole numbers are accepted.
        see: what of a result counts, given the result and the question.
        grown: places of the tensors whose gradient is asked; None for all.
        pairs: whether two rows at once are tried.
        called: the question in words, where its arguments are too long to be shown.
        alone: what is said where the pinned question of this place, and no other, comes out wrong.
        in_error: what is said where the call stops with an error.
        hint: what is said where nothing explains what was seen; a principle, not a test to try.
    """

    right: Callable
    rows: Sequence[Row]
    pinned: Sequence[tuple] | Callable[[], Sequence[tuple]]
    draw: Callable[[np.random.Generator], tuple] | None = None
    drawn: int = 40
    tolerance: float = 1e-6
    whole: bool = False
    see: Callable[[object, tuple], object] | None = None
    grown: Sequence[int] | None = None
    called: str = ""
    alone: Mapping[int, str] = field(default_factory=dict)
    pairs: bool = True
    in_error: str = LAST_LINE
    hint: str = UNEXPLAINED
    arguments: list[str] = field(init=False)
    kind = "function"

    def __post_init__(self) -> None:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        steps = isinstance(self.right, Steps)
        names = self.right.arguments if steps else inspect.signature(self.right).parameters.values()
        self.arguments = names if steps else [p.name for p in names if p.kind in kinds]

    @functools.cached_property
    def questions(self) -> list[tuple]:
        """All questions, the pinned ones first; the same in every process."""
        rng = np.random.default_rng(0)
        pinned = self.pinned() if callable(self.pinned) else self.pinned
        return [*pinned, *(self.draw(rng) for _ in range(self.drawn if self.draw else 0))]

    @functools.cached_property
    def truth(self) -> list[Seen]:
        return [self.seen(self.right, question) for question in self.questions]

    def seen(self, function: Callable, question: tuple, gradients: bool = True) -> Seen:
        """What the right answer gives, or a misconception, which may be impossible here."""
        try:
            return observe(function, question, self.see, gradients=gradients, grown=self.grown)
        except (Mismatch, NotAttempted, NotImplementedError) as impossible:
            return Seen(error=str(impossible))

    def examine(self, answer: object) -> None:
        expect_callable(answer, self.kind)
        got = self.answers(answer)
        wrong = self.wrong(got)
        if wrong:
            raise self.mismatch(answer, got, wrong)
        for i in range(min(5, len(got)) - 1, -1, -1):
            if not self.alike(again := self.ask(answer, self.questions[i]), got[i]):
                words = self.words(answer, self.questions[i])
                raise Mismatch(f"the result changes from call to call for {words}", shown(got[i]), shown(again), STATE)

    def answers(self, answer: Callable) -> list[Seen]:
        got: list[Seen] = []
        for question in self.questions:
            try:
                got.append(self.ask(answer, question))
            except NotAttempted:
                if not got:
                    raise
                words, want = self.words(answer, question), shown(self.truth[len(got)])
                raise Mismatch(f"nothing comes back for {words}", want, "None", NOTHING) from None
        return got

    def wrong(self, got: Sequence[Seen]) -> list[int]:
        """The places of the questions whose answers are not right; 3.0 is no whole number."""
        pairs = enumerate(zip(got, self.truth, strict=True))
        return [i for i, (mine, right) in pairs if not self.alike(mine, right) or (self.whole and mine.has_floats())]

    def alike(self, a: Seen, b: Seen) -> bool:
        return alike(a, b, self.tolerance)

    def ask(self, answer: Callable, question: tuple) -> Seen:
        """What the learner's function does with this question; an untouched stub ends the examination here."""
        words, raised = self.words(answer, question), []

        def answered(*given: object) -> object:
            try:
                return call(answer, *given, what=f"for {words}", likely=self.in_error)
            except Mismatch as stopped:
                raised.append(stopped)
                raise

        answered.__wrapped__ = answer  # so that the learner's names for the arguments are found
        seen = observe(answered, question, self.see, words, grown=self.grown)
        if raised:
            seen.stopped = raised[0]
        return seen

    def words(self, answer: Callable, question: tuple) -> str:
        return self.called or asked(answer, question)

    def mismatch(self, answer: Callable, got: list[Seen], wrong: list[int]) -> Mismatch:
        """What to say: the smallest question that failed, and the misconception that explains all that was seen."""
        first = min(wrong, key=lambda i: length(self.questions[i]))
        words, want = self.words(answer, self.questions[first]), shown(self.truth[first])
        floats = self.whole and all(self.alike(got[i], self.truth[i]) for i in wrong)  # 3.0 for 3, and nothing else
        likely = TO_INTEGER if floats else self.likely(answer, got, wrong)
        returned = [i for i in wrong if not got[i].error]
        if not likely and returned and len(returned) < len(wrong):  # it stops somewhere, and is wrong elsewhere
            first = min(returned, key=lambda i: length(self.questions[i]))
            words, want = self.words(answer, self.questions[first]), shown(self.truth[first])
            likely = self.likely(answer, got, wrong, [i for i in range(len(got)) if got[i].error])
        seen = got[first]
        if seen.stopped and not likely:
            if any(isinstance(item.value, Tensor) for item in got):
                seen.stopped.likely = SIZE
            elif not self.takes_the_arguments(answer):
                seen.stopped.likely = f"it takes {self.signature()}, in this order"
            return seen.stopped
        if seen.error and seen.stopped:
            return Mismatch(f"it stops with an error for {words}", want, seen.error, likely)
        if seen.changed:
            return Mismatch(f"your code changed {seen.changed} for {words}", "it as it was", "another value", likely or CHANGED_INPUT)
        if not likely and self.whole and seen.has_floats():
            likely = TO_INTEGER
        found, expected, mine, hint = seen.compared_with(self.truth[first])
        mine += " as a float" if mine == expected and seen.has_floats() else ""
        return Mismatch(f"{found} for {words}", expected, mine, likely or hint or self.alone_wrong(wrong) or self.right_items(got) or self.hint)

    def likely(self, answer: Callable, got: list[Seen], wrong: list[int], without: Sequence[int] = ()) -> str | None:
        """What explains everything seen, what is wrong first: a row, a generic slip, an argument without effect, a pair of rows."""
        order = sorted(wrong, key=lambda i: length(self.questions[i]))
        order += [i for i in range(len(got)) if i not in set(wrong)]
        order = [i for i in order if i not in without]
        if all(got[i].failed() for i in order):  # an error everywhere explains itself
            return None

        def explains(function: Callable) -> bool:
            first = self.seen(function, self.questions[order[0]], gradients=False)  # most fail here, without a backward pass
            if not self.alike(first, got[order[0]]):
                return False
            return all(self.alike(self.seen(function, self.questions[i]), got[i]) for i in order)

        usual = [(said, variant(self.right, changes)) for said, changes in self.rows] + [*slips(self.right)]
        said = next((said for said, function in usual if explains(function)), None)
        mine, want = got[order[0]], self.truth[order[0]].value
        form = next((f"return {kind}, and nothing else" for kinds, kind in FORMS.items() if isinstance(want, kinds) and not isinstance(mine.value, kinds)), None)
        said = said or (None if mine.error else form or self.ignored(answer))
        return said or next((said for said, function in self.two_rows() if explains(function)), None)

    def signature(self) -> str:
        """The arguments, with the defaults of those that may be left out."""
        if isinstance(self.right, Steps):
            defaults = self.right.defaults
        else:
            defaults = {p.name: p.default for p in inspect.signature(self.right).parameters.values() if p.default is not p.empty}
        return ", ".join(f"{name}={defaults[name]!r}" if name in defaults else name for name in self.arguments)

    def takes_the_arguments(self, answer: Callable) -> bool:
        try:
            inspect.signature(answer).bind(*self.questions[0])
        except TypeError:
            return False
        except ValueError:  # no signature to look at
            return True
        return True

    def alone_wrong(self, wrong: Sequence[int]) -> str | None:
        """What is said where these pinned questions, and no others, came out wrong."""
        said = {self.alone.get(i) for i in wrong}
        return said.pop() if len(said) == 1 else None

    def right_items(self, got: list[Seen]) -> str | None:
        """Where every result has the same few items: which of them are right for all questions."""
        values = [(mine.value, right.value) for mine, right in zip(got, self.truth, strict=True)]
        counts = {len(item) if isinstance(item, list) else 0 for pair in values for item in pair}
        if len(counts) > 1 or not 2 <= max(counts) <= 6:
            return None
        right = [i for i in range(max(counts)) if all(same(a[i], b[i], self.tolerance) for a, b in values)]
        if not right:
            return None
        which = " and ".join(str(i) for i in range(max(counts)) if i not in right)
        return f"the rest of the result is right for every question; look at what stands at place {which}, counted from 0"

    def two_rows(self) -> Iterator[tuple[str, Callable]]:
        """Two misconceptions at once."""
        turned = [(said, changes) for said, changes in self.rows if self.pairs and not callable(changes)]
        for (one, a), (other, b) in combinations(turned, 2):
            if one != other and not a.keys() & b.keys():
                yield f"two mistakes at once: {one}; and {other}", variant(self.right, {**a, **b})

    def ignored(self, answer: Callable) -> str | None:
        """An argument that changes nothing in the learner's results and something in the right ones."""
        if any(isinstance(item, Tensor) for item in self.questions[0]):
            return None
        idle = []
        for place, name in enumerate(self.arguments):
            differ = []
            for one, other in zip(self.questions, self.questions[1:], strict=False):
                if min(len(one), len(other)) <= place:
                    continue
                changed = (*one[:place], other[place], *one[place + 1 :])
                pair = [self.seen(self.right, question) for question in (one, changed)]
                if pair[0].error or pair[1].error or self.alike(*pair):
                    continue
                mine = [self.seen(answer, question) for question in (one, changed)]
                if not mine[0].error and not mine[1].error:
                    differ.append(self.alike(*mine))
            if len(differ) >= 3 and all(differ):
                idle.append(name)
        names = " and ".join(filter(None, (", ".join(idle[:-1]), *idle[-1:])))
        return f"your result does not depend on {names}, and it should: every argument has its place in the answer" if idle else None


def function(name: str, what: str, holds: str, **data) -> Callable:
    """The checker of an exercise whose answer is a function.

    Args:
        name: of the learner's function.
        what: it returns, for the checker's docstring.
        holds: what is true of a right answer; printed after the tick.
        data: the fields of `Exercise`.
    """
    table = Exercise(**data)

    def examine(answer: object) -> None:
        table.examine(answer)

    examine.__name__ = examine.__qualname__ = name
    examine.__doc__ = f"Check `{name}({', '.join(table.arguments)})`: {what}."
    checker = exercise(holds)(examine)
    checker.table = table
    return checker
