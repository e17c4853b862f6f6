"""The ConvNeXt block: look around, normalise, widen, decide, narrow, and add the result to the input.

Why it is built so: the 7x7 depthwise convolution mixes pixels, one channel at a time, as attention does; the two 1x1 convolutions mix channels,
one pixel at a time, as a Transformer's FFN does. One norm and one activation instead of three each.
Source: Liu et al. 2022, sections 2.4 to 2.6; GRN: Woo et al. 2023. Layer scale: Touvron et al. 2021, "Going deeper with Image Transformers".
"""

import torch
from torch import Tensor, nn

from cnx_tutorial.nn import fused
from cnx_tutorial.nn.drop_path import DropPath
from cnx_tutorial.nn.grn import GlobalResponseNorm
from cnx_tutorial.nn.initialisation import initialise
from cnx_tutorial.nn.layernorm import LayerNorm
from cnx_tutorial.nn.pointwise import Pointwise


class ConvNeXtBlock(nn.Module):
    """x + drop_path(gamma * pwconv2(GELU(pwconv1(norm(dwconv(x))))))

    Args:
        dim: channels C of input and output.
        kernel_size: side of the depthwise window in pixels, odd.
        expansion: the channels between the 1x1 convolutions are expansion * dim (the inverted bottleneck).
        drop_path: probability that a sample skips the branch in training.
        layer_scale: first value of gamma, one number per channel; None or 0 for none. 1e-6 is published for ImageNet classifiers. The
            authors' detectors start at 1.0, and then load such a classifier's gamma.
        grn: ConvNeXt V2: GlobalResponseNorm between the 1x1 convolutions, and no gamma.

    Shape: (N, C, H, W) -> (N, C, H, W).

    Raises:
        ValueError: kernel_size is even, so the output would shift; expansion makes no channel; drop_path is no probability.
    """

    def __init__(
        self,
        dim: int,
        kernel_size: int = 7,
        expansion: float = 4,
        drop_path: float = 0.0,
        layer_scale: float | None = 1e-6,
        grn: bool = False,
    ):
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size is odd, so that a pixel has a window centred on it (1, 3, 5, 7, ...); given {kernel_size!r}"
            )
        hidden = int(expansion * dim)
        if hidden < 1:
            raise ValueError(f"expansion * dim is at least 1 channel; given expansion={expansion!r}, dim={dim!r}")
        self.dwconv = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = LayerNorm(dim)
        self.pwconv1 = Pointwise(dim, hidden)  # a Linear layer on each pixel, that is a 1x1 convolution
        self.act = nn.GELU()
        self.grn = GlobalResponseNorm(hidden) if grn else nn.Identity()
        self.pwconv2 = Pointwise(hidden, dim)
        self.gamma = nn.Parameter(torch.full((dim,), float(layer_scale))) if layer_scale and not grn else None
        self.drop_path = DropPath(drop_path)
        initialise(self.dwconv, self.pwconv1, self.pwconv2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.dwconv(x).permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C): a view
        y = self.pwconv1(self.norm(y))  # (N, H, W, C) -> (N, H, W, 4C)
        y = self.pwconv2(self.grn(self.act(y)))  # (N, H, W, 4C) -> (N, H, W, C)
        if self.gamma is not None:
            y = self.gamma * y
        return x + self.drop_path(y.permute(0, 3, 1, 2))  # (N, H, W, C) -> (N, C, H, W)

    def fuse(self) -> None:
        """For inference: the same output in fewer steps, which are in `fused.py`. Calling it again changes nothing."""
        fused.fuse(self)
