"""`cnx yaml`: what it writes builds, for every task and family, and differs from the stock model in the backbone alone."""

import pytest
import yaml
from ultralytics.nn.tasks import DetectionModel

from cnx_tutorial import YOLO
from cnx_tutorial.cli import main
from cnx_tutorial.yolo.write_yaml import FAMILIES, SUFFIX, write_yaml

OWN = """
from torch import nn


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(nn.Conv2d(a, b, s, s) for a, b, s in ((3, 8, 4), (8, 16, 2), (16, 24, 2), (24, 32, 2)))

    def forward(self, x):
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
"""


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("task", SUFFIX)
def test_every_task_and_family_builds_with_the_stock_neck_and_head(task, family, tmp_path):
    (tmp_path / "mine.py").write_text(OWN, encoding="utf-8")
    text = write_yaml("mine.py:Mine", task=task, family=family, folder=tmp_path)
    file = tmp_path / f"{FAMILIES[family]}n-mine.yaml"
    file.write_text(text, encoding="utf-8")
    ours = YOLO(file, task=task)
    stock = YOLO(f"{FAMILIES[family]}n{SUFFIX[task]}.yaml")
    kinds = [[type(m).__name__ for m in yolo.model.model[len(yolo.model.yaml["backbone"]) :]] for yolo in (ours, stock)]
    assert kinds[0] == kinds[1]
    if task != "classify":
        assert ours.model.stride.tolist() == stock.model.stride.tolist() == [8, 16, 32]
        assert "map of stride 8: row 1, 16 channels" in text


@pytest.mark.parametrize("backbone", ["convnext", "torchvision:resnet18"])
@pytest.mark.parametrize("task", ["detect", "segment"])
def test_the_fine_neck_reads_the_map_of_stride_4(backbone, task):
    d = yaml.safe_load(write_yaml(backbone, neck="fine", task=task, weights=False))
    model = {"detect": DetectionModel}.get(task)
    if model:
        assert model(d | {"scale": "n"}, verbose=False).stride.tolist() == [4, 8, 16, 32]
    assert d["reg_max"] == 8


def test_convnext_with_the_fine_neck_is_the_design_of_the_package():
    d = yaml.safe_load(write_yaml("convnext", neck="fine"))
    ours = YOLO("yolov8n-convnext.yaml").model
    assert DetectionModel(d | {"scale": "n"}, verbose=False).state_dict().keys() == ours.state_dict().keys()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["backbone=timm:convnext_ato"], ["timm has no network", "convnext_atto"]),
        (["neck=fin"], ["neck=fin is unknown", "fine"]),
        (["task=tracking"], ["task=tracking is unknown", "detect"]),
        (["family=26", "neck=fine"], ["neck=fine has rows of YOLOv8"]),
        (["backbone=mine.py:Mine"], ["mine.py", "cannot be read"]),
        (["bakbone=convnext"], ["cnx yaml takes backbone=", "bakbone"]),
    ],
)
def test_a_wrong_word_is_said(words, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["yaml", *words]) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in told), said


def test_a_file_is_written_whole_and_never_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["yaml", "backbone=timm:resnet18", "weights=False", "out=yolov8-resnet.yaml"]
    assert main(words) == 0
    assert "cnx train model=yolov8-resnet.yaml" in capsys.readouterr().out
    before = (tmp_path / "yolov8-resnet.yaml").read_text(encoding="utf-8")
    assert YOLO("yolov8n-resnet.yaml").model.stride.tolist() == [8, 16, 32]
    assert main(words) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "yolov8-resnet.yaml").read_text(encoding="utf-8") == before
