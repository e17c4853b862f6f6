"""ConvNeXt, layer by layer, in plain PyTorch."""
from cnx_tutorial.nn.block import ConvNeXtBlock
from cnx_tutorial.nn.downsample import ConvNeXtDownsample
from cnx_tutorial.nn.drop_path import DropPath
from cnx_tutorial.nn.layernorm import LayerNorm
from cnx_tutorial.nn.stem import ConvNeXtStem
__all__ = ["ConvNeXtBlock", "ConvNeXtDownsample", "ConvNeXtStem", "DropPath", "LayerNorm"]
