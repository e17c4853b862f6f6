"""Right and wrong answers to the exercises of notebook 07, spelled as somebody else would."""

from functools import partial

import numpy as np
import torch
from ultralytics.utils.ops import xyxy2xywhn

from cnx_tutorial.teaching import check


def by_ultralytics(x1, y1, x2, y2, width, height):
    return xyxy2xywhn(torch.tensor([[x1, y1, x2, y2]], dtype=torch.float64), w=width, h=height)[0]


def by_numpy(x1, y1, x2, y2, width, height, digits=None):
    first, second, image = np.array([x1, y1]), np.array([x2, y2]), np.array([width, height])
    return np.concatenate([(first + second) / 2 / image, (second - first) / image])


class Label:
    """A callable object."""

    def __call__(self, x1, y1, x2, y2, width, height):
        return [x1 / width + (x2 - x1) / 2 / width, 0.5 * (y1 + y2) / height, (x2 - x1) / width, (y2 - y1) / height]


def letterboxed(x, y, w, h, width, height, size, scale=min, share=2, whole=2, to=float):
    r = scale(size / width, size / height)
    across, down = (size - r * width) / share, (size - r * height) / share
    return tuple(to(part) for part in (
        (x - w / whole) * width * r + across, (y - h / whole) * height * r + down,
        (x + w / whole) * width * r + across, (y + h / whole) * height * r + down,
    ))  # fmt: skip


def turned_by_numpy(boxes):
    if not boxes:
        return []
    b = np.array(boxes, dtype=float)
    return np.stack([b[:, 0], 1 - b[:, 2], b[:, 1], b[:, 4], b[:, 3]], 1)


def turned_in_a_loop(boxes):
    new = []
    for k, x, y, w, h in boxes:
        new.append([k, 1 - y, x, h, w])
    return new


def faults(text, classes, first=1, tolerance=0.001, whole=True, both=True, area=True):
    found = []
    for i, line in enumerate(text.split("\n")):
        if line.strip() == "":
            continue
        try:
            numbers = [float(cell) for cell in line.split()]
        except ValueError:
            numbers = []
        if len(numbers) != 5:
            fault = "fields"
        else:
            k, x, y, w, h = numbers
            sides = ([x - w / 2, y - h / 2] if both else []) + [1 - x - w / 2, 1 - y - h / 2]
            if k < 0 or k >= classes or (whole and k != int(k)):
                fault = "class"
            elif area and (w <= 0 or h <= 0):
                fault = "area"
            else:
                fault = "outside" if min(sides) < -tolerance else ""
        if fault:
            found.append((i + first, fault))
    return found


RIGHT = {
    check.yolo_box: {"Ultralytics": by_ultralytics, "NumPy": by_numpy, "an object": Label()},
    check.letterbox_box: {"plain": letterboxed, "partial": partial(letterboxed, to=np.float64), "tensors": partial(letterboxed, to=torch.tensor)},
    check.turned: {"NumPy": turned_by_numpy, "loop": turned_in_a_loop, "tuples": lambda boxes, *rest: tuple((k, 1 - y, x, h, w) for k, x, y, w, h in boxes)},
    check.label_faults: {"split": faults, "partial": partial(faults, whole=True), "lists": lambda text, classes: [list(fault) for fault in faults(text, classes)]},
}  # fmt: skip
WRONG = {
    check.yolo_box: {
        "the corner": (lambda x1, y1, x2, y2, w, h: (x1 / w, y1 / h, (x2 - x1) / w, (y2 - y1) / h), "the upper left corner and the size"),
        "in pixels": (lambda x1, y1, x2, y2, w, h: ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), "those are pixels"),
        "one side": (lambda x1, y1, x2, y2, w, h: by_numpy(x1, y1, x2, y2, w, w), "everything was divided by the width"),
        "rounded": (lambda *a: [round(float(part), 3) for part in by_numpy(*a)], "the result was rounded"),
        "two mistakes": (lambda x1, y1, x2, y2, w, h: (x1 / h, y1 / w, (x2 - x1) / h, (y2 - y1) / w), "two mistakes at once"),
    },
    check.letterbox_box: {
        "stretched": (lambda x, y, w, h, width, height, size: tuple(size * part for part in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)), "the image was stretched"),
        "the larger scale": (partial(letterboxed, scale=max), "the larger scale was taken"),
        "all on one side": (partial(letterboxed, share=1), "all the grey is on one side"),
        "whole size": (partial(letterboxed, whole=1), "it is half the width or height, not the whole"),
        "never larger": (partial(letterboxed, scale=lambda a, b: min(a, b, 1)), "a small image is made larger"),
    },
    check.turned: {
        "to the left": (lambda boxes: [(k, y, 1 - x, h, w) for k, x, y, w, h in boxes], "a turn to the left"),
        "sides kept": (lambda boxes: [(k, 1 - y, x, w, h) for k, x, y, w, h in boxes], "width and height of the box are swapped"),
        "as it was": (lambda boxes: boxes, "the input came back as it was"),
        "without the class": (lambda boxes: [(1 - y, x, h, w) for k, x, y, w, h in boxes], "the class of each box stays"),
        "in place": (lambda boxes: [boxes.pop(0) for _ in list(boxes)], "an operation that changes its input"),
    },
    check.label_faults: {
        "from zero": (partial(faults, first=0), "lines are counted from 1"),
        "no tolerance": (partial(faults, tolerance=0), "a box may stick out by 0.001"),
        "half classes": (partial(faults, whole=False), "a class of 0.5 is no class"),
        "right and below": (partial(faults, both=False), "a box may stick out at the left and above too"),
        "nothing found": (lambda text, classes: [], "does not depend on text and classes"),
    },
}  # fmt: skip
