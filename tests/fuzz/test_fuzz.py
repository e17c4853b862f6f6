"""A small budget of each kind, the same in every run; `make fuzz` tries thousands."""

import pytest

from tests.fuzz.engine import Escape, Kind, tried
from tests.fuzz.kinds import KINDS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_nothing_escapes(kind):
    result = tried(kind, 60, 1)
    assert not result.escapes, result.escapes
    assert result.count >= 50 and len(result.taken) > 1, result.taken  # some are refused, and some are not


def test_an_escape_is_seen(tmp_path):
    def attempt(example, folder):
        if example == 3:
            raise KeyError("from inside a library")
        if example == 4:
            (folder.parent / "outside").write_text("x", encoding="utf-8")
        if example == 5:
            raise Escape("silently wrong")
        return "taken"

    from hypothesis import strategies as st

    result = tried(Kind("planted", st.integers(0, 6), attempt), 200)
    assert any("KeyError" in what for what in result.escapes) and "silently wrong" in result.escapes
    assert any("outside its folder" in what for what in result.escapes)
