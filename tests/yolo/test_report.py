"""The table and the picture after a training: for every kind of image that Ultralytics trains on, and never at the price of the training."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from ultralytics.cfg import get_cfg
from ultralytics.data import build_yolo_dataset
from ultralytics.data.utils import check_det_dataset
from ultralytics.nn.tasks import DetectionModel

from cnx_tutorial import YOLO, cli
from cnx_tutorial.yolo import report

BOX = (1, 0.25, 0.5, 0.25, 0.125)  # class, x, y, width, height
LINE = "1 0.25 0.5 0.25 0.125\n"
SHORT = {"epochs": 1, "imgsz": 64, "batch": 2, "workers": 0, "plots": False, "device": "cpu"}
POLYGON = "1 0.125 0.4375 0.375 0.4375 0.375 0.5625 0.125 0.5625\n"  # the same box as four corners


SEED = itertools.count()


def pixels(channels: int = 3) -> np.ndarray:
    """Noise, different in each call; higher than wide, so that a turned image is told from an unturned one."""
    return np.random.default_rng(next(SEED)).integers(0, 256, (96, 64, channels), dtype=np.uint8)


def turned(file: Path) -> None:
    orientation = Image.Exif()
    orientation[274] = 6  # a quarter to the right, as telephones write it
    Image.fromarray(pixels()).save(file, exif=orientation)


def with_array(file: Path) -> None:
    """An image and, beside it, the array of five channels that Ultralytics reads instead."""
    Image.fromarray(pixels()).save(file)
    np.save(file.with_suffix(".npy"), pixels(5))


KINDS = {  # suffix, channels of the data YAML, how to write a file
    "gray": (".png", 1, lambda file: Image.fromarray(pixels()).convert("L").save(file)),
    "gray, read as three": (".png", 3, lambda file: Image.fromarray(pixels()).convert("L").save(file)),
    "16 bit": (".png", 3, lambda file: cv2.imwrite(str(file), pixels().astype(np.uint16) * 200)),
    "16 bit, gray": (".png", 1, lambda file: cv2.imwrite(str(file), pixels()[..., 0].astype(np.uint16) * 200)),
    "palette": (".png", 3, lambda file: Image.fromarray(pixels()).convert("P").save(file)),
    "transparent": (".png", 4, lambda file: Image.fromarray(pixels(4)).save(file)),
    "turned": (".jpg", 3, turned),
    "two pages": (".tif", 2, lambda file: cv2.imwritemulti(str(file), list(np.rollaxis(pixels(2), 2)))),
    "ten pages": (".tiff", 10, lambda file: cv2.imwritemulti(str(file), list(np.rollaxis(pixels(10), 2)))),
    "array": (".png", 5, with_array),
}


def data_set(folder: Path, kind: str = "gray, read as three", label: str = LINE, names: tuple = ("a", "b")) -> Path:
    suffix, channels, write = KINDS[kind]
    for split in ("train", "val"):
        for part in ("images", "labels"):
            (folder / part / split).mkdir(parents=True)
        for i in range(2):
            write(folder / "images" / split / f"{i}{suffix}")
            (folder / "labels" / split / f"{i}.txt").write_text(label, encoding="utf-8")
    data = {"path": str(folder), "train": "images/train", "val": "images/val", "names": list(names)}
    (folder / "data.yaml").write_text(yaml.safe_dump({**data, "channels": channels}), encoding="utf-8")
    return folder / "data.yaml"


def train(data: Path, *words: str) -> int:
    return cli.main(["train", f"data={data}", *(f"{key}={value}" for key, value in SHORT.items()), *words])


def ultralytics_reads(data: Path):
    """Ultralytics' own data set of the val images, in their size."""
    checked = check_det_dataset(str(data))
    return build_yolo_dataset(get_cfg(overrides={"imgsz": 96}), checked["val"], 2, checked, "val")


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_read_as_for_a_training(kind, tmp_path):
    dataset = ultralytics_reads(data_set(tmp_path, kind))
    theirs = dataset.load_image(0)[0]
    ours = report.read_image(Path(dataset.im_files[0]), KINDS[kind][1])
    assert ours.shape == theirs.shape == ((64, 96) if kind == "turned" else (96, 64)) + (KINDS[kind][1],)
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("kind", "label", "words"),
    [
        ("ten pages", LINE, ()),
        ("two pages", POLYGON, ()),
        ("16 bit, gray", LINE, ("single_cls=True",)),
        ("array", LINE, ("rect=True",)),
        ("turned", POLYGON, ("cache=disk", "classes=[1]")),
    ],
)
def test_a_training_ends_with_table_and_picture(kind, label, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(data_set(tmp_path / "set", kind, label), *words) == 0
    said = capsys.readouterr().out
    assert "GFLOPs" in said and "warning: it could not be made" not in said
    with Image.open(tmp_path / "runs" / "data" / "truth_and_predictions.png") as sheet:
        assert sheet.size[0] == 900


@pytest.mark.parametrize(("changes", "kind"), [({}, 1), ({"single_cls": True}, 0)])
def test_the_true_boxes_are_those_of_the_validation(changes, kind, tmp_path):
    yolo = YOLO("yolov8n-convnext.yaml")
    yolo.train(data=str(data_set(tmp_path / "set", label=POLYGON)), project=str(tmp_path), **SHORT, **changes)
    images, truth = report.examples(yolo.trainer)
    assert [image.name for image in images] == ["0.png", "1.png"]
    assert all(np.allclose(rows, [(kind, *BOX[1:])]) for rows in truth) and len(truth) == 2
    yolo.trainer.validator = None  # as after a training on several GPUs
    again, same = report.examples(yolo.trainer)
    assert again == images and all(np.array_equal(a, b) for a, b in zip(truth, same, strict=True))
    assert len(report.examples(yolo.trainer, count=1)[0]) == 1


def test_images_without_labels_have_no_true_boxes(tmp_path):
    yolo, data = YOLO("yolov8n-convnext.yaml"), data_set(tmp_path / "set")
    for file in (tmp_path / "set" / "labels" / "val").iterdir():
        file.unlink()
    yolo.train(data=str(data), project=str(tmp_path), **SHORT)
    images, truth = report.examples(yolo.trainer)
    assert len(images) == 2 and [len(rows) for rows in truth] == [0, 0]
    assert report.picture(yolo, images, tmp_path / "sheet.png", 64, truth=truth).is_file()
    assert report.summary(yolo)["mAP50"] == "0.000"


@pytest.mark.parametrize(
    "label",
    [LINE, POLYGON, LINE.replace(" ", "\t"), "\ufeff" + LINE, LINE * 2, "", "0 nan 0.5 0.5 0.5\n", "not a label\n"],
)
def test_label_files_without_a_training_are_read_as_ultralytics_reads_them(label, tmp_path):
    data = data_set(tmp_path)
    (tmp_path / "labels" / "val" / "1.txt").write_text(label, encoding="utf-8")
    dataset = ultralytics_reads(data)
    theirs = {Path(one["im_file"]).name: one for one in dataset.labels}.get("1.png", {"bboxes": [], "cls": []})
    expected = [(*cls, *box) for cls, box in zip(theirs["cls"], theirs["bboxes"], strict=True)]
    assert len(expected) == (1 if "0.125" in label else 0)
    ours = report.true_boxes(tmp_path / "images" / "val" / "1.png", 64, 96)
    assert np.allclose(ours, report.in_pixels(np.array(expected).reshape(-1, 5), 64, 96)) and len(ours) == len(expected)
    assert not ours or np.allclose(ours, [(1, 8, 42, 24, 54)])
    assert report.true_boxes(tmp_path / "images" / "val" / "no label.png", 64, 96) == []


def test_the_boxes_that_are_given_are_drawn(tmp_path, monkeypatch):
    drawn, real = [], report.Rectangle
    monkeypatch.setattr(report, "Rectangle", lambda *args, **keys: drawn.append(args) or real(*args, **keys))
    yolo, (image, _) = YOLO("yolov8n-convnext.yaml"), sorted(data_set(tmp_path).parent.glob("images/val/*"))
    report.picture(yolo, [image], tmp_path / "a.png", 64, conf=0.99)
    assert drawn[0] == ((8, 42), 16, 12)
    report.picture(yolo, [image], tmp_path / "b.png", 64, conf=0.99, truth=[np.array([[0, 0.25, 0.25, 0.5, 0.5]])])
    assert drawn[2] == ((0, 0), 32, 48) and {file.name for file in tmp_path.glob("*.p*")} == {"a.png", "b.png"}


@pytest.mark.parametrize("shape", [(20, 40), (20, 40, 1), (20, 40, 2), (20, 40, 3), (20, 40, 4), (20, 40, 7)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_every_kind_of_image_can_be_looked_at(shape, kind):
    seen = report.as_rgb(np.arange(np.prod(shape)).reshape(shape).astype(kind))
    assert seen.shape == (20, 40, 3) and seen.dtype == np.uint8


def test_colours_are_in_the_order_of_the_screen():
    blue_green_red = np.array([[[255, 0, 10]]], np.uint8)
    assert report.as_rgb(blue_green_red).tolist() == [[[10, 0, 255]]]


def test_a_picture_that_cannot_be_made_costs_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "here" / "truth_and_predictions.png").mkdir(parents=True)  # a folder where the file belongs
    assert train(data_set(tmp_path / "set"), "name=here", "exist_ok=True") == 0
    said = capsys.readouterr().out
    assert "picture  none (warning: it could not be made" in said and "truth_and_predictions.png" in said
    assert (tmp_path / "runs/here/weights/best.pt").is_file() and "mAP50" in said
    assert not list((tmp_path / "runs" / "here").glob("*.part"))


def test_gflops_are_those_of_the_models_own_images():
    config = YOLO("yolov8n-convnext.yaml").model.yaml
    one, three, four, ten = (
        report.gflops(DetectionModel(config, ch=channels, verbose=False), 64) for channels in (1, 3, 4, 10)
    )
    more = 2 * 3 * 3 * 16 * 32 * 32 / 1e9  # of one channel more: the first convolution alone, 3x3, 16 outputs, stride 2
    assert four - three == pytest.approx(more) and ten - one == pytest.approx(9 * more)


def test_a_legend_bears_any_names():
    names = ["_hidden", "$x^$", "two\nlines", "", "x" * 300, "\u8840", *map(str, range(1000))]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    report.legend(figure, dict(enumerate(names)))
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown[:4] == [" _hidden", " $x^$", " two lines", " "] and shown[-1] == f"and {len(names) - 24} more classes"
    assert len(shown) == 25 and max(map(len, shown)) <= 31
    with pytest.warns(UserWarning, match="Glyph"):  # the sign that the font lacks is left out
        figure.draw_without_rendering()


def test_no_class_no_legend():
    figure = Figure()
    report.legend(figure, {})
    assert not figure.legends
