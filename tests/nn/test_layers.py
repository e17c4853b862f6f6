"""Each layer against torchvision's or timm's in float64; memory layouts; and lookalikes that are told apart."""

import copy
import io
import subprocess
import sys

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from timm.layers.grn import GlobalResponseNorm as TimmGRN
from torch import nn as torch_nn
from torch.profiler import ProfilerActivity
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.convnext import CNBlock, LayerNorm2d

from cnx_tutorial import nn
from tests.nn.names import PARITY, largest_difference, randomise

N, C, H, W = 2, 6, 9, 11


def image(channels: int = C, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(N, channels, H, W, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def same_weights(ours: torch_nn.Module, theirs: torch_nn.Module) -> dict[str, str]:
    """Copy their parameters into ours, in order, and return the pairs of names."""
    pair = dict(zip(dict(ours.named_parameters()), dict(theirs.named_parameters()), strict=True))
    parameters = dict(theirs.named_parameters())
    ours.load_state_dict(
        {a: parameters[b].detach().reshape(dict(ours.named_parameters())[a].shape) for a, b in pair.items()}
    )
    return pair


class Torchvision:
    """Layers of torchvision with random weights."""

    tiny = torchvision.models.convnext_tiny(weights=None).features
    stem = tiny[0]
    downsample = tiny[2]
    layernorm = LayerNorm2d(C, eps=1e-6)


def block_pair(ours: nn.ConvNeXtBlock, theirs: CNBlock) -> dict[str, str]:
    named = {"gamma": "layer_scale"} | {
        f"{a}.{kind}": f"block.{b}.{kind}"
        for a, b in (("dwconv", 0), ("norm", 2), ("pwconv1", 3), ("pwconv2", 5))
        for kind in ("weight", "bias")
    }
    parameters = dict(theirs.named_parameters())
    ours.load_state_dict(
        {a: parameters[b].detach().reshape(dict(ours.named_parameters())[a].shape) for a, b in named.items()}
    )
    return named


def torchvision_case(layer: str) -> tuple[torch_nn.Module, torch_nn.Module, dict[str, str], torch.Tensor]:
    if layer == "block":
        theirs = randomise(CNBlock(C, layer_scale=1e-6, stochastic_depth_prob=0.0))
        ours = nn.ConvNeXtBlock(C).double()
        return ours, theirs, block_pair(ours, theirs), image()
    make = {
        "layernorm": lambda: nn.LayerNorm(C, data_format="channels_first"),
        "stem": lambda: nn.ConvNeXtStem(3, 96),
        "downsample": lambda: nn.ConvNeXtDownsample(96, 192),
    }
    theirs, ours = randomise(getattr(Torchvision, layer)), make[layer]().double()
    return ours, theirs, same_weights(ours, theirs), image({"layernorm": C, "stem": 3, "downsample": 96}[layer])


@pytest.mark.parametrize("layer", ["layernorm", "stem", "downsample", "block"])
def test_equal_to_torchvision_in_value_and_gradient(layer, capsys):
    ours, theirs, pair, x = torchvision_case(layer)
    errors = largest_difference(ours, theirs, x, pair)
    with capsys.disabled():
        print(f"\n{layer} and torchvision's: " + ", ".join(f"{key} {error:.1e}" for key, error in errors.items()))
    assert max(errors.values()) < PARITY


def test_version_2_block_equals_timms_in_value_and_gradient():
    theirs = randomise(timm.models.convnext.ConvNeXtBlock(C, ls_init_value=None, use_grn=True))
    ours = nn.ConvNeXtBlock(C, grn=True).double()
    names = {"dwconv": "conv_dw", "norm": "norm", "pwconv1": "mlp.fc1", "grn": "mlp.grn", "pwconv2": "mlp.fc2"}
    pair = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    parameters = dict(theirs.named_parameters())
    ours.load_state_dict({a: parameters[b].detach() for a, b in pair.items()})
    assert max(largest_difference(ours, theirs, image(), pair).values()) < PARITY


def test_grn_equals_timms_and_does_not_overflow_in_float16():
    x = image().permute(0, 2, 3, 1)
    ours, theirs = nn.GlobalResponseNorm(C).double(), TimmGRN(C, channels_last=True).double()
    for layer in (ours, theirs):
        torch_nn.init.constant_(layer.weight, 0.7)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)
    loud = torch.full((1, 8, 8, C), 100.0, dtype=torch.float16)  # the sum of squares is 640,000: infinite in float16
    assert ours.half()(loud).isfinite().all()


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_layernorm_equals_the_textbook_formula(data_format):
    axis = -1 if data_format == "channels_last" else 1
    layer = randomise(nn.LayerNorm(C, data_format=data_format))
    x = image().permute(0, 2, 3, 1) if axis == -1 else image()
    mean, variance = x.mean(axis, keepdim=True), x.var(axis, keepdim=True, correction=0)
    shape = (C,) if axis == -1 else (C, 1, 1)
    expected = (x - mean) / (variance + 1e-6).sqrt() * layer.weight.view(shape) + layer.bias.view(shape)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)


