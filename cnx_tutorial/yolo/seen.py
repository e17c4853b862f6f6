"""What a trained model finds on each image of a split: Ultralytics' own evaluation, and every prediction with the true object that it was matched to.

Why: the mAP that Ultralytics prints is one number for all images. To say how far it depends on the images that happen to be in the set, or how well
small objects are found, one has to know which prediction was right on which image.
Source: ultralytics/engine/validator.py (`match_predictions`) and models/yolo/detect/val.py, 8.4.190.
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from ultralytics.utils import ops

# Where Ultralytics' metrics of each task have the one that counts.
METRICS = {"detect": "box", "segment": "seg", "pose": "pose", "obb": "box"}


@dataclass
class Seen:
    """Predictions and true objects of a split of n images; P predictions, T true objects, boxes as x1 y1 x2 y2 in pixels of the image file.

    For a classifier each image is one true object, and each of the five best classes one prediction, the best first.
    """

    images: np.ndarray  # (n,) file names
    image: np.ndarray  # (P,) which image
    kind: np.ndarray  # (P,) which class
    confidence: np.ndarray  # (P,)
    box: np.ndarray  # (P, 4)
    area: np.ndarray  # (P,) in square pixels
    match: np.ndarray  # (P, 10) for each IoU threshold, 0.50 to 0.95, the true object, counted over the split; -1: none
    true_image: np.ndarray  # (T,)
    true_kind: np.ndarray  # (T,)
    true_box: np.ndarray  # (T, 4)
    true_area: np.ndarray  # (T,)

    def save(self, file: Path, **more: np.ndarray) -> None:
        np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)}, **more)

    @classmethod
    def load(cls, file: Path) -> "Seen":
        with np.load(file) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})


def see(yolo, split: str, **arguments) -> tuple[dict[str, object], Seen]:
    """Evaluate a model on a split ("val" or "test").

    Returns:
        The task's scores by Ultralytics, {"mAP50-95": ..., "mAP50": ..., "classes": {name: AP50-95}}, for a classifier {"top-1": ..., "top-5": ...,
        "classes": {name: share of its images that are named rightly}}; and what was seen.
    """
    parts: dict[str, list] = {field.name: [] for field in fields(Seen)}
    stock = yolo.task_map[yolo.task]["validator"]
    recorder = Labels if yolo.task == "classify" else Boxes
    validator = type("Recorder", (recorder, stock), {"parts": parts})
    metrics = yolo.val(validator=validator, split=split, plots=False, verbose=False, **arguments)
    seen = gathered(parts)
    if yolo.task == "classify":
        first = seen.kind.reshape(len(seen.images), -1)[:, 0] if len(seen.images) else seen.kind
        by_class = {
            yolo.names[k]: float((first[seen.true_kind == k] == k).mean()) for k in np.unique(seen.true_kind).tolist()
        }
        return {"top-1": float(metrics.top1), "top-5": float(metrics.top5), "classes": by_class}, seen
    metric = getattr(metrics, METRICS[yolo.task])
    by_class = {yolo.names[int(k)]: float(ap) for k, ap in zip(metric.ap_class_index, metric.ap, strict=True)}
    return {"mAP50-95": float(metric.map), "mAP50": float(metric.map50), "classes": by_class}, seen


def gathered(parts: dict[str, list]) -> Seen:
    """One array for each list of arrays; of a split without any prediction, empty ones."""
    shapes = {"box": (0, 4), "true_box": (0, 4), "match": (0, 10)}
    types = {"image": np.int32, "kind": np.int16, "match": np.int32, "true_image": np.int32, "true_kind": np.int16}
    joined = {}
    for name, arrays in parts.items():
        if name == "images":
            joined[name] = np.array(arrays, dtype=str)
        else:
            whole = np.concatenate(arrays) if arrays else np.zeros(shapes.get(name, 0))
            joined[name] = whole.astype(types.get(name, np.float32))
    return Seen(**joined)


def matched(kinds: np.ndarray, true_kinds: np.ndarray, iou: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """For each prediction and threshold the true object that it is matched to, or -1; the rule is that of Ultralytics' `match_predictions`.

    Predictions come the most confident first and choose in this order: of the objects of its class that are not taken, the one that it overlaps most,
    if that is enough.
    """
    iou = np.where(true_kinds[:, None] == kinds, iou, 0)
    match = np.full((len(kinds), len(thresholds)), -1)
    free = np.ones((len(true_kinds), len(thresholds)), dtype=bool)
    for j in range(len(kinds)):
        if not (iou[:, j] >= thresholds[0]).any():
            continue
        overlap = np.where(free, iou[:, j, None], 0)
        best = overlap.argmax(0)
        enough = overlap[best, range(len(thresholds))] >= thresholds
        match[j, enough] = best[enough]
        free[best[enough], np.flatnonzero(enough)] = False
    return match


def add(parts: dict[str, list], own: dict[str, np.ndarray]) -> None:
    """Put what was seen on one image, or on a batch of them, to the rest; the matches count its own true objects, from 0."""
    before = sum(map(len, parts["true_kind"]))
    own["match"] = np.where(own["match"] >= 0, own["match"] + before, -1)
    for name, values in own.items():
        parts[name].append(values)


class Boxes:
    """Mixed into the validator of a task with boxes: keeps what it compares."""

    parts: dict[str, list]

    def match_predictions(self, pred_classes, true_classes, iou, use_scipy: bool = False):
        kinds, true_kinds = pred_classes.cpu().numpy(), true_classes.cpu().numpy()
        self.matches = matched(kinds, true_kinds, iou.cpu().numpy(), self.iouv.cpu().numpy())
        return super().match_predictions(pred_classes, true_classes, iou, use_scipy)

    def _process_batch(self, preds: dict, batch: dict) -> dict:
        """Of one image. Where there are masks or keypoints, their overlap is asked for last, and is what counts."""
        self.matches = np.full((len(preds["cls"]), self.niou), -1)
        found = super()._process_batch(preds, batch)
        index = len(self.parts["images"])
        self.parts["images"].append(os.path.normpath(batch["im_file"]))
        box, area = in_file(preds["bboxes"], batch)
        true_box, true_area = in_file(batch["bboxes"], batch)
        own = {
            "image": np.full(len(box), index),
            "kind": preds["cls"].cpu().numpy(),
            "confidence": preds["conf"].cpu().numpy(),
            "box": box,
            "area": area,
            "match": self.matches,
            "true_image": np.full(len(true_box), index),
            "true_kind": batch["cls"].cpu().numpy(),
            "true_box": true_box,
            "true_area": true_area,
        }
        add(self.parts, own)
        return found


def in_file(boxes: torch.Tensor, batch: dict) -> tuple[np.ndarray, np.ndarray]:
    """Boxes as the network sees them, in pixels of the image file; of rotated ones the upright box around each, and their own area."""
    upright = boxes
    if rotated := boxes.shape[-1] == 5:
        corners = ops.xywhr2xyxyxyxy(boxes)
        upright = torch.cat([corners.amin(1), corners.amax(1)], 1)
    # scale_boxes writes into what it is given
    upright = ops.scale_boxes(batch["imgsz"], upright.float().clone(), batch["ori_shape"], ratio_pad=batch["ratio_pad"])
    sides = upright[:, 2:] - upright[:, :2]
    area = sides.prod(1)
    if rotated:
        scale = batch["ratio_pad"][0][0] if batch["ratio_pad"] else 1.0
        area = boxes[:, 2:4].prod(1) / scale**2
    return upright.cpu().numpy(), area.cpu().numpy()


class Labels:
    """Mixed into the validator of a classifier."""

    parts: dict[str, list]

    def update_metrics(self, preds: torch.Tensor, batch: dict) -> None:
        super().update_metrics(preds, batch)
        best, truth = self.pred[-1].numpy(), self.targets[-1].numpy()
        count, most = best.shape
        start = len(self.parts["images"])
        rows = np.arange(start, start + count)
        self.parts["images"] += [str(sample[0]) for sample in self.dataloader.dataset.samples[start : start + count]]
        confidence = preds.float().cpu().numpy()[np.arange(count)[:, None], best]
        match = np.where(best == truth[:, None], np.arange(count)[:, None], -1).reshape(-1, 1)
        own = {
            "image": rows.repeat(most),
            "kind": best.reshape(-1),
            "confidence": confidence.reshape(-1),
            "box": np.zeros((count * most, 4)),
            "area": np.zeros(count * most),
            "match": match.repeat(10, 1),
            "true_image": rows,
            "true_kind": truth,
            "true_box": np.zeros((count, 4)),
            "true_area": np.zeros(count),
        }
        add(self.parts, own)
