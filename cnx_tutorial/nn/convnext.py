"""ConvNeXt: a stem, four stages of blocks, a downsampling layer before each stage but the first, and a classifier.

Why four stages: strides 4, 8, 16 and 32, as in every backbone that a detector reads its maps from.
Source: Liu et al. 2022, section 2 and table 9; facebookresearch/ConvNeXt; ConvNeXt V2 (Woo et al. 2023) adds atto, femto, pico and nano.
"""

import difflib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cnx_tutorial.nn.block import ConvNeXtBlock
from cnx_tutorial.nn.initialisation import initialise
from cnx_tutorial.nn.stem_and_downsample import ConvNeXtDownsample, ConvNeXtStem


class ConvNeXt(nn.Module):
    """The classifier; its four stages alone are the backbone.

    Args:
        depths: blocks in each of the four stages.
        dims: channels of each of the four stages.
        in_channels: channels of the image.
        num_classes: numbers in the output.
        drop_path_rate: drop-path probability of the last block; it rises linearly from 0 over all blocks.
        layer_scale, grn: as in ConvNeXtBlock.

    Shape: (N, in_channels, H, W) -> (N, num_classes), H and W at least 32.

    Raises:
        ValueError: depths and dims are not four positive whole numbers each.
    """

    def __init__(
        self,
        depths: Sequence[int],
        dims: Sequence[int],
        in_channels: int = 3,
        num_classes: int = 1000,
        drop_path_rate: float = 0.0,
        layer_scale: float | None = 1e-6,
        grn: bool = False,
    ):
        super().__init__()
        if len(depths) != 4 or len(dims) != 4 or min(*depths, *dims) < 1:
            raise ValueError(
                f"depths and dims are four positive whole numbers each; given depths={depths!r}, dims={dims!r}"
            )
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.stem = ConvNeXtStem(in_channels, dims[0])
        self.downsamples = nn.ModuleList(ConvNeXtDownsample(dims[i], dims[i + 1]) for i in range(3))
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(ConvNeXtBlock(dim, drop_path=next(rates), layer_scale=layer_scale, grn=grn) for _ in range(depth))
            )
            for depth, dim in zip(depths, dims, strict=True)
        )
        self.norm = nn.LayerNorm(dims[-1], eps=1e-6)  # on (N, C), after pooling
        self.head = nn.Linear(dims[-1], num_classes)
        initialise(self.head)

    def forward_features(self, x: Tensor) -> list[Tensor]:
        """The four stage outputs, of strides 4, 8, 16 and 32: what a detector reads."""
        maps = []
        for downsample, stage in zip([self.stem, *self.downsamples], self.stages, strict=True):
            x = stage(downsample(x))
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        x = self.forward_features(x)[-1].mean(dim=(2, 3))  # global average pooling: (N, C, H, W) -> (N, C)
        return self.head(self.norm(x))


VARIANTS = {  # name: depths, dims
    "atto": ((2, 2, 6, 2), (40, 80, 160, 320)),
    "femto": ((2, 2, 6, 2), (48, 96, 192, 384)),
    "pico": ((2, 2, 6, 2), (64, 128, 256, 512)),
    "nano": ((2, 2, 8, 2), (80, 160, 320, 640)),
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "xlarge": ((3, 3, 27, 3), (256, 512, 1024, 2048)),
}


def convnext(variant: str, **kwargs) -> ConvNeXt:
    """A published ConvNeXt by name, with random weights; `grn=True` for its V2.

    Raises:
        ValueError: there is no such variant; the message lists those that there are.
    """
    if variant not in VARIANTS:
        near = difflib.get_close_matches(str(variant), VARIANTS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no ConvNeXt variant {variant!r}; there are {', '.join(VARIANTS)}{hint}")
    depths, dims = VARIANTS[variant]
    return ConvNeXt(depths, dims, **kwargs)
