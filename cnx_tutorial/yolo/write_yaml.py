"""Write a whole model YAML for any backbone: its maps, then the neck and the head of a YOLO family.

Neck and head are Ultralytics' own rows, read from its YAML of that family and task, so that only the backbone differs from the stock model. The
numbers of the rows that they read are moved to where the new backbone has its maps.
"""

import difflib
from collections.abc import Callable
from pathlib import Path

import torch
from ultralytics.nn import tasks
from ultralytics.utils import YAML

from cnx_tutorial.yolo.backbone import without_weights
from cnx_tutorial.yolo.layer_file import run_file
from cnx_tutorial.yolo.parser import CONFIGS, stock_yaml_model_load

FAMILIES = {"v8": "yolov8", "11": "yolo11", "12": "yolo12", "26": "yolo26"}
SUFFIX = {"detect": "", "segment": "-seg", "pose": "-pose", "obb": "-obb", "classify": "-cls"}
NECKS = ("yolov8", "fine")
COMMENTS = {
    "nc": "number of classes; a training takes it from the data",
    "end2end": "one box for each object, without NMS",
    "reg_max": "distances per side of a box",
    "kpt_shape": "[points, numbers for each: x, y, or x, y, visible]",
    "drop_path": "rate of the last block",
    "layer_scale": "first value of gamma",
    "grn": "True: ConvNeXt V2",
}
COARSEST = ("SPPF", "C2PSA")  # rows that a stock backbone ends with, behind its coarsest map
CONVNEXT = CONFIGS / "yolov8-convnext.yaml"


def write_yaml(
    backbone: str = "convnext",
    neck: str = "yolov8",
    task: str = "detect",
    family: str = "v8",
    weights: bool | str = True,
    folder: Path | None = None,
) -> str:
    """A model YAML as text, rows numbered and commented.

    Args:
        backbone: timm:NAME, torchvision:NAME, FILE.py:CLASS (a class that returns a list of maps), or convnext for our rows.
        neck: yolov8 for the family's own; fine for ours, which adds the stride-4 map (P2) and is top-down only.
        task: detect, segment, pose, obb or classify.
        family: v8, 11, 12 or 26.
        weights: True for the backbone's published weights, a file, or False for random ones; a class of one's own has no published ones.
        folder: where the YAML will lie, and a file of layers lies; the current folder by default.

    Raises:
        ValueError: one of the words is none of those; or the backbone lacks a map that the neck reads.
    """
    for word, given, known in (("neck", neck, NECKS), ("task", task, SUFFIX), ("family", family, FAMILIES)):
        if given not in known:
            near = difflib.get_close_matches(str(given), list(known), 1)
            raise ValueError(
                f"{word}={given} is unknown; {f'did you mean {near[0]}?' if near else f'expected one of {chr(44).join(known)}'}"
            )
    if neck == "fine" and family != "v8":
        raise ValueError(
            f"neck=fine has rows of YOLOv8, and family={family} was asked for; write family=v8, or neck=yolov8 for the family's own"
        )
    stock = stock_yaml_model_load(f"{FAMILIES[family]}{SUFFIX[task]}.yaml")
    fine = neck == "fine" and task != "classify"
    model = YAML.load(CONVNEXT) if fine else stock
    keys = {key: value for key, value in stock.items() if key not in ("backbone", "head", "scale", "yaml_file")}
    head = [list(row) for row in model["head"]]
    if fine:
        keys["reg_max"], keys["scales"] = model["reg_max"], model["scales"]
        head[-1] = [head[-1][0], *stock["head"][-1][1:]]
    old = last_rows(model["backbone"])
    wanted = (
        [max(old)]
        if task == "classify"
        else sorted(stride for stride, i in old.items() if reads(head, i) or stride == max(old))
    )
    more, rows, places = backbone_rows(backbone, wanted, weights)
    tail = [list(row) for row in model["backbone"] if row[2] in COARSEST]
    if tail and tail[0][2] == "C2PSA":  # it keeps its channels, and a backbone has its own
        tail.insert(0, [-1, 1, "Conv", [tail[0][3][0], 1, 1]])
    rows += tail
    moved = {i: places[stride] for stride, i in old.items() if stride in places} | {
        len(model["backbone"]) - 1: len(rows) - 1
    }
    shift = len(rows) - len(model["backbone"])

    def move(source: int) -> int:
        return source if source < 0 else moved[source] if source < len(model["backbone"]) else source + shift

    for row in head:
        row[0] = [move(f) for f in row[0]] if isinstance(row[0], list) else move(row[0])
    d = {**more, **keys, "backbone": rows, "head": head}
    about = describe(d, task, folder or Path.cwd(), places)
    return text(d, about, f"backbone={backbone} neck={neck} task={task} family={family}")


