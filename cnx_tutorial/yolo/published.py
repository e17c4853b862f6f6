"""ImageNet weights for a backbone of our rows, by one word: which published ConvNeXt it is, and where its weights lie.

`weights=imagenet` takes torchvision's (tiny to large) or timm's (atto to nano), all for ConvNeXt V1. `weights=timm:NAME` takes any other that fits,
V2 among them, whose authors allow no commercial use.
Source: torchvision/models/convnext.py, timm/models/convnext.py; licences: facebookresearch/ConvNeXt (MIT), ConvNeXt-V2 (CC-BY-NC-4.0 for weights).
"""

import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn
from ultralytics.nn.tasks import load_checkpoint
from ultralytics.utils import LOGGER

from cnx_tutorial.nn import VARIANTS, ConvNeXtBlock, ConvNeXtDownsample, ConvNeXtStem
from cnx_tutorial.nn.weights import LoadReport
from cnx_tutorial.yolo.backbone import Backbone
from cnx_tutorial.yolo.sources import address, no_weights

TORCHVISIONS = ("tiny", "small", "base", "large")
FITTING = "yolov8s-convnext-published.yaml fits femto, its m pico, its l tiny"


def variant_of(model: nn.Module) -> str:
    """The published ConvNeXt whose widths and depths a model's rows have.

    Raises:
        ValueError: there is none; the message has the model's own.
    """
    dims, depths = [], []
    for module in model.modules():
        if isinstance(module, (ConvNeXtStem, ConvNeXtDownsample)):
            dims.append(module.conv.out_channels)
            depths.append(0)
        elif isinstance(module, ConvNeXtBlock) and depths:
            depths[-1] += 1
    for name, published in VARIANTS.items():
        if (tuple(depths), tuple(dims)) == published:
            return name
    has = f"widths {dims} and depths {depths}" if dims else "no ConvNeXtStem"
    raise ValueError(f"weights=imagenet fits a published ConvNeXt, and this model has {has}; {FITTING}")


def imagenet(model: nn.Module) -> dict[str, Tensor]:
    """The ImageNet weights of the published ConvNeXt that a model's backbone is.

    Raises:
        ValueError: it is none, or the weights cannot be fetched; the message says which file to fetch and what to do with it.
    """
    name = variant_of(model)
    if any(isinstance(m, ConvNeXtBlock) and m.gamma is None for m in model.modules()):
        raise ValueError(
            "weights=imagenet are those of ConvNeXt V1, which has gamma and no GRN; for a model of V2 blocks name them, for example "
            f"weights=timm:convnextv2_{name}.fcmae_ft_in1k (their licence is CC-BY-NC 4.0: no commercial use)"
        )
    if name not in TORCHVISIONS:
        return from_timm(f"convnext_{name}")
    import torchvision

    published = torchvision.models.get_model_weights(f"convnext_{name}").DEFAULT
    try:
        return published.get_state_dict(progress=True, check_hash=True)
    except Exception as error:  # whatever the network says
        raise ValueError(needed_file(f"torchvision:convnext_{name}", error, published.url)) from error


def from_timm(name: str) -> dict[str, Tensor]:
    """timm's published weights of a ConvNeXt, by timm's name for it."""
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"{name} needs the package timm: pip install timm") from error
    config = timm.get_pretrained_cfg(name) if timm.is_model(name.partition(".")[0]) else None
    if config is None:
        raise ValueError(f"timm has no published network {name!r}; timm.list_pretrained('convnext*') lists them")
    if licence := config.license:
        LOGGER.info(f"{name}: the licence of these weights is {licence}")
    try:
        return timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # whatever the hub says
        raise ValueError(needed_file(f"timm:{name}", error, address(config))) from error


def needed_file(who: str, error: Exception, url: str) -> str:
    said = no_weights(who, error, url)
    return f"{said.partition(' Fetch ')[0]} Fetch {url} on a machine with a network, and give the file: weights={Path(url).name}"


def is_checkpoint(file: str | Path) -> bool:
    """Whether a file is a model that Ultralytics trained, a best.pt."""
    path = Path(file).expanduser()
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        return any(b"ultralytics.nn.tasks" in archive.read(name) for name in pickles)


@torch.no_grad()
def from_checkpoint(model: nn.Module, file: str | Path) -> LoadReport:
    """Copy what has the same name and shape from a trained model; its first layer already reads images as YOLO feeds them.

    Raises:
        ValueError: no tensor of the backbone fits.
    """
    donor = load_checkpoint(str(file))[0].float().state_dict()
    own = model.state_dict(keep_vars=True)
    fitting = [name for name, tensor in own.items() if name in donor and donor[name].shape == tensor.shape]
    backbone = tuple(f"model.{i}." for i in range(len(model.yaml["backbone"])))
    if not any(name.startswith(backbone) for name in fitting):
        raise ValueError(
            f"{file}: none of its {len(donor)} tensors fits this model's backbone; it was trained with other rows, or at another scale. "
            "Nothing was loaded"
        )
    for name in fitting:
        own[name].copy_(donor[name])
    return LoadReport(
        "Ultralytics",
        tuple(fitting),
        tuple(set(own) - set(fitting)),
        tuple(name for name in donor if name not in fitting),
    )


def find_weights(model: nn.Module, weights: str | Path) -> str | Path | dict[str, Tensor]:
    """What `weights=` means: imagenet, timm:NAME, or a file."""
    word = str(weights)
    if any(isinstance(m, Backbone) for m in model.modules()):
        raise ValueError(
            'the weights of a Backbone row stand in the row: ["timm:resnet18", True] for the published ones, or a file in the place of True'
        )
    if word.lower() == "imagenet":
        return imagenet(model)
    return from_timm(word.removeprefix("timm:")) if word.startswith("timm:") else weights
