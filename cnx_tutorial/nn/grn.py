"""Global response normalisation, ConvNeXt V2's answer to channels that all say the same.

Why V2 uses it: a channel that responds more strongly over the whole image than the others is strengthened, the others are weakened, so
channels compete and stay different. It takes the place of layer scale.
Source: Woo et al. 2023, "ConvNeXt V2", section 3.3, algorithm 1.
"""

import torch
from torch import Tensor, nn


class GlobalResponseNorm(nn.Module):
    """y = weight * (x * n) + bias + x, where n is each channel's L2 norm over the image divided by the mean over channels.

    Args:
        num_channels: C, the length of the last axis.
        eps: added to the mean norm, in the units of x.

    Shape: (N, H, W, C) -> (N, H, W, C). Parameters are one-dimensional, (C,), and start at 0: at first the layer is the identity.
    """

    def __init__(self, num_channels: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(num_channels))  # the authors' gamma
        self.bias = nn.Parameter(torch.zeros(num_channels))  # the authors' beta

    def forward(self, x: Tensor) -> Tensor:
        wide = (
            torch.float64 if x.dtype == torch.float64 else torch.float32
        )  # a sum of squares overflows float16 at 65504
        response = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True, dtype=wide)  # (N, 1, 1, C)
        relative = response / (response.mean(dim=-1, keepdim=True) + self.eps)
        return torch.addcmul(self.bias, self.weight, x * relative.to(x.dtype)) + x
