"""The class that notebook 01 builds is the library's in behaviour: state dict, outputs, gradients, refusals."""

from pathlib import Path

import nbformat
import pytest
import torch

import cnx_tutorial.nn as cnx

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_layernorm.ipynb"


@pytest.fixture(scope="module")
def taught():
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells}
    namespace: dict = {}
    exec(cells["setup"], namespace)
    exec(cells["layernorm-class"], namespace)
    return namespace["LayerNorm"]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("seed", range(5))
def test_notebook_layernorm_is_the_librarys(taught, data_format, seed):
    torch.manual_seed(seed)
    batch, height, width, channels = torch.randint(1, 9, (4,)).tolist()
    shape = (batch, height, width, channels) if data_format == "channels_last" else (batch, channels, height, width)
    mine, ours = (
        taught(channels, data_format=data_format).double(),
        cnx.LayerNorm(channels, data_format=data_format).double(),
    )
    assert list(mine.state_dict()) == list(ours.state_dict())
    state = {name: torch.randn_like(value) for name, value in ours.state_dict().items()}
    x = torch.randn(shape, dtype=torch.float64) * 10.0 ** torch.randint(-4, 2, (1,)).item()
    seeds = torch.randn_like(x)
    results = []
    for layer in (mine, ours):
        layer.load_state_dict(state)
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        results.append([y, *torch.autograd.grad(y, (leaf, layer.weight, layer.bias), seeds)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_notebook_layernorm_has_the_librarys_defaults_and_type(taught):
    assert taught(3).eps == cnx.LayerNorm(3).eps == 1e-6
    assert taught(3).data_format == cnx.LayerNorm(3).data_format == "channels_last"
    assert issubclass(taught, torch.nn.LayerNorm) and issubclass(cnx.LayerNorm, torch.nn.LayerNorm)


def test_notebook_layernorm_refuses_what_the_library_refuses(taught):
    for layer in (taught, cnx.LayerNorm):
        with pytest.raises(ValueError, match="NCHW"):
            layer(3, data_format="NCHW")
