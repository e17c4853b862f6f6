"""Right and wrong answers to the exercises of notebook 10, spelled as somebody else would."""

import copy
from functools import partial

import cv2
import numpy as np
import torch

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import check


def norm(x, weight, bias, axes=(1, 2), over=-1, eps=1e-6, add=1, used=lambda n: n, keep=True):
    strength = torch.linalg.vector_norm(x, dim=axes, keepdim=keep)
    n = used(strength / (strength.mean(over, keepdim=True) + eps))
    return torch.addcmul(bias + add * x, weight, x * n)


def by_library(x, weight, bias):
    layer = cnx.GlobalResponseNorm(x.shape[-1]).double()
    return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))


def by_loop(old, new, fits=lambda one, other: one == other, numbers=lambda shape: int(np.prod(shape)), handed=list):
    carried = fresh = 0
    for name in new:
        if name in old and fits(old[name], new[name]):
            carried += numbers(new[name])
        else:
            fresh += numbers(new[name])
    return handed([carried, fresh])


def by_sets(old, new):
    both, fresh = new.items() & old.items(), new.items() - old.items()
    return np.array([sum(torch.Size(shape).numel() for _, shape in items) for items in (both, fresh)])


def by_hand(image, order=(2, 1, 0), axes=(2, 0, 1), white=255, kind=np.float32, batch=True):
    ready = (image[:, :, list(order)].transpose(axes) / white).astype(kind)
    return np.expand_dims(ready, 0) if batch else ready


def by_torch(image):
    return torch.from_numpy(image.copy()).flip(-1).permute(2, 0, 1).unsqueeze(0).float().div(255).numpy()


def in_place(image):
    image[:] = image[..., ::-1].copy()
    return by_hand(image, order=(0, 1, 2))


def small(width=0.15, rows=(), **keys):
    from cnx_tutorial.yolo.parser import yaml_model_load

    d = copy.deepcopy(yaml_model_load("yolov8n-convnext.yaml"))
    d["scales"]["n"] = [0.33, width, 1024]
    for part, i, row in rows:
        d[part][i] = row
    return {**d, "nc": 2, "grn": True, **keys}


ROWS = [("backbone", i, [-1, 3, "ConvNeXt_Block", [c, 7, 4, 0, None, True]]) for i, c in ((3, 256), (5, 512))]
RIGHT = {
    check.response_norm: {"addcmul": norm, "library": by_library, "each": lambda x, *rest: torch.cat([norm(i, *rest) for i in x.split(1)])},
    check.carried_over: {"loop": by_loop, "sets": by_sets, "tensors": partial(by_loop, handed=torch.tensor)},
    check.to_input: {"by hand": by_hand, "PyTorch": by_torch, "OpenCV": lambda image: cv2.dnn.blobFromImage(image, 1 / 255, swapRB=True)},
    check.my_v2: {"key": small, "rows": partial(small, rows=ROWS, layer_scale=None), "s": partial(small, scales={"s": [0.33, 0.1, 512]}, scale="s")},
}  # fmt: skip
WRONG = {
    check.response_norm: {
        "x not added": (partial(norm, add=0), "x itself is not added"),
        "over the images": (partial(norm, axes=(0, 1, 2)), "each image is for itself"),
        "a constant": (partial(norm, used=torch.Tensor.detach), "the relative strength was taken for a constant"),
        "no keepdim": (partial(norm, keep=False), "a sum and a mean keep their axes with keepdim=True"),
        "32 bits": (lambda *a: norm(*(t.float() for t in a)), "stay in the input's dtype"),
    },
    check.carried_over: {
        "names only": (partial(by_loop, fits=lambda one, other: True), "a tensor of the same name and another shape"),
        "as many": (partial(by_loop, fits=lambda one, other: np.prod(one) == np.prod(other)), "(2, 2) and (4,) are different shapes"),
        "sums": (partial(by_loop, numbers=sum), "a shape's numbers are its product, not its sum"),
        "swapped": (lambda old, new: by_loop(old, new)[::-1], "the two numbers are swapped"),
        "the old ones": (lambda old, new: by_loop(new, old), "count the new model's numbers"),
    },
    check.to_input: {
        "blue first": (partial(by_hand, order=(0, 1, 2)), "blue is still first"),
        "turned": (partial(by_hand, axes=(2, 1, 0)), "rows and columns are swapped"),
        "64 bits": (partial(by_hand, kind=float), "the file takes 32-bit floats"),
        "no batch": (partial(by_hand, batch=False), "the axis of the batch is missing"),
        "in place": (in_place, "an operation that changes its input"),
    },
    check.my_v2: {
        "80 classes": (partial(small, nc=80), "set nc to 2"),
        "V1 blocks": (partial(small, grn=False), "not every block has GRN"),
        "a C2f left": (partial(small, rows=[("backbone", 3, [-1, 3, "C2f", [256, True]])]), "a block of YOLO's is left in the backbone"),
        "no stride 4": (partial(small, rows=[("backbone", 0, [-1, 1, "ConvNeXtStem", [64, 4, 4]])]), "have other strides"),
        "too large": (partial(small, 0.33), "make it narrower with the width of n"),
    },
}  # fmt: skip
