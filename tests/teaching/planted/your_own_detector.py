"""Right and wrong answers to the exercises of notebook 09."""

import copy

import numpy as np
import torch

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import your_own_detector as said
from cnx_tutorial.teaching.checks.asking import CHANGED_INPUT

CHECKS = said


# ---------------------------------------------------------------- exercise 1: grn
def norm(
    x,
    weight,
    bias,
    *,
    axes=(1, 2),
    over=-1,
    power=lambda x, axes: torch.linalg.vector_norm(x, dim=axes, keepdim=True),
    eps=1e-6,
    add=True,
    b=True,
    whole=None,
):
    strength = power(x, axes)
    n = strength / ((whole(strength) if whole else strength.mean(over, keepdim=True)) + eps)
    return weight * x * n + (bias if b else 0) + (x if add else 0)


def share(x):
    strength = x.norm(dim=(1, 2), keepdim=True)
    return strength / (strength.mean(-1, keepdim=True) + 1e-6)


def eps_late(x, weight, bias):
    strength = x.norm(dim=(1, 2), keepdim=True)
    return weight * (x * (strength / strength.mean(-1, keepdim=True) + 1e-6)) + bias + x


def by_library(x, weight, bias):
    layer = cnx.GlobalResponseNorm(x.shape[-1]).double()
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer(x)


GRN_RIGHT = {"norm": norm, "library": by_library}
GRN_WRONG = {
    "x not added": (lambda *a: norm(*a, add=False), said.NO_INPUT),
    "no bias": (lambda *a: norm(*a, b=False), said.NO_BIAS),
    "no root": (lambda *a: norm(*a, power=lambda x, axes: (x**2).sum(axes, keepdim=True)), said.NO_ROOT),
    "mean of squares": (
        lambda *a: norm(*a, power=lambda x, axes: (x**2).mean(axes, keepdim=True) ** 0.5),
        said.MEAN_SQUARE,
    ),
    "strength of a pixel": (lambda *a: norm(*a, axes=-1, over=(1, 2)), said.PIXEL_STRENGTH),
    "mean over the batch": (lambda *a: norm(*a, over=(0, 3)), said.BATCH_MEAN),
    "strength over the batch": (lambda *a: norm(*a, axes=(0, 1, 2)), said.BATCH_STRENGTH),
    "not relative": (lambda x, w, b: w * x * x.norm(dim=(1, 2), keepdim=True) + b + x, said.NOT_RELATIVE),
    "layer scale": (lambda x, w, b: (1 + w) * x + b, said.LAYER_SCALED),
    "no eps": (lambda *a: norm(*a, eps=0), said.NO_EPS),
    "H and W last": (lambda *a: norm(*a, axes=(2, 3), over=1), said.FIRST_AXES),
    "one axis": (lambda *a: norm(*a, axes=1), said.ONE_AXIS),
    "absolute values": (lambda *a: norm(*a, power=lambda x, axes: x.abs().sum(axes, keepdim=True)), said.ABSOLUTE),
    "standard deviation": (lambda *a: norm(*a, power=lambda x, axes: x.std(axes, keepdim=True)), said.DEVIATION),
    "by the sum": (lambda *a: norm(*a, whole=lambda s: s.sum(-1, keepdim=True)), said.SUM_OF_STRENGTHS),
    "by the largest": (lambda *a: norm(*a, whole=lambda s: s.max(-1, keepdim=True).values), said.LARGEST),
    "eps 1e-5": (lambda *a: norm(*a, eps=1e-5), said.EPS_LARGER),
    "eps in the root": (
        lambda *a: norm(*a, eps=0, power=lambda x, axes: ((x**2).sum(axes, keepdim=True) + 1e-6) ** 0.5),
        said.EPS_IN_ROOT,
    ),
    "eps after the division": (eps_late, said.EPS_LATE),
    "only the relative strength": (lambda x, w, b: norm(x, w, b) - w * share(x) * x + w * share(x), said.X_LOST),
    "bias in the bracket": (lambda x, w, b: norm(x, w, b * w), said.BRACKET),
    "weight and bias swapped": (lambda x, w, b: norm(x, b, w), said.SWAPPED_ARGUMENTS),
    "32 bits": (lambda *a: norm(*(t.float() for t in a)), said.DTYPE),
    "no keepdim": (lambda x, w, b: w * x * (x.norm(dim=(1, 2)) / x.norm(dim=(1, 2)).mean(-1)) + b + x, said.GRN_CALL),
    "as it is": (lambda x, w, b: x.clone(), said.GRN),
    "one argument": (lambda x: x, said.GRN_CALL),
}


