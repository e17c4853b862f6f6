"""Right and wrong answers to the exercises of notebook 08, spelled as somebody else would."""

import itertools
from functools import partial

import numpy as np
import torch
from ultralytics.utils.torch_utils import EarlyStopping, ModelEMA

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


def by_stopper(fitness, patience):
    stopper = EarlyStopping(patience)
    epoch = next((e for e, value in enumerate(fitness) if stopper(e, value)), len(fitness) - 1)
    return epoch + 1, stopper.best_epoch


def counted(fitness, patience, new=lambda value, best: value > best or best == 0, extra=0, reset=True):
    highest, best, bad = 0.0, 0, 0
    for epoch, value in enumerate(fitness):
        if new(value, highest):
            highest, best, bad = value, epoch, bad * (not reset)
        else:
            bad += 1
        if bad >= patience + extra:
            return [epoch + 1, best]
    return [len(fitness), best]


RIGHT = {
    check.lr_at: {"interpolated": by_interpolation, "tensors": by_lerp, "partial": partial(by_interpolation, end=1)},
    check.optimizer_steps: {"range": by_ranges, "partial": partial(by_ranges), "or": lambda i, b, n, t: -(-i // b) * t // (round(n / b) or 1)},
    check.ema_of: {"Ultralytics": by_ultralytics, "accumulated": accumulated, "partial": partial(accumulated, first=1)},
    check.epochs_trained: {"Ultralytics": by_stopper, "counted": counted, "NumPy": lambda fitness, patience=50: np.array(counted(fitness, patience))},
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
        "with decimals": (partial(by_ranges, kind=float), "asked are whole numbers"),
        "without nbs": (lambda images, batch, nbs, epochs: -(-images // batch) * epochs, "nbs is not used"),
    },
    check.ema_of: {
        "from zero": (partial(accumulated, first=0), "the first update has i = 1, not 0"),
        "no rise": (partial(accumulated, ramp=lambda i, tau: 1), "d rises with i"),
        "swapped": (partial(accumulated, swap=True), "the shares are swapped"),
        "without decay": (lambda values, decay=0.9999, tau=2000: accumulated(values, 1, tau), "the rise is not multiplied by decay"),
        "the last": (lambda *a: accumulated(*a)[-1], "return all averages"),
    },
    check.epochs_trained: {
        "equal counts": (partial(counted, new=lambda value, best: value >= best), "as good as the best is not better"),
        "stopped at zero": (partial(counted, new=lambda value, best: value > best), "as long as the best fitness is 0"),
        "too late": (partial(counted, extra=1), "it stops one epoch too late"),
        "never set back": (partial(counted, reset=False), "a new best sets them back to 0"),
        "swapped": (lambda *a: counted(*a)[::-1], "the two numbers are swapped"),
    },
}  # fmt: skip
