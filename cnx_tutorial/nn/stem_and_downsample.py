"""The stem and the downsampling layer: a convolution that steps over the image, with a LayerNorm behind or before it.

The stem cuts the image into patches, and describes each patch by c2 numbers. Why ConvNeXt uses it: a 4x4 convolution of stride 4 reads every pixel
once, as a Transformer's patch embedding does. Where windows overlap (a kernel wider than its stride), more than one window sees a small object.

The downsampling layer stands between two stages. Why ConvNeXt uses it: ResNet halves the resolution inside a block. A separate layer gives a higher
accuracy, but the training diverges without a norm where the resolution changes.
Source: Liu et al. 2022, section 2.2 ("patchify") and 2.6 ("separate downsampling layers"); facebookresearch/ConvNeXt, `downsample_layers`.
"""

from torch import Tensor, nn

from cnx_tutorial.nn.initialisation import initialise
from cnx_tutorial.nn.layernorm import LayerNorm


def padding(k: int, s: int, d: int) -> int:
    """No padding where windows tile the image; half a window where they overlap, so that every pixel has a window centred near it."""
    return 0 if k == s else d * (k - 1) // 2


def activation(act: bool | nn.Module) -> nn.Module:
    """True means GELU, as in ConvNeXt; False means no activation; a module is used as it is: the rule of Ultralytics' `Conv`."""
    return act if isinstance(act, nn.Module) else nn.GELU() if act else nn.Identity()


class ConvNeXtStem(nn.Module):
    """Convolution of stride s, then LayerNorm over channels.

    Args:
        c1: channels of the image, 3 for RGB.
        c2: channels of the output.
        k: kernel size in pixels.
        s: stride in pixels: the output is s times smaller.
        p: padding in pixels; None means 0 for k == s, else half a window.
        g: groups of the convolution.
        d: dilation.
        act: activation after the norm. Published ConvNeXt has none.

    Shape: (N, c1, H, W) -> (N, c2, H/s, W/s).
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        k: int = 4,
        s: int = 4,
        p: int | None = None,
        g: int = 1,
        d: int = 1,
        act: bool | nn.Module = False,
    ):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, padding(k, s, d) if p is None else p, d, g)
        self.norm = LayerNorm(c2, data_format="channels_first")
        self.act = activation(act)
        initialise(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


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
