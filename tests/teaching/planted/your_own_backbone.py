"""Right and wrong answers to the exercises of notebook 10, spelled as somebody else would."""

from functools import partial

import cv2
import numpy as np
import torch
from torch import nn

from cnx_tutorial.teaching import check
from tests.teaching.planted.common import endless


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


def conv(c1, c2, stride=1, act=nn.ReLU):
    return nn.Sequential(nn.Conv2d(c1, c2, 3, stride, 1, bias=False), nn.BatchNorm2d(c2), act())


class Stack(nn.Module):
    """3x3 convolutions; what a case changes stands in `layers`."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(*self.layers())

    @staticmethod
    def layers():
        return conv(3, 16, 2), conv(16, 32, 2), conv(32, 64, 2), conv(64, 32)

    def forward(self, image):
        return [self.net(image)]


def stack(*layers, **members):
    return type("TinyBackbone", (Stack,), {"layers": staticmethod(lambda: [make() for make in layers]), **members})


class Residual(nn.Module):
    """Four maps, in a dictionary, of blocks with a shortcut."""

    def __init__(self, width=12):
        super().__init__()
        self.stem, self.down = conv(3, width, 2), conv(width, 2 * width, 2)
        self.deep = nn.ModuleList([conv(2 * width, 4 * width, 2), conv(4 * width, 4 * width)])

    def forward(self, image):
        x = self.down(self.stem(image))
        y = self.deep[0](x)
        return {"4": x, "8": y + self.deep[1](y)}


class Depthwise(nn.Module):
    """Large depthwise kernels, mixed by 1x1 convolutions."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 2, nn.GELU), conv(16, 32, 2, nn.GELU), conv(32, 64, 2, nn.GELU))
        self.block = nn.Sequential(
            nn.Conv2d(64, 64, 7, padding=3, groups=64),
            nn.BatchNorm2d(64),
            nn.Conv2d(64, 128, 1),
            nn.GELU(),
            nn.Conv2d(128, 64, 1),
        )

    def forward(self, image):
        x = self.stem(image)
        return x + self.block(x)


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = list(Stack.layers())

    def forward(self, image):
        for layer in self.parts:
            image = layer(image)
        return [image]


class TinyStub(nn.Module):
    def __init__(self):
        super().__init__()
        raise NotImplementedError()


RIGHT = {
    check.carried_over: {"loop": by_loop, "sets": by_sets, "tensors": partial(by_loop, handed=torch.tensor)},
    check.to_input: {"by hand": by_hand, "PyTorch": by_torch, "OpenCV": lambda image: cv2.dnn.blobFromImage(image, 1 / 255, swapRB=True)},
    check.beat_baseline: {"stack": Stack, "residual": Residual, "depthwise": Depthwise},
}  # fmt: skip
WRONG = {
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
    check.beat_baseline: {
        "too large": (stack(lambda: conv(3, 64, 2), lambda: conv(64, 128, 2), lambda: conv(128, 128, 2)), "halve the channels of the last layers"),
        "stride 16": (stack(*[partial(conv, c, 16, 2) for c in (3, 16, 16, 16)]), "the strides of all convolutions up to a map multiply"),
        "linear": (stack(*[partial(nn.Conv2d, c, 32, 3, 2, 1) for c in (3, 32, 32)]), "without an activation"),
        "patches": (stack(partial(nn.Conv2d, 3, 64, 8, 8), nn.ReLU, partial(nn.Conv2d, 64, 64, 1), nn.ReLU), "sees 8 rows of pixels"),
        "a list": (Listed, "wrap the list in nn.ModuleList"),
        "detached": (stack(partial(conv, 3, 16, 2), partial(conv, 16, 32, 2), partial(conv, 32, 64, 2), forward=lambda self, x: [self.net(x).detach()]), "cuts the graph"),
        "arguments": (type("TinyBackbone", (Stack,), {"__init__": lambda self, width: None}), "makes it without arguments"),
    },
}  # fmt: skip
STUBS = {check.beat_baseline: TinyStub}
ENDLESS = {check.beat_baseline: type("TinyBackbone", (Stack,), {"forward": lambda self, x: endless()})}
