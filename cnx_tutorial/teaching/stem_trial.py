"""A trial for stems: a network of little more than a stem learns to tell crops of smears with a platelet from crops without one.

Why: a measurement shows what a stem sees of a small cell, and a trial takes only a second or two on one core.
The smears are halved first, to 160 x 120: a platelet is then 6 to 12 pixels wide, as BCCD's are at 192 px.
The network trains on the 100 images of val and is tested on the 200 of train, because a test needs many crops. The test images stay unseen.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from PIL import Image, ImageFilter
from torch import Tensor, nn

from cnx_tutorial.data.labels import label_file
from cnx_tutorial.paths import find_data

SIDE, SHIFT = 16, 3  # of a crop, and how far its middle lies from the cell's at most along each axis; pixels
CONTRAST = 40  # grey values by which a speck is darker than what is around
STEPS, BATCH, RATE = 200, 64, 3e-3


@functools.cache
def crops(split: str) -> tuple[Tensor, Tensor]:
    """Crops around platelets, around specks of stain and debris outside all cells, and from anywhere else.

    Args:
        split: "train", "val" or "test".

    Returns:
        (n, 3, 16, 16) numbers from -1 to 1, and (n,) 1 where the crop was cut around a platelet, 0 where none is in it.
    """
    data = Path(find_data("smears.yaml"))
    folder = data.parent / yaml.safe_load(data.read_text(encoding="utf-8"))[split]
    rng, images, labels = np.random.default_rng(0), [], []
    for file in sorted(folder.glob("*.jpg")):
        picture = Image.open(file).reduce(2)
        width, height = picture.size
        rows = [line.split() for line in label_file(file).read_text(encoding="utf-8").splitlines()]
        kinds, (x, y, w, h) = [row[0] for row in rows], np.array([row[1:] for row in rows], float).reshape(-1, 4).T
        boxes = np.stack([(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height], 1)
        platelets = boxes[[kind == "0" for kind in kinds]]
        places = [((x1 + x2) / 2, (y1 + y2) / 2, 1) for x1, y1, x2, y2 in platelets]
        places += [(x, y, 0) for x, y in specks(picture, boxes)]
        places += [(rng.uniform(0, width), rng.uniform(0, height), 0) for _ in range(2)]
        for x, y, label in places:
            left, top = (round(middle + rng.uniform(-SHIFT, SHIFT) - SIDE / 2) for middle in (x, y))
            right, bottom = left + SIDE, top + SIDE
            inside = 0 <= left and right <= width and 0 <= top and bottom <= height
            touched = any(left < x2 and x1 < right and top < y2 and y1 < bottom for x1, y1, x2, y2 in platelets)
            if inside and (label or not touched):
                images.append(np.asarray(picture.crop((left, top, right, bottom))))
                labels.append(label)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1, torch.tensor(labels)


def specks(picture: Image.Image, boxes: np.ndarray, most: int = 3) -> list[tuple[int, int]]:
    """(x, y) of the darkest spots outside all boxes."""
    grey = np.asarray(picture.convert("L").filter(ImageFilter.GaussianBlur(1)), dtype=float)
    outside = np.ones(grey.shape, bool)
    for x1, y1, x2, y2 in boxes.round().astype(int):
        outside[max(y1 - 1, 0) : y2 + 1, max(x1 - 1, 0) : x2 + 1] = False
    dark, found = np.where(outside, np.median(grey[outside]) - grey, 0), []
    while len(found) < most and dark.max() >= CONTRAST:
        y, x = (int(place) for place in np.unravel_index(dark.argmax(), dark.shape))
        found.append((x, y))
        dark[max(y - 10, 0) : y + 11, max(x - 10, 0) : x + 11] = 0
    return found


class TinyDetector(nn.Module):
    """A stem, GELU, and a score for each grid cell. The crop's score is that of its best grid cell.

    Args:
        stem: (N, 3, 16, 16) -> (N, channels, 4, 4).
        channels: of the stem's map.
        behind: whether a 3 x 3 convolution of 32 channels comes between stem and score.
    """

    def __init__(self, stem: nn.Module, channels: int, behind: bool = False):
        super().__init__()
        between = [nn.Conv2d(channels, 32, 3, padding=1), nn.GELU()] if behind else []
        self.layers = nn.Sequential(stem, nn.GELU(), *between, nn.Conv2d(32 if behind else channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).amax((1, 2, 3))  # (N, 3, 16, 16) -> (N,)


def mistakes(make_stem: Callable[[], nn.Module], channels: int = 96, behind: bool = False, seed: int = 0) -> int:
    """The number of wrong verdicts on the crops of train, after a training on the crops of val.

    Args:
        make_stem: called once, for a stem with fresh weights.
        channels, behind: see TinyDetector.
        seed: of the first weights and of the batches.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        network = TinyDetector(make_stem(), channels, behind).float().train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
        images, labels = crops("val")
        for _ in range(STEPS):
            some = torch.randint(len(images), (BATCH,))
            loss = F.binary_cross_entropy_with_logits(network(images[some]), labels[some].float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    images, labels = crops("train")
    with torch.no_grad():
        verdicts = network.eval()(images) > 0
    return int((verdicts != labels.bool()).sum())