def last_rows(rows: list) -> dict[int, int]:
    """For each stride the last row of a backbone with a map of it, but for the rows that belong to the coarsest one."""
    stride, found = 1, {}
    for i, (_, _, name, arguments) in enumerate(rows):
        if name in ("Conv", "ConvNeXtStem", "ConvNeXtDownsample") and len(arguments) > 2:
            stride *= arguments[2]
        if name not in COARSEST:
            found[stride] = i
    return found


def reads(head: list, i: int) -> bool:
    return any(i in (row[0] if isinstance(row[0], list) else [row[0]]) for row in head)


def backbone_rows(backbone: str, strides: list[int], weights: bool | str) -> tuple[dict, list, dict[int, int]]:
    """Keys that a backbone needs, its rows, and the row of each stride's map."""
    if backbone == "convnext":
        ours = YAML.load(CONVNEXT)
        rows = [list(row) for row in ours["backbone"] if row[2] not in COARSEST]
        return {key: ours[key] for key in ("drop_path", "layer_scale", "grn")}, rows, last_rows(rows)
    keys, source = {}, backbone
    home, _, name = backbone.partition(":")
    if home.endswith(".py"):
        keys, source, weights = {"layers": home}, name, False if weights is True else weights
    rows = [[-1, 1, "Backbone", [source, weights]], *([0, 1, "Map", [stride]] for stride in strides)]
    return keys, rows, {stride: i for i, stride in enumerate(strides, 1)}


def describe(d: dict, task: str, folder: Path, places: dict[int, int]) -> list[str]:
    """Strides, channels and parameters of the network at its smallest scale."""
    scale = next(iter(d["scales"]))
    whole = {**d, "scale": scale, "yaml_file": str(folder / "new.yaml")}
    if "layers" in d:
        whole["layers_folder"] = str(folder.absolute())
        run_file((folder / d["layers"]).absolute())
    kind: Callable = {
        "detect": tasks.DetectionModel, "segment": tasks.SegmentationModel, "pose": tasks.PoseModel, "obb": tasks.OBBModel,
        "classify": tasks.ClassificationModel,
    }[task]  # fmt: skip
    with without_weights(), torch.random.fork_rng(devices=[]):
        model = kind(whole, verbose=False)
    count = [sum(p.numel() for p in layer.parameters()) for layer in model.model]
    first = len(d["backbone"])
    maps = channels(model, places)
    lines = [
        f"map of stride {stride}: row {i}, {maps[i]} channels" for stride, i in sorted(places.items()) if i in maps
    ]
    parts = f"backbone {sum(count[:first]):,}, neck {sum(count[first:-1]):,}, head {count[-1]:,}"
    return [*lines, f"parameters at scale {scale} with {d['nc']} classes: {parts}, in all {sum(count):,}"]


@torch.no_grad()
def channels(model: torch.nn.Module, places: dict[int, int]) -> dict[int, int]:
    """The channels of each map that the backbone gives."""
    seen = {}
    hooks = [
        model.model[i].register_forward_hook(lambda _, __, out, i=i: seen.__setitem__(i, out.shape[1]))
        for i in places.values()
    ]
    model.eval()(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return seen


def text(d: dict, about: list[str], command: str) -> str:
    lines = [
        "# SPDX-License-Identifier: AGPL-3.0-only",
        f"# Written by: cnx yaml {command}",
        *(f"# {line}" for line in about),
        "",
    ]
    if "layers" in d:
        lines.append(f"layers: {d['layers']} # a file beside this one; reading this YAML runs it")
    for key, value in d.items():
        if key not in ("backbone", "head", "scales", "layers"):
            lines.append(f"{key}: {value}" + (f" # {COMMENTS[key]}" if key in COMMENTS else ""))
    lines += [
        "",
        "scales: # [depth, width, max_channels]; the letter behind yolov8 in the file's name chooses. A Backbone row keeps its own widths",
    ]
    lines += [f"  {letter}: {values}" for letter, values in d["scales"].items()]
    number = 0
    for section in ("backbone", "head"):
        lines += ["", f"{section}:"]
        for row in d[section]:
            lines.append(f"  - {shown(row)} # {number}")
            number += 1
    return "\n".join(lines) + "\n"


def shown(value: object) -> str:
    """A row as YAML writes it in one line."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, str):
        return f'"{value}"' if set(value) & set(":/\\ ") else value
    return str(value)
