"""Stochastic depth: in training, leave out a block's branch for some of the images.

Why ConvNeXt uses it: a deep network then trains as a mixture of shallower ones, and its last blocks overfit less.
Source: Huang et al. 2016, "Deep Networks with Stochastic Depth"; per sample and rescaled, as in the authors' ConvNeXt code.
"""

from torch import Tensor, nn


class DropPath(nn.Module):
    """Set whole samples to zero with probability drop_prob, and divide the others by 1 - drop_prob, so that the mean stays.

    Args:
        drop_prob: probability for one sample, 0 <= drop_prob < 1. At 0, and outside training, the output is the input.

    Shape: (N, ...) -> (N, ...), one draw for each of the N samples.

    Raises:
        ValueError: drop_prob lies outside [0, 1).
    """

    def __init__(self, drop_prob: float = 0.0):
        super().__init__()
        if not 0 <= drop_prob < 1:
            raise ValueError(f"drop_path is a probability from 0 up to, not including, 1; given {drop_prob!r}")
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.drop_prob == 0:
            return x
        keep = 1 - self.drop_prob
        kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(keep)  # (N, 1, 1, 1): 1 or 0 for each sample
        return x * (kept / keep)

    def extra_repr(self) -> str:
        return f"drop_prob={self.drop_prob:.3f}"
