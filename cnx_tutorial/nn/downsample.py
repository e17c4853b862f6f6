"""The downsampling layer between two stages: LayerNorm, then a 2x2 convolution of stride 2.

Why ConvNeXt uses it: ResNet halves the resolution inside a block; a layer of its own is more accurate, but diverges without a norm where the
resolution changes.
Source: Liu et al. 2022, section 2.6 ("separate downsampling layers"); facebookresearch/ConvNeXt, `downsample_layers[1:]`.
"""

from torch import Tensor, nn

from cnx_tutorial.nn.initialisation import initialise
from cnx_tutorial.nn.layernorm import LayerNorm
from cnx_tutorial.nn.stem import activation, padding


class ConvNeXtDownsample(nn.Module):
    """LayerNorm over channels, then a convolution of stride s: the stem's two layers in the other order.

    Args:
        c1: channels of the input, and of the norm.
        c2: channels of the output.
        k, s, p, g, d, act: kernel size, stride, padding, groups, dilation and activation, as in ConvNeXtStem.

    Shape: (N, c1, H, W) -> (N, c2, H/s, W/s).
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        k: int = 2,
        s: int = 2,
        p: int | None = None,
        g: int = 1,
        d: int = 1,
        act: bool | nn.Module = False,
    ):
        super().__init__()
        self.norm = LayerNorm(c1, data_format="channels_first")
        self.conv = nn.Conv2d(c1, c2, k, s, padding(k, s, d) if p is None else p, d, g)
        self.act = activation(act)
        initialise(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv(self.norm(x)))
