"""The checkers, proven on mistakes: every module of tests/teaching/planted names right and wrong answers of one notebook.

Each planted mistake must be caught with its own sentence and no other checker sentence; right answers pass however they are spelled; whatever
else a learner hands in, a checker says one helpful thing and does not crash. `pytest tests/teaching/test_planted.py -k table -s` prints the
table exercise x mistakes x caught x message.
"""

import importlib
import inspect
import math
import pkgutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import cnx_tutorial.yolo  # noqa: F401, checkers import it on first use, and tests count threads
from cnx_tutorial.teaching import check
from tests.teaching import planted
from tests.teaching.planted.common import (
    Hostile,
    HostileLayer,
    endless,
    leaves,
    on_another_device,
    raises,
    said_by,
    stub,
)

MODULES = {
    name: importlib.import_module(f"{planted.__name__}.{name}")
    for _, name, _ in pkgutil.iter_modules(planted.__path__)
    if name != "common"
}
CHECKERS = {checker: module for module in MODULES.values() for checker in module.RIGHT}
NONSENSE = {
    "a number": 3,
    "a text": "text",
    "an empty list": [],
    "a tensor": torch.ones(2),
    "a layer": nn.ReLU(),
    "a type": int,
    "a class of layers": nn.Identity,
    "what raises": raises,
    "what leaves": leaves,
    "what changes the device": on_another_device,
    "what takes nothing": lambda: None,
    "what returns a text": lambda *a, **k: "text",
    "what returns a layer": lambda *a, **k: nn.Identity(),
    "what returns a bad layer": lambda *a, **k: HostileLayer(),
    "what returns a hostile object": lambda *a, **k: Hostile(),
    "what returns hostile objects": lambda *a, **k: [Hostile()] * 6,
    "what returns not a number": lambda *a, **k: math.nan,
    "what returns a list of nothing": lambda *a, **k: [math.nan, None],
    "what returns a negative pair": lambda *a, **k: (math.nan, -3),
    "what returns a pair of zeros": lambda *a, **k: (0, 0),
    "what returns True": lambda *a, **k: True,
    "what returns an empty dict": lambda *a, **k: {},
    "what returns a complex tensor": lambda *a, **k: torch.tensor(1 + 2j),
    "what returns a sparse tensor": lambda *a, **k: torch.eye(4).to_sparse(),
    "what returns a tensor elsewhere": lambda *a, **k: torch.empty(3, device="meta"),
    "a hostile class": Hostile,
    "a class of bad layers": HostileLayer,
}


def sentences(module) -> set[str]:
    """Everything that a checker of the module can name as the mistake: in a message, one of them and no other."""
    named = {value for name, value in vars(module.CHECKS).items() if name.isupper() and isinstance(value, str)}
    return named | set(getattr(module, "SENTENCES", ()))


def answers(table: str) -> list:
    """pytest parameters (checker, *planted) of RIGHT or WRONG of all modules."""
    parameters = []
    for module in MODULES.values():
        for checker, cases in getattr(module, table).items():
            for name, case in cases.items():
                case = case if table == "WRONG" else (case,)
                parameters.append(pytest.param(checker, *case, id=f"{checker.__name__}-{name}"))
    return parameters


each_checker = pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)


@pytest.mark.parametrize(("checker", "answer"), answers("RIGHT"))
def test_right_answer_passes_however_it_is_spelled(checker, answer, capsys):
    message = said_by(checker, answer, capsys)
    assert message.startswith(f"✓ {checker.__name__}: ") and message.count("\n") == 1, message
    checker(answer, strict=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("checker", "answer", "sentence"), answers("WRONG"))
def test_planted_mistake_is_named_and_no_other(checker, answer, sentence, capsys):
    message = said_by(checker, answer, capsys)
    assert message.startswith(f"✗ {checker.__name__}: ") and sentence in message, message
    others = {
        other
        for other in sentences(CHECKERS[checker])
        if other in message and other not in sentence and sentence not in other
    }
    assert not others, message
    with pytest.raises(check.CheckFailed, match=f"✗ {checker.__name__}"):
        checker(answer, strict=True)


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_every_exercise_has_at_least_five_planted_mistakes_and_two_right_spellings(module):
    assert all(len(table) >= 5 for table in module.WRONG.values())
    assert all(len(table) >= 2 for table in module.RIGHT.values())
    of_this_notebook = {
        value
        for value in vars(check).values()
        if inspect.isfunction(value) and value.__module__ == module.CHECKS.__name__
    }
    assert set(module.RIGHT) == set(module.WRONG) == of_this_notebook


def test_every_module_of_checks_has_its_planted_mistakes():
    checks = {path.stem for path in (Path(check.__file__).parent / "checks").glob("*.py")} - {
        "__init__",
        "asking",
        "runner",
    }
    assert checks == set(MODULES)


@each_checker
@pytest.mark.parametrize("untouched", ["stub", None, ...], ids=str)
def test_untouched_stub_is_not_attempted_yet(checker, untouched, capsys):
    if untouched == "stub":
        untouched = getattr(CHECKERS[checker], "STUBS", {}).get(checker, stub)
    assert said_by(checker, untouched, capsys) == f"○ {checker.__name__}: not attempted yet\n"
    with pytest.raises(check.CheckFailed, match="not attempted yet"):
        checker(untouched, strict=True)


@each_checker
@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_never_crashes_a_checker(checker, nonsense, capsys):
    message = said_by(checker, NONSENSE[nonsense], capsys)
    assert message.startswith((f"✗ {checker.__name__}: ", f"○ {checker.__name__}: ")), message
    assert message.startswith("○") or "likely: " in message, message


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_the_modules_own_nonsense_never_crashes_a_checker(module, capsys):
    for checker in module.RIGHT:
        for nonsense in getattr(module, "NONSENSE", ()):
            message = said_by(checker, nonsense, capsys)
            assert message.startswith("○") or "likely: " in message, message


@each_checker
def test_endless_loop_is_cut_off(checker, capsys):
    answer = getattr(CHECKERS[checker], "ENDLESS", {}).get(checker, endless)
    checker(answer, seconds=0.5)
    message = capsys.readouterr().out
    assert "still running after 0.5 s" in message and "a loop that never ends" in message


@each_checker
def test_random_numbers_and_grad_mode_are_left_alone(checker):
    right = next(iter(CHECKERS[checker].RIGHT[checker].values()))
    torch.manual_seed(0)
    state = torch.get_rng_state()
    with torch.no_grad():
        checker(right, strict=True)
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)


def test_table_of_planted_mistakes_is_printed(capsys):
    lines, caught = [], 0
    for module in MODULES.values():
        for checker, cases in module.WRONG.items():
            for name, (answer, sentence) in cases.items():
                message = said_by(checker, answer, capsys)
                caught += sentence in message
                said = message.splitlines()[-1].strip().removeprefix("likely: ")
                lines.append(f"{checker.__name__} | {name} | {'caught' if sentence in message else 'MISSED'} | {said}")
    with capsys.disabled():
        print(
            "\n" + "\n".join(lines) if "-s" in sys.argv else "",
            f"\n{caught} of {len(lines)} planted mistakes are caught",
        )
    assert caught == len(lines) >= 150
