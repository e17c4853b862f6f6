"""Changes of right answers, made by machine: what a checker must refuse, although nobody thought of it."""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from cnx_tutorial.teaching.checks.engine import Exercise, Steps
from cnx_tutorial.teaching.checks.layer_engine import LayerExercise
from cnx_tutorial.teaching.checks.runner import in_time

CHANGES = {
    "plus one": lambda v: v + 1,
    "twice": lambda v: v * 2,
    "half": lambda v: v / 2,
    "negated": lambda v: -v,
    "nothing": lambda v: v * 0,
    "a little more": lambda v: v * 1.01,
    "reversed": lambda v: v[::-1],
    "one less": lambda v: v[:-1],
    "the other": lambda v: not v,
    "detached": lambda v: v.detach(),
}


def changed(value: object, change: Callable) -> object:
    """The change of a number, a tensor, a list, or what a function returns; raises TypeError where it cannot be made."""
    if callable(value) and not isinstance(value, Tensor):
        return lambda *args: changed(value(*args), change)
    if (
        isinstance(value, (tuple, list))
        and value
        and all(isinstance(v, (int, float, Tensor)) and not isinstance(v, bool) for v in value)
    ):
        try:
            return (
                change(value)
                if change in (CHANGES["reversed"], CHANGES["one less"])
                else type(value)(change(v) for v in value)
            )
        except TypeError:
            return change(value)
    if isinstance(value, bool) and change is not CHANGES["the other"]:
        raise TypeError("a flag has no other change")
    return change(value)


def mutants(table: Exercise) -> Iterator[tuple[str, Callable]]:
    """Every change of one step or one knob that changes a result, of the table's questions or of five times as many others."""
    questions = list(table.questions)
    if table.draw:
        rng = np.random.default_rng(1)
        questions += [table.draw(rng) for _ in range(5 * table.drawn)]
    truth = [table.seen(table.right, question) for question in questions]
    for title, function in every_change(table.right):
        # A step of 0, say, never ends.
        if in_time(functools.partial(table.seen, function, questions[0]), 1.0) is not None:
            continue
        seen = (table.seen(function, question) for question in questions)
        if any(not table.alike(mine, right) for mine, right in zip(seen, truth, strict=True)):
            yield title, function


def every_change(right: Callable) -> Iterator[tuple[str, Callable]]:
    if isinstance(right, Steps):
        for (name, (step, inputs)), (word, change) in itertools.product(right.steps.items(), CHANGES.items()):
            yield f"{name} {word}", right.changed(**{name: with_inputs(step, inputs, change)})
    else:
        knobs = {p.name: p.default for p in inspect.signature(right).parameters.values() if p.kind is p.KEYWORD_ONLY}
        for (name, value), (word, change) in itertools.product(knobs.items(), CHANGES.items()):
            try:
                yield f"{name} {word}", functools.partial(right, **{name: changed(value, change)})
            except (TypeError, AttributeError):
                continue
        for word, change in CHANGES.items():
            yield f"the result {word}", lambda *args, change=change: changed(right(*args), change)


def with_inputs(step: Callable, inputs: list[str], change: Callable) -> Callable:
    """The changed step, whose parameters have the same names."""

    def function(*args: object) -> object:
        return changed(step(*args), change)

    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in inputs]
    )
    return function


def spelled(table: Exercise, function: Callable) -> Callable:
    """A variant of the right answer as a learner's: a function, or a class of layers."""
    if not isinstance(table, LayerExercise):
        return lambda *question: function(*question)

    class Layer(nn.Module):
        def __init__(self, *args: object, **options: object):
            super().__init__()
            self.made = args, options
            for name, shape in table.parameters(*args).items():
                part = self
                *path, last = name.split(".")
                for step in path:
                    if not hasattr(part, step):
                        part.add_module(step, nn.Module())
                    part = getattr(part, step)
                part.register_parameter(last, nn.Parameter(torch.full(shape, table.starts.get(name, 0.0))))

        def forward(self, x: Tensor) -> Tensor:
            return function(x, dict(self.named_parameters()), *self.made[0], **self.made[1])

    return Layer
