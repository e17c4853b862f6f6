"""A Linear layer over the channels of every pixel, which is a 1x1 convolution: two names, one sum.

Why a class of its own: on a CPU, PyTorch hands Linear to its matrix library and Conv2d to oneDNN, and in float32 the second is the faster one
(measured on an AMD EPYC with 2 cores: half the time, forward and backward). Names, shapes and first values stay those of Linear, so published
weights fit.
Source: Liu et al. 2022 write the layers as Linear in channels_last; Lin et al. 2013, "Network in Network", for the 1x1 convolution.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pointwise(nn.Linear):
    """y = x @ weight.T + bias over the last axis.

    Args:
        in_features, out_features: channels of input and output.

    Shape: (N, H, W, in_features) -> (N, H, W, out_features).
    """

    def forward(self, x: Tensor, gelu: bool = False) -> Tensor:
        """y, or GELU(y), which overwrites y."""
        if self.weight.stride(0) == 1 and onednn_predicts(x):
            activation = "gelu" if gelu else "none"
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, activation, [], "none")
        if x.device.type == "cpu" and x.dtype == torch.float32:
            x = x.permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W): a view
            y = F.conv2d(x, self.weight[:, :, None, None], self.bias).permute(0, 2, 3, 1)
        else:
            y = super().forward(x)
        return torch.ops.aten.gelu_(y) if gelu else y

    def arrange(self) -> None:
        """Put the weight into memory column by column, as a matrix product on a CPU reads it; its values and its shape stay."""
        with torch.inference_mode(False):  # else what a prediction fused could not be trained on
            self.weight.data = self.weight.data.t().contiguous().t()


def onednn_predicts(x: Tensor) -> bool:
    """Whether this is a prediction in float32 on an x86 CPU: there the product that torch.compile calls takes GELU along.

    It knows no gradients and no autocast; and a tracer, a compiler or FlopCounterMode, where one looks on, is to see what every machine has.
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
