"""What all checkers share: loops that never end, swallowed errors, nbgrader's autograder, consoles without ticks."""

import io
import sys
import threading
import time

import pytest
import torch
from torch import nn

from cnx_tutorial.teaching import check
from tests.teaching.planted import convnext_block, layernorm, stem_and_downsample
from tests.teaching.planted.common import endless, on_another_device, said_by

WATCHED = {"running": True}


def endless_and_swallowing(*args, **options):
    while True:
        try:
            time.sleep(0.01)
        except:  # noqa: E722 - the worst that a learner can write
            pass
        if not WATCHED["running"]:
            return None


def test_endless_loop_leaves_no_thread_behind():
    check.normalize(endless, seconds=0.5)
    assert not [thread for thread in threading.enumerate() if thread.name == "cnx-check"]


def test_loop_that_swallows_everything_is_abandoned(capsys):
    WATCHED["running"] = True
    check.normalize(endless_and_swallowing, seconds=0.2)
    assert "still running" in capsys.readouterr().out
    WATCHED["running"] = False  # let its thread end


def test_endless_layer_in_a_stem_is_cut_off(capsys):
    check.small_cell_stem(lambda: stem_and_downsample.Endless(3, 96), seconds=0.5)
    assert "a loop that never ends" in capsys.readouterr().out


def test_stub_that_returns_an_ellipsis_is_not_attempted_yet(capsys):
    assert said_by(check.normalize, lambda *args, **options: ..., capsys) == "○ normalize: not attempted yet\n"


@pytest.mark.parametrize(
    ("checker", "half"),
    [
        (check.layernorm, layernorm.HalfStub),
        (check.downsample, stem_and_downsample.HalfStub),
        (check.block, convnext_block.HalfStub),
    ],
    ids=lambda value: value.__name__,
)
def test_class_without_its_forward_is_not_attempted_yet(checker, half, capsys):
    assert said_by(checker, half, capsys) == f"○ {checker.__name__}: not attempted yet\n"


@pytest.mark.parametrize(
    "checker", [check.normalize, check.patchify, check.macs, check.drop_path], ids=lambda c: c.__name__
)
def test_forgotten_return_is_suggested(checker, capsys):
    assert "missing `return`" in said_by(checker, lambda *args, **options: None, capsys)


def test_result_on_another_device_is_named(capsys):
    assert "stay on the input's device" in said_by(check.normalize, on_another_device, capsys)


def test_layer_of_the_learner_is_left_as_it_was():
    stem = stem_and_downsample.with_activation(nn.GELU())
    check.small_cell_stem(lambda: stem, strict=True)
    assert stem.training and {parameter.dtype for parameter in stem.parameters()} == {torch.float32}


@pytest.mark.parametrize(("dim", "kernel_size", "expansion"), [(96, 7, 4), (40, 3, 6), (10, 11, 3)])
def test_checkers_count_is_that_of_the_built_block(dim, kernel_size, expansion):
    counted = check.count_parameters.table.right(dim, kernel_size, expansion)
    assert counted == convnext_block.by_building(dim, kernel_size, expansion)


def test_checkers_best_pair_is_that_of_a_search_over_all_pairs():
    for question in check.two_blocks.table.questions[:12]:
        assert check.two_blocks.table.right(*question) == convnext_block.every_pair(*question)


def test_checkers_names_are_those_of_torchvision():
    from torchvision.models import convnext_tiny

    from cnx_tutorial.nn.weight_names import translate

    theirs = translate(convnext_tiny(num_classes=2).state_dict(), "torchvision")[1]
    expected = {given: ours for ours, (given, _) in theirs.items()}
    assert {name: check.rename.table.right(name) for name in expected} == expected
    assert set(expected) <= {name for (name,) in check.rename.table.questions}


def test_nbgraders_autograder_gets_an_exception(monkeypatch):
    for phase in ("autograde", "validate"):
        monkeypatch.setenv("NBGRADER_EXECUTION", phase)
        with pytest.raises(check.CheckFailed):
            check.normalize(lambda x, eps=1e-6: x)


def test_message_survives_a_console_without_ticks(monkeypatch):
    console = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="strict")
    monkeypatch.setattr(sys, "stdout", console)
    check.normalize(layernorm.by_loop)
    console.flush()
    assert b"normalize: mean 0" in console.buffer.getvalue()
