"""YAML rows become layers: names, channels, repeats, the printed table, and one clear error for each mistake."""

import copy
import json
import logging
import subprocess
import sys

import pytest
import torch
import yaml
from ultralytics.nn import tasks
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import LOGGER

from cnx_tutorial import nn
from cnx_tutorial.yolo.parser import CONFIGS, yaml_model_load

# nc=80, from Ultralytics' own tables.
STOCK_MILLIONS = {"n": 3.157, "s": 11.167, "m": 25.903, "l": 43.692, "x": 68.230}


def build(config: dict | str) -> DetectionModel:
    return DetectionModel(copy.deepcopy(config) if isinstance(config, dict) else yaml_model_load(config), verbose=False)


def small(**changes) -> dict:
    """A whole detector in a few rows: strides 8 and 16."""
    return {
        "nc": 3,
        "backbone": [
            [-1, 1, "ConvNeXtStem", [16, 4, 4]],
            [-1, 2, "ConvNeXtBlock", [16]],
            [-1, 1, "ConvNeXtDownsample", [32]],
            [-1, 3, "ConvNeXtBlock", [32]],
            [-1, 1, "ConvNeXtDownsample", [64]],
        ],
        "head": [
            [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
            [[-1, 3], 1, "Concat", [1]],
            [-1, 1, "C2f", [32]],
            [[7, 4], 1, "Detect", ["nc"]],
        ],
    } | changes


def replaced(index: int, row: list) -> dict:
    config = small()
    (config["backbone"] if index < 5 else config["head"])[index % 5] = row
    return config


@pytest.mark.parametrize("scale", "nsmlx")
@pytest.mark.parametrize("design", ["convnext", "convnext-published"])
def test_each_scale_has_no_more_parameters_than_stock(scale, design, record_property):
    count = sum(p.numel() for p in build(f"yolov8{scale}-{design}.yaml").parameters())
    record_property("parameters", count)
    assert count / 1e6 <= STOCK_MILLIONS[scale]


@pytest.mark.parametrize(("scale", "variant"), [("s", "femto"), ("m", "pico"), ("l", "tiny")])
def test_backbone_has_the_widths_and_depths_of_a_published_convnext(scale, variant):
    backbone, published = build(f"yolov8{scale}-convnext-published.yaml").model[:8], nn.convnext(variant)
    shapes = [tuple(p.shape) for p in backbone.parameters()]
    assert shapes == [
        tuple(p.shape)
        for i in range(4)
        for part in ([published.stem if i == 0 else published.downsamples[i - 1]], [published.stages[i]])
        for p in part[0].parameters()
    ]


def test_the_articles_yaml_builds_with_its_spellings_and_depths():
    model = build("yolov8l-convnext-article.yaml")
    assert model.stride.tolist() == [8, 16, 32]
    assert [len(model.model[i]) for i in (1, 3, 5, 7)] == [3, 3, 9, 3]
    assert isinstance(model.model[0], nn.ConvNeXtStem) and isinstance(model.model[2], nn.ConvNeXtDownsample)


def test_both_spellings_build_the_same_model():
    article = json.loads(json.dumps(small()).replace("ConvNeXt", "ConvNeXt_"))
    assert build(article).state_dict().keys() == build(small()).state_dict().keys()


def test_rows_follow_the_channel_rules_of_conv_rows():
    scaled = small(scales={"n": [0.5, 0.5, 48]}, scale="n")
    model = build(scaled).model
    assert model[0].conv.out_channels == 8  # 16 * width
    assert [len(model[1]), len(model[3])] == [1, 2]  # round(2 * depth), round(3 * depth)
    assert model[4].conv.out_channels == 24  # min(64, max_channels) * width


def test_names_of_weights_do_not_change_with_depth():
    deep, shallow = (build(small(scales={"n": [depth, 1.0, 64]}, scale="n")).state_dict() for depth in (1.0, 0.3))
    assert shallow.keys() < deep.keys()
    assert "model.1.0.gamma" in shallow


def test_drop_path_rises_linearly_over_the_whole_model():
    blocks = [m for m in build(small(drop_path=0.4)).modules() if isinstance(m, nn.ConvNeXtBlock)]
    torch.testing.assert_close([b.drop_path.drop_prob for b in blocks], [0.0, 0.1, 0.2, 0.3, 0.4])


def test_layer_scale_is_one_unless_the_yaml_says_otherwise():
    assert build(small()).model[1][0].gamma.tolist() == [1.0] * 16
    assert build(small(layer_scale=0.1)).model[1][0].gamma.tolist() == pytest.approx([0.1] * 16)


def test_grn_gives_version_2_blocks():
    block = build(small(grn=True)).model[1][0]
    assert block.gamma is None and isinstance(block.grn, nn.GlobalResponseNorm)


def test_a_row_may_give_the_arguments_of_its_layer():
    block = build(replaced(1, [-1, 2, "ConvNeXtBlock", [16, 5, 2, 0.1, "None", True]])).model[1][1]
    assert block.dwconv.kernel_size == (5, 5) and block.pwconv1.out_features == 32
    assert block.drop_path.drop_prob == 0.1 and block.gamma is None and block.grn.weight.shape == (32,)


def test_the_layer_table_names_our_layers_with_their_parameters():
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    LOGGER.addHandler(handler)
    try:
        model = DetectionModel(small(), verbose=True)
    finally:
        LOGGER.removeHandler(handler)
    rows = [line.split() for line in lines if line[:3].strip().isdigit()]
    assert [int(row[0]) for row in rows] == list(range(9))
    for index, kind, repeats in ((0, "ConvNeXtStem", "1"), (1, "ConvNeXtBlock", "2"), (2, "ConvNeXtDownsample", "1")):
        parameters = sum(p.numel() for p in model.model[index].parameters())
        assert rows[index][2:5] == [repeats, str(parameters), f"cnx_tutorial.nn.{kind}"]
    assert not any("modules.conv.Conv " in line for line in lines)  # no stand-in is left


MISTAKES = {
    "misspelled drop path": (small(drop_paht=0.1), ["key 'drop_paht'", "did you mean 'drop_path'"]),
    "misspelled scales": (small(scals={"n": [1, 1, 64]}), ["key 'scals'", "did you mean 'scales'"]),
    "misspelled backbone": ({("bakbone" if k == "backbone" else k): v for k, v in small().items()}, ["no list of rows under backbone", "bakbone"]),
    "stock row with wrong arguments": (replaced(7, [-1, 1, "C2f", ["wide"]]), ["row 7 ", "C2f", "Ultralytics cannot build this row"]),
    "row that reads a later one": (replaced(6, [[-1, 11], 1, "Concat", [1]]), ["row 6 ", "Concat", "can read an earlier row by its number, 0 to 5"]),
    "text as drop path": (small(drop_path="high"), ["key drop_path is 'high'", "expected int or float"]),
    "drop path above 1": (small(drop_path=2), ["row 3 ", "drop_path is a probability", "2"]),
    "number as grn": (small(grn=1), ["key grn is 1", "expected bool"]),
    "unknown name": (replaced(1, [-1, 2, "ConvNeXtBlok", [16]]), ["row 1 ", "ConvNeXtBlok", "did you mean ConvNeXtBlock"]),
    "unknown name, nothing near": (replaced(1, [-1, 2, "Zzyzx", [16]]), ["row 1 ", "Zzyzx", "ConvNeXtStem"]),
    "block changes channels": (replaced(3, [-1, 3, "ConvNeXtBlock", [48]]), ["row 3 ", "c1=32 and c2=48", "ConvNeXtDownsample"]),
    "too few arguments": (replaced(0, [-1, 1, "ConvNeXtStem", []]), ["row 0 ", "1 to 7 arguments", "was given 0"]),
    "too many arguments": (replaced(1, [-1, 2, "ConvNeXtBlock", [16, 7, 4, 0.0, 1.0, False, 3]]), ["row 1 ", "was given 7", "kernel_size"]),
    "string for a number": (replaced(0, [-1, 1, "ConvNeXtStem", [16, "four", 4]]), ["row 0 ", "argument k", "'four'", "int"]),
    "bool for a number": (replaced(2, [-1, 1, "ConvNeXtDownsample", [32, True]]), ["row 2 ", "argument k", "True", "int"]),
    "float channels": (replaced(0, [-1, 1, "ConvNeXtStem", [16.5]]), ["row 0 ", "channels", "16.5"]),
    "even kernel": (replaced(1, [-1, 2, "ConvNeXtBlock", [16, 6]]), ["row 1 ", "kernel_size", "6"]),
    "repeated stem": (replaced(0, [-1, 2, "ConvNeXtStem", [16]]), ["row 0 ", "repeats=2", "expected 1"]),
    "list as from": (replaced(2, [[-1, 0], 1, "ConvNeXtDownsample", [32]]), ["row 2 ", "one earlier row", "Concat"]),
    "row too short": (replaced(1, [-1, "ConvNeXtBlock", [16]]), ["row 1 ", "[from, repeats, Name, [arguments]]"]),
    "first row reads no image": (replaced(0, [0, 1, "ConvNeXtStem", [16]]), ["row 0 ", "can read the image, which is -1"]),
    "from that is a word": (replaced(6, [["-1", 4], 1, "Concat", [1]]), ["row 6 ", "can read"]),
    "stride of 1": (replaced(4, [-1, 1, "ConvNeXtDownsample", [64, 1, 1]]), ["row 6 ", "stride", "Concat", "change the stride"]),
    "strides that fall": (replaced(8, [[4, 7], 1, "Detect", ["nc"]]), ["row 8 ", "16, 8", "rising"]),
    "misspelled head": (replaced(8, [[7, 4], 1, "Detct", ["nc"]]), ["row 8 ", "'Detct' is none", "Did you mean Detect"]),
    "no head": (small(head=small()["head"][:3]), ["row 7 ", "the last row is the head", "Detect"]),
    "empty head": (small(head=[]), ["no list of rows under head"]),
    "a row of nothing": (small(head=[[[]]]), ["row 5 ", "[from, repeats, Name, [arguments]]"]),
    "anchors of YOLOv5": (replaced(8, [[7, 4], 1, "Detect", ["nc", "anchors"]]), ["row 8 ", "`anchors` belong to YOLOv5", "write ['nc']", "remove"]),
    "no classes": (small(nc=0), ["key nc is 0", "from 1"]),
    "classes as text": (small(nc="three"), ["key nc is 'three'", "whole number"]),
    "no distances": (small(reg_max=0), ["key reg_max is 0", "from 1"]),
    "two-number scales": (small(scales={"n": [0.33, 0.25]}, scale="n"), ["scales has n: [0.33, 0.25]", "[depth, width, max_channels]", "the third"]),
    "scales as a list": (small(scales=[0.33, 0.25, 1024]), ["key scales is [0.33, 0.25, 1024]", "expected a line for each letter"]),
    "scale of nan": (small(scales={"n": [float("nan"), 0.25, 64]}), ["scales has n: [nan"]),
    "no width": (small(width_multiple=0), ["key width_multiple is 0", "above 0"]),
    "layer scale of nan": (small(layer_scale=float("nan")), ["key layer_scale is nan", "expected"]),
    "argument of nan": (replaced(1, [-1, 2, "ConvNeXtBlock", [16, 7, 4, 0.0, float("nan")]]), ["row 1 ", "nan"]),
    "argument of inf": (replaced(7, [-1, 1, "C2f", [32, True, 1, float("inf")]]), ["row 7 ", "inf"]),
    "100000 repeats": (replaced(7, [-1, 100000, "C2f", [32]]), ["row 7 ", "repeats=100000", "1 to 1000"]),
    "repeats as text": (replaced(7, [-1, "many", "C2f", [32]]), ["row 7 ", "repeats='many'"]),
    "half a kernel": (replaced(7, [-1, 1, "SPPF", [32, 5.5]]), ["row 7 ", "SPPF"]),
    "Concat of text": (replaced(6, [[-1, 3], 1, "Concat", ["x"]]), ["row 6 ", "Concat"]),
    "expansion of a billion": (replaced(1, [-1, 2, "ConvNeXtBlock", [16, 7, 10**9]]), ["row 1 ", "out of reason"]),
    "expansion of a million": (replaced(3, [-1, 3, "ConvNeXtBlock", [32, 7, 10**6]]), ["row 3 "]),
    "a million channels": (replaced(7, [-1, 1, "C2f", [10**6]]), ["row 7 ", "parameters"]),
    "kernel of 100001": (replaced(1, [-1, 2, "ConvNeXtBlock", [16, 100001]]), ["row 1 ", "parameters"]),
    "a map of 2560000 pixels": (replaced(5, [-1, 1, "nn.Upsample", [None, 10000, "nearest"]]), ["row 5 ", "numbers"]),
    "an activation that is none": (small(activation="foo()"), ["cannot read its keys", "foo"]),
    "stride of 3": (
        small(backbone=[[-1, 1, "ConvNeXtStem", [16, 3, 3]]], head=[[[0], 1, "Detect", ["nc"]]]),
        ["row 1 ", "the head reads", "whole numbers"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_in_one_error_that_names_the_row_and_the_mend(name, tmp_path, monkeypatch):
    config, told = MISTAKES[name]
    file = tmp_path / "yolov8-mistake.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as error:
        build(str(file))
    assert not [part for part in ["yolov8-mistake.yaml", *told] if part not in str(error.value)], error.value
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "more",
    [
        {
            "name": "mine",
            "names": ["a"],
            "author": "me",
            "depth": 0.33,
            "width": 0.25,
            "scale_note": "n is smallest",
            "head_type": "PAN",
        },
        {
            "drop_paths": "see the paper",
            "layers": 9,
            "classes": ["red", "white"],
            "anchors": 3,
            "version": 1.0,
            "backbones": "two",
        },
    ],
)
def test_keys_of_ones_own_are_let_alone(more):
    assert build(small(**more)).state_dict().keys() == build(small()).state_dict().keys()


def test_a_trial_on_paper_changes_no_random_number_and_no_activation():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    activation = tasks.Conv.default_act
    with pytest.raises(ValueError, match="row 7"):
        build(replaced(7, [-1, 1, "C2f", ["wide"]]) | {"activation": "torch.nn.ReLU()"})
    assert tasks.Conv.default_act is activation
    assert torch.equal(torch.rand(4), expected)


def test_an_unknown_configuration_says_which_ones_there_are():
    with pytest.raises(FileNotFoundError, match=r"yolov8n-convnxt\.yaml.*-convnext\.yaml"):
        yaml_model_load("yolov8n-convnxt.yaml")


def test_a_configuration_is_found_under_a_path_with_scale_letters_in_it(tmp_path):
    folder = tmp_path / "a3n" / "runs8s"
    folder.mkdir(parents=True)
    (folder / "yolov8-mine.yaml").write_text(
        (CONFIGS / "yolov8-convnext-published.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    loaded = yaml_model_load(folder / "yolov8s-mine.yaml")
    assert loaded["scale"] == "s" and loaded["backbone"][0][2] == "ConvNeXtStem"


STOCK = [
    "yolov8n.yaml",
    "yolov8s.yaml",
    "yolov8n-p2.yaml",
    "yolov5n.yaml",
    "yolov9t.yaml",
    "yolov10n.yaml",
    "yolo11n.yaml",
    "yolo12n.yaml",
    "yolo26n.yaml",
]
PRINT_MODELS = """
import hashlib, json, logging, sys
{prelude}
import torch
from ultralytics.nn import tasks
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import LOGGER
lines = []
LOGGER.handlers.clear()
handler = logging.Handler(); handler.emit = lambda record: lines.append(record.getMessage()); LOGGER.addHandler(handler)
found = {{}}
for name in {names}:
    torch.manual_seed(0); lines.clear()
    model = DetectionModel(name, verbose=True)
    digest = hashlib.sha256()
    for key, value in model.state_dict().items():
        digest.update(key.encode() + value.numpy().tobytes())
    found[name] = [digest.hexdigest(), str(model), list(lines), type(model.model).__name__]
print(json.dumps(found))
"""


def test_stock_yamls_build_exactly_what_they_built_before():
    def models(prelude: str) -> dict:
        code = PRINT_MODELS.format(prelude=prelude, names=STOCK)
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return json.loads(run.stdout.splitlines()[-1])

    alone, beside_us = models(""), models("import cnx_tutorial; cnx_tutorial.register()")
    assert alone.keys() == beside_us.keys() == set(STOCK)
    for name in STOCK:
        assert alone[name] == beside_us[name], name


def test_fuse_folds_our_blocks_and_the_detector_finds_the_same():
    model = build(small()).eval()
    for p in model.parameters():
        if p.ndim == 1:
            torch.nn.init.normal_(p, 1, 0.3)
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        fused = copy.deepcopy(model).fuse(verbose=False)
        torch.testing.assert_close(fused(x)[0], model(x)[0], rtol=1e-3, atol=1e-3)
    blocks = [layer for layer in fused.modules() if isinstance(layer, nn.ConvNeXtBlock)]
    assert blocks and all(block.gamma is None for block in blocks)
