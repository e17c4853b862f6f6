"""The engine of the checkers, on an exercise that is easy to see through."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.observe import alike, observe
from tests.teaching.planted.common import said_by

ROOT = Path(__file__).parents[2]
UP, ONE_SIDE = "rounded up: what does not fit whole is left out", "there is padding on both sides"
patches = function(
    "patches",
    "how many whole patches fit",
    "sizes with and without a rest",
    right=Steps(
        "size, k, p=0",
        padded=lambda size, p: size + 2 * p,
        number=lambda padded, k: padded // k,
    ),
    rows=[(UP, {"number": lambda padded, k: -(-padded // k)}), (ONE_SIDE, {"padded": lambda size, p: size + p})],
    pinned=[(8, 4), (9, 4, 1)],
    draw=lambda rng: (int(rng.integers(1, 99)), int(rng.integers(1, 9)), int(rng.integers(0, 4))),
    whole=True,
)


def remembers(size, k, p=0, seen=[]):  # noqa: B006, the fault that is looked for
    seen.append(size)
    return (size + 2 * p) // k + (len(seen) > 42)


class Patches:
    def __call__(self, size, k, p=0, *, unit=1):
        return np.int64((size + 2 * p) // k * unit)


@pytest.mark.parametrize(
    "answer",
    [
        lambda size, k, p=0: (size + 2 * p) // k,
        Patches(),
        functools.partial(lambda a, b, p=0: torch.tensor((a + 2 * p) // b)),
    ],
)
def test_right_answers_in_any_spelling(answer, capsys):
    assert said_by(patches, answer, capsys) == "✓ patches: sizes with and without a rest\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda size, k, p=0: -(-(size + 2 * p) // k), f"likely: {UP}\n"),
        (lambda size, k, p=0: -(-(size + p) // k), f"two mistakes at once: {UP}; and {ONE_SIDE}"),
        (lambda size, k, p=0: size // k, "does not depend on p, "),
        (lambda size, k, p=0: (size + 2 * p) // k + 1, "every number is one too large"),
        (lambda size, k, p=0: (size + 2 * p) / k, "the exercise asks for whole numbers"),
        (lambda size, k, p=0: float((size + 2 * p) // k), "the exercise asks for whole numbers"),
        (lambda size, k, p=0: str((size + 2 * p) // k), "was turned into text"),
        (lambda size, k, p=0: [(size + 2 * p) // k], "lies in a list of its own"),
        (lambda size, k, p=0: (size + 2 * p) // k if size != 8 else None, "not attempted yet"),
        (lambda size, k, p=0: (size + 2 * p) // k if size != 9 else None, "nothing comes back for size=9, k=4, p=1"),
        (lambda size, k, p=0: object(), "no plain value"),
        (lambda size, k: size // k, "takes 2 positional arguments but 3 were given"),
        (remembers, "something survives a call"),
    ],
)
def test_what_was_done_is_named(answer, said, capsys):
    assert said in said_by(patches, answer, capsys)


def test_where_nothing_explains_it_the_smallest_question_that_fails_is_shown(capsys):
    def answer(size, k, p=0):
        return (size + 2 * p) // k - (size > 20) * (size % 3)

    message = said_by(patches, answer, capsys)
    size, k, p = map(int, re.search(r"for size=(\d+), k=(\d+), p=(\d+)", message).groups())
    assert answer(size, k, p) != (size + 2 * p) // k  # by construction it fails
    failing = [q for q in patches.table.questions if answer(*q) != patches.table.right(*q)]
    assert len(repr((size, k, p))) == min(len(repr(q)) for q in failing)


def test_questions_are_the_same_in_every_process():
    code = "from cnx_tutorial.teaching import check; print(check.match.table.questions)"
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout for _ in range(2)
    }
    assert len(runs) == 1 and runs.pop().count("(") > 80


def test_importing_the_checks_builds_no_network_and_draws_no_random_number():
    code = """
import sys, torch, numpy as np, random
made = []
torch.nn.Module.__init__, first = lambda self, *a, **k: (made.append(type(self).__name__), first(self, *a, **k))[1], torch.nn.Module.__init__
before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
from cnx_tutorial.teaching import check
after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
print(made, torch.equal(before[0], after[0]), before[1:] == after[1:], "ultralytics" in sys.modules, "torchvision" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "[] True True False False", run.stdout + run.stderr


def test_gradients_count_and_so_does_what_a_call_changes():
    x = torch.arange(4.0, dtype=torch.float64)
    right = observe(lambda x: x * x, (x,))
    assert alike(right, observe(lambda x: x.square(), (x,)), 1e-6)
    assert not alike(right, observe(lambda x: x * x.detach(), (x,)), 1e-6)
    assert (
        not alike(right, observe(lambda x: x.mul_(x), (x,)), 1e-6) and observe(lambda x: x.mul_(x), (x,)).changed == "x"
    )


def test_the_example_in_contributing_is_an_exercise(capsys):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = {"Steps": Steps, "function": function}
    exec(re.search(r"```python\n(counted = .*?)```", text, re.S)[1], names)
    assert said_by(names["counted"], lambda size, k: size // k, capsys).startswith("✓")
    assert "rounded up" in said_by(names["counted"], lambda size, k: -(-size // k), capsys)
