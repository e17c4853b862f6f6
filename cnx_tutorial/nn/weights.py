"""Load published ConvNeXt weights, whoever saved them: torchvision, timm, the authors, or this package.

Why: the four call the same tensors by different names and store three of them in different shapes. Everything is first translated to our names,
then compared with the model, and only if all of it fits is anything written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cnx_tutorial.nn.block import ConvNeXtBlock
from cnx_tutorial.nn.convnext import ConvNeXt
from cnx_tutorial.nn.downsample import ConvNeXtDownsample
from cnx_tutorial.nn.stem import ConvNeXtStem
from cnx_tutorial.nn.weight_names import Weights, translate

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did, by name: ours for what was loaded or is missing, the source's own for what was not expected."""

    source_format: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.loaded)} tensors loaded from {self.source_format} weights"]
        for kind, names in (("missing in the weights", self.missing), ("not used", self.unexpected)):
            if names:
                lines.append(f"{len(names)} {kind}: {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}")
        return "\n".join(lines)


def load_weights(model: nn.Module, source: str | Path | Weights) -> LoadReport:
    """Copy ConvNeXt weights into a ConvNeXt, or into the backbone of any model built from our layers.

    Args:
        model: a ConvNeXt, or a model that contains a ConvNeXtStem, ConvNeXtBlocks and ConvNeXtDownsamples in order, such as a detector.
        source: a state dict, or a .pt, .pth or .safetensors file with one (also under "model", "model_ema" or "state_dict").

    Returns:
        Names loaded, missing (a detector's neck and head, say) and unexpected (a classifier's head that does not fit).

    Raises:
        ValueError: the file is no checkpoint, the weights are no ConvNeXt's, or they do not fit; the message names the first tensors that
            differ. The model is then as it was.
    """
    given = read(source) if isinstance(source, (str, Path)) else source
    origin = str(source) if isinstance(source, (str, Path)) else "the state dict"
    source_format, named = translate(given, origin)
    backbone, rest = targets(model)
    differing = [difference(name, tensor, named) for name, tensor in backbone.items()]
    differing += [
        f"{name}: given {shape(named[name][1])}, expected none"
        for name in named
        if is_backbone(name) and name not in backbone
    ]
    if differing := [line for line in differing if line]:
        more = f"\n  ... and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise ValueError(
            f"{origin} ({source_format} names) does not fit this model; nothing was loaded. The first tensors that differ:\n  "
            + "\n  ".join(differing[:5])
            + more
            + "\nBuild the variant that the weights were made for: see VARIANTS for depths and widths, grn=True for V2, layer_scale for gamma."
        )
    fitting = backbone | {
        name: tensor for name, tensor in rest.items() if name in named and named[name][1].shape == tensor.shape
    }
    with torch.no_grad():
        for name, tensor in fitting.items():
            tensor.copy_(named[name][1])
    used = {named[name][0] for name in fitting}
    return LoadReport(
        source_format,
        tuple(fitting),
        tuple(name for name in rest if name not in fitting),
        tuple(name for name in given if name not in used),
    )


def read(source: str | Path) -> Weights:
    """The state dict in a file, unwrapped; only tensors are unpickled, no code runs."""
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"no weights file {str(path)!r}: give the path of a .pt, .pth or .safetensors file")
    try:
        content = (
            read_safetensors(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        )
    except ImportError as error:
        raise ValueError(f"{path} needs the safetensors package: pip install safetensors") from error
    except Exception as error:  # both raise a dozen kinds for a damaged or foreign file; all of them mean this
        raise ValueError(
            f"{path} is not a checkpoint ({path.stat().st_size} bytes; {type(error).__name__}: {str(error).partition(chr(10))[0]}). "
            "Expected a state dict saved with torch.save or safetensors: download it again, or save model.state_dict()"
        ) from error
    for key in ("model_ema", "model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{path} holds a {type(content).__name__}, expected a state dict (names to tensors): save model.state_dict()"
        )
    return content


def read_safetensors(path: Path) -> Weights:
    from safetensors.torch import load_file  # not required: torch files load without it

    return load_file(path)


def targets(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The model's tensors by our names: those of the backbone, which must all fit, and the rest, which may."""
    tensors = model.state_dict(keep_vars=True)
    if isinstance(model, ConvNeXt):
        return {k: v for k, v in tensors.items() if is_backbone(k)}, {
            k: v for k, v in tensors.items() if not is_backbone(k)
        }
    backbone: dict[str, Tensor] = {}
    stage, block, inside = 0, 0, []
    for name, module in model.named_modules():  # rows of a detector stand in the order in which they run
        if isinstance(module, ConvNeXtStem):
            prefix = "stem"
        elif isinstance(module, ConvNeXtDownsample):
            prefix, stage, block = f"downsamples.{stage}", stage + 1, 0
        elif isinstance(module, ConvNeXtBlock):
            prefix, block = f"stages.{stage}.{block}", block + 1
        else:
            continue
        inside.append(f"{name}.")
        backbone |= {f"{prefix}.{key}": tensor for key, tensor in module.state_dict(keep_vars=True).items()}
    if "stem.conv.weight" not in backbone:
        raise ValueError(
            f"{type(model).__name__} contains no ConvNeXtStem to load weights into; published weights fit "
            "yolov8-convnext-published.yaml at the scales s, m and l"
        )
    rest = {
        name: tensor for name, tensor in model.state_dict(keep_vars=True).items() if not name.startswith(tuple(inside))
    }
    return backbone, rest


def is_backbone(name: str) -> bool:
    return name.startswith(("stem.", "downsamples.", "stages."))


def difference(name: str, tensor: Tensor, named: Mapping[str, tuple[str, Tensor]]) -> str:
    """How one tensor of the model differs from the given one; empty where it fits."""
    if name not in named:
        return f"{name}: given none, expected {shape(tensor)}"
    return (
        ""
        if named[name][1].shape == tensor.shape
        else f"{name}: given {shape(named[name][1])}, expected {shape(tensor)}"
    )


def shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


@torch.no_grad()
def fold_input_normalisation(
    stem: ConvNeXtStem, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD
) -> None:
    """Make a stem that was trained on (image - mean) / std read images in 0..1, with the same output.

    weight * (x - mean) / std + bias = (weight / std) * x + (bias - sum of weight * mean / std): exact, as long as nothing is padded.

    Raises:
        ValueError: the stem pads its input with zeros, which stand for other colours before and after; or it has another number of channels.
    """
    conv = stem.conv
    if any(conv.padding):
        raise ValueError(
            f"the stem pads its input by {conv.padding}, so mean and std cannot be folded into it exactly; normalise images instead"
        )
    if not conv.in_channels == len(mean) == len(std):
        raise ValueError(
            f"the stem reads {conv.in_channels} channels, but mean and std have {len(mean)} and {len(std)} values"
        )
    scale = conv.weight.new_tensor(std).reciprocal().view(1, -1, 1, 1)
    conv.bias -= (conv.weight * scale * conv.weight.new_tensor(mean).view(1, -1, 1, 1)).sum(dim=(1, 2, 3))
    conv.weight *= scale
