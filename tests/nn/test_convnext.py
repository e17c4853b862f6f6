"""Whole networks against torchvision's and timm's, in float64, with random weights: values, gradients, counts."""

import copy
import pickle

import pytest
import timm
import torch
import torchvision

from cnx_tutorial import nn
from cnx_tutorial.nn.weight_names import translate
from cnx_tutorial.nn.weights import load_weights
from tests.nn.names import PARITY, largest_difference, randomise

NETWORKS = {  # name: theirs, ours
    "torchvision tiny": (lambda: torchvision.models.convnext_tiny(weights=None), lambda: nn.convnext("tiny")),
    "timm atto": (lambda: timm.create_model("convnext_atto"), lambda: nn.convnext("atto")),
    "timm pico": (lambda: timm.create_model("convnext_pico"), lambda: nn.convnext("pico")),
    "timm V2 atto": (lambda: timm.create_model("convnextv2_atto"), lambda: nn.convnext("atto", grn=True)),
}
COUNTS = {"torchvision tiny": 28_589_128}  # torchvision's documentation; the others are counted


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_in_value_and_gradient(name, record_property, capsys):
    theirs, ours = (make() for make in NETWORKS[name])
    randomise(theirs)
    ours.double().eval()
    report = load_weights(ours, theirs.state_dict())
    assert not report.missing and not report.unexpected
    pair = {a: b for a, (b, _) in translate(theirs.state_dict(), "theirs")[1].items()}
    x = torch.randn(2, 3, 64, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    errors = largest_difference(ours, theirs, x, pair)
    count = sum(p.numel() for p in ours.parameters())
    with capsys.disabled():
        print(f"\n{name}: {count:,} parameters; " + ", ".join(f"{key} {error:.1e}" for key, error in errors.items()))
    for key, error in errors.items():
        record_property(f"{name} {key}", error)
        assert error < PARITY, key
    assert count == sum(p.numel() for p in theirs.parameters()) == COUNTS.get(name, count)


MILLIONS = {
    "atto": 3.70,
    "femto": 5.22,
    "pico": 9.05,
    "nano": 15.59,
    "tiny": 28.59,
    "small": 50.22,
    "base": 88.59,
    "large": 197.77,
}


@pytest.mark.parametrize("variant", MILLIONS)
def test_each_variant_has_the_published_number_of_parameters(variant):
    with torch.device("meta"):
        assert sum(p.numel() for p in nn.convnext(variant).parameters()) / 1e6 == pytest.approx(
            MILLIONS[variant], abs=0.006
        )


def test_drop_path_rates_are_the_authors_linspace():
    network = nn.ConvNeXt((3, 3, 9, 3), (8, 8, 8, 8), drop_path_rate=0.1)
    rates = [m.drop_prob for m in network.modules() if isinstance(m, nn.DropPath)]
    assert rates == [x.item() for x in torch.linspace(0, 0.1, 18)]


def test_first_weights_are_the_authors():
    torch.manual_seed(0)
    network = nn.convnext("atto")
    for name, p in network.named_parameters():
        if name.endswith("bias"):
            assert not p.any(), name
        elif "norm" in name:
            assert (p == 1).all(), name
        elif name.endswith("gamma"):
            assert (p == 1e-6).all(), name
        elif p.numel() > 5000:
            assert p.std().item() == pytest.approx(0.02, rel=0.05), name


def test_features_have_strides_4_8_16_32():
    maps = nn.convnext("atto").forward_features(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(1, 40, 16, 24), (1, 80, 8, 12), (1, 160, 4, 6), (1, 320, 2, 3)]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_a_copy_computes_the_same(clone):
    network, x = nn.convnext("atto", num_classes=5).eval(), torch.randn(1, 3, 64, 64)
    assert torch.equal(clone(network)(x), network(x))


def test_an_unknown_variant_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'tinny'.*atto, femto.*did you mean 'tiny'"):
        nn.convnext("tinny")


def test_three_stages_are_refused():
    with pytest.raises(ValueError, match=r"four positive whole numbers.*\(1, 1, 1\)"):
        nn.ConvNeXt((1, 1, 1), (8, 8, 8, 8))
