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
    assert report.images == {"train": 200, "val": 100, "test": 100}
    assert all(min(report.boxes[split][kind] for kind in range(3)) >= 30 for split in report.images)
    committed = [f for f in (DATASETS / "smears").rglob("*") if f.suffix in (".jpg", ".txt")]
    assert len(committed) == 800 and sum(f.stat().st_size for f in committed) < 5_000_000


def test_drawing_again_gives_the_committed_labels_byte_for_byte(tmp_path):
    out = smears.draw(tmp_path / "again", progress=False)
    assert tree(out / "labels") == {k: v for k, v in tree(DATASETS / "smears" / "labels").items() if k.endswith(".txt")}


def test_another_seed_draws_another_set(tmp_path):
    one, other = (
        smears.draw(tmp_path / str(seed), seed=seed, train=2, val=1, test=0, progress=False) for seed in (0, 1)
    )
    assert tree(one) != tree(other)


def test_boxes_are_tight_around_what_was_drawn():
    """Draw one cell on nothing: the pixels that changed are the box."""
    for kind, paint in enumerate((smears.platelet, smears.red_cell, smears.white_cell)):
        picture = np.full((120, 120, 3), 255.0)
        cell = (kind, 60.0, 55.0, 30.0, 24.0, 0.6, ((0.05, 1.0), (0.02, 2.0), (0.03, 0.5)))
        paint(picture, np.random.default_rng(0), 0.0, *cell[1:])
        rows, columns = np.nonzero((picture < 250).any(-1))
        drawn = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert np.abs(np.subtract(drawn, smears.box_of(cell, 120, 120)[1:])).max() < 2.5, kind


def test_a_plain_ellipse_has_the_box_that_one_works_out_by_hand():
    assert smears.box_of((0, 205, 60, 9, 8, 0.0), 240, 120) == (0, 196.0, 52.0, 214.0, 68.0)
    assert smears.box_of((1, 5, 60, 9, 8, np.pi / 2), 240, 120) == (
        1,
        0,
        51.0,
        13.0,
        69.0,
    )  # turned, and cut by the edge


def test_specks_and_debris_are_drawn_beside_the_cells_and_have_no_box():
    picture, before = np.full((240, 320, 3), 210.0), None
    white = [(2, 160.0, 120.0, 50.0, 45.0, 0.0, ())]
    for seed in range(20):
        before = picture.copy()
        smears.litter(picture, np.random.default_rng(seed), white)
    y, x = np.nonzero((picture != 210).any(-1))
    assert len(x) > 500 and np.hypot(x - 160, y - 120).min() > 45
    assert (before != picture).any()


def test_pictures_are_hard_in_the_ways_that_are_promised():
    """Cells overlap and are cut by the edge; the light, the colour and the sharpness differ from picture to picture."""
    pictures = [smears.draw_smear(np.random.default_rng(seed)) for seed in range(30)]
    arrays = [np.asarray(image, dtype=float) for image, _ in pictures]
    edges = [
        box
        for _, boxes in pictures
        for box in boxes
        if 0 in box[1:3] or box[3] == smears.WIDTH or box[4] == smears.HEIGHT
    ]
    assert len(edges) > 60
    corners = [array[0, 0].mean() - array[-1, -1].mean() for array in arrays]
    casts = [array.mean((0, 1)) - array.mean() for array in arrays]
    sharp = [np.abs(np.diff(array.mean(-1), axis=1)).mean() for array in arrays]
    assert np.std(corners) > 5 and np.std(casts, axis=0).max() > 3 and max(sharp) > 1.5 * min(sharp)


def test_nothing_is_overwritten_unless_asked(tmp_path):
    out = smears.draw(tmp_path / "set", train=1, val=1, test=0, progress=False)
    before = tree(out)
    with pytest.raises(FileExistsError, match="set is there already.*--overwrite"):
        smears.draw(out, seed=1, train=1, val=1, test=0, progress=False)
    assert tree(out) == before
    smears.draw(out, seed=1, train=1, val=1, test=0, overwrite=True, progress=False)
    assert tree(out) != before


def test_overwrite_deletes_no_folder_with_other_things_in_it(tmp_path):
    (tmp_path / "lesson.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="lesson.txt"):
        smears.draw(tmp_path, train=1, val=1, test=0, overwrite=True, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["lesson.txt"]


@pytest.mark.parametrize("there_before", [False, True])
def test_an_interrupt_leaves_what_was_there(there_before, tmp_path, monkeypatch):
    out = tmp_path / "set"
    if there_before:
        smears.draw(out, train=1, val=1, test=0, progress=False)
    before, draw_smear, calls = tree(tmp_path), smears.draw_smear, Counter()

    def interrupted(rng):
        calls["drawn"] += 1
        if calls["drawn"] == 3:
            raise KeyboardInterrupt
        return draw_smear(rng)

    monkeypatch.setattr(smears, "draw_smear", interrupted)
    with pytest.raises(KeyboardInterrupt):
        smears.draw(out, train=4, val=1, test=0, overwrite=True, progress=False)
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
    code = "from cnx_tutorial.data.smears import draw; import sys; draw(sys.argv[1], int(sys.argv[2]), 2, 1, 0, progress=False)"
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
