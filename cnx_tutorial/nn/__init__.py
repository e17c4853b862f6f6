"""ConvNeXt, layer by layer, in plain PyTorch. Nothing here imports ultralytics, or anything else of ours."""

from cnx_tutorial.nn.block import ConvNeXtBlock
from cnx_tutorial.nn.convnext import VARIANTS, ConvNeXt, convnext
from cnx_tutorial.nn.downsample import ConvNeXtDownsample
from cnx_tutorial.nn.drop_path import DropPath
from cnx_tutorial.nn.grn import GlobalResponseNorm
from cnx_tutorial.nn.layernorm import LayerNorm
from cnx_tutorial.nn.pointwise import Pointwise
from cnx_tutorial.nn.stem import ConvNeXtStem

__all__ = [
    "VARIANTS",
    "ConvNeXt",
    "ConvNeXtBlock",
    "ConvNeXtDownsample",
    "ConvNeXtStem",
    "DropPath",
    "GlobalResponseNorm",
    "LayerNorm",
    "Pointwise",
    "convnext",
]
