"""The classes that the notebooks build are the library's in behaviour: state dict, first weights, outputs, gradients, refusals."""

from pathlib import Path

import nbformat
import pytest
import torch

import cnx_tutorial.nn as cnx

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def taught_in(notebook: str) -> dict[str, type]:
    """The layers that the cells tagged library-class of a notebook define, by name."""
    namespace: dict = {}
    cells = nbformat.read(NOTEBOOKS / notebook, as_version=4).cells
    tagged = [cell for cell in cells if "library-class" in cell.metadata.get("tags", [])]
    for cell in [cell for cell in cells if tagged and cell.id == "setup"] + tagged:
        exec(cell.source, namespace)
    here = {name: value for name, value in namespace.items() if getattr(value, "__module__", None) == "builtins"}
    return {
        name: value for name, value in here.items() if isinstance(value, type) and issubclass(value, torch.nn.Module)
    }


@pytest.fixture(scope="module")
def taught():
    return taught_in("01_layernorm.ipynb")["LayerNorm"]


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


# (notebook, class, arguments, input shape): the sizes leave a rest, kernels tile and overlap
LAYERS = [
    ("02_stem_and_downsample.ipynb", "ConvNeXtStem", dict(c1=3, c2=8), (2, 3, 10, 13)),
    ("02_stem_and_downsample.ipynb", "ConvNeXtStem", dict(c1=3, c2=6, k=7, s=4), (1, 3, 17, 12)),
    ("02_stem_and_downsample.ipynb", "ConvNeXtStem", dict(c1=4, c2=5, k=3, s=2, p=2), (2, 4, 9, 8)),
    ("02_stem_and_downsample.ipynb", "ConvNeXtDownsample", dict(c1=4, c2=7), (2, 4, 7, 6)),
    ("02_stem_and_downsample.ipynb", "ConvNeXtDownsample", dict(c1=5, c2=3, k=3, s=2), (1, 5, 9, 10)),
    ("02_stem_and_downsample.ipynb", "ConvNeXtDownsample", dict(c1=4, c2=4, k=2, s=2, p=1), (2, 4, 5, 7)),
    ("03_convnext_block.ipynb", "DropPath", dict(drop_prob=0.4), (9, 3, 2, 2)),
    ("03_convnext_block.ipynb", "DropPath", dict(), (3, 5)),
    ("03_convnext_block.ipynb", "ConvNeXtBlock", dict(dim=6), (2, 6, 9, 8)),
    ("03_convnext_block.ipynb", "ConvNeXtBlock", dict(dim=4, layer_scale=1.0, drop_path=0.5), (8, 4, 3, 5)),
    (
        "03_convnext_block.ipynb",
        "ConvNeXtBlock",
        dict(dim=5, kernel_size=3, expansion=2.5, layer_scale=None),
        (2, 5, 4, 4),
    ),
    ("04_convnext.ipynb", "ConvNeXt", dict(depths=(1, 1, 2, 1), dims=(4, 8, 8, 12), num_classes=5), (2, 3, 64, 33)),
    (
        "04_convnext.ipynb",
        "ConvNeXt",
        dict(depths=(2, 1, 1, 1), dims=(4, 6, 8, 10), in_channels=1, drop_path_rate=0.5, layer_scale=1.0),
        (6, 1, 32, 32),
    ),
]


@pytest.mark.parametrize(("notebook", "name", "arguments", "shape"), LAYERS)
def test_notebook_layer_is_the_librarys(notebook, name, arguments, shape):
    layers = []
    for make in (taught_in(notebook)[name], getattr(cnx, name)):
        torch.manual_seed(0)
        layers.append(make(**arguments).double())
    mine, ours = layers
    assert list(mine.state_dict()) == list(ours.state_dict())
    for key, value in ours.state_dict().items():  # one seed, so the same first weights
        torch.testing.assert_close(mine.state_dict()[key], value, rtol=0, atol=0)
    ours.load_state_dict({key: torch.randn_like(value) for key, value in ours.state_dict().items()})
    mine.load_state_dict(ours.state_dict())
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    pull = torch.randn_like(ours(x))
    results = []
    for layer in layers:
        torch.manual_seed(1)  # the same draws of drop path
        y = layer(x)
        results.append([y, *torch.autograd.grad(y, (x, *layer.parameters()), pull)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_notebook_drop_path_refuses_and_rests_as_the_librarys_does():
    x = torch.ones(50, 2)
    for drop_path in (taught_in("03_convnext_block.ipynb")["DropPath"], cnx.DropPath):
        assert torch.equal(drop_path(0.9).eval()(x), x)
        for wrong in (1, -0.1):
            with pytest.raises(ValueError, match=f"given {wrong}"):
                drop_path(wrong)


def test_every_library_class_of_a_notebook_is_compared():
    compared = {("01_layernorm.ipynb", "LayerNorm"), *((notebook, name) for notebook, name, _, _ in LAYERS)}
    tagged = {(path.name, name) for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) for name in taught_in(path.name)}
    assert tagged == compared
