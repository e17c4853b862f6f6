"""The same weights under four sets of names, and parity of two networks: helpers of the tests in this folder."""

import torch
from torch import Tensor, nn

PARITY = 1e-10  # float64: rounding alone stays near 1e-13


def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter a value that matters: published initial biases are 0 and gammas 1e-6, which would hide a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            wide = 0.5 if p.ndim == 1 or p.shape[-2:] == (1, 1) and p.shape[0] == p.numel() else 0.05
            p.copy_(wide * torch.randn(p.shape, generator=generator, dtype=torch.float64) + (0.7 if wide == 0.5 else 0))
    return network.double().eval()


def official(state: dict[str, Tensor], version: int = 1) -> dict[str, Tensor]:
    """Our state dict under the names of facebookresearch/ConvNeXt (version 1) or ConvNeXt-V2 (version 2)."""
    renamed = {}
    for name, tensor in state.items():
        part = name.split(".")
        if part[0] == "stem":
            name = f"downsample_layers.0.{('conv', 'norm').index(part[1])}.{part[2]}"
        elif part[0] == "downsamples":
            name = f"downsample_layers.{int(part[1]) + 1}.{('norm', 'conv').index(part[2])}.{part[3]}"
        elif "grn" in part:
            name = name.replace("weight", "gamma").replace("bias", "beta")
            tensor = tensor.reshape(1, 1, 1, -1)
        renamed[name] = tensor
    return renamed


def largest_difference(ours: nn.Module, theirs: nn.Module, x: Tensor, pair: dict[str, str]) -> dict[str, float]:
    """Largest differences between two networks with the same weights: output, input gradient, and gradients of all parameters.

    `pair` maps each of our parameter names to theirs.
    """
    results = []
    for network in (ours, theirs):
        image = x.clone().requires_grad_()
        output = network(image)
        generator = torch.Generator().manual_seed(1)
        network.zero_grad()
        (output * torch.randn(output.shape, generator=generator, dtype=output.dtype)).sum().backward()
        results.append((output.detach(), image.grad, {name: p.grad for name, p in network.named_parameters()}))
    (y1, g1, p1), (y2, g2, p2) = results
    assert set(p1) == set(pair) and set(p2) == set(pair.values()), "every parameter of both networks is compared"
    assert y2.abs().max() > 1e-3 and g2.abs().max() > 1e-6, "the comparison is not of zeros"
    return {
        "output": (y1 - y2).abs().max().item(),
        "input gradient": (g1 - g2).abs().max().item(),
        "parameter gradients": max((p1[a].flatten() - p2[b].flatten()).abs().max().item() for a, b in pair.items()),
    }
