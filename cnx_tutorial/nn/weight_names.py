"""The names that torchvision, timm and the authors give to a ConvNeXt's tensors, and the way from each to ours.

Source: torchvision/models/convnext.py, timm/models/convnext.py (`checkpoint_filter_fn`), facebookresearch/ConvNeXt and ConvNeXt-V2.
"""

import re
from collections.abc import Mapping

from torch import Tensor, strided

Weights = Mapping[str, Tensor]

# For each format: a name by which it is recognised, and rules that turn its names into ours. torchvision and the authors count stem,
# downsampling and stages in one list, so that some numbers are computed.
PARTS = r"(weight|bias)"
FORMATS = {
    "torchvision": (
        "features.0.0.weight",
        {
            rf"features\.0\.(\d)\.{PARTS}": lambda m: f"stem.{('conv', 'norm')[int(m[1])]}.{m[2]}",
            rf"features\.([246])\.(\d)\.{PARTS}": lambda m: (
                f"downsamples.{int(m[1]) // 2 - 1}.{('norm', 'conv')[int(m[2])]}.{m[3]}"
            ),
            rf"features\.([1357])\.(\d+)\.block\.([0235])\.{PARTS}": lambda m: (
                f"stages.{int(m[1]) // 2}.{m[2]}.{ {'0': 'dwconv', '2': 'norm', '3': 'pwconv1', '5': 'pwconv2'}[m[3]] }.{m[4]}"
            ),
            r"features\.([1357])\.(\d+)\.layer_scale": lambda m: f"stages.{int(m[1]) // 2}.{m[2]}.gamma",
            rf"classifier\.([02])\.{PARTS}": lambda m: f"{ {'0': 'norm', '2': 'head'}[m[1]] }.{m[2]}",
        },
    ),
    "timm": (
        "stages.0.blocks.0.conv_dw.weight",
        {
            rf"stem\.([01])\.{PARTS}": lambda m: f"stem.{('conv', 'norm')[int(m[1])]}.{m[2]}",
            rf"stages\.([123])\.downsample\.([01])\.{PARTS}": lambda m: (
                f"downsamples.{int(m[1]) - 1}.{('norm', 'conv')[int(m[2])]}.{m[3]}"
            ),
            rf"stages\.(\d)\.blocks\.(\d+)\.(conv_dw|norm|mlp\.fc1|mlp\.fc2|mlp\.grn)\.{PARTS}": lambda m: (
                f"stages.{m[1]}.{m[2]}.{ {'conv_dw': 'dwconv', 'mlp.fc1': 'pwconv1', 'mlp.fc2': 'pwconv2', 'mlp.grn': 'grn'}.get(m[3], m[3]) }.{m[4]}"
            ),
            r"stages\.(\d)\.blocks\.(\d+)\.gamma": lambda m: f"stages.{m[1]}.{m[2]}.gamma",
            rf"(?:head\.norm|norm_pre)\.{PARTS}": lambda m: f"norm.{m[1]}",
            rf"head\.fc\.{PARTS}": lambda m: f"head.{m[1]}",
        },
    ),
    "official": (
        "downsample_layers.0.0.weight",
        {
            rf"downsample_layers\.0\.([01])\.{PARTS}": lambda m: f"stem.{('conv', 'norm')[int(m[1])]}.{m[2]}",
            rf"downsample_layers\.([123])\.([01])\.{PARTS}": lambda m: (
                f"downsamples.{int(m[1]) - 1}.{('norm', 'conv')[int(m[2])]}.{m[3]}"
            ),
            r"stages\.(\d)\.(\d+)\.grn\.(gamma|beta)": lambda m: (
                f"stages.{m[1]}.{m[2]}.grn.{ {'gamma': 'weight', 'beta': 'bias'}[m[3]] }"
            ),
            r"(stages\.\d\.\d+\..+|norm\..+|head\..+)": lambda m: m[1],
        },
    ),
    "cnx_tutorial": ("stem.conv.weight", {r"((?:stem|downsamples|stages|norm|head)\..+)": lambda m: m[1]}),
}


def translate(given: Weights, origin: str) -> tuple[str, dict[str, tuple[str, Tensor]]]:
    """The format's name, and our names to (their name, tensor in our shape). Names that no rule knows are left out.

    Whatever stands before all names ("module.", "_orig_mod.", "backbone.", also several) is taken off first.
    """
    for source_format, (sign, rules) in FORMATS.items():
        prefixes = {name[: -len(sign)] for name in given if isinstance(name, str) and name.endswith(sign)}
        prefixes = {prefix for prefix in prefixes if not prefix or prefix.endswith(".")}
        if not prefixes:
            continue
        if len(prefixes) > 1 and "" not in prefixes:
            raise ValueError(
                f"{origin} holds {len(prefixes)} ConvNeXts, under {' and '.join(sorted(prefixes)[:4])}: save one of them by itself"
            )
        prefix, named = min(prefixes, key=len), {}
        for theirs, tensor in given.items():
            if not isinstance(theirs, str) or not theirs.startswith(prefix):
                continue
            for pattern, rename in rules.items():
                if match := re.fullmatch(pattern, theirs.removeprefix(prefix)):
                    ours = rename(match)
                    if isinstance(tensor, Tensor) and tensor.layout == strided:
                        vector = tensor.numel() == max(tensor.shape, default=0)  # all other axes are 1
                        if ours.endswith((".gamma", ".grn.weight", ".grn.bias")) and vector:
                            tensor = tensor.flatten()  # (C, 1, 1) or (1, 1, 1, C) -> (C,)
                        elif ".pwconv" in ours and tensor.ndim == 4 and tensor.shape[2:] == (1, 1):
                            tensor = tensor.flatten(1)  # a 1x1 convolution: (out, in, 1, 1) -> (out, in)
                    named[ours] = (theirs, tensor)
                    break
        return source_format, named
    names = ", ".join(str(name)[:60] for name in list(given)[:3])
    signs = "; ".join(f"{name}: {sign}" for name, (sign, _) in FORMATS.items())
    raise ValueError(
        f"{origin} holds no ConvNeXt that we know: its first names are {names or '(none)'}. Expected a name such as {signs}"
    )
