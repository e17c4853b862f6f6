"""ConvNeXt, layer by layer, in plain PyTorch. Nothing here imports ultralytics, or anything else of ours."""

import sys

from cnx_tutorial.nn import stem_and_downsample
from cnx_tutorial.nn.block import ConvNeXtBlock
from cnx_tutorial.nn.convnext import VARIANTS, ConvNeXt, convnext
from cnx_tutorial.nn.drop_path import DropPath
from cnx_tutorial.nn.grn import GlobalResponseNorm
from cnx_tutorial.nn.layernorm import LayerNorm
from cnx_tutorial.nn.pointwise import Pointwise
from cnx_tutorial.nn.stem_and_downsample import ConvNeXtDownsample, ConvNeXtStem

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

# Checkpoints of the first edition know two modules that are one now.
sys.modules[f"{__name__}.stem"] = sys.modules[f"{__name__}.downsample"] = stem_and_downsample
