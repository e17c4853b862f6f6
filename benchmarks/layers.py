"""Claim to test: our layers cost no more than torchvision's, timm's and the textbook's, each in its faster memory layout.

    python benchmarks/layers.py [--device cpu] [--dtype float32] [--compile] [--passes 5] [--rounds 5]

Cases: LayerNorm in both layouts, the block, a stage, ConvNeXt atto and tiny; inference (ours fused, as it is used) and forward with backward. All
implementations of a case run in turn in one process, and all of it again in a fresh one, five times, since where a process's maps happen to lie
is worth a tenth. A ratio is the median over all rounds of ours by the fastest peer, beside it the middle half of the rounds, and ours by itself,
which is the noise. Prints a table, stores benchmarks/results/layers_DEVICE_DTYPE[_compiled].json.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import timm
import timm.layers
import torch
import torchvision
from timm.models.convnext import ConvNeXtBlock as TimmBlock
from torch import Tensor, nn
from torchvision.models.convnext import CNBlock, CNBlockConfig, LayerNorm2d

from cnx_tutorial.compare.speed import KEEP_MEMORY
from cnx_tutorial.nn import VARIANTS, ConvNeXtBlock, ConvNeXtDownsample, LayerNorm, convnext

HERE = Path(__file__).parent


class TextbookLayerNorm(nn.Module):
    """The formula, operation by operation, as the article and most repositories write it."""

    def __init__(self, num_channels: int, axis: int, eps: float = 1e-6):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(num_channels)), nn.Parameter(torch.zeros(num_channels))
        self.axis, self.eps = axis, eps

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(self.axis, keepdim=True)
        var = (x - mean).pow(2).mean(self.axis, keepdim=True)
        x = (x - mean) / torch.sqrt(var + self.eps)
        shape = [1, -1, 1, 1] if self.axis == 1 else [-1]
        return self.weight.view(shape) * x + self.bias.view(shape)


class TextbookBlock(nn.Module):
    """The block with that LayerNorm, and 1x1 convolutions on (N, C, H, W)."""

    def __init__(self, dim: int):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(dim, dim, 7, padding=3, groups=dim),
            TextbookLayerNorm(dim, axis=1),
            nn.Conv2d(dim, 4 * dim, 1),
            nn.GELU(),
            nn.Conv2d(4 * dim, dim, 1),
        )
        self.gamma = nn.Parameter(torch.full((dim, 1, 1), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * self.branch(x)


def textbook_stage(c1: int, c2: int, depth: int) -> nn.Module:
    blocks = (TextbookBlock(c2) for _ in range(depth))
    return nn.Sequential(TextbookLayerNorm(c1, axis=1), nn.Conv2d(c1, c2, 2, 2), *blocks)


def textbook(variant: str) -> nn.Module:
    depths, dims = VARIANTS[variant]
    stem = [nn.Conv2d(3, dims[0], 4, 4), TextbookLayerNorm(dims[0], axis=1), *map(TextbookBlock, [dims[0]] * depths[0])]
    stages = (textbook_stage(dims[i], dims[i + 1], depths[i + 1]) for i in range(3))
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(dims[-1], eps=1e-6), nn.Linear(dims[-1], 1000)]
    return nn.Sequential(*stem, *stages, *end)


def torchvisions(variant: str) -> nn.Module:
    depths, dims = VARIANTS[variant]
    following = [*dims[1:], None]
    return torchvision.models.ConvNeXt([CNBlockConfig(*row) for row in zip(dims, following, depths, strict=True)])


def our_stage(c1: int, c2: int, depth: int) -> nn.Module:
    return nn.Sequential(ConvNeXtDownsample(c1, c2), *(ConvNeXtBlock(c2) for _ in range(depth)))


BLOCK = "block, 96 channels"
CASES: dict[str, tuple[tuple[int, ...], dict[str, Callable[[], nn.Module]]]] = (
    {
        "LayerNorm, (N, H, W, C)": (
            (8, 40, 40, 96),
            {
                "ours": partial(LayerNorm, 96),
                "torchvision": partial(nn.LayerNorm, 96, eps=1e-6),  # what its block holds
                "timm": partial(timm.layers.LayerNorm, 96),
                "textbook": partial(TextbookLayerNorm, 96, axis=-1),
            },
        ),
        "LayerNorm, (N, C, H, W)": (
            (8, 96, 40, 40),
            {
                "ours": partial(LayerNorm, 96, data_format="channels_first"),
                "torchvision": partial(LayerNorm2d, 96, eps=1e-6),
                "timm": partial(timm.layers.LayerNorm2d, 96),
                "textbook": partial(TextbookLayerNorm, 96, axis=1),
            },
        ),
        BLOCK: (
            (8, 96, 40, 40),
            {
                "ours": partial(ConvNeXtBlock, 96),
                "torchvision": partial(CNBlock, 96, 1e-6, 0.0),
                "timm": partial(TimmBlock, 96),
                "timm, 1x1 convolutions": partial(TimmBlock, 96, conv_mlp=True),
                "textbook": partial(TextbookBlock, 96),
            },
        ),
        "stage, 96 to 192 channels": (
            (8, 96, 40, 40),
            {
                "ours": partial(our_stage, 96, 192, 3),
                "torchvision": lambda: torchvision.models.convnext_tiny().features[2:4],
                "timm": lambda: timm.create_model("convnext_tiny").stages[1],
                "timm, 1x1 convolutions": lambda: timm.create_model("convnext_tiny", conv_mlp=True).stages[1],
                "textbook": partial(textbook_stage, 96, 192, 3),
            },
        ),
    }
    | {
        f"ConvNeXt {variant}": (
            (batch, 3, 224, 224),
            {
                "ours": partial(convnext, variant),
                "torchvision": partial(torchvisions, variant),
                "timm": partial(timm.create_model, f"convnext_{variant}", conv_mlp=False),
                "timm, 1x1 convolutions": partial(timm.create_model, f"convnext_{variant}", conv_mlp=True),
                "textbook": partial(textbook, variant),
            },
        )
        for variant, batch in (("atto", 8), ("tiny", 2))
    }
)

CURVES = {
    "side of the map, batch 1": {side: (1, 96, side, side) for side in (10, 20, 40, 80, 160)},
    "batch, side 20": {batch: (batch, 96, 20, 20) for batch in (1, 2, 4, 8, 16, 32)},
}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Runner:
    """One implementation in one memory layout, ready to be timed."""

    def __init__(self, make, shape, layout, training: bool, device: str, dtype: torch.dtype, compiled: bool):
        network = make().to(device)
        if training:
            network.train()
        else:
            network.eval().requires_grad_(False)
            for module in network.modules():
                if hasattr(module, "fuse"):  # ours; the peers have none
                    module.fuse()
        self.training, self.device, self.dtype = training, device, dtype
        self.network = network.to(memory_format=layout)
        self.call = torch.compile(self.network, dynamic=False) if compiled else self.network
        self.x = torch.randn(shape, device=device).contiguous(memory_format=layout)
        self.x.requires_grad_(training and shape[1] != 3)  # an image wants no gradient, a feature map does

    def step(self) -> None:
        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            if self.training:
                self.network.zero_grad(set_to_none=True)
                self.x.grad = None
                self.call(self.x).sum().backward()
            else:
                with torch.inference_mode():
                    self.call(self.x)

    def seconds(self, repeat: int = 1) -> float:
        """Of one step, the mean of `repeat`."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(repeat):
            self.step()
        if self.device == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / repeat


