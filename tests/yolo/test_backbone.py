"""A whole network as one row: maps by stride, equal to the donor's, trained, reloaded and exported."""

import copy
import subprocess
import sys

import pytest
import torch
import yaml
from torch import nn
from ultralytics.nn.tasks import DetectionModel

from cnx_tutorial import YOLO, register
from cnx_tutorial.yolo import layers
from cnx_tutorial.yolo.backbone import Backbone
from cnx_tutorial.yolo.write_yaml import write_yaml


class Own(nn.Module):
    """Maps of strides 8 and 16."""

    def __init__(self, in_channels: int = 3):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(in_channels, 8, 8, 8), nn.Conv2d(8, 12, 2, 2)

    def forward(self, x):
        fine = self.fine(x)
        return [fine, self.coarse(fine)]


class WithHead(Own):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 10)


@pytest.fixture(autouse=True)
def nothing_stays_registered():
    before = dict(layers.LAYERS)
    yield
    layers.LAYERS.clear()
    layers.LAYERS.update(before)


def config(source: str, weights=False, strides=(8, 16)) -> dict:
    maps = [[0, 1, "Map", [stride]] for stride in strides]
    return {
        "nc": 2,
        "backbone": [[-1, 1, "Backbone", [source, weights]], *maps],
        "head": [[list(range(1, 1 + len(strides))), 1, "Detect", ["nc"]]],
    }


