"""Trainers, one for each task, with the right weight decay for ConvNeXt and faster training on a CPU.

- No weight decay and no Muon on one-dimensional parameters: LayerNorm weights, gamma (layer scale) and GRN, as in the authors' code. Ultralytics
  applies no weight decay to parameters in a torch norm layer or called bias, and decays the rest.
- On a CPU all cores, whose threads wait briefly, channels_last memory, and Muon in float32. Ultralytics leaves one core out, keeps channels_last
  for CUDA, and computes Muon in bfloat16, which few CPUs can do fast.
- A warning about boxes that the head cannot predict: each of its sides is less than `reg_max` strides away, and ours has 8 where YOLOv8 has 16.
- Finished epochs are never lost: a checkpoint is never half-written, and a training that was cut off can be resumed as if it had not been.
- On CUDA bfloat16 where the GPU has it: the float16 check downloads a model first.
Source: ultralytics/engine/trainer.py 8.4.190; facebookresearch/ConvNeXt optim_factory.py (1-D parameters and biases are not decayed).
"""

from pathlib import Path

import torch
from torch import nn
from ultralytics.models.rtdetr.train import RTDETRTrainer
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.models.yolo.obb import OBBTrainer
from ultralytics.models.yolo.pose import PoseTrainer
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.utils import LOGGER, RANK
from ultralytics.utils.torch_utils import unwrap_model

from cnx_tutorial.yolo import files, muon
from cnx_tutorial.yolo.backbone import without_weights
from cnx_tutorial.yolo.files import WholePath, keep_epochs
from cnx_tutorial.yolo.groups import backbone_parameters, slow_down, spare_one_dimensional
from cnx_tutorial.yolo.quiet import GUESTS, all_cores, threads_to_use
from cnx_tutorial.yolo.reach import boxes_out_of_reach, reach
from cnx_tutorial.yolo.resume import (
    name_parameters,
    read_state,
    restore_chance,
    restore_weights,
    training_state,
    with_state,
)

NEVER = 10**9  # batches
muon.install()


