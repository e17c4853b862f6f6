"""Weights in one argument, a backbone that stays frozen for some epochs or learns more slowly, and that all of it survives a resume."""

import pytest
import torch
import torchvision
import yaml

from cnx_tutorial import YOLO, nn
from cnx_tutorial.cli import main

SIZE = {"imgsz": 64, "batch": 4, "nbs": 4, "workers": 0, "plots": False, "device": "cpu"}
ROWS = [[-1, 1, "ConvNeXtStem", [48, 4, 4]]]
for i, (dim, depth) in enumerate(((48, 2), (96, 2), (192, 6), (384, 2))):
    ROWS += ([[-1, 1, "ConvNeXtDownsample", [dim]]] if i else []) + [[-1, depth, "ConvNeXtBlock", [dim]]]


@pytest.fixture
def femto(tmp_path):
    """A detector on a backbone of the published femto's widths and depths."""
    file = tmp_path / "yolov8-femto.yaml"
    file.write_text(
        yaml.safe_dump({"nc": 2, "backbone": ROWS, "head": [[[3, 5, 7], 1, "Detect", ["nc"]]]}), encoding="utf-8"
    )
    return file


@pytest.fixture
def donor(tmp_path):
    file = tmp_path / "femto.pth"
    torch.save(nn.convnext("femto").state_dict(), file)
    return file


def test_weights_are_trained_on_and_the_frozen_backbone_stays(femto, donor, discs, tmp_path):
    yolo, seen = YOLO(femto), []
    before = nn.convnext("femto")
    before.load_state_dict(torch.load(donor))

    def keep(trainer):
        blocks = trainer.model.model[1]
        seen.append(blocks[0].pwconv1.weight.detach().clone())

    yolo.add_callback("on_train_epoch_end", keep)
    yolo.train(
        data=str(discs),
        epochs=2,
        weights=donor,
        freeze_backbone=1,
        project=str(tmp_path),
        name="run",
        optimizer="SGD",
        lr0=0.1,
        **SIZE,
    )
    published = before.stages[0][0].pwconv1.weight
    torch.testing.assert_close(seen[0], published.detach())
    assert not torch.equal(seen[1], published)
    assert YOLO(yolo.trainer.best).model.yaml["freeze_backbone"] == 1


def test_the_backbone_learns_with_its_own_rate(femto, discs, tmp_path):
    yolo, rates = YOLO(femto), {}

    def look(trainer):
        inside = {id(p) for p in trainer.model.model[: len(ROWS)].parameters()}
        for group in trainer.optimizer.param_groups:
            for p in group["params"]:
                rates.setdefault(id(p) in inside, set()).add(group["initial_lr"])
        counted = [id(p) for g in trainer.optimizer.param_groups for p in g["params"]]
        rates["once"] = sorted(counted) == sorted(map(id, trainer.model.parameters()))

    yolo.add_callback("on_train_start", look)
    yolo.train(
        data=str(discs),
        epochs=1,
        backbone_lr=0.1,
        project=str(tmp_path),
        name="run",
        optimizer="AdamW",
        lr0=0.002,
        **SIZE,
    )
    assert rates["once"]
    assert sorted(rates[True]) == pytest.approx([0.0002]) and rates[False] == {0.002}


def test_a_trained_model_gives_its_weights(femto, discs, tmp_path):
    first = YOLO(femto)
    first.train(data=str(discs), epochs=1, project=str(tmp_path), name="first", **SIZE)
    again = YOLO(femto)
    report = again.load_backbone(first.trainer.best)
    assert len(report.loaded) == len(again.model.state_dict()) and not report.missing
    torch.testing.assert_close(
        again.model.model[0].conv.weight, YOLO(first.trainer.best).model.float().model[0].conv.weight
    )
    other = YOLO("yolov8n.yaml")
    with pytest.raises(ValueError, match="fits this model's backbone"):
        other.load_backbone(first.trainer.best)


def test_imagenet_means_the_published_network_of_these_widths(tmp_path, monkeypatch):
    published = torchvision.models.ConvNeXt_Tiny_Weights.DEFAULT
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / published.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    state = torchvision.models.convnext_tiny().state_dict()  # random weights in the place of the download
    torch.save(state, file)
    yolo = YOLO("yolov8l-convnext-published.yaml")
    report = yolo.load_backbone("imagenet")
    assert report.source_format == "torchvision"
    torch.testing.assert_close(yolo.model.model[1][0].dwconv.weight.detach(), state["features.1.0.block.0.weight"])


def test_the_weights_of_a_backbone_row_stand_in_the_row(tmp_path, donor):
    rows = [[-1, 1, "Backbone", ["torchvision:resnet18", False]], [0, 1, "Map", [8]], [0, 1, "Map", [16]]]
    file = tmp_path / "yolov8-whole.yaml"
    file.write_text(
        yaml.safe_dump({"nc": 2, "backbone": rows, "head": [[[1, 2], 1, "Detect", ["nc"]]]}), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="stand in the row"):
        YOLO(file).load_backbone(donor)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["weights=nothing.pth"], ["no weights file", "nothing.pth"]),
        (["weights=imagenet"], ["weights=imagenet fits a published ConvNeXt", "yolov8s-convnext-published.yaml"]),
        (["model=yolov8s-convnext-published.yaml", "weights=imagenet"], ["timm:convnext_femto", "huggingface.co", "weights=model.safetensors"]),
        (["weights=timm:convnext_fem"], ["no published network 'convnext_fem'"]),
        (["freeze_backbone=two"], ["freeze_backbone=two", "whole number"]),
        (["freeze_backbone=-1"], ["freeze_backbone=-1"]),
        (["backbone_lr=0"], ["backbone_lr=0.0", "factor"]),
    ],
)  # fmt: skip
def test_a_wrong_word_is_said_before_anything_is_written(more, told, discs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", f"data={discs}", "epochs=1", "imgsz=64", f"project={tmp_path / 'runs'}", *more]) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in told), said
    assert not (tmp_path / "runs").exists()
