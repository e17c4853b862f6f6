"""How ConvNeXt's convolutions and linear layers start: weights from a normal distribution with standard deviation 0.02, biases at zero.

Why: with LayerNorm after each mixing of pixels the scale of the first outputs hardly matters, and small weights keep every block near the
identity. The cut at +-2 is 100 standard deviations away, so it never cuts.
Source: facebookresearch/ConvNeXt, models/convnext.py, `_init_weights`.
"""

from torch import nn


def initialise(*layers: nn.Conv2d | nn.Linear) -> None:
    """Give each layer ConvNeXt's first weights, in place."""
    for layer in layers:
        nn.init.trunc_normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.bias)
