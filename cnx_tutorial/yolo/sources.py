"""Where a Backbone row's network comes from: timm, torchvision, or a class of one's own; and what its maps are.

Each maker returns the network, and the mean and standard deviation by which it wants its images normalised, None for as they are.
"""

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, fx, nn

# Of the black image: two sides, so that a map's height, width and channels cannot be taken for one another.
SIZE = (256, 320)
LARGEST_STRIDE = 64


def as_list(maps: object) -> list:
    if isinstance(maps, Mapping):
        maps = list(maps.values())
    return list(maps) if isinstance(maps, (list, tuple)) else [maps]


def where(one: object) -> tuple[int, int, bool] | None:
    """Stride and channels of a map of the black image, and whether its channels stand last; None where it is no map of one stride."""
    if not isinstance(one, Tensor) or one.ndim != 4:
        return None
    for channels_last, sides, depth in ((False, one.shape[2:], one.shape[1]), (True, one.shape[1:3], one.shape[3])):
        stride = SIZE[0] // sides[0] if sides[0] else 0
        if 1 <= stride <= LARGEST_STRIDE and tuple(sides) == (SIZE[0] // stride, SIZE[1] // stride):
            return stride, depth, channels_last
    return None


Made = tuple[nn.Module, tuple[float, ...] | None, tuple[float, ...] | None]  # network, mean, standard deviation


def from_timm(name: str, weights: bool | str, channels: int, strides: list[int] | None) -> Made:
    """A network of timm's, without what comes after the coarsest map wanted."""
    try:
        import timm
    except ImportError as error:
        raise ValueError(
            f"timm:{name} needs the package timm: pip install 'cnx-tutorial[timm]', or pip install timm"
        ) from error
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(pretrained=False), n=3, cutoff=0.5)
        raise ValueError(
            f"timm has no network {name!r}; {f'did you mean {nice(near)}?' if near else 'timm.list_models() lists them'}"
        )
    more = {"pretrained": bool(weights)} | (
        {"pretrained_cfg_overlay": {"file": str(weights_file(weights))}} if isinstance(weights, str) else {}
    )
    if channels != 3:
        more["in_chans"] = channels
    if name.startswith(("swin_", "swinv2_")) and "_cr_" not in name:
        more["strict_img_size"] = False  # their windows then fit any image
    try:
        net = timm.create_model(name, features_only=True, **{**more, "pretrained": False})
        if strides:  # once more, without the stages that no map needs
            reductions = net.feature_info.reduction()
            kept = [i for i, reduction in enumerate(reductions) if reduction <= max(strides)]
            more["out_indices"] = tuple(kept or [0])
        if strides or weights:
            net = timm.create_model(name, features_only=True, **more)
    except Exception as error:  # timm passes on whatever the hub, the disk or the network's constructor says
        config = timm.get_pretrained_cfg(name)
        if weights and config:
            raise ValueError(no_weights(f"timm:{name}", error, address(config))) from error
        raise ValueError(
            f"timm:{name} gives no maps ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        ) from error
    config = timm.get_pretrained_cfg(name)
    mean, std = (config.mean, config.std) if config else (None, None)
    if mean is not None and len(mean) != channels:  # grey images, as timm has them: the mean of the colours
        mean, std = ((sum(values) / len(values),) * channels for values in (mean, std))
    return net, mean, std


def address(config) -> str:
    if config.hf_hub_id:
        return f"https://huggingface.co/{config.hf_hub_id}/resolve/main/{config.hf_hub_filename or 'model.safetensors'}"
    return config.url or "the network's page"


def no_weights(who: str, error: Exception, url: str) -> str:
    said = (str(error).splitlines() or [""])[0][:200]
    return (
        f"the published weights of {who} could not be had ({type(error).__name__}: {said}). Fetch {url} on a machine with a network, put the file "
        "beside the YAML and write its name in the place of True; or write False to begin with random weights"
    )


def weights_file(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ValueError(f"no weights file {name!r} here ({path.absolute()})")
    return path


def readable(strides: list[int]) -> str:
    return ", ".join(map(str, strides))


def nice(names: list[str]) -> str:
    return " or ".join(names)


def from_torchvision(name: str, weights: bool | str, channels: int, strides: list[int] | None) -> Made:
    """A classifier of torchvision's, cut behind the coarsest map wanted."""
    import torchvision
    from torchvision.models.feature_extraction import NodePathTracer

    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        raise ValueError(
            f"torchvision has no classifier {name!r}; {f'did you mean {nice(near)}?' if near else f'one is resnet18, of {len(names)}'}"
        )
    if channels != 3:
        raise ValueError(
            f"torchvision:{name} reads 3 channels, and the image has {channels}; networks of timm read any number"
        )
    published = torchvision.models.get_model_weights(name).DEFAULT
    try:
        more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        model = torchvision.models.get_model(name, weights=published if weights is True else None, **more)
        if isinstance(weights, str):
            model.load_state_dict(torch.load(weights_file(weights), "cpu", weights_only=True))
    except Exception as error:  # whatever the hub or the disk says
        if not weights:
            raise ValueError(f"torchvision:{name} cannot be built ({error})") from error
        raise ValueError(no_weights(f"torchvision:{name}", error, published.url)) from error
    try:
        tracer = NodePathTracer(
            leaf_modules=[torchvision.ops.StochasticDepth]
        )  # which does one thing in training, another after it
        graph = tracer.trace(model.eval())
        net = fx.GraphModule(tracer.root, graph)
    except Exception as error:
        raise ValueError(
            f"torchvision:{name} cannot be taken apart ({type(error).__name__}: {str(error)[:200]})"
        ) from error
    keep_maps(net, {node.name: name for node, name in tracer.node_to_qualname.items()}, strides)
    preset = published.transforms()
    return net, tuple(preset.mean), tuple(preset.std)


def keep_maps(net: fx.GraphModule, names: Mapping[str, str], strides: list[int] | None) -> None:
    """Let a traced network return, of each stride, the last map with which one of its blocks ends, and drop what comes after them.

    Args:
        net: the network; it is changed in place.
        names: where each node stands in the network, such as features.3.block.0; two levels of it are a block.
        strides: those that are wanted; None for all.
    """
    maps: dict[int, fx.Node] = {}
    ends = {".".join(name.split(".")[:2]): node for node, name in names.items()}  # of a block's nodes the last stays

    class Look(fx.Interpreter):
        def run_node(self, node: fx.Node):
            result = super().run_node(node)
            ends_block = node.op not in ("placeholder", "output") and node.name in ends.values()
            if ends_block and (place := where(result)):
                maps[place[0]] = node
            return result

    with torch.no_grad():
        Look(net.eval()).run(torch.zeros(1, 3, *SIZE))
    output = next(node for node in net.graph.nodes if node.op == "output")
    output.args = ([node for stride, node in sorted(maps.items()) if not strides or stride in strides],)
    net.graph.eliminate_dead_code()
    net.delete_all_unused_submodules()
    net.recompile()
    net.train()


def from_class(kind: type[nn.Module], weights: bool | str, channels: int) -> Made:
    """A network of the user's own, built with the image's channels where its constructor takes them; its weights come from a file."""
    names = list(inspect.signature(kind).parameters)
    try:
        net = kind(channels) if names and names[0] in ("c1", "in_channels", "in_chans", "channels", "ch") else kind()
    except Exception as error:
        raise ValueError(f"{kind.__name__}() cannot be built ({type(error).__name__}: {str(error)[:200]})") from error
    if weights is True:
        raise ValueError(
            f"{kind.__name__} has no published weights: write False, or the name of a file with its state dict"
        )
    if isinstance(weights, str):
        net.load_state_dict(torch.load(weights_file(weights), "cpu", weights_only=True))
    return net, None, None
