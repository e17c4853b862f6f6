"""The engine for answers that are layers: each is made, its parameters are looked at and filled, and it is run; the rest is `engine.Exercise`.

A misconception of the parameters is a row too: the sentence, and a function that turns the right table of names and shapes into the mistaken one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from cnx_tutorial.teaching.checks.engine import LAST_LINE, Exercise
from cnx_tutorial.teaching.checks.observe import Seen, seeded_gradients
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable, first_line

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Case:
    """How a layer is made, and the shape of what it gets. With a mean, the input is float32 and the parameters are as they were made."""

    args: tuple
    shape: tuple[int, ...]
    options: Mapping[str, object] = field(default_factory=dict)
    mean: float = 0.0

    def made(self, answer: Callable) -> str:
        options = [f"{name}={value!r}" for name, value in self.options.items()]
        return f"{answer.__name__}({', '.join([*map(repr, self.args), *options])})"

    def words(self, answer: Callable) -> str:
        return f"{self.made(answer)} on a {self.shape} input{f' with mean {self.mean:,.0f}' * bool(self.mean)}"

    def input(self) -> Tensor:
        """Random numbers; every second image is weak, so that eps shows."""
        x = torch.randn(self.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64) + 0.5
        if self.mean:
            return (x + self.mean).float()
        x[1::2] *= 1e-3
        return x

    def __len__(self) -> int:
        return torch.Size(self.shape).numel()

    def __repr__(self) -> str:  # what engine.length measures
        return " " * len(self)


@dataclass
class LayerExercise(Exercise):
    """`right` takes the input, the parameters by name and the constructor's arguments; `pinned` holds Cases.

    parameters(*args) says which a right layer has: name -> shape; `starts` the first value of those that have one.
    """

    parameters: Callable[..., Shapes] = dict
    starts: Mapping[str, float] = field(default_factory=dict)
    tables: Sequence[tuple[str, Callable]] = ()
    starts_wrong: str = ""
    in_making: str = LAST_LINE
    also: Sequence[Callable[[type], None]] = ()
    kind = "class"

    def examine(self, answer: object) -> None:
        expect_callable(answer, self.kind)
        self.check_parameters(answer)
        super().examine(answer)
        for look in self.also:
            look(answer)

    def make(self, answer: Callable, case: Case) -> nn.Module:
        layer = call(answer, *case.args, what=f"when made: {case.made(answer)}", likely=self.in_making, **case.options)
        if not isinstance(layer, nn.Module):
            raise Mismatch("this is no layer", "a subclass of nn.Module", type(layer).__name__, f"write class {answer.__name__}(nn.Module)")
        return layer

    def check_parameters(self, answer: Callable) -> None:
        """Names, shapes and first values, of all cases at once."""
        layers = [self.make(answer, case) for case in self.questions]
        have = [{name: tuple(value.shape) for name, value in layer.state_dict().items()} for layer in layers]
        want = [self.parameters(*case.args) for case in self.questions]
        wrong = next((i for i in range(len(have)) if have[i] != want[i]), None)
        if wrong is not None:
            pairs = list(zip(have, want, self.questions, strict=True))
            likely = next((said for said, change in self.tables if all(mine == change(dict(right), *case.args) for mine, right, case in pairs)), None)
            raise self.wrong_table(have[wrong], want[wrong], layers[wrong], self.questions[wrong].made(answer), likely)
        for layer, case in zip(layers, self.questions, strict=True):
            for name, value in layer.named_parameters():
                start = self.starts.get(name)
                if start is not None and not torch.allclose(value.detach().double().cpu(), torch.full(value.shape, start, dtype=torch.float64)):
                    raise Mismatch(f"{name} of {case.made(answer)} starts wrong", f"all {start:g}", f"{value.flatten()[0].item():.4g}", self.starts_wrong)
            plain = sorted(set(want[0]) - dict(layer.named_parameters()).keys())
            if plain:
                raise Mismatch(f"{plain[0]} is no parameter", "an nn.Parameter", "a buffer", f"{plain[0]} is no nn.Parameter: an optimiser would never see it")

    def wrong_table(self, have: Shapes, want: Shapes, layer: nn.Module, made: str, likely: str | None) -> Mismatch:
        missing, extra = [name for name in want if name not in have], [name for name in have if name not in want]
        if missing and isinstance(getattr(layer, missing[0], None), (Tensor, float, int)):
            likely = f"{missing[0]} is no nn.Parameter: an optimiser would never see it"
        if missing and not likely:
            likely = f"{missing[0]} is missing" if not extra else f"the parameters are called {', '.join(want)}: use these names, so that weights can be copied"
        name = next((name for name in want if have.get(name) != want[name]), extra[0] if extra else "")
        if not likely and name in have and name in want and [n for n in have[name] if n > 1] == [n for n in want[name] if n > 1]:
            likely = f"{name} has the right numbers in another shape: make it {want[name]}, and reshape it in forward, where it is used"
        if not likely:
            likely = f"{', '.join(extra)}: the layer keeps more than it needs" if extra else "a size is written into the code; take it from the arguments"
        got = f"{name} {have[name]}" if name in have else f"only {', '.join(have)}" if have else "no parameters"
        return Mismatch(f"the parameters of {made} are wrong", f"{name} {want[name]}" if name in want else ", ".join(want), got, likely)

    def state(self, case: Case) -> dict[str, Tensor]:
        """Random parameters; with a mean, those of a new layer."""
        shapes = self.parameters(*case.args)
        if case.mean:
            return {name: torch.full(shape, self.starts[name]) for name, shape in shapes.items()}
        draw = torch.Generator().manual_seed(1)
        return {name: torch.randn(shape, generator=draw, dtype=torch.float64) for name, shape in shapes.items()}

    def seen(self, function: Callable, question: Case, gradients: bool = True) -> Seen:
        """What the right answer, or a misconception of it, gives."""
        x, state = question.input(), self.state(question)
        leaves = {"x": x, **state}
        gradients = gradients and not question.mean
        if gradients:
            leaves = {name: value.requires_grad_() for name, value in leaves.items()}
        try:
            result = function(x, state, *question.args, **question.options)
            return Seen(result.detach(), seeded_gradients(result, leaves) if gradients else None)
        except Exception as error:
            return Seen(error=f"{type(error).__name__}: {first_line(error)}")

    def ask(self, answer: Callable, question: Case) -> Seen:
        x, state, words = question.input(), self.state(question), question.words(answer)
        layer = self.make(answer, question).eval()
        layer = layer if question.mean else layer.double()
        layer.load_state_dict(state)
        before = x.clone()
        leaves = {"x": x if question.mean else x.requires_grad_(), **dict(layer.named_parameters())}
        x = x.clone()  # no leaf, so that an operation in place is seen as such, and is no error
        try:
            result = call(layer, x, what=f"for {words}", likely=self.in_error)
        except Mismatch as stopped:
            if stopped.__cause__ is None:
                raise
            return Seen(error=f"{type(stopped.__cause__).__name__}: {first_line(stopped.__cause__)}", stopped=stopped)
        if not isinstance(result, Tensor):
            raise Mismatch(f"the result is no tensor for {words}", "a torch.Tensor", type(result).__name__, "return the tensor itself, and nothing beside it")
        changed = "" if torch.equal(x.detach(), before) else "x"
        gradients = None if question.mean or changed else seeded_gradients(result, {name: leaves[name] for name in ("x", *state)})
        return Seen(result.detach(), gradients, changed=changed)

    def words(self, answer: Callable, question: Case) -> str:
        return question.words(answer)

    def ignored(self, answer: Callable) -> None:
        return None

    def takes_the_arguments(self, answer: Callable) -> bool:
        return True


def layer(name: str, what: str, holds: str, **data) -> Callable:
    """The checker of an exercise whose answer is a class of layers; `name` is the checker's, `what` the class and what it does."""
    table = LayerExercise(**data)

    def examine(answer: object) -> None:
        table.examine(answer)

    examine.__name__ = examine.__qualname__ = name
    examine.__doc__ = f"Check the class {what}."
    checker = exercise(holds)(examine)
    checker.table = table
    return checker
