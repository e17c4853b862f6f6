"""The sheet and the table after a training: any number of channels, turned and 16-bit photos, odd names, labels of every form."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnx_tutorial import YOLO
from cnx_tutorial.yolo import report


@pytest.fixture(scope="module")
def yolo() -> YOLO:
    return YOLO("yolov8n-convnext.yaml")


def image(folder: Path, pixels: np.ndarray, label: str, name: str = "0.png") -> Path:
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / "images" / name)
    (folder / "labels" / name).with_suffix(".txt").write_text(label, encoding="utf-8")
    return folder / "images" / name


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("1 0.5 0.5 0.5 0.25\n", [(1, 10, 7.5, 30, 12.5)]),
        ("0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n", [(0, 4, 2, 16, 8)]),
        ("", []),
        ("0 nan 0.5 0.5 0.5\n", []),
        ("not a label\n", []),
    ],
)
def test_true_boxes_are_those_that_ultralytics_trains_on(label, expected, tmp_path):
    file = image(tmp_path, np.zeros((20, 40, 3), np.uint8), label)
    found = np.array(report.true_boxes(file, 40, 20)).reshape(-1, 5)
    np.testing.assert_allclose(found, np.array(expected).reshape(-1, 5), atol=1e-4)


@pytest.mark.parametrize("shape", [(20, 40), (20, 40, 1), (20, 40, 3), (20, 40, 4), (20, 40, 7)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_every_kind_of_image_can_be_looked_at(shape, kind):
    seen = report.as_rgb(np.arange(np.prod(shape)).reshape(shape).astype(kind))
    assert seen.shape == (20, 40, 3) and seen.dtype == np.uint8


def test_colours_are_in_the_order_of_the_screen():
    blue_green_red = np.array([[[255, 0, 10]]], np.uint8)
    assert report.as_rgb(blue_green_red).tolist() == [[[10, 0, 255]]]


@pytest.mark.parametrize(
    "pixels", [np.zeros((64, 48), np.uint16), np.zeros((64, 48, 4), np.uint8), np.zeros((64, 48), np.uint8)]
)
def test_the_sheet_is_drawn_whatever_the_names_and_the_image(pixels, yolo, tmp_path, recwarn):
    file = image(tmp_path, pixels, "0 0.5 0.5 0.5 0.25\n")
    yolo.model.names = {0: "_cell", 1: "$x^", 2: "血"}
    made = report.picture(yolo, [file, file], tmp_path / "sheet.png", 64)
    with Image.open(made) as sheet:
        assert sheet.size == (900, 700)
    assert [p.name for p in tmp_path.glob("sheet*")] == ["sheet.png"]


def test_what_the_validator_holds_is_drawn_where_it_is_given(yolo, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(report, "Rectangle", lambda *args, **kwargs: drawn.append(args) or Real(*args, **kwargs))
    from matplotlib.patches import Rectangle as Real

    file = image(tmp_path, np.zeros((64, 64, 3), np.uint8), "0 0.5 0.5 0.5 0.5\n")
    report.picture(
        yolo, [file], tmp_path / "sheet.png", 64, conf=0.99, truth={str(file): np.array([[0, 0.25, 0.25, 0.5, 0.5]])}
    )
    assert ((0.0, 0.0), 32.0, 32.0) in drawn


def test_operations_are_counted_for_the_channels_that_the_model_reads(tmp_path):
    file = tmp_path / "yolov8n-grey.yaml"
    from cnx_tutorial.yolo.parser import CONFIGS

    text = (CONFIGS / "yolov8-convnext.yaml").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    from ultralytics.nn.tasks import DetectionModel

    counts = [report.gflops(DetectionModel(str(file), ch=ch, verbose=False), 64) for ch in (1, 3, 7)]
    assert counts[0] < counts[1] < counts[2]