# ---------------------------------------------------------------- exercise 2: carried_over
def by_loop(
    old,
    new,
    *,
    fits=lambda old, name, shape: name in old and tuple(old[name]) == tuple(shape),
    numbers=lambda shape: int(np.prod(shape)),
):
    carried = fresh = 0
    for name, shape in new.items():
        if fits(old, name, shape):
            carried += numbers(shape)
        else:
            fresh += numbers(shape)
    return carried, fresh


def by_tensors(old, new):
    total = sum(torch.empty(shape).numel() for shape in new.values())
    same = sum(torch.empty(shape).numel() for name, shape in old.items() if name in new and new[name] == shape)
    return [same, total - same]


CARRIED_RIGHT = {"loop": by_loop, "tensors": by_tensors}
CARRIED_WRONG = {
    "tensors counted": (lambda old, new: by_loop(old, new, numbers=lambda shape: 1), said.COUNTED_TENSORS),
    "names only": (lambda old, new: by_loop(old, new, fits=lambda old, name, shape: name in old), said.NAME_ONLY),
    "shapes only": (
        lambda old, new: by_loop(old, new, fits=lambda old, name, shape: shape in list(old.values())),
        said.SHAPE_ONLY,
    ),
    "old numbers": (
        lambda old, new: (by_loop(old, new)[0], sum(int(np.prod(s)) for s in old.values()) - by_loop(old, new)[0]),
        said.OLD_COUNTED,
    ),
    "sums": (lambda old, new: by_loop(old, new, numbers=sum), said.SUMMED_SHAPE),
    "scalars lost": (
        lambda old, new: by_loop(old, new, numbers=lambda s: int(np.prod(s)) * (len(s) > 0)),
        said.SCALAR_LOST,
    ),
    "swapped": (lambda old, new: by_loop(old, new)[::-1], said.SWAPPED),
    "fresh by name": (
        lambda old, new: (by_loop(old, new)[0], sum(int(np.prod(s)) for name, s in new.items() if name not in old)),
        said.FRESH_BY_NAME,
    ),
    "all of the new": (lambda old, new: (by_loop(old, new)[0], sum(by_loop(old, new))), said.ALL_OF_NEW),
    "as many numbers": (
        lambda old, new: by_loop(
            old, new, fits=lambda old, name, shape: name in old and np.prod(old[name]) == np.prod(shape)
        ),
        said.AS_MANY,
    ),
    "axes": (lambda old, new: by_loop(old, new, numbers=len), said.AXES_COUNTED),
    "one number": (lambda old, new: by_loop(old, new)[0], said.PAIR),
    "a shape without axes": (lambda old, new: by_loop(old, new, numbers=lambda shape: shape[0]), said.CARRIED_CALL),
    "nothing": (lambda old, new: (0, 0), said.CARRIED),
    "missing name": (
        lambda old, new: by_loop(old, new, fits=lambda old, name, shape: old[name] == shape),
        said.CARRIED_CALL,
    ),
}


# ---------------------------------------------------------------- exercise 3: to_input
def ready(image, *, flip=lambda a: a[:, :, ::-1], axes=(2, 0, 1), scale=255.0, kind=np.float32):
    return np.ascontiguousarray(flip(image).transpose(axes)[None] / scale).astype(kind)


def by_torch(image):
    rgb = torch.from_numpy(image.copy()).flip(-1)
    return (rgb.permute(2, 0, 1).unsqueeze(0).float() / 255).numpy()


def by_tensor(image):
    return torch.from_numpy(by_torch(image))


def in_place(image):
    image[:] = image[..., ::-1].copy()
    return ready(image, flip=lambda a: a)