def measure(shape, makers, training: bool, device: str, dtype: torch.dtype, compiled: bool, rounds: int) -> dict:
    """Milliseconds of every implementation in both layouts, one of each a round, by turns from the front and from the back."""
    if compiled:  # by default a class is compiled for eight inputs, and for the ninth not, with a warning
        torch.compiler.reset()
        torch._dynamo.config.recompile_limit = 64
    makers = makers | {"ours again": makers["ours"]}
    sizes = {name: sum(p.numel() for p in make().parameters()) for name, make in makers.items()}
    assert len(set(sizes.values())) == 1, f"not the same network: {sizes}"
    runners = {
        (name, layout): Runner(make, shape, memory, training, device, dtype, compiled)
        for name, make in makers.items()
        for layout, memory in LAYOUTS.items()
    }
    for runner in runners.values():
        runner.seconds(3 if compiled else 1)
    repeat = max(1, int(0.03 / min(runner.seconds() for runner in runners.values())))
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runners}
    for turn in range(rounds):
        for key in sorted(runners, reverse=bool(turn % 2)):
            times[key].append(1e3 * runners[key].seconds(repeat))
    return times


def one_pass(cases: list[str], curves: bool, **options) -> dict:
    """The times of everything, by (title, inference or training, shape), measured in this process."""
    wanted = [(name, kind, CASES[name][0]) for name in cases for kind in ("inference", "training")]
    if curves:
        wanted += [(BLOCK, "inference", shape) for points in CURVES.values() for shape in points.values()]
    found = {}
    for name, kind, shape in wanted:
        if (name, kind, shape) not in found:
            found[name, kind, shape] = measure(shape, CASES[name][1], kind == "training", **options)
    return found


