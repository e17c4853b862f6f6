"""LayerNorm for images: normalise the channels of each pixel by themselves.

Why ConvNeXt uses it: no batch statistics, so batch size 1 trains, and it computes the same in training and at inference.
Source: Liu et al. 2022, "A ConvNet for the 2020s", section 2.6; eps 1e-6 as in the authors' code.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm(nn.LayerNorm):
    """Normalise over channels, then scale and shift: y = (x - mean) / sqrt(var + eps) * weight + bias.

    Args:
        num_channels: C, the length of the channel axis.
        eps: added to the variance, in the units of x squared.
        data_format: "channels_last" for (N, H, W, C), "channels_first" for (N, C, H, W).

    Shape: (N, H, W, C) -> (N, H, W, C), or (N, C, H, W) -> (N, C, H, W).

    Raises:
        ValueError: data_format is neither of the two; the message quotes it.
    """

    def __init__(self, num_channels: int, eps: float = 1e-6, data_format: str = "channels_last"):
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"data_format is 'channels_last' or 'channels_first', not {data_format!r}")
        super().__init__(num_channels, eps=eps)
        self.data_format = data_format

    def forward(self, x: Tensor) -> Tensor:
        if self.data_format == "channels_first":
            x = x.permute(
                0, 2, 3, 1
            )  # (N, C, H, W) -> (N, H, W, C): a view, and contiguous where memory is channels_last
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2) if self.data_format == "channels_first" else x