class ConvNeXtTraining:
    """Ultralytics' trainer of a task with the rules above; stock models train by them too, on all cores."""

    def __init__(self, *args, **kwargs):
        with all_cores():
            super().__init__(*args, **kwargs)
        self.wdir = WholePath(self.wdir)
        self.last, self.best = self.wdir / "last.pt", self.wdir / "best.pt"
        if self.device.type == "cuda" and self.args.amp is True and torch.cuda.is_bf16_supported():
            self.args.amp = "bf16"

    def train(self):
        with all_cores():
            if self.device.type == "cpu":
                GUESTS.use(threads_to_use())
            return super().train()

    def get_model(self, cfg=None, weights: nn.Module | None = None, verbose: bool = True) -> nn.Module:
        """Ultralytics' model; where weights are put in afterwards, published ones are not fetched for it."""
        if weights is None:
            return super().get_model(cfg, weights, verbose)
        with without_weights():
            return super().get_model(cfg, weights, verbose)

    def run_callbacks(self, event: str):
        if event == "on_train_start":
            self.begin()
        if event == "on_train_epoch_start":
            self.begin_epoch()
        super().run_callbacks(event)

    def begin(self):
        self.batches_since_step, self.first_step_waits, self.gathered = 0, bool(self.state), self.accumulate
        self.close_mosaic = self.args.close_mosaic
        if (
            self.state and self.start_epoch > self.epochs - self.close_mosaic
        ):  # mosaic was closed when the training was cut off
            self._close_dataloader_mosaic()
            self.args.close_mosaic = 0  # for the moment in which Ultralytics asks whether there is something to close

    def begin_epoch(self):
        self.args.close_mosaic = self.close_mosaic
        if frozen_epochs := unwrap_model(self.model).yaml.get("freeze_backbone", 0):
            for parameter in backbone_parameters(unwrap_model(self.model)):
                parameter.requires_grad = self.epoch >= frozen_epochs
        if self.state:
            restore_chance(self, self.state)
            self.batches_since_step, self.state = self.state["since_step"], None

    def _model_train(self):
        """Ultralytics' `train()` mode; a backbone that is frozen keeps its BatchNorm statistics too."""
        super()._model_train()
        model = unwrap_model(self.model)
        if self.epoch < model.yaml.get("freeze_backbone", 0):
            for layer in model.model[: len(model.yaml["backbone"])]:
                layer.eval()

    def check_resume(self, overrides: dict):
        """A training that is resumed writes where its checkpoint lies now, also if the folder was moved."""
        super().check_resume(overrides)
        if self.resume and (last := Path(self.args.model)).parent.name == "weights":
            self.args.save_dir = str(last.resolve().parents[1])

    def _setup_train(self):
        self.state = None
        super()._setup_train()
        self.say_boxes_out_of_reach()

    def resume_training(self, ckpt: dict | None):
        """Ultralytics' resume, then the state that its checkpoint lacks; an evaluation that was cut off is run again."""
        if ckpt is None or not self.resume:
            return
        epochs = ckpt.get("epoch", -1) + 1
        if RANK in (-1, 0):
            keep_epochs(self.csv, epochs)
        if epochs >= self.epochs:
            raise AllEpochsDone
        super().resume_training(ckpt)
        self.state = read_state(Path(self.args.model)) if self.device.type == "cpu" else None
        if self.state:
            restore_weights(self, self.state)
            GUESTS.use(self.state["threads"])  # other threads add in another order

    def _do_train(self):
        try:
            super()._do_train()
        except AllEpochsDone:
            LOGGER.info(f"All {self.epochs} epochs are trained; what is left is the final evaluation.")
            self.epoch = self.epochs - 1
            self.final_eval()
            self.run_callbacks("on_train_end")

    def final_eval(self):
        """Ultralytics' final evaluation. The state for a resume is removed only afterwards, so that an evaluation that is cut off can be repeated."""
        with files.stripping_later():
            super().final_eval()

    def optimizer_step(self):
        super().optimizer_step()
        self.batches_since_step, self.first_step_waits = 0, False

    def save_model(self) -> bool:
        """Ultralytics' checkpoints, each whole; last.pt comes last, with all that decides how the training goes on."""
        last, self.last = self.last, Kept(self.last)
        try:
            written, content = super().save_model(), self.last.content
        finally:
            self.last = last
        if self.device.type == "cpu":
            content = with_state(content, training_state(self))
        self.last.write_bytes(content)
        return written

    def say_boxes_out_of_reach(self):
        head, labels = unwrap_model(self.model).model[-1], getattr(self.train_loader.dataset, "labels", [])
        if large := boxes_out_of_reach(head, labels, self.args.imgsz):
            count, size = sum(len(label["bboxes"]) for label in labels), self.args.imgsz
            LOGGER.warning(
                f"{large} of {count} boxes of the training images are larger at imgsz={size} than {reach(head)} pixels, the largest box "
                "that this model can draw. Train with a smaller imgsz, or with a model YAML that says reg_max: 16."
            )

    @property
    def channels_last_on_cpu(self) -> bool:
        wanted = self.args.channels_last or (
            self.args.channels_last is None and not crashes_in_channels_last(self.model)
        )
        return self.device.type == "cpu" and wanted

    def set_model_attributes(self):
        """The first step after the model is on its device, before optimizer and EMA copy it."""
        super().set_model_attributes()
        if self.channels_last_on_cpu:
            self.model.to(memory_format=torch.channels_last)

    def preprocess_batch(self, batch: dict) -> dict:
        batch = super().preprocess_batch(batch)
        self.batches_since_step += 1
        if (
            self.first_step_waits
        ):  # Ultralytics would step at once after a resume: it forgets how many batches were gathered
            self.gathered = self.gathered if self.accumulate == NEVER else self.accumulate  # it rises while warming up
            self.accumulate = self.gathered if self.batches_since_step >= self.gathered else NEVER
        if self.channels_last_on_cpu:
            batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def build_optimizer(self, model: nn.Module, *args, **kwargs) -> torch.optim.Optimizer:
        """The stock optimizer, with every 1-D parameter moved from a decayed group to the undecayed group of the same learning rate."""
        optimizer = super().build_optimizer(model, *args, **kwargs)
        model = unwrap_model(model)
        name_parameters(optimizer, model)
        self.stock_order = [group["names"] for group in optimizer.param_groups]
        spare_one_dimensional(optimizer)
        slow_down(optimizer, backbone_parameters(model), model.yaml.get("backbone_lr", 1.0))
        name_parameters(optimizer, model)
        return optimizer


def crashes_in_channels_last(model: nn.Module) -> bool:
    """Whether a model has a convolution whose gradient ends the process on a CPU in channels_last memory.

    A 1x1 window with a stride, over 2 to 15 channels, as in FastViT's stem: a fault of oneDNN, seen with PyTorch 2.14.1 on an AMD EPYC.
    """
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    return any(c.kernel_size == (1, 1) and max(c.stride) > 1 and c.in_channels < 16 for c in convolutions)


class ConvNeXtTrainer(ConvNeXtTraining, DetectionTrainer):
    """Detection."""


class ConvNeXtSegmentationTrainer(ConvNeXtTraining, SegmentationTrainer):
    """Instance segmentation."""


class ConvNeXtPoseTrainer(ConvNeXtTraining, PoseTrainer):
    """Keypoints."""


class ConvNeXtOBBTrainer(ConvNeXtTraining, OBBTrainer):
    """Rotated boxes."""


class ConvNeXtClassificationTrainer(ConvNeXtTraining, ClassificationTrainer):
    """One class for the whole image."""


class ConvNeXtRTDETRTrainer(ConvNeXtTraining, RTDETRTrainer):
    """Detection with RT-DETR's decoder."""


TRAINERS = {
    "detect": ConvNeXtTrainer,
    "segment": ConvNeXtSegmentationTrainer,
    "pose": ConvNeXtPoseTrainer,
    "obb": ConvNeXtOBBTrainer,
    "classify": ConvNeXtClassificationTrainer,
}


class AllEpochsDone(Exception):
    """A checkpoint after the last epoch: only the final evaluation is missing."""


class Kept(type(Path())):
    """Stands in for a path while Ultralytics writes: keeps the bytes, and writes nothing."""

    def write_bytes(self, data: bytes) -> int:
        self.content = data
        return len(data)
