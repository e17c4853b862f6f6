"""A detection trainer that treats ConvNeXt's parameters, and the CPU, as they deserve.

- No weight decay and no Muon on one-dimensional parameters: LayerNorm weights, gamma (layer scale) and GRN, as in the authors' code. Ultralytics
  spares what sits in a torch norm layer or is called bias, and decays the rest.
- On a CPU all cores and channels_last memory. Ultralytics leaves one core out and keeps channels_last for CUDA.
- On CUDA bfloat16 where the GPU has it: the float16 check downloads a model first.
Source: ultralytics/engine/trainer.py 8.4.190; facebookresearch/ConvNeXt optim_factory.py (1-D parameters and biases are not decayed).
"""

import torch
from torch import nn
from ultralytics.models.yolo.detect import DetectionTrainer

from cnx_tutorial.yolo.quiet import all_cores, cpu_count


class ConvNeXtTrainer(DetectionTrainer):
    """Ultralytics' DetectionTrainer for models with ConvNeXt rows; stock models train with it too, on all cores."""

    def __init__(self, *args, **kwargs):
        with all_cores():
            super().__init__(*args, **kwargs)
        if self.device.type == "cuda" and self.args.amp is True and torch.cuda.is_bf16_supported():
            self.args.amp = "bf16"

    def train(self):
        with all_cores():
            if self.device.type == "cpu":
                torch.set_num_threads(cpu_count())
            return super().train()

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
