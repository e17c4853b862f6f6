"""The checkers, proven: every misconception of every table is named by its own sentence, whatever changes the right answer is refused, and answers
that were written without looking at the tables (tests/teaching/planted) get the right verdict.

`pytest tests/teaching/test_planted.py -s` prints the counts.
"""

import importlib
import math
import pkgutil
import re
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import cnx_tutorial.yolo  # noqa: F401, checkers import it on first use, and tests count threads
from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks.engine import variant
from cnx_tutorial.teaching.checks.runner import Mismatch, NotAttempted
from tests.teaching import planted
from tests.teaching.mutations import mutants, spelled
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
TABLES = {checker: checker.table for checker in CHECKERS if hasattr(checker, "table")}
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
each_table = pytest.mark.parametrize("checker", TABLES, ids=lambda checker: checker.__name__)


@each_table
def test_every_misconception_of_the_table_is_named_and_no_other(checker, capsys):
    sentences = {said for said, _ in checker.table.rows}
    for said, changes in checker.table.rows:
        message = said_by(checker, spelled(checker.table, variant(checker.table.right, changes)), capsys)
        assert message.startswith(f"✗ {checker.__name__}: ") and f"likely: {said}\n" in message, (said, message)
        assert not {other for other in sentences if other in message and other not in said}, message


@each_table
def test_whatever_changes_the_right_answer_is_refused(checker, capsys):
    """All changes of one step or one knob, generated: those that change a result of some question, of this set or a larger one."""
    tried, accepted, table = 0, [], checker.table
    for title, function in mutants(table):
        tried += 1
        try:
            accepted += [] if table.wrong(table.answers(spelled(table, function))) else [title]
        except (Mismatch, NotAttempted):  # refused before it was compared
            continue
    if "-s" in sys.argv:
        with capsys.disabled():
            print(f"\n{checker.__name__}: {tried} changes of the right answer, {len(accepted)} accepted")
    assert tried and not accepted, accepted


@pytest.mark.parametrize(("checker", "answer"), answers("RIGHT"))
def test_right_answer_passes_however_it_is_spelled(checker, answer, capsys):
    message = said_by(checker, answer, capsys)
    assert message.startswith(f"✓ {checker.__name__}: ") and message.count("\n") == 1, message
    start = time.process_time()
    checker(answer, strict=True)
    assert (
        capsys.readouterr().out == "" and time.process_time() - start < 5
    )  # one second alone on a machine; here others run beside it


@pytest.mark.parametrize(("checker", "answer", "sentence"), answers("WRONG"))
def test_planted_mistake_is_named(checker, answer, sentence, capsys):
    message = said_by(checker, answer, capsys)
    assert message.startswith(f"✗ {checker.__name__}: ") and sentence in message, message
    with pytest.raises(check.CheckFailed, match=f"✗ {checker.__name__}"):
        checker(answer, strict=True)


@each_table
def test_what_is_shown_and_hinted_fails_too(checker, capsys):
    """The question in the message is asked again: the wrong answer fails there. Hints are principles: none names a call to try."""
    table, asked_again = checker.table, 0
    assert not re.search(r"\w\(", table.hint), table.hint
    for name, (answer, _) in CHECKERS[checker].WRONG[checker].items():
        with pytest.raises(Mismatch) as said:
            table.examine(answer)
        assert said.value.expected != said.value.got, (name, said.value)
        found = said.value.found
        shown = {i for i, q in enumerate(table.questions) if found.endswith(f"for {table.words(answer, q)}")}
        if not shown:
            continue
        asked_again += 1
        try:
            wrong = table.wrong(table.answers(answer))
        except Mismatch as again:  # nothing came back, and so nothing is compared
            assert again.found == found
        else:
            assert shown & {*wrong} or "changes from call to call" in found, (name, said.value)
    assert asked_again or table.kind == "class" or table.called
    if "-s" in sys.argv:
        with capsys.disabled():
            print(
                f"\n{checker.__name__}: {asked_again} of {len(CHECKERS[checker].WRONG[checker])} questions asked again"
            )


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_every_exercise_has_at_least_five_planted_mistakes_and_three_right_spellings(module):
    assert all(len(table) >= 5 for table in module.WRONG.values())
    assert all(len(table) >= 3 for table in module.RIGHT.values())
    assert set(module.RIGHT) == set(module.WRONG)


def test_every_module_of_checks_and_every_exercise_has_its_planted_mistakes():
    folder = Path(check.__file__).parent / "checks"
    tables = {path.stem for path in folder.glob("*.py")} - {
        "__init__",
        "chinese",
        "engine",
        "observe",
        "layer_engine",
        "runner",
        "drop_path",
        "weight_decay",
    }
    assert tables == set(MODULES)
    assert set(CHECKERS) == {value for value in vars(check).values() if hasattr(value, "holds")}


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
