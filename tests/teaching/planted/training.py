"""Right and wrong answers to the exercises of notebook 08, spelled as somebody else would."""

import copy
import itertools
from functools import partial

import numpy as np
import torch
from ultralytics.utils.torch_utils import ModelEMA

from cnx_tutorial.teaching import check


def by_interpolation(step, steps, epochs, lr0, lrf, warmup_epochs, whole=True, end=1, top=False, longest=1):
    epoch, warmup = step // steps if whole else step / steps, steps * min(warmup_epochs, epochs - longest)
    falling = np.interp(epoch, [0, epochs], [lr0, lr0 * lrf * end])
    return falling if step >= warmup else np.interp(step, [0, warmup], [0, lr0 if top else falling])


def by_lerp(step, steps, epochs, lr0, lrf, warmup_epochs):
    line = torch.lerp(torch.tensor(lr0).double(), torch.tensor(lr0 * lrf).double(), step // steps / epochs)
    warmup = min(warmup_epochs, epochs - 1) * steps
    return line * step / warmup if step < warmup else line


def by_ranges(images, batch, nbs, epochs, to=round, over=True, kind=int):
    together, each = max(to(nbs / batch), 1), len(range(0, images, batch))
    return kind(each * epochs // together if over else each // together * epochs)


def by_ultralytics(values, decay=0.9999, tau=2000):
    layer = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.constant_(layer.weight, values[0])
    ema, averages = ModelEMA(layer, decay, tau), [values[0]]
    for value in values[1:]:
        torch.nn.init.constant_(layer.weight, value)
        ema.update(layer)
        averages.append(ema.ema.weight.item())
    return np.array(averages)


def accumulated(values, decay=0.9999, tau=2000, first=1, ramp=lambda i, tau: -np.expm1(-i / tau), swap=False):
    shares = [decay * ramp(i, tau) for i in range(first, len(values) + first)]
    pairs = [(1 - share if swap else share, value) for share, value in zip(shares, values[1:], strict=False)]
    return tuple(itertools.accumulate(pairs, lambda a, pair: pair[0] * (a - pair[1]) + pair[1], initial=values[0]))


def last_losses(rates, train, of=lambda losses: losses[-1], skip=True):
    best, least = None, np.inf
    for rate in rates:
        loss = of(train(rate))
        if (loss == loss or not skip) and not loss >= least:
            best, least = rate, loss
    return best


def by_argmin(rates, train):
    left = torch.tensor([train(rate)[-1] for rate in rates]).nan_to_num(torch.inf)
    return rates[left.argmin()]


def loop(
    network,
    train,
    val,
    epochs,
    lr,
    save=lambda network: [p.detach().clone() for p in network.parameters()],
    look="val",
    back=True,
    zero=True,
):
    """Clones in a list, and the loss as minus the mean of log_softmax at the class."""
    optimizer, losses, best, saved, least = torch.optim.AdamW(network.parameters(), lr), [], -1, None, float("inf")

    def loss_on(points, classes):
        return -network(points).log_softmax(1)[torch.arange(len(classes)), classes].mean()

    for epoch in range(epochs):
        if zero:
            optimizer.zero_grad(set_to_none=False)
        loss = loss_on(*train)
        loss.backward()
        optimizer.step()
        losses.append(float(loss_on(*val).detach()))
        watched = losses[-1] if look == "val" else loss.item()
        if watched < least:
            least, best, saved = watched, epoch, save(network)
    if back:
        for p, value in zip(network.parameters(), saved, strict=True):
            p.data.copy_(value)
    return losses, best


def all_saved(network, train, val, epochs, lr, with_val=False):
    """The weights of every epoch are kept; NumPy looks for the best."""
    optimizer = torch.optim.AdamW(params=network.parameters(), lr=lr)
    history, losses = [], np.zeros(epochs)
    points, classes = (torch.cat([train[i], val[i]]) if with_val else train[i] for i in (0, 1))
    for e in range(epochs):
        optimizer.zero_grad()
        torch.nn.CrossEntropyLoss()(network(points), classes).backward()
        optimizer.step()
        history.append({name: value.clone() for name, value in network.state_dict().items()})
        with torch.inference_mode():
            losses[e] = torch.nn.functional.nll_loss(network(val[0]).log_softmax(-1), val[1])
    best = losses.argmin()
    network.load_state_dict(history[best])
    return [losses, best]


def trained_twice(network, train, val, epochs, lr):
    """Train a copy to the end to find the epoch, then the network up to there."""
    losses, best = loop(copy.deepcopy(network), train, val, epochs, lr, back=False)
    loop(network, train, val, best + 1, lr, back=False)
    return tuple(losses), best


def groups(spare):
    def answer(model, weight_decay):
        named = dict(model.named_parameters())
        spared = [p for name, p in named.items() if spare(name, p)]
        decayed = [p for name, p in named.items() if not spare(name, p)]
        return [{"params": spared, "weight_decay": 0.0}, {"params": decayed, "weight_decay": weight_decay}]

    return answer


def one_group_each(model, weight_decay):
    return tuple({"params": p, "weight_decay": weight_decay * (p.dim() > 1)} for p in model.parameters())


def names_in_groups(model, weight_decay):
    return [{"params": [name for name, _ in model.named_parameters()], "weight_decay": weight_decay}]


RIGHT = {
    check.lr_at: {"interpolated": by_interpolation, "tensors": by_lerp, "partial": partial(by_interpolation, end=1)},
    check.optimizer_steps: {"range": by_ranges, "partial": partial(by_ranges), "or": lambda i, b, n, t: -(-i // b) * t // (round(n / b) or 1)},
    check.ema_of: {"Ultralytics": by_ultralytics, "accumulated": accumulated, "partial": partial(accumulated, first=1)},
    check.best_rate: {"loop": last_losses, "torch": by_argmin, "partial": partial(last_losses, skip=True)},
    check.keep_best: {"clones": loop, "all saved": all_saved, "trained twice": trained_twice},
    check.parameter_groups: {"by name": groups(lambda name, p: p.ndim == 1), "one group each": one_group_each, "squeezed shapes": groups(lambda name, p: len(p.shape) < 2)},
}  # fmt: skip
WRONG = {
    check.lr_at: {
        "every step": (partial(by_interpolation, whole=False), "the falling line changes with the epoch"),
        "down to zero": (partial(by_interpolation, end=0), "the falling line ends at 0"),
        "warm-up to lr0": (partial(by_interpolation, top=True), "it rises to the falling line of its epoch"),
        "as long as the training": (partial(by_interpolation, longest=0), "the warm-up is never longer than epochs - 1"),
        "two mistakes": (partial(by_interpolation, longest=0, top=True), "two mistakes at once"),
    },
    check.optimizer_steps: {
        "each epoch anew": (partial(by_ranges, over=False), "gradients are added up across the end of an epoch"),
        "without the last": (lambda i, b, *rest: by_ranges(i // b * b, b, *rest), "the last, smaller batch of an epoch counts too"),
        "rounded down": (partial(by_ranges, to=int), "rounded to the nearest whole number, not down"),
        "with decimals": (partial(by_ranges, kind=float), "the exercise asks for whole numbers"),
        "without nbs": (lambda images, batch, nbs, epochs: -(-images // batch) * epochs, "nbs is not used"),
    },
    check.ema_of: {
        "from zero": (partial(accumulated, first=0), "the first update has i = 1, not 0"),
        "no rise": (partial(accumulated, ramp=lambda i, tau: 1), "d rises with i"),
        "swapped": (partial(accumulated, swap=True), "the shares are swapped"),
        "without decay": (lambda values, decay=0.9999, tau=2000: accumulated(values, 1, tau), "the rise is not multiplied by decay"),
        "the last": (lambda *a: accumulated(*a)[-1], "return all averages"),
    },
    check.best_rate: {
        "first losses": (partial(last_losses, of=lambda losses: losses[0]), "every training begins with the same loss"),
        "lowest on the way": (partial(last_losses, of=np.nanmin), "the lowest loss on the way"),
        "min alone": (lambda rates, train: min(rates, key=lambda rate: train(rate)[-1]), "min keeps a nan that comes first"),
        "argmin": (lambda rates, train: rates[np.argmin([train(rate)[-1] for rate in rates])], "a training that ended in nan was chosen"),
        "place": (lambda rates, train: rates.index(last_losses(rates, train)), "return the rate itself"),
        "no training": (lambda rates, train: sorted(rates)[-1], "the largest of the rates"),
    },
    check.keep_best: {
        "not copied": (partial(loop, save=lambda network: [*network.parameters()]), "the network has the weights of the last epoch"),
        "last weights": (partial(loop, back=False), "the network has the weights of the last epoch"),
        "by the training loss": (partial(loop, look="train", back=True, save=lambda network: [p.detach().clone() for p in network.parameters()]), "the training loss decides"),
        "gradients add up": (partial(loop, zero=False), "the gradients of all steps so far add up"),
        "val in training": (partial(all_saved, with_val=True), "the validation crops were trained on"),
        "losses alone": (lambda *a: loop(*a)[0], "return two things"),
    },
    check.parameter_groups: {
        "only biases": (groups(lambda name, p: "bias" in name), "only biases were spared"),
        "swapped": (groups(lambda name, p: p.ndim != 1), "the two groups are swapped"),
        "by name": (groups(lambda name, p: "norm" in name or "bias" in name), "go by the number of axes"),
        "names": (names_in_groups, "put the tensors in, not their names"),
        "half": (lambda model, wd: groups(lambda name, p: p.ndim == 1)(model, wd)[:1], "the tensors that decay need a group too"),
    },
}  # fmt: skip
NONSENSE = [lambda *a, **k: [{"params": 5, "weight_decay": None}]]
