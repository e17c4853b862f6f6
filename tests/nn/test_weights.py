"""Published weights under everybody's names; what does not fit is refused, and the model is then as it was."""

import copy
import os
import zipfile

import pytest
import timm
import torch
import torchvision

from cnx_tutorial import nn
from cnx_tutorial.nn.weights import IMAGENET_MEAN, IMAGENET_STD, fold_input_normalisation, load_weights
from tests.nn.names import official, randomise


def small(grn: bool = False, depths=(1, 1, 2, 1), dims=(8, 16, 24, 32), classes: int = 4, **kwargs) -> nn.ConvNeXt:
    return randomise(nn.ConvNeXt(depths, dims, num_classes=classes, grn=grn, **kwargs), seed=sum(dims)).float()


def unchanged(model: torch.nn.Module):
    before = copy.deepcopy(model.state_dict())
    return lambda: all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("grn", [False, True])
@pytest.mark.parametrize("wrap", [None, "model", "model_ema", "state_dict"])
def test_the_authors_names_from_a_file(grn, wrap, tmp_path):
    source, target = small(grn), nn.ConvNeXt((1, 1, 2, 1), (8, 16, 24, 32), num_classes=4, grn=grn).eval()
    state = official(source.state_dict())
    assert any(t.shape == (1, 1, 1, 32) for k, t in state.items() if "grn" in k) is grn
    torch.save({wrap: state} if wrap else state, tmp_path / "weights.pth")
    report = load_weights(target, tmp_path / "weights.pth")
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(target(x), source.eval()(x))
    assert report.source_format == "official" and not report.missing and not report.unexpected
    assert len(report.loaded) == len(state)


def test_our_own_names_and_safetensors(tmp_path):
    from safetensors.torch import save_file

    source, target = small(), nn.ConvNeXt((1, 1, 2, 1), (8, 16, 24, 32), num_classes=4)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    assert load_weights(target, tmp_path / "weights.safetensors").source_format == "cnx_tutorial"
    assert torch.equal(target.head.weight, source.head.weight)


