"""A Linear layer over the channels of every pixel, which is a 1x1 convolution: two names, one sum.

Source: Liu et al. 2022 write the layers as Linear in channels_last; Lin et al. 2013, "Network in Network", for the 1x1 convolution.
"""

from torch import Tensor, nn

from cnx_tutorial.nn import fused


class Pointwise(nn.Linear):
    """y = x @ weight.T + bias over the last axis.

    Names, shapes and first values are those of Linear, so published weights fit; `fused.linear` is the same sum, computed the fastest way.

    Args:
        in_features, out_features: channels of input and output.

    Shape: (N, H, W, in_features) -> (N, H, W, out_features).
    """

    def forward(self, x: Tensor) -> Tensor:
        return fused.linear(x, self.weight, self.bias)