def compared(shape, times: dict[tuple[str, str], list[float]]) -> dict:
    """Each implementation in its faster layout, and ours by the fastest peer, round by round."""
    best = {}
    for name in {name for name, _ in times}:
        layout = min(LAYOUTS, key=lambda layout: statistics.median(times[name, layout]))
        best[name] = (layout, times[name, layout])
    peers = {name: statistics.median(series) for name, (_, series) in best.items() if not name.startswith("ours")}
    fastest = min(peers, key=peers.get)

    def ratio(name: str, other: str) -> list[float]:
        """Quartiles of the rounds' ratios."""
        each = [a / b for a, b in zip(best[name][1], best[other][1], strict=True)]
        return [round(value, 3) for value in statistics.quantiles(each, n=4)]

    return {
        "shape": list(shape),
        "milliseconds": {name: round(statistics.median(best[name][1]), 4) for name in sorted(best)},
        "layout": {name: best[name][0] for name in sorted(best)},
        "fastest_peer": fastest,
        "ratio": ratio("ours", fastest),
        "noise": ratio("ours again", "ours"),
    }


def line(title: str, row: dict) -> str:
    (low, middle, high), peer, taken = row["ratio"], row["fastest_peer"], row["milliseconds"]
    return (
        f"{title:50} {taken['ours']:9.3f} {peer:>24} {taken[peer]:9.3f} {middle:6.2f} ({low:5.2f} to {high:.2f}) "
        f"({row['noise'][0]:5.2f} to {row['noise'][2]:.2f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true", help="torch.compile every implementation")
    parser.add_argument("--passes", type=int, default=5, help="fresh processes, one after another")
    parser.add_argument("--rounds", type=int, default=5, help="in each of them")
    parser.add_argument("--cases", nargs="+", default=list(CASES), help="names, or beginnings of names")
    parser.add_argument("--no-curves", action="store_true")
    args = parser.parse_args()
    cases = [name for name in CASES if name.startswith(tuple(args.cases))]
    options = {"device": args.device, "dtype": getattr(torch, args.dtype), "compiled": args.compile}
    os.environ |= KEEP_MEMORY
    times: dict = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as fresh:
        for number in range(args.passes):
            print(f"pass {number + 1} of {args.passes}", flush=True)
            one = fresh.submit(one_pass, cases, not args.no_curves, rounds=args.rounds, **options).result()
            for key, table in one.items():
                for runner, series in table.items():
                    times.setdefault(key, {}).setdefault(runner, []).extend(series)
    from cnx_tutorial.yolo import machine  # imports ultralytics, so not before the times are taken

    rows = {key: compared(key[2], table) for key, table in times.items()}
    result = {
        "claim": __doc__.splitlines()[0],
        "device": machine.processor(args.device),
        "threads": torch.get_num_threads(),
        "dtype": args.dtype,
        "compiled": args.compile,
        "passes": args.passes,
        "rounds": args.rounds,
        "versions": machine.versions("timm"),
        "commit": machine.commit(),
        "cases": {
            name: {kind: rows[name, kind, CASES[name][0]] for kind in ("inference", "training")} for name in cases
        },
        "curves": {}
        if args.no_curves
        else {
            axis: {str(value): rows[BLOCK, "inference", shape] for value, shape in points.items()}
            for axis, points in CURVES.items()
        },
    }
    print(f"{'':50} {'ours, ms':>9} {'fastest peer, ms':>34} {'ratio':>6} {'(middle half)':>15} {'noise':>15}")
    for name, kinds in result["cases"].items():
        for kind, row in kinds.items():
            print(line(f"{name}, {kind}", row))
    for axis, points in result["curves"].items():
        for value, row in points.items():
            print(line(f"block, inference, {axis} {value}", row))
    kind = args.device + "_" + args.dtype + ("_compiled" if args.compile else "")
    file = HERE / "results" / f"layers_{kind}.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"stored in {file}")


if __name__ == "__main__":
    main()