PREFIXES = [
    "module.",
    "_orig_mod.",
    "model.",
    "backbone.",
    "encoder.",
    "module.backbone.",
    "_orig_mod.module.",
    "student.net.",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_stands_before_all_names_is_taken_off(prefix):
    source, target = small(), nn.ConvNeXt((1, 1, 2, 1), (8, 16, 24, 32), num_classes=4)
    state = {prefix + name: tensor for name, tensor in official(source.state_dict()).items()}
    report = load_weights(target, state | {"neck.conv.weight": torch.zeros(1)})
    assert torch.equal(target.stages[2][1].gamma, source.stages[2][1].gamma)
    assert not report.missing and report.unexpected == ("neck.conv.weight",)


@pytest.mark.parametrize("wrap", ["ema", "model_state_dict", "net", "params", "teacher", "module", "two"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_trainings_checkpoint_is_unwrapped(wrap, dtype, tmp_path):
    source, target = small(), nn.ConvNeXt((1, 1, 2, 1), (8, 16, 24, 32), num_classes=4)
    state = {name: tensor.to(dtype) for name, tensor in official(source.state_dict()).items()}
    content = {
        "epoch": 3,
        "args": {"lr": 0.1},
        **({"state": 1, "model": {"state_dict": state}} if wrap == "two" else {wrap: state}),
    }
    torch.save(content, tmp_path / "w.pth")
    load_weights(target, tmp_path / "w.pth")
    torch.testing.assert_close(target.head.weight, source.head.weight, rtol=1e-2, atol=1e-2)


def test_two_networks_in_one_file_are_an_error_that_names_both():
    state = official(small().state_dict())
    both = {f"{who}.{name}": tensor for who in ("teacher", "student") for name, tensor in state.items()}
    with pytest.raises(ValueError, match=r"holds 2 ConvNeXts, under student\. and teacher\."):
        load_weights(small(), both)


class Harmful(torch.nn.Module):
    """Its unpickling writes a file."""

    def __init__(self, file):
        super().__init__()
        self.file, self.stem = str(file), torch.nn.Linear(2, 2)

    def __reduce__(self):
        return open, (self.file, "w")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_whole_module_is_read_without_running_anything_of_it(legacy, tmp_path):
    donor = timm.create_model("convnext_atto")
    donor.hook = Harmful(tmp_path / "ran")
    torch.save({"model": donor, "epoch": 1}, tmp_path / "whole.pth", _use_new_zipfile_serialization=not legacy)
    target = nn.convnext("atto")
    report = load_weights(target, tmp_path / "whole.pth")
    assert torch.equal(target.head.weight, donor.head.fc.weight) and not report.missing
    assert not (tmp_path / "ran").exists()


def test_a_pickle_of_something_else_is_refused_without_running_it(tmp_path):
    torch.save(Harmful(tmp_path / "ran"), tmp_path / "harmful.pth")
    with pytest.raises(ValueError, match=r"harmful\.pth.*model\.state_dict"):
        load_weights(small(), tmp_path / "harmful.pth")
    assert not (tmp_path / "ran").exists()


def sparse(tensor):
    return tensor.to_sparse()


SPOILT = {
    "sparse": (sparse, "a sparse tensor"),
    "meta": (lambda tensor: tensor.to("meta"), "a tensor without values"),
    "quantised": (lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8), "a quantised tensor"),
    "complex": (lambda tensor: tensor.to(torch.complex64), "a tensor of torch.complex64"),
    "whole numbers": (lambda tensor: tensor.to(torch.int64), "a tensor of torch.int64"),
    "a list": (lambda tensor: tensor.tolist(), "a list"),
    "nothing": (lambda tensor: None, "a NoneType"),
    "nan": (lambda tensor: torch.full_like(tensor, float("nan")), "not finite"),
    "one inf": (lambda tensor: tensor.index_fill(0, torch.tensor([0]), float("inf")), "not finite"),
    "too large for float32": (lambda tensor: torch.full_like(tensor, 1e300, dtype=torch.float64), "not finite"),
}


@pytest.mark.parametrize("name", SPOILT)
@pytest.mark.parametrize("place", ["stem.conv.weight", "stages.2.1.pwconv2.weight", "stages.3.0.gamma"])
def test_all_tensors_are_checked_before_the_first_is_written(name, place):
    spoil, told = SPOILT[name]
    model = small()
    intact = unchanged(model)
    state = dict(small(dims=(8, 16, 24, 32)).state_dict())
    state = {key: value + 1 for key, value in state.items()} | {place: spoil(state[place])}
    with pytest.raises(ValueError) as error:
        load_weights(model, state)
    assert told in str(error.value) and place in str(error.value) and "nothing was loaded" in str(error.value)
    assert intact()


def test_a_file_that_would_unpack_to_much_more_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("archive/data.pkl", bytes(2**28))
    with pytest.raises(ValueError, match=r"bomb\.pth is not a checkpoint.*would unpack to 256 MiB"):
        load_weights(small(), tmp_path / "bomb.pth")


@pytest.mark.parametrize("kind", ["folder", "pipe", "long name"])
def test_what_is_no_regular_file_is_named(kind, tmp_path):
    file = tmp_path / ("x" * (3000 if kind == "long name" else 3))
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("this system has no FIFOs")
        os.mkfifo(file)
    with pytest.raises(ValueError, match="no weights file"):
        load_weights(small(), file)


def test_timms_1x1_convolutions_become_linear_layers():
    timms = timm.create_model("convnext_atto")
    assert timms.state_dict()["stages.0.blocks.0.mlp.fc1.weight"].ndim == 4
    assert load_weights(nn.convnext("atto"), timms.state_dict()).source_format == "timm"


def test_another_number_of_classes_is_reported_not_refused():
    report = load_weights(small(classes=7), small(classes=4).state_dict())
    assert report.missing == ("head.weight", "head.bias") and report.unexpected == ("head.weight", "head.bias")
    assert "2 missing in the weights: head.weight, head.bias" in str(report)


MISFITS = {
    "other widths": (
        lambda: small(dims=(8, 16, 24, 40)),
        ["downsamples.2.conv.weight: given (40, 24, 2, 2), expected (32, 24, 2, 2)"],
    ),
    "deeper": (lambda: small(depths=(1, 1, 3, 1)), ["stages.2.2.gamma: given (24,), expected none"]),
    "shallower": (lambda: small(depths=(1, 1, 1, 1)), ["stages.2.1.gamma: given none, expected (24,)"]),
    "version 2": (lambda: small(grn=True), ["stages.0.0.gamma: given none, expected (8,)", "grn=True for V2"]),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_refused_by_name_and_nothing_is_written(name):
    make, told = MISFITS[name]
    model = small()
    intact = unchanged(model)
    with pytest.raises(ValueError) as error:
        load_weights(model, make().state_dict())
    assert not [part for part in told if part not in str(error.value)], error.value
    assert "nothing was loaded" in str(error.value) and intact()


def test_another_network_is_no_convnext():
    with pytest.raises(ValueError, match=r"no ConvNeXt that we know.*conv1\.weight.*torchvision: features"):
        load_weights(small(), torchvision.models.resnet18(weights=None).state_dict())


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_that_is_no_checkpoint_says_so(content, suffix, tmp_path):
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"weights{suffix} is not a checkpoint"):
        load_weights(small(), file)


def test_a_missing_file_and_a_pickled_list_say_so(tmp_path):
    with pytest.raises(ValueError, match=r"no weights file.*gone\.pt"):
        load_weights(small(), tmp_path / "gone.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="holds a list, expected a state dict"):
        load_weights(small(), tmp_path / "list.pt")


def test_a_model_without_our_layers_is_refused():
    with pytest.raises(ValueError, match="Linear contains no ConvNeXtStem"):
        load_weights(torch.nn.Linear(2, 2), small().state_dict())


@pytest.mark.parametrize(("scale", "variant"), [("s", "femto"), ("m", "pico"), ("l", "tiny")])
def test_published_sizes_fill_the_backbone_of_a_detector(scale, variant):
    from cnx_tutorial import YOLO

    theirs = (
        torchvision.models.convnext_tiny(weights=None)
        if variant == "tiny"
        else timm.create_model(f"convnext_{variant}")
    )
    randomise(theirs).float()
    yolo, ours = YOLO(f"yolov8{scale}-convnext-published.yaml"), nn.convnext(variant).eval()
    report = yolo.load_backbone(theirs.state_dict())
    load_weights(ours, theirs.state_dict())
    assert all(name.startswith("model.") for name in report.missing) and {n.split(".")[0] for n in report.loaded} == {
        "stem",
        "downsamples",
        "stages",
    }
    image = torch.rand(1, 3, 64, 64)  # 0 to 1, as YOLO feeds it
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        expected = ours.forward_features((image - mean) / std)[-1]
        torch.testing.assert_close(
            yolo.model.model[:8].eval()(image), expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item()
        )


def test_folding_mean_and_std_is_exact_and_refused_where_it_cannot_be():
    stem, x = randomise(nn.ConvNeXtStem(3, 8)), torch.rand(2, 3, 16, 16, dtype=torch.float64)
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    expected = stem.conv((x - mean) / std)
    fold_input_normalisation(stem)
    torch.testing.assert_close(stem.conv(x), expected, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="pads its input"):
        fold_input_normalisation(nn.ConvNeXtStem(3, 8, k=7, s=4))
    with pytest.raises(ValueError, match="reads 1 channels"):
        fold_input_normalisation(nn.ConvNeXtStem(1, 8))


def test_a_network_of_ones_own_with_our_names_takes_published_weights():
    class Mine(torch.nn.Module):  # as in notebook 04: the same parts in a class that is not the library's
        def __init__(self):
            super().__init__()
            theirs = small()
            self.stem, self.downsamples, self.stages = theirs.stem, theirs.downsamples, theirs.stages

    mine, source = Mine(), small()
    torch.nn.init.normal_(source.stages[2][1].pwconv1.weight)
    report = load_weights(mine, source.state_dict())
    assert len(report.loaded) == len(mine.state_dict()) and not report.missing
    assert torch.equal(mine.stages[2][1].pwconv1.weight, source.stages[2][1].pwconv1.weight)
