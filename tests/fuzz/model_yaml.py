"""Model YAMLs with something changed: a row, a name, a number, a key. What is accepted must run."""

import copy
from pathlib import Path

import torch
import yaml
from hypothesis import strategies as st
from ultralytics.nn.tasks import DetectionModel

from cnx_tutorial.yolo import parser
from tests.fuzz.engine import Escape, Kind, refused

BACKBONE = [
    [-1, 1, "ConvNeXtStem", [16, 4, 4]],
    [-1, 2, "ConvNeXtBlock", [16]],
    [-1, 1, "ConvNeXtDownsample", [32]],
    [-1, 1, "ConvNeXtBlock", [32]],
    [-1, 1, "Conv", [64, 3, 2]],
    [-1, 1, "SPPF", [64, 5]],
]
HEAD = [
    [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
    [[-1, 3], 1, "Concat", [1]],
    [-1, 1, "C2f", [32]],
    [[8, 5], 1, "Detect", ["nc"]],
]
OURS = {"nc": 3, "scales": {"n": [1.0, 1.0, 64]}, "backbone": BACKBONE, "head": HEAD}
STOCK = {
    "nc": 3,
    "backbone": [[-1, 1, "Conv", [16, 3, 4]], [-1, 1, "C2f", [16, True]], [-1, 1, "Conv", [32, 3, 2]]],
    "head": [[[1, 2], 1, "Detect", ["nc"]]],
}
NAMES = [
    "Conv",
    "C2f",
    "C3",
    "SPPF",
    "Concat",
    "nn.Upsample",
    "nn.Identity",
    "nn.Conv2d",
    "Detect",
    "Detct",
    "Segment",
    "Classify",
    "ConvNeXtStem",
    "ConvNeXt_Block",
    "ConvNeXtDownsample",
    "Index",
    "Bottleneck",
    "C2fAttn",
    "torchvision.ops.SqueezeExcitation",
    "nn.Module",
    "nothing",
    "DWConv",
    "GhostConv",
]
NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.sampled_from([0, 1, 2, 3, 7, 16, 10**5, 10**9, 10**30, 0.5, 0.0, -0.5, 1e9, float("nan"), float("inf")]),
)
PLAIN = st.one_of(
    NUMBERS,
    st.booleans(),
    st.none(),
    st.sampled_from(["", "x", "nc", "None", "nearest", "anchors", "[1]", "a b", "1e5", "__import__"]),
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
KEYS = [
    "nc",
    "scales",
    "backbone",
    "head",
    "drop_path",
    "layer_scale",
    "grn",
    "reg_max",
    "activation",
    "depth_multiple",
    "width_multiple",
    "channels",
    "anchors",
    "name",
    "drop_paht",
    "kpt_shape",
    "end2end",
    "strides",
    "scale",
    "max_channels",
]
ROW = st.tuples(
    st.one_of(st.integers(-3, 9), st.lists(st.integers(-3, 9), max_size=3), PLAIN),
    st.one_of(st.integers(0, 3), PLAIN),
    st.one_of(st.sampled_from(NAMES), PLAIN),
    st.one_of(st.lists(VALUES, max_size=5), PLAIN),
).map(list)


@st.composite
def yamls(draw) -> dict:
    d = copy.deepcopy(draw(st.sampled_from([OURS, STOCK])))
    for _ in range(draw(st.integers(0, 2))):
        part = d.get(draw(st.sampled_from(["backbone", "head"])))
        i = draw(st.integers(0, 9))
        what = draw(
            st.sampled_from(
                ["argument", "argument", "argument", "name", "from", "repeats", "row", "drop", "double", "key", "scale"]
            )
        )
        rows = part if isinstance(part, list) and part else [[-1, 1, "Conv", [8]]]
        row = rows[i % len(rows)]
        if what == "key":
            d[draw(st.sampled_from(KEYS))] = draw(VALUES)
        elif what == "scale":
            d["scales"] = {"n": draw(st.lists(NUMBERS, max_size=4))}
        elif what == "row":
            rows[i % len(rows)] = draw(ROW)
        elif what == "drop":
            del rows[i % len(rows)]
        elif what == "double":
            rows.insert(i % len(rows), copy.deepcopy(row))
        elif isinstance(row, list) and len(row) == 4:
            if what == "argument" and isinstance(row[3], list):
                at = draw(st.integers(0, 4))
                row[3][at : at + draw(st.integers(0, 1))] = [draw(VALUES)]
            elif what in ("name", "from", "repeats"):
                at = ["from", "repeats", "name"].index(what)
                row[at] = draw(
                    [
                        st.one_of(st.integers(-4, 9), st.lists(st.integers(-4, 9), max_size=3), PLAIN),
                        PLAIN,
                        st.sampled_from(NAMES),
                    ][at]
                )
    return d


@torch.inference_mode()
def attempt(d: dict, folder: Path) -> str:
    file = folder / "yolov8-drawn.yaml"
    file.write_text(yaml.safe_dump(d), encoding="utf-8")
    most, parser.MOST_PARAMETERS = parser.MOST_PARAMETERS, 10**6  # what is larger is refused here, to be quick
    try:
        model = DetectionModel(parser.yaml_model_load(file), verbose=False)
    except Exception as error:
        return refused(error, file.name)
    finally:
        parser.MOST_PARAMETERS = most
    try:
        out = model.eval()(torch.rand(1, model.yaml.get("channels", 3), 256, 256))
    except Exception as error:
        raise Escape(f"built, and does not run: {type(error).__name__}") from error
    if not all(t.isfinite().all() for t in tensors(out)):
        raise Escape("built, and its output is not finite")
    return "built"


def tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for one in value for t in tensors(one)] if isinstance(value, (list, tuple)) else []


KIND = Kind("model YAML", yamls(), attempt)
