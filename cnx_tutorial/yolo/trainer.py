"""A detection trainer that treats ConvNeXt's parameters, and the CPU, as they deserve.

- No weight decay and no Muon on one-dimensional parameters: LayerNorm weights, gamma (layer scale) and GRN, as in the authors' code. Ultralytics
  spares what sits in a torch norm layer or is called bias, and decays the rest.
- On a CPU all cores that are free, and channels_last memory. Ultralytics leaves one core out and keeps channels_last for CUDA.
- A word about boxes that the head cannot draw: each of its sides is less than `reg_max` strides away, and ours has 8 where YOLOv8 has 16.
- On CUDA bfloat16 where the GPU has it: the float16 check downloads a model first.
Source: ultralytics/engine/trainer.py 8.4.190; facebookresearch/ConvNeXt optim_factory.py (1-D parameters and biases are not decayed).
"""

import time

import numpy as np
import torch
from torch import nn
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import LOGGER
from ultralytics.utils.torch_utils import unwrap_model

from cnx_tutorial.yolo.cores import Neighbours
from cnx_tutorial.yolo.quiet import GUESTS, all_cores

LOOK = 0.2  # seconds for which the machine is watched before the first epoch


class ConvNeXtTrainer(DetectionTrainer):
    """Ultralytics' DetectionTrainer for models with ConvNeXt rows; stock models train with it too, on all cores."""

    def __init__(self, *args, **kwargs):
        with all_cores():
            super().__init__(*args, **kwargs)
        if self.device.type == "cuda" and self.args.amp is True and torch.cuda.is_bf16_supported():
            self.args.amp = "bf16"

    def train(self):
        with all_cores():
            return super().train()

    def run_callbacks(self, event: str):
        """Before each epoch, as many threads as find a core: what other programs do changes while a training runs."""
        if event == "on_train_start" and self.device.type == "cpu":
            self.neighbours = Neighbours()
            time.sleep(LOOK)
        if event == "on_train_epoch_start" and self.device.type == "cpu":
            GUESTS.use(self.neighbours.free())
        super().run_callbacks(event)

    def _setup_train(self):
        super()._setup_train()
        head, labels = unwrap_model(self.model).model[-1], self.train_loader.dataset.labels
        if large := boxes_out_of_reach(head, labels, self.args.imgsz):
            count, size = sum(len(label["bboxes"]) for label in labels), self.args.imgsz
            LOGGER.warning(
                f"{large} of {count} boxes of the training images are larger at imgsz={size} than {reach(head)} pixels, the largest box "
                "that this model can draw. Train with a smaller imgsz, or with a model YAML that says reg_max: 16."
            )

    @property
    def channels_last_on_cpu(self) -> bool:
        return self.device.type == "cpu" and self.args.channels_last is not False

    def set_model_attributes(self):
        """The first step after the model is on its device, before optimizer and EMA copy it."""
        super().set_model_attributes()
        if self.channels_last_on_cpu:
            self.model.to(memory_format=torch.channels_last)

    def preprocess_batch(self, batch: dict) -> dict:
        batch = super().preprocess_batch(batch)
        if self.channels_last_on_cpu:
            batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def build_optimizer(self, model: nn.Module, *args, **kwargs) -> torch.optim.Optimizer:
        """The stock optimizer, with every 1-D parameter moved from a decayed group to the undecayed group of the same learning rate."""
        optimizer = super().build_optimizer(model, *args, **kwargs)
        groups = optimizer.param_groups
        for group in groups:
            if group["param_group"] != "weight":
                continue
            spared = next(g for g in groups if g["param_group"] == "bn" and g["lr"] == group["lr"])
            spared["params"] += [p for p in group["params"] if p.ndim == 1]
            group["params"] = [p for p in group["params"] if p.ndim != 1]
        return optimizer


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
    sides = [label["bboxes"][:, 2:] * label["shape"][::-1] / max(label["shape"]) * imgsz for label in labels]
    return int((np.concatenate(sides).max(1) > reach(head)).sum())
