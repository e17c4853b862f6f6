"""The checkers in Chinese: every sentence of the tables is translated, and said where the learner set the language."""

import re

import pytest

from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import chinese


def sentences() -> list[str]:
    """Every sentence of the tables of all checkers, each once."""
    found: dict[str, None] = {}
    for checker in vars(check).values():
        if not hasattr(checker, "holds"):
            continue
        found[checker.holds] = None
        exercise = getattr(checker, "table", None)
        for said, _ in [*getattr(exercise, "rows", ()), *getattr(exercise, "tables", ())]:
            found[said] = None
        for field in ("in_error", "hint", "starts_wrong", "in_making"):
            if text := getattr(exercise, field, ""):
                found[text] = None
    return list(found)


def test_every_sentence_has_a_translation_and_no_translation_is_left_over():
    wanted = sentences()
    assert len(wanted) > 700
    assert [one for one in wanted if one not in chinese.table()] == []
    assert [one for one in chinese.table() if one not in wanted] == []
    assert [one for one, other in chinese.table().items() if not re.search("[\u4e00-\u9fff]", other)] == []


def counted(size, k):
    return -(-size // k)


@pytest.mark.parametrize(
    ("language", "words"), [("zh", ["应为", "得到", "可能的原因"]), ("", ["expected", "got", "likely"])]
)
def test_a_checker_speaks_the_learners_language(language, words, monkeypatch, capsys):
    monkeypatch.setenv("CNX_LANGUAGE", language)
    check.counted(counted)
    printed = capsys.readouterr().out
    assert all(word in printed for word in words) and printed.startswith("✗ counted: ")
    check.counted(None)
    assert ("尚未作答" in capsys.readouterr().out) == (language == "zh")


def test_two_mistakes_at_once_are_both_translated(monkeypatch):
    monkeypatch.setenv("CNX_LANGUAGE", "zh")
    one, other = [said for said, _ in check.counted.table.rows][:2]
    assert (
        chinese.said(f"two mistakes at once: {one}; and {other}")
        == f"同时有两个错误：{chinese.table()[one]}；{chinese.table()[other]}"
    )
    assert chinese.said("something with 3 numbers") == "something with 3 numbers"