def test_layernorm_survives_large_means_in_float32():
    x = image(64, dtype=torch.float64) + 1e4
    exact = F.layer_norm(x.permute(0, 2, 3, 1), (64,), eps=1e-6).permute(0, 3, 1, 2)
    ours = nn.LayerNorm(64, data_format="channels_first")(x.float())
    shortcut = x.float()  # the control: E[x^2] - E[x]^2 cancels all digits
    variance = (shortcut**2).mean(1, keepdim=True) - shortcut.mean(1, keepdim=True) ** 2
    wrong = (shortcut - shortcut.mean(1, keepdim=True)) / (variance.clamp(min=0) + 1e-6).sqrt()
    assert (ours - exact).abs().max() < 0.01 < 1 < (wrong - exact).abs().max()


def test_an_unknown_layout_is_quoted():
    with pytest.raises(ValueError, match="'channels first'"):
        nn.LayerNorm(8, data_format="channels first")


def test_layernorm_is_torchs_so_that_optimizers_know_it():
    assert isinstance(nn.LayerNorm(8), torch_nn.LayerNorm)


LOOKALIKES = {  # what is often written instead, and the least by which it differs here
    "GroupNorm(1)": (lambda: torch_nn.GroupNorm(1, C, eps=1e-6).double(), 0.5),
    "eps 1e-5": (lambda: nn.LayerNorm(C, eps=1e-5, data_format="channels_first").double(), 1e-5),
    "unbiased variance": (
        lambda: lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-6).sqrt(),
        0.05,
    ),
}


@pytest.mark.parametrize("name", LOOKALIKES)
def test_lookalikes_of_layernorm_are_told_apart(name):
    make, least = LOOKALIKES[name]
    x = 0.5 * image()  # a variance of about a quarter, where eps is felt
    assert (make()(x) - nn.LayerNorm(C, data_format="channels_first").double()(x)).abs().max() > least


def test_a_block_without_bias_in_its_depthwise_convolution_is_told_apart():
    ours, theirs, _, x = torchvision_case("block")
    torch_nn.init.zeros_(ours.dwconv.bias)
    assert (ours(x) - theirs(x)).abs().max() > 1e-3


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    x = torch.ones(4000, 2, 3, 3)
    y = nn.DropPath(0.25).train()(x)
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (y.flatten(1).amin(1) == y.flatten(1).amax(1)).all()
    assert y.mean().item() == pytest.approx(1, abs=0.05)
    assert nn.DropPath(0.25).eval()(x) is x


@pytest.mark.parametrize("rate", [-0.1, 1.0, 128])
def test_a_drop_path_that_is_no_probability_is_refused(rate):
    with pytest.raises(ValueError, match=str(rate)):
        nn.ConvNeXtBlock(8, drop_path=rate)


@pytest.mark.parametrize("kernel_size", [0, 4])
def test_an_even_kernel_is_refused(kernel_size):
    with pytest.raises(ValueError, match=f"odd.*{kernel_size}"):
        nn.ConvNeXtBlock(8, kernel_size=kernel_size)


