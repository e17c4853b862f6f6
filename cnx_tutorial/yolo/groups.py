"""The optimizer's parameter groups: weight decay and learning rate of each parameter.

Ultralytics applies weight decay to every parameter that is not in a torch norm layer and not called bias, so also to gamma (layer scale) and GRN.
Source: ultralytics/engine/trainer.py 8.4.190, `build_optimizer`; facebookresearch/ConvNeXt, optim_factory.py, which decays neither biases nor 1-D
parameters.
"""

import torch
from torch import nn


def spare_one_dimensional(optimizer: torch.optim.Optimizer) -> None:
    """Move every 1-D parameter from a decayed group to the undecayed one of the same learning rate."""
    groups = optimizer.param_groups
    for group in groups:
        if group["param_group"] != "weight":
            continue
        spared = next(g for g in groups if g["param_group"] == "bn" and g["lr"] == group["lr"])
        spared["params"] += [p for p in group["params"] if p.ndim == 1]
        group["params"] = [p for p in group["params"] if p.ndim != 1]


def slow_down(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], factor: float) -> None:
    """Give these parameters groups of their own, whose learning rate is `factor` times that of the group that they were in."""
    if factor == 1.0:
        return
    chosen = {id(p) for p in parameters}
    for group in list(optimizer.param_groups):
        slower = [p for p in group["params"] if id(p) in chosen]
        group["params"] = [p for p in group["params"] if id(p) not in chosen]
        if slower:
            optimizer.param_groups.append({**group, "params": slower, "lr": group["lr"] * factor})


def backbone_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters of the rows under `backbone:`."""
    return list(model.model[: len(model.yaml["backbone"])].parameters())
