"""Load published ConvNeXt weights that torchvision, timm, the authors or this package saved.

Why: the four call the same tensors by different names and store three of them in different shapes. The names are first translated to ours,
then all tensors are compared with the model. Nothing is written unless all of them fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cnx_tutorial.nn.block import ConvNeXtBlock
from cnx_tutorial.nn.checkpoint import read, unwrapped
from cnx_tutorial.nn.stem_and_downsample import ConvNeXtDownsample, ConvNeXtStem
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
        source: a state dict, or a .pt, .pth or .safetensors file with one, also inside a training's checkpoint or a whole module (which is read
            without running anything of it), and with prefixes such as "module." or "backbone." before the names.

    Returns:
        Names loaded, missing (a detector's neck and head, say) and unexpected (a classifier's head that does not fit).

    Raises:
        ValueError: the file is no checkpoint, the weights are no ConvNeXt's, they do not fit, or they hold numbers that are not finite; the
            message names the first tensors that differ. All of it is checked before anything is written: the model is then as it was.
    """
    is_path = isinstance(source, (str, Path))
    origin = str(source) if is_path else "the state dict"
    given = read(source) if is_path else unwrapped(source, origin)
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
        name: tensor for name, tensor in rest.items() if name in named and not difference(name, tensor, named)
    }
    with torch.no_grad():
        values = {name: named[name][1].to(tensor.device, tensor.dtype) for name, tensor in fitting.items()}
        if infinite := [name for name, value in values.items() if not value.isfinite().all()]:
            raise ValueError(
                f"{origin} has numbers that are not finite in {len(infinite)} tensors, first in {infinite[0]}; nothing was loaded. "
                "Take a checkpoint from before the training went wrong, or download it again"
            )
        for name, tensor in fitting.items():
            tensor.copy_(values[name])
    used = {named[name][0] for name in fitting}
    return LoadReport(
        source_format,
        tuple(fitting),
        tuple(name for name in rest if name not in fitting),
        tuple(name for name in given if name not in used),
    )


def targets(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The model's tensors by our names: those of the backbone, which must all fit, and the rest, which may."""
    tensors = model.state_dict(keep_vars=True)
    if {name.split(".")[0] for name in tensors} >= {
        "stem",
        "downsamples",
        "stages",
    }:  # ConvNeXt, or a learner's own of notebook 04
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
    given = named[name][1]
    if kind := unusable(given):
        return f"{name}: given {kind}, expected numbers {shape(tensor)}"
    return "" if given.shape == tensor.shape else f"{name}: given {shape(given)}, expected {shape(tensor)}"


def unusable(given: object) -> str:
    """What kind of thing this is, if its values cannot simply be copied; else empty."""
    if not isinstance(given, Tensor):
        return f"a {type(given).__name__}"
    kinds = {
        "a sparse tensor": given.layout != torch.strided,
        "a tensor without values (device meta)": given.is_meta,
        "a quantised tensor": given.is_quantized,
        f"a tensor of {given.dtype}": not given.is_floating_point(),
    }
    return next((kind for kind, is_so in kinds.items() if is_so), "")


def shape(tensor: object) -> str:
    return str(tuple(tensor.shape)) if isinstance(tensor, Tensor) else f"a {type(tensor).__name__}"


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
