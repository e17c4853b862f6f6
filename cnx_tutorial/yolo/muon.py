"""Muon's orthogonal updates in float32 on a CPU.

Ultralytics computes them in bfloat16, which suits a GPU. A CPU without instructions for bfloat16, as most laptops have, then spends nine tenths
of a training there. Sums in float32 are more exact, and the same training ends alike on all CPUs.
Source: Keller Jordan et al., https://kellerjordan.github.io/posts/muon/ (the iteration and its three numbers); ultralytics/optim/muon.py 8.4.190.
"""

import torch
from ultralytics.optim import muon

from cnx_tutorial.yolo.quiet import GUESTS

A, B, C = 3.4445, -4.7750, 2.0315  # five steps with these bring every singular value near 1


def nearly_orthogonal(matrices: torch.Tensor, eps: float = 1e-7) -> torch.Tensor:
    """Matrices with the same singular vectors and singular values between about 0.7 and 1.2, by Newton-Schulz iteration.

    Args:
        matrices: shape (m, n) or (batch, m, n), float32.
        eps: keeps a matrix of zeros from a division by zero.
    """
    tall = matrices.size(-2) > matrices.size(-1)
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + eps)
    for _ in range(5):
        square = x @ x.mT
        x = A * x + (B * square + C * square @ square) @ x
    return x.mT if tall else x


def by_device(stock):
    """Ours inside our calls, for float32 on a CPU; else Ultralytics' own function."""

    def zeropower_via_newtonschulz5(G: torch.Tensor, eps: float = 1e-7) -> torch.Tensor:
        ours = G.device.type == "cpu" and G.dtype == torch.float32 and GUESTS.has_this_thread()
        return nearly_orthogonal(G, eps) if ours else stock(G, eps)

    zeropower_via_newtonschulz5.stock = stock
    return zeropower_via_newtonschulz5


def install() -> None:
    """Put `by_device` in the place of Ultralytics' function; twice is once."""
    if not hasattr(muon.zeropower_via_newtonschulz5, "stock"):
        muon.zeropower_via_newtonschulz5 = by_device(muon.zeropower_via_newtonschulz5)
