"""Who gets weight decay (notebook 08)."""

import torch
from torch import Tensor, nn

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.runner import Mismatch


class OwnNorm(nn.Module):
    """As in notebook 01: a norm that no type in torch.nn gives away."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))


def small_model() -> nn.Module:
    """Two axes, four axes and one; a norm without a telling name, one without a telling type; parameters of no layer; a frozen one."""
    block = nn.Module()
    block.dwconv, block.norm, block.pwconv = nn.Conv2d(4, 4, 3, groups=4), OwnNorm(4), nn.Linear(4, 8)
    block.gamma, block.mix = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4, 4))
    model = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), block)
    model[0].requires_grad_(False)
    return model


def decay_by_name(groups: object, question: tuple) -> dict[str, object]:
    """The weight decay of each parameter that is in a group; a list where it is in several."""
    if not isinstance(groups, (list, tuple)) or not all(isinstance(group, dict) and "params" in group for group in groups):
        raise Mismatch("this is no list of groups", 'a list of dicts with "params" and "weight_decay"', type(groups).__name__, "torch.optim.AdamW takes such a list")
    names, decay = {id(p): name for name, p in question[0].named_parameters()}, {}
    for group in groups:
        members = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        stranger = next((type(member).__name__ for member in members if id(member) not in names), None)
        if stranger:
            raise Mismatch("a group holds a stranger", "the model's own parameters", f"a {stranger}", "put the tensors in, not their names or copies")
        if members and "weight_decay" not in group:
            raise Mismatch("a group says nothing of weight_decay", '"weight_decay" in each group', "none", "the optimiser then uses its default, 0.01 in AdamW")
        for name in (names[id(member)] for member in members):
            decay[name] = [decay[name], group["weight_decay"]] if name in decay else group["weight_decay"]
    return decay  # fmt: skip


def owners(model: nn.Module) -> list[tuple[str, Tensor, nn.Module]]:
    """(name, tensor, the layer that it belongs to) of every parameter."""
    return [(f"{path}.{name}".lstrip("."), p, part) for path, part in model.named_modules() for name, p in part.named_parameters(recurse=False)]


NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
GAP = "a tensor that meets neither of two conditions is in no group: use if and else"
TWICE = "it was found again: parameters() of a layer includes those of the layers inside; ask model.parameters() once"
BY_NAME = "a norm decays whose name has no norm in it: go by the number of axes"
BY_TYPE = "a norm decays that is of no type in torch.nn: go by the number of axes"
parameter_groups = function(
    "parameter_groups",
    "two optimiser groups; tensors of one axis get no decay",
    "every parameter once; weights decay; biases, norms and layer scale do not",
    right=Steps(
        "model, weight_decay",
        those=lambda model: owners(model),
        spare=lambda: lambda name, p, part: p.ndim <= 1,
        decayed=lambda those, spare: [p for name, p, part in those if not spare(name, p, part)],
        spared=lambda those, spare: [p for name, p, part in those if spare(name, p, part)],
        groups=lambda decayed, spared, weight_decay: [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}],
    ),
    rows=[
        ("everything decays: tensors of one axis must not", {"spare": lambda: lambda name, p, part: False}),
        ("nothing decays: matrices and convolution kernels must", {"spare": lambda: lambda name, p, part: True}),
        ("the two groups are swapped", {"spare": lambda: lambda name, p, part: p.ndim > 1}),
        ("only biases were spared: the weights of norms and the layer scale have one axis too", {"spare": lambda: lambda name, p, part: name.endswith("bias")}),
        ("tensors of two axes were spared: matrices decay, as kernels do", {"spare": lambda: lambda name, p, part: p.ndim <= 2}),
        ("tensors of four axes were spared: kernels decay, as matrices do", {"spare": lambda: lambda name, p, part: p.ndim != 2}),
        ("layer scale decays: neither its name nor the type of its layer gives it away, but its one axis does", {"spare": lambda: lambda name, p, part: p.ndim <= 1 and "gamma" not in name}),
        (BY_NAME, {"spare": lambda: lambda name, p, part: name.endswith("bias") or "norm" in name}),
        (BY_NAME, {"spare": lambda: lambda name, p, part: name.endswith("bias") or "norm" in name or "gamma" in name}),
        (BY_TYPE, {"spare": lambda: lambda name, p, part: name.endswith("bias") or isinstance(part, NORMS)}),
        (BY_TYPE, {"spare": lambda: lambda name, p, part: name.endswith("bias") or isinstance(part, NORMS) or "gamma" in name}),
        ("whatever is called weight decays, and nothing else: the weights of norms are called so, a matrix need not be", {"spare": lambda: lambda name, p, part: not name.endswith("weight")}),
        ("a matrix was spared that is the weight of no layer: go by the number of axes, not by types or names", {"spare": lambda: lambda name, p, part: p.ndim <= 1 or not isinstance(part, (nn.Linear, nn.Conv2d))}),
        ("biases decay: each has one axis, in whatever layer it is", {"spare": lambda: lambda name, p, part: p.ndim <= 1 and not name.endswith("bias")}),
        *(("biases decay: each has one axis, in whatever layer it is", {"spare": lambda kinds=kinds, word=word: lambda name, p, part: isinstance(part, kinds) or word in name}) for kinds, word in (((*NORMS, OwnNorm), "no name"), (NORMS, "gamma"))),
        ("the spared tensors need a group too, with weight_decay 0.0: what is in no group is never trained", {"spared": lambda: []}),
        ("the tensors that decay need a group too: what is in no group is never trained", {"decayed": lambda: []}),
        (GAP, {"decayed": lambda those: [p for _, p, _ in those if p.ndim == 2]}),
        (GAP, {"decayed": lambda those: [p for _, p, _ in those if p.ndim == 4]}),
        (GAP, {"spared": lambda those: [p for name, p, _ in those if name.endswith("bias")]}),
        ("the search does not reach every layer: use model.parameters()", {"those": lambda model: [one for one in owners(model) if one[0].count(".") < 2]}),
        ("requires_grad=False is no reason to leave a parameter out: it may be switched on later", {"those": lambda model: [one for one in owners(model) if one[1].requires_grad]}),
        (TWICE, {"those": lambda model: [(name, p, part) for part in model.modules() for name, p in part.named_parameters()]}),
        ("the two conditions overlap: use if and else", {"decayed": lambda those: [p for _, p, _ in those if p.ndim >= 1]}),
        ("the two conditions overlap: use if and else", {"spared": lambda those: [p for _, p, _ in those if p.ndim <= 2]}),
        ("use the weight_decay argument, not a fixed number", {"groups": lambda decayed, spared: [{"params": decayed, "weight_decay": 0.05}, {"params": spared, "weight_decay": 0.0}]}),
    ],
    pinned=[],
    draw=lambda rng: (small_model(), float(rng.choice([0.3, 0.02, 1.5]))),
    drawn=4,
    see=decay_by_name,
    hint="go by the number of axes of each tensor, parameter.ndim, and let else take what the condition does not",
    in_error="the error says what it stumbled on; `in` and == compare the numbers inside tensors: ask each p.ndim, with if and else",
)  # fmt: skip
