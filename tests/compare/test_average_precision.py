"""With weight 1 for all images the numbers are Ultralytics' own; by size they are those that one counts by hand."""

import numpy as np
import pytest
import torch
from ultralytics.engine.validator import BaseValidator
from ultralytics.utils.metrics import ap_per_class

from cnx_tutorial import YOLO
from cnx_tutorial.compare.average_precision import area_under, by_class, by_size, redrawn
from cnx_tutorial.yolo.seen import Seen, matched, see
from tests.yolo.task_sets import TASKS, make_sets


def drawn(images: int = 12, seed: int = 0) -> Seen:
    """Predictions and true objects of three classes drawn at random, matched by chance."""
    chance = np.random.default_rng(seed)
    count, true = 20 * images, 5 * images
    true_kind = chance.integers(0, 3, true).astype(np.int16)
    match = np.full((count, 10), -1, np.int32)
    for j in range(10):
        some = chance.choice(true, true - 4 * j - 1, replace=False)
        match[chance.choice(count, len(some), replace=False), j] = some
    kind = chance.integers(0, 3, count).astype(np.int16)
    return Seen(
        images=np.array([f"{i}.png" for i in range(images)]),
        image=chance.integers(0, images, count).astype(np.int32),
        kind=kind,
        confidence=chance.random(count).astype(np.float32),
        box=np.zeros((count, 4), np.float32),
        area=chance.uniform(100, 20000, count).astype(np.float32),
        match=match,
        true_image=chance.integers(0, images, true).astype(np.int32),
        true_kind=true_kind,
        true_box=np.zeros((true, 4), np.float32),
        true_area=chance.uniform(100, 20000, true).astype(np.float32),
    )


@pytest.mark.parametrize("seed", range(5))
def test_with_weight_one_it_is_ultralytics_ap(seed):
    seen = drawn(seed=seed)
    stock = ap_per_class(seen.match >= 0, seen.confidence, seen.kind, seen.true_kind)[5]
    np.testing.assert_allclose(by_class(seen), stock, atol=1e-12)


def test_a_weight_of_two_is_the_image_twice():
    seen = drawn()
    weights = np.arange(12) % 3
    rows, targets = [], []
    for image, weight in enumerate(weights):
        for _ in range(weight):
            rows.append(np.flatnonzero(seen.image == image))
            targets.append(np.flatnonzero(seen.true_image == image))
    rows, targets = np.concatenate(rows), np.concatenate(targets)
    stock = ap_per_class(seen.match[rows] >= 0, seen.confidence[rows], seen.kind[rows], seen.true_kind[targets])[5]
    # The two copies of a prediction stand one after the other there and count at once here: they may differ by one step of the curve.
    np.testing.assert_allclose(by_class(seen, weights.astype(float)), stock, atol=0.02)


def test_area_under_by_hand():
    one = np.ones(4)
    assert area_under(np.array([1.0, 1, 1, 1]), one, 4) == pytest.approx(
        0.995, abs=0.006
    )  # 101 points, the last drops to 0
    assert area_under(np.array([0.0, 0, 0, 0]), one, 4) == 0
    assert area_under(np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 1, 0]), 2) == area_under(
        np.array([1.0, 1]), np.ones(2), 2
    )
    assert area_under(np.array([]), np.array([]), 3) == 0


def test_by_size_other_sizes_do_not_count():
    """One small and one large object, both found, and a large prediction of nothing: small is perfect all the same, large is not."""
    seen = Seen(
        images=np.array(["a.png"]),
        image=np.zeros(3, np.int32),
        kind=np.zeros(3, np.int16),
        confidence=np.array([0.9, 0.8, 0.7], np.float32),
        box=np.zeros((3, 4), np.float32),
        area=np.array([200.0**2, 10.0**2, 200.0**2], np.float32),
        match=np.array([[-1] * 10, [0] * 10, [1] * 10], np.int32),
        true_image=np.zeros(2, np.int32),
        true_kind=np.zeros(2, np.int16),
        true_box=np.zeros((2, 4), np.float32),
        true_area=np.array([10.0**2, 200.0**2], np.float32),
    )
    scores = by_size(seen)
    assert scores["small"] == pytest.approx(0.995, abs=0.01) and scores["medium"] is None
    assert 0.4 < scores["large"] < 0.6


@pytest.mark.parametrize("seed", range(10))
def test_matching_is_ultralytics_matching(seed):
    chance = np.random.default_rng(seed)
    kinds, true_kinds = chance.integers(0, 2, 30), chance.integers(0, 2, 12)
    iou = np.round(chance.random((12, 30)), 2).astype(np.float32)
    stock = BaseValidator.__new__(BaseValidator)
    stock.iouv = torch.linspace(0.5, 0.95, 10)
    right = stock.match_predictions(torch.as_tensor(kinds), torch.as_tensor(true_kinds), torch.as_tensor(iou)).numpy()
    match = matched(kinds, true_kinds, iou, stock.iouv.numpy())
    np.testing.assert_array_equal(match >= 0, right)
    assert all(len(set(column[column >= 0])) == (column >= 0).sum() for column in match.T)


def test_redrawn_images_spread_around_the_score():
    seen = drawn(images=40)
    draws = redrawn(seen, "detect", 200)
    assert draws.shape == (200,) and draws.std() > 0 and abs(draws.mean() - by_class(seen).mean()) < 3 * draws.std()
    np.testing.assert_array_equal(draws, redrawn(seen, "detect", 200))  # the same draws for every model


@pytest.mark.parametrize("task", TASKS)
def test_what_is_seen_gives_the_score_that_ultralytics_prints(task, tmp_path):
    data = make_sets(tmp_path)[task]
    suffix = {"detect": "", "classify": "-cls", "segment": "-seg", "pose": "-pose", "obb": "-obb"}[task]
    yolo = YOLO(f"yolov8n{suffix}.yaml")
    size = {"data": data, "imgsz": 64, "device": "cpu", "project": str(tmp_path)}
    yolo.train(epochs=3, batch=6, optimizer="SGD", lr0=0.01, plots=False, val=False, verbose=False, **size)
    scores, seen = see(YOLO(yolo.trainer.last), "val", **size, conf=1e-6)
    assert len(seen.images) == 6 and len(seen.true_kind) == 6
    if task == "classify":
        right = (seen.kind.reshape(6, -1)[:, 0] == seen.true_kind).mean()
        assert scores["top-1"] == pytest.approx(right) and set(scores["classes"]) == {"kind0", "kind1"}
        return
    assert len(seen.image) and by_class(seen).mean() == pytest.approx(scores["mAP50-95"], abs=1e-9)
    assert by_class(seen)[:, 0].mean() == pytest.approx(scores["mAP50"], abs=1e-9)
    x1, y1, x2, y2 = seen.true_box.T
    assert (x1 >= -0.5).all() and (x2 <= 64.5).all() and (y1 >= -0.5).all() and (y2 <= 64.5).all()
    np.testing.assert_allclose(seen.true_area, (x2 - x1) * (y2 - y1), rtol=0.05)  # squares, upright
    seen.save(tmp_path / "seen.npz")
    np.testing.assert_array_equal(Seen.load(tmp_path / "seen.npz").match, seen.match)