INPUT_RIGHT = {"numpy": ready, "torch": by_torch}
INPUT_WRONG = {
    "blue first": (lambda image: ready(image, flip=lambda a: a), said.NO_FLIP),
    "rows turned round": (lambda image: ready(image, flip=lambda a: a[::-1]), said.ROWS_FLIPPED),
    "to 255": (lambda image: ready(image, scale=1), said.NOT_DIVIDED),
    "by 256": (lambda image: ready(image, scale=256), said.DIVIDED_256),
    "channels last": (lambda image: ready(image, axes=(0, 1, 2)), said.CHANNELS_LAST),
    "reshaped": (
        lambda image: (image[..., ::-1].reshape(3, *image.shape[:2])[None] / 255).astype(np.float32),
        said.RESHAPED,
    ),
    "turned": (lambda image: ready(image, axes=(2, 1, 0)), said.TURNED),
    "no batch": (lambda image: ready(image)[0], said.NO_BATCH),
    "mean taken off": (lambda image: ready(image) * 2 - 1, said.CENTRED),
    "turned round too late": (lambda image: ready(image, flip=lambda a: a)[..., ::-1], said.FLIPPED_LATE),
    "whole numbers": (lambda image: ready(image, kind=np.uint8), said.WHOLE),
    "16 bits": (lambda image: ready(image, kind=np.float16), said.HALVES),
    "a tensor": (by_tensor, said.NO_ARRAY),
    "a list": (lambda image: ready(image).tolist(), said.NO_ARRAY),
    "in its place": (in_place, CHANGED_INPUT),
    "64 bits": (lambda image: ready(image, kind=np.float64), said.NO_FLOAT32),
    "zeros": (lambda image: np.zeros((1, 3, *image.shape[:2]), np.float32), said.INPUT),
    "channels first wanted": (lambda image: image[:, :, [2, 1, 5]], said.INPUT_CALL),
}


# ---------------------------------------------------------------- exercise 4: my_v2
def small(width=0.15, **changes):
    from cnx_tutorial.yolo.parser import yaml_model_load

    d = copy.deepcopy(yaml_model_load("yolov8n-convnext.yaml"))
    d["scales"]["n"] = [0.33, width, 1024]
    return d | {"nc": 2, "grn": True} | changes


def in_the_rows():
    d = small(grn=False)
    for row in d["backbone"]:
        if row[2] == "ConvNeXtBlock":
            row[3] = [row[3][0], 7, 4, 0.0, None, True]
    return d


def one_without():
    d = small()
    d["backbone"][3][3] = [256, 7, 4, 0.0, 1.0, False]
    return d


def other_stem():
    d = small()
    d["backbone"][0] = [-1, 1, "ConvNeXtStem", [64, 4, 4]]
    return d


def no_blocks():
    d = small()
    d["backbone"] = [[-1, 1, "C2f", row[3]] if row[2] == "ConvNeXtBlock" else row for row in d["backbone"]]
    return d


def a_row_less():
    d = small()
    del d["backbone"][1]
    return d


V2_RIGHT = {"one key": small, "in the rows": in_the_rows}
V2_WRONG = {
    "a name": (lambda: "yolov8n-convnext.yaml", said.V2_KEYS),
    "no rows": (lambda: {"nc": 2, "grn": True}, said.V2_KEYS),
    "a row less": (a_row_less, said.V2_BUILD),
    "80 classes": (lambda: small(nc=80), said.V2_CLASSES),
    "no blocks": (no_blocks, said.V2_BLOCKS),
    "V1 blocks": (lambda: small(grn=False), said.V2_GRN),
    "one block without": (one_without, said.V2_GRN),
    "stem of stride 8": (other_stem, said.V2_STRIDES),
    "too large": (lambda: small(0.33), said.V2_BUDGET),
    "an argument": (lambda d: d, said.V2_CALL),
}

RIGHT = {
    check.response_norm: GRN_RIGHT,
    check.carried_over: CARRIED_RIGHT,
    check.to_input: INPUT_RIGHT,
    check.my_v2: V2_RIGHT,
}
WRONG = {
    check.response_norm: GRN_WRONG,
    check.carried_over: CARRIED_WRONG,
    check.to_input: INPUT_WRONG,
    check.my_v2: V2_WRONG,
}
