"""A teacher's file of answers, tried as the module's docstring says."""

import subprocess
import sys
from pathlib import Path

ANSWERS = '''
def precision_recall__right_as_it_is(tp, fp, fn):
    """right"""
    return (tp / (tp + fp) if tp + fp else 0.0), (tp / (tp + fn) if tp + fn else 0.0)

def precision_recall__by_cells(tp, fp, fn):
    """wrong: precision is a share of the boxes"""
    share = tp / (tp + fn) if tp + fn else 0.0
    return share, share

def turned__nothing(boxes):
    """wrong: something else than the checker says"""
    return boxes

def precision_recall__nonsense(tp, fp, fn):
    """wrong"""
    return 0.123 * tp + 0.1 * fp, 0.01 * fn + 0.7
'''


def run(file: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tests.teaching.held_out", str(file)]
    return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])


def test_a_file_of_answers_is_tried(tmp_path):
    file = tmp_path / "class_of_may.py"
    file.write_text(ANSWERS, encoding="utf-8")
    done = run(file)
    assert done.returncode == 1 and "4 answers, 2 as they should be" in done.stdout, done.stdout + done.stderr
    assert "LOOK AT, the words are missing: something else than the checker says: turned__nothing, wrong" in done.stdout
    assert "likely: the input came back as it was" in done.stdout
    assert (
        "LOOK AT, no misconception was named: the table may need a row: precision_recall__nonsense, wrong"
        in done.stdout
    )


def test_what_is_no_answer_is_named(tmp_path):
    file = tmp_path / "answers.py"
    for text, said in (
        ("def no_such__one():\n    'right'\n", "named after no exercise"),
        ("def match__x(a, b): pass\n", "must begin with"),
    ):
        file.write_text(text, encoding="utf-8")
        done = run(file)
        assert done.returncode == 2 and said in done.stderr
