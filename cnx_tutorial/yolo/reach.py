"""Boxes that a head cannot draw: each side of a box is less than `reg_max` strides away from the grid cell that predicts it."""

import numpy as np
from torch import nn


def reach(head: nn.Module) -> int:
    """Side in pixels of the largest box that a Detect head can draw: from 0 to reg_max - 1 strides to each side, on its coarsest map."""
    return 2 * (head.reg_max - 1) * int(head.stride.max())


def boxes_out_of_reach(head: nn.Module, labels: list[dict], imgsz: int) -> int:
    """How many labelled boxes have a side, in images resized to imgsz, that the head cannot draw.

    Args:
        head: the last layer of a detection model; one without distances (reg_max 1) draws any size.
        labels: Ultralytics' label dictionaries: "bboxes" (n, 4) as fractions x, y, w, h of the image, "shape" (height, width) in pixels.
        imgsz: length in pixels to which the longer side is resized.
    """
    if getattr(head, "reg_max", 1) == 1:
        return 0
    known = [label for label in labels if "shape" in label]  # rect=True takes the shapes out of the labels
    sides = [label["bboxes"][:, 2:] * label["shape"][::-1] / max(label["shape"]) * imgsz for label in known]
    return int((np.concatenate(sides).max(1) > reach(head)).sum()) if sides else 0
