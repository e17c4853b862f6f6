"""A teacher's file of answers, tried as the module's docstring says."""

import subprocess
import sys
from pathlib import Path

ANSWERS = '''
def iou__right_as_it_is(a, b):
    """right"""
    w, h = max(min(a[2], b[2]) - max(a[0], b[0]), 0), max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union if union else 0

def iou__no_union(a, b):
    """wrong: divide it by the union"""
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)

def turned__nothing(boxes):
    """wrong: something else than the checker says"""
    return boxes

def iou__nonsense(a, b):
    """wrong"""
    return 0.123 * a[0] * b[3] + 0.1 * a[2] + 0.01 * b[1]
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
    assert "LOOK AT, no misconception was named: the table may need a row: iou__nonsense, wrong" in done.stdout


def test_what_is_no_answer_is_named(tmp_path):
    file = tmp_path / "answers.py"
    for text, said in (
        ("def no_such__one():\n    'right'\n", "named after no exercise"),
        ("def iou__x(a, b): pass\n", "must begin with"),
    ):
        file.write_text(text, encoding="utf-8")
        done = run(file)
        assert done.returncode == 2 and said in done.stderr