SOURCES = {
    "timm:resnet18": [128, 256],
    "timm:convnext_atto": [80, 160],
    "timm:swin_tiny_patch4_window7_224": [192, 384],
    "torchvision:resnet18": [128, 256],
    "torchvision:convnext_tiny": [192, 384],
    "torchvision:mobilenet_v3_small": [24, 48],
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_maps_have_the_strides_asked_for_and_every_parameter_is_needed(source):
    net = Backbone(source, strides=[16, 8])
    assert (net.strides, net.channels) == ([8, 16], SOURCES[source])
    maps = net(torch.rand(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(net.channels, net.strides, strict=True)
    ]
    sum(m.sum() for m in maps).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_the_maps_are_those_of_the_donor_on_a_normalised_image():
    timm = pytest.importorskip("timm")
    net = Backbone("timm:convnext_atto", strides=[8, 16, 32]).eval()
    donor = timm.create_model("convnext_atto", features_only=True, out_indices=(0, 1, 2, 3)).eval()
    donor.load_state_dict(net.net.state_dict())
    image = torch.rand(1, 3, 64, 96)
    mean, std = (torch.tensor(donor.default_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        wanted = donor((image - mean) / std)[1:]
        for got in (net(image), fused(net)(image)):
            for a, b in zip(got, wanted, strict=True):
                assert (a - b).abs().max() <= 1e-5 * max(1, float(b.abs().max()))


@pytest.mark.parametrize("home", ["timm", "torchvision"])
def test_a_file_of_weights_beside_the_yaml_is_taken(home, tmp_path, monkeypatch):
    timm, torchvision = pytest.importorskip("timm"), pytest.importorskip("torchvision")
    donor = timm.create_model("resnet18") if home == "timm" else torchvision.models.resnet18()
    torch.save(donor.state_dict(), tmp_path / "resnet.pth")
    (tmp_path / "yolov8-whole.yaml").write_text(
        yaml.safe_dump(config(f"{home}:resnet18", "resnet.pth")), encoding="utf-8"
    )
    monkeypatch.chdir("/")
    model = YOLO(tmp_path / "yolov8-whole.yaml").model.model
    torch.testing.assert_close(model[0].net.conv1.weight, donor.conv1.weight)


def fused(net: Backbone) -> Backbone:
    net = copy.deepcopy(net)
    net.fuse()
    assert net.mean is None
    return net


def test_a_first_convolution_that_pads_is_not_folded():
    net = Backbone("torchvision:resnet18", strides=[8]).eval()
    net.fuse()
    assert net.mean is not None


def test_grey_images_are_read_by_networks_of_timm():
    assert Backbone("timm:resnet18", channels=1, strides=[8])(torch.rand(1, 1, 64, 64))[0].shape == (1, 128, 8, 8)


def replaced(*rows: list) -> dict:
    return config("timm:resnet18") | {"backbone": list(rows)}


RESNET = [-1, 1, "Backbone", ["timm:resnet18"]]
MISTAKES = {
    "nobody's network": (config("timm:convnext_ato"), ["row 0 ", "timm has no network 'convnext_ato'", "convnext_atto"]),
    "torchvision's, misspelled": (config("torchvision:resnet81"), ["row 0 ", "torchvision has no classifier", "resnet18"]),
    "no home": (config("resnet18"), ["row 0 ", "no network 'resnet18'", "timm:resnet18"]),
    "a stride that is not there": (config("timm:convnext_atto", strides=(2, 8)), ["row 0 ", "no map of stride 2", "4, 8"]),
    "made for one size": (config("timm:maxvit_tiny_tf_224"), ["row 0 ", "cannot read an image of 256 x 320", "one size"]),
    "no maps": (config("timm:vit_tiny_patch16_224"), ["row 0 "]),
    "weights without a network": (config("timm:resnet18", True), ["row 0 ", "weights of timm:resnet18 could not be had", "huggingface.co"]),
    "no file": (config("timm:resnet18", "resnet.pth"), ["row 0 ", "no weights file 'resnet.pth'"]),
    "no stride": (replaced(RESNET, [0, 1, "Map", []], [0, 1, "Map", [16]]), ["row 1 ", "Map takes one stride"]),
    "map of no network": (replaced([-1, 1, "Conv", [8, 3, 2]], [0, 1, "Map", [8]], [0, 1, "Map", [16]]), ["row 1 ", "Map reads a Backbone row"]),
    "read as one map": (replaced(RESNET, [0, 1, "Conv", [8]], [0, 1, "Map", [16]]), ["row 1 ", "returns several maps"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_the_row_and_the_mend(name):
    d, told = MISTAKES[name]
    with pytest.raises(ValueError) as raised:
        DetectionModel(d, verbose=False)
    assert all(word in str(raised.value) for word in told), raised.value


def test_a_class_whose_arguments_nobody_gives_says_so(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self, depth, width):\n        super().__init__()\n"
    )
    with pytest.raises(
        ValueError, match=r"Net\(depth, width\) is given no arguments by a Backbone row.*default values"
    ):
        write_yaml(backbone="mine.py:Net", folder=tmp_path)


def test_a_class_of_ones_own_is_a_backbone_and_unneeded_parameters_are_named(caplog):
    register(Own, WithHead, channels="maps")
    model = DetectionModel(config("Own"), ch=1, verbose=False)
    assert model.stride.tolist() == [8, 16] and model.model[0].net.fine.in_channels == 1
    with pytest.raises(ValueError, match='write Backbone, \\["Own"\\]'):
        DetectionModel(config("Own") | {"backbone": [[-1, 1, "Own", []]] * 3}, verbose=False)
    assert Backbone(WithHead).unused(3, [0, 1]) == ["head.weight", "head.bias"]


@pytest.mark.parametrize("source", ["timm:convnext_atto", "torchvision:resnet18", "timm:fastvit_t8"])
def test_it_trains_is_reloaded_in_a_fresh_process_and_exported(source, tmp_path, discs):
    file = tmp_path / "yolov8-whole.yaml"
    file.write_text(yaml.safe_dump(config(source)), encoding="utf-8")
    yolo = YOLO(file)
    yolo.train(
        data=str(discs),
        imgsz=64,
        epochs=1,
        batch=4,
        workers=0,
        plots=False,
        device="cpu",
        project=str(tmp_path),
        name="run",
    )
    code = """
import numpy as np, onnxruntime, torch
from ultralytics import YOLO
yolo = YOLO("run/weights/best.pt")
onnx = yolo.export(format="onnx", imgsz=64, simplify=False)
x = torch.rand(1, 3, 64, 64)
with torch.no_grad():
    wanted = YOLO("run/weights/best.pt").model.eval()(x)[0].numpy()
got = onnxruntime.InferenceSession(onnx).run(None, {"images": x.numpy()})[0]
assert np.abs(got - wanted).max() < 1e-4 * max(1, np.abs(wanted).max()), np.abs(got - wanted).max()
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