LAYERS = {
    "layernorm": lambda: nn.LayerNorm(16, data_format="channels_first"),
    "stem": lambda: nn.ConvNeXtStem(16, 24),
    "downsample": lambda: nn.ConvNeXtDownsample(16, 24),
    "block": lambda: nn.ConvNeXtBlock(16, layer_scale=1.0),
    "V2 block": lambda: nn.ConvNeXtBlock(16, grn=True),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_memory_layout_changes_nothing_but_speed(layer):
    module, x = LAYERS[layer]().double(), torch.randn(2, 16, 8, 12, dtype=torch.float64)
    last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(module(last), module(x), rtol=0, atol=1e-12)
    assert module.to(memory_format=torch.channels_last)(last).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("layer", LAYERS)
def test_no_hidden_copies_in_channels_last(layer):
    module = LAYERS[layer]().to(memory_format=torch.channels_last).eval()
    x = torch.randn(16, 16, 16, 16).to(
        memory_format=torch.channels_last
    )  # from 16 images on, one thread takes the road of many

    def copies(x: torch.Tensor) -> list[str]:
        with torch.no_grad(), torch.profiler.profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profile:
            module(x)
        names = ("aten::copy_", "aten::clone", "aten::contiguous")
        # Not meant: scalars, and the bias that a linear layer writes into its output before it multiplies (inside addmm).
        return [
            (e.name, e.input_shapes)
            for e in profile.events()
            if e.name in names and any(e.input_shapes) and getattr(e.cpu_parent, "name", "") != "aten::addmm"
        ]

    assert not copies(x)
    if layer == "layernorm":  # the control: the same layer has to copy where memory is contiguous
        assert copies(x.contiguous())


@pytest.mark.parametrize("layer", LAYERS)
def test_half_precision_and_odd_sizes(layer):
    for dtype in (torch.float16, torch.bfloat16):
        y = LAYERS[layer]().to(dtype)(torch.randn(1, 16, 13, 15, dtype=dtype))
        assert y.dtype == dtype and y.isfinite().all()


def test_overlapping_stems_halve_exactly_too():
    x = torch.zeros(1, 3, 64, 64)
    assert nn.ConvNeXtStem(3, 8, k=7, s=4)(x).shape == (1, 8, 16, 16)
    assert nn.ConvNeXtStem(3, 8, k=3, s=2)(x).shape == (1, 8, 32, 32)
    assert isinstance(nn.ConvNeXtStem(3, 8, act=True).act, torch_nn.GELU)


@pytest.mark.parametrize("options", [{}, {"layer_scale": 0.5}, {"layer_scale": None}, {"grn": True}])
def test_a_fused_block_gives_the_same_output_without_layer_scale(options):
    block = nn.ConvNeXtBlock(6, **options).double().eval()
    for p in block.parameters():
        torch.nn.init.normal_(p, 0.5)
    x = torch.randn(2, 6, 9, 8, dtype=torch.float64, requires_grad=True)
    as_it_was, before, count = x.detach().clone(), block(x), sum(p.numel() for p in block.parameters())
    (gradient,) = torch.autograd.grad(before.square().sum(), x)
    for _ in range(2):  # a second time changes nothing
        block.fuse()
        after = block(x)
        torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(torch.autograd.grad(after.square().sum(), x)[0], gradient, rtol=1e-9, atol=1e-9)
        assert torch.equal(x, as_it_was)
    copied = copy.deepcopy(block)
    torch_nn.init.zeros_(copied.pwconv2.weight)  # the copy runs its own weights, not those of the original
    assert torch.equal(block(x), after) and not torch.allclose(copied(x), after)
    spared = 6 if block.grn.__class__ is torch.nn.Identity and options.get("layer_scale", 1) else 0
    assert sum(p.numel() for p in block.parameters()) == count - spared


def called(function, x: torch.Tensor) -> set[str]:
    """The names of the operations in function(x)."""
    with torch.profiler.profile(activities=[ProfilerActivity.CPU]) as run:
        function(x)
    return {event.key for event in run.key_averages()}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("shape", [(2, 24, 9, 11), (1, 24, 1, 1), (0, 24, 4, 4), (2, 24, 25, 24)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("grn", [False, True])
def test_a_prediction_gives_what_training_gives(fused, shape, layout, grn):
    block = nn.ConvNeXtBlock(24, layer_scale=0.5, grn=grn).eval()
    for p in block.parameters():
        torch_nn.init.normal_(p, std=0.5)
    x = torch.randn(shape).contiguous(memory_format=layout)
    as_it_was, expected = x.clone(), block(x).detach()
    if fused:
        block.fuse()
    with torch.inference_mode():
        names = called(block, x)
        torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(x, as_it_was)
    if torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        assert ("mkldnn::_linear_pointwise" in names) == fused


def test_what_a_prediction_fused_can_be_saved_loaded_and_trained_on():
    block, x = nn.ConvNeXtBlock(8).eval(), torch.randn(1, 8, 6, 6)
    with torch.inference_mode():
        block.fuse()
        expected = block(x)
    file = io.BytesIO()
    torch.save(copy.deepcopy(block), file)
    file.seek(0)
    for same in (copy.deepcopy(block), torch.load(file, weights_only=False), copy.deepcopy(block).double().float()):
        with torch.inference_mode():
            torch.testing.assert_close(same(x), expected)
    plain = nn.ConvNeXtBlock(8)
    plain.load_state_dict(block.state_dict(), strict=False)
    assert torch.equal(plain.pwconv1.weight, block.pwconv1.weight) and plain.pwconv1.weight.is_contiguous()
    block(x).sum().backward()
    assert block.pwconv1.weight.grad.abs().sum() > 0


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("side", [6, 40])
def test_whoever_looks_on_sees_operations_that_every_machine_has(side):
    block, x = nn.ConvNeXtBlock(8).eval(), torch.randn(1, 8, side, side)
    block.fuse()
    with torch.inference_mode():
        seen = str(torch.export.export(block, (x,)).graph) + str(torch.jit.trace(block, x).inlined_graph)
        with torch.autocast("cpu", torch.bfloat16):
            seen += str(called(block, x))
        with FlopCounterMode(display=False) as counter:
            block(x)
    with torch.no_grad():
        seen += str(called(block, x))
    assert "mkldnn::_" not in seen and "conv" in seen
    assert counter.get_total_flops() == 2 * side**2 * (7 * 7 * 8 + 2 * 8 * 32)


@pytest.mark.parametrize(("module", "name"), [("stem", "ConvNeXtStem"), ("downsample", "ConvNeXtDownsample")])
def test_checkpoints_of_the_first_edition_find_their_modules(module, name):
    code = f"import pickle; print(pickle.loads(b'ccnx_tutorial.nn.{module}\\n{name}\\n.').__module__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "cnx_tutorial.nn.stem_and_downsample", run.stderr
