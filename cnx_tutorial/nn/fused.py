"""Faster ways to compute the same numbers as the layers that the notebooks teach.

On a CPU, PyTorch hands Linear to its matrix library and Conv2d to oneDNN, and in float32 the second is the faster one (measured on an AMD EPYC with
2 cores: half the time, forward and backward). For predictions on x86, oneDNN has a matrix product that computes GELU in the same pass.
Source: benchmarks/layers.py; torch/_inductor/fx_passes/mkldnn_fusion.py for the product.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def linear(x: Tensor, weight: Tensor, bias: Tensor, gelu: bool = False) -> Tensor:
    """x @ weight.T + bias over the last axis of (N, H, W, C); with `gelu` GELU of it, which overwrites it."""
    if weight.stride(0) == 1 and onednn_predicts(x):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu" if gelu else "none", [], "none")
    if x.device.type == "cpu" and x.dtype == torch.float32:
        x = x.permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W): a view
        y = F.conv2d(x, weight[:, :, None, None], bias).permute(0, 2, 3, 1)
    else:
        y = F.linear(x, weight, bias)
    return torch.ops.aten.gelu_(y) if gelu else y


@torch.no_grad()
def fuse(block: nn.Module) -> None:
    """Fold a ConvNeXtBlock's gamma into pwconv2, gamma * (W x + b) = (gamma * W) x + gamma * b, and let it run `forward` from here.

    The norm's scale and shift stay: PyTorch's LayerNorm takes twice as long without them.
    """
    if block.gamma is not None:
        block.pwconv2.weight *= block.gamma[:, None]
        block.pwconv2.bias *= block.gamma
        block.gamma = None
    arrange(block.pwconv1)
    arrange(block.pwconv2)
    block.forward = functools.partial(forward, block)


def forward(block: nn.Module, x: Tensor) -> Tensor:
    """A fused block: GELU and the sum overwrite the map that they get, so that no second one of its size is made."""
    y = linear(block.norm(block.dwconv(x).permute(0, 2, 3, 1)), block.pwconv1.weight, block.pwconv1.bias, gelu=True)
    return block.pwconv2(block.grn(y)).permute(0, 3, 1, 2).add_(x)


def arrange(layer: nn.Linear) -> None:
    """Put a weight into memory column by column, as a matrix product on a CPU reads it; its values and its shape stay."""
    with torch.inference_mode(False):  # else a model that was fused for a prediction could not be trained afterwards
        layer.weight.data = layer.weight.data.t().contiguous().t()


def onednn_predicts(x: Tensor) -> bool:
    """Whether this is a prediction in float32 on an x86 CPU: there the product that torch.compile calls computes GELU too.

    That product supports neither gradients nor autocast. A tracer, a compiler and FlopCounterMode get the operations that every machine has.
    """
    return (
        not torch.compiler.is_compiling()  # first: the compiler cannot read the next line
        and torch.is_inference_mode_enabled()
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability().startswith("AVX")
        and not torch.is_autocast_enabled("cpu")
        and not torch.jit.is_tracing()
        and torch._C._len_torch_dispatch_stack() == 0  # FlopCounterMode and its like
    )
