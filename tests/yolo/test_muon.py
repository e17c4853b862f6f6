"""Muon in float32 on a CPU: the same updates as Ultralytics', nearer to what they are meant to be, and stock code keeps its own."""

import pytest
import torch
from ultralytics.optim import muon as stock

from cnx_tutorial.yolo.muon import install, nearly_orthogonal
from cnx_tutorial.yolo.quiet import all_cores


@pytest.mark.parametrize("shape", [(16, 72), (72, 16), (3, 8, 40), (1, 5)])
def test_it_is_ultralytics_update_without_the_rounding(shape):
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    ours, theirs = nearly_orthogonal(matrices), stock.zeropower_via_newtonschulz5.stock(matrices)
    exact = nearly_orthogonal(matrices.double())
    assert ours.dtype == torch.float32 and theirs.dtype == torch.bfloat16
    assert (ours - exact).norm() < 1e-5 * exact.norm() < (theirs.double() - exact).norm()
    assert (theirs.double() - exact).norm() < 0.03 * exact.norm()
    values = torch.linalg.svdvals(ours)
    assert 0.5 < values.min() and values.max() < 1.3
    assert not nearly_orthogonal(torch.zeros(shape)).any()


def test_stock_code_keeps_its_own():
    matrix = torch.randn(8, 24)
    function = stock.zeropower_via_newtonschulz5
    install()
    assert stock.zeropower_via_newtonschulz5 is function
    assert function(matrix).dtype == torch.bfloat16
    with all_cores():
        assert function(matrix).dtype == torch.float32
        assert function(matrix.bfloat16()).dtype == torch.bfloat16
    assert function(matrix).dtype == torch.bfloat16
