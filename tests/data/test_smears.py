"""The drawn set: what is committed, that it can be drawn again, and that nothing is overwritten or left half-made."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cnx_tutorial.data import smears, staging
from cnx_tutorial.data.audit import audit

DATASETS = Path(__file__).parents[2] / "datasets"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_the_committed_set_is_sound_small_and_has_every_class():
    report = audit(DATASETS / "smears.yaml")
    assert not report.problems
    assert report.images == {"train": 160, "val": 40}
    assert all(min(report.boxes[split][kind] for kind in range(3)) >= 30 for split in report.images)
    committed = [f for f in (DATASETS / "smears").rglob("*") if f.suffix in (".jpg", ".txt")]
    assert len(committed) == 400 and sum(f.stat().st_size for f in committed) < 4_000_000


def test_drawing_again_gives_the_committed_labels_byte_for_byte(tmp_path):
    out = smears.draw(tmp_path / "again", progress=False)
    assert tree(out / "labels") == {k: v for k, v in tree(DATASETS / "smears" / "labels").items() if k.endswith(".txt")}


def test_another_seed_draws_another_set(tmp_path):
    one, other = (smears.draw(tmp_path / str(seed), seed=seed, train=2, val=1, progress=False) for seed in (0, 1))
    assert tree(one) != tree(other)


def test_boxes_are_tight_around_what_was_drawn():
    """Draw one cell on nothing: the pixels that changed are the box."""
    for kind, paint in enumerate((smears.platelet, smears.red_cell, smears.white_cell)):
        picture = np.full((120, 120, 3), 255.0)
        cell = (kind, 60.0, 55.0, 30.0, 24.0, 0.6)
        paint(picture, np.random.default_rng(0), 0.0, *cell[1:])
        rows, columns = np.nonzero((picture < 250).any(-1))
        drawn = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert np.abs(np.subtract(drawn, smears.box_of(cell, 120, 120)[1:])).max() < 2.5, kind


def test_nothing_is_overwritten_unless_asked(tmp_path):
    out = smears.draw(tmp_path / "set", train=1, val=1, progress=False)
    before = tree(out)
    with pytest.raises(FileExistsError, match="set is there already.*--overwrite"):
        smears.draw(out, seed=1, train=1, val=1, progress=False)
    assert tree(out) == before
    smears.draw(out, seed=1, train=1, val=1, overwrite=True, progress=False)
    assert tree(out) != before


def test_overwrite_deletes_no_folder_with_other_things_in_it(tmp_path):
    (tmp_path / "lesson.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="lesson.txt"):
        smears.draw(tmp_path, train=1, val=1, overwrite=True, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["lesson.txt"]


@pytest.mark.parametrize("there_before", [False, True])
def test_an_interrupt_leaves_what_was_there(there_before, tmp_path, monkeypatch):
    out = tmp_path / "set"
    if there_before:
        smears.draw(out, train=1, val=1, progress=False)
    before, draw_smear, calls = tree(tmp_path), smears.draw_smear, Counter()

    def interrupted(rng):
        calls["drawn"] += 1
        if calls["drawn"] == 3:
            raise KeyboardInterrupt
        return draw_smear(rng)

    monkeypatch.setattr(smears, "draw_smear", interrupted)
    with pytest.raises(KeyboardInterrupt):
        smears.draw(out, train=4, val=1, overwrite=True, progress=False)
    assert tree(tmp_path) == before and out.exists() == there_before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_ultralytics_finds_the_set_from_any_folder(tmp_path):
    code = (
        "import cnx_tutorial.yolo; from ultralytics.data.utils import check_det_dataset; "
        f"print('train is', check_det_dataset({str(DATASETS / 'smears.yaml')!r})['train'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ)
    )
    assert f"train is {DATASETS / 'smears' / 'images' / 'train'}" in run.stdout, run.stderr


def test_of_two_that_draw_into_one_folder_at_once_one_is_told(tmp_path):
    code = "from cnx_tutorial.data.smears import draw; import sys; draw(sys.argv[1], int(sys.argv[2]), 2, 1, progress=False)"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "set"), seed], stderr=subprocess.PIPE, text=True)
        for seed in "123"
    ]
    said = [process.communicate()[1] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 1, 1] and sum("FileExistsError" in text for text in said) == 2, said
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    assert len(list((tmp_path / "set").rglob("*.jpg"))) == 3


def test_a_set_that_appears_while_another_is_drawn_stays(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "theirs.txt").write_text("theirs", encoding="utf-8")
    with pytest.raises(FileExistsError, match="another process in the meantime"):
        staging.replace(tmp_path / "set", tmp_path / "made", tmp_path / "old", overwrite=False)
    assert (tmp_path / "set" / "theirs.txt").read_text(encoding="utf-8") == "theirs"
