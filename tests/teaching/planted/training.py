"""Right and wrong answers to the exercises of notebook 07."""

import math

import torch
from ultralytics.utils.torch_utils import EarlyStopping, ModelEMA

from cnx_tutorial.teaching import check
from cnx_tutorial.teaching.checks import training as said

CHECKS = said


# ---------------------------------------------------------------- exercise 1: lr_at
def rate(step, steps, epochs, lr0, lrf, warmup_epochs, **change):
    epoch = change.get("epoch", step // steps)
    line = change.get("line", lambda e: (1 - e / epochs) * (1 - lrf) + lrf)(epoch)
    warmup = change.get("warmup", round(min(warmup_epochs, epochs - 1) * steps))
    ratio = min(step / warmup, 1.0) if warmup else 1.0
    return lr0 * ratio * (1.0 if change.get("to_lr0") and ratio < 1 else line)


def by_interpolation(step, steps, epochs, lr0, lrf, warmup_epochs):
    falling = lr0 * (max(1 - (step // steps) / epochs, 0) * (1.0 - lrf) + lrf)
    warmup = round(min(warmup_epochs, max(epochs - 1, 0)) * steps)
    if warmup and step <= warmup:
        return torch.lerp(
            torch.tensor(0.0, dtype=torch.float64), torch.tensor(falling, dtype=torch.float64), step / warmup
        ).item()
    return falling


def from_one(step, steps, epochs, lr0, lrf, warmup_epochs):
    falling = rate(step, steps, epochs, lr0, lrf, 0)
    warmup = min(warmup_epochs, epochs - 1) * steps
    return falling * (step + 1) / warmup if step < warmup else falling


def afterwards(step, steps, epochs, lr0, lrf, warmup_epochs):
    length = min(warmup_epochs, epochs - 1)
    if step < steps * length:
        return lr0 * step / (steps * length)
    return lr0 * (1 - (1 - lrf) * (step // steps - length) / (epochs - length))


LR_RIGHT = {"ratio": rate, "as Ultralytics": by_interpolation}
LR_WRONG = {
    "no warm-up": (lambda *a: rate(*a, warmup=0), said.NO_WARMUP),
    "no decay": (lambda *a: rate(*a, line=lambda e: 1), said.NO_DECAY),
    "down to zero": (lambda *a: rate(*a, line=lambda e: 1 - e / a[2]), said.TO_ZERO),
    "every step": (lambda *a: rate(*a, epoch=a[0] / a[1]), said.EVERY_STEP),
    "one epoch late": (lambda *a: rate(*a, epoch=a[0] // a[1] + 1), said.EPOCH_LATE),
    "warm-up as long as asked": (lambda *a: rate(*a, warmup=round(a[5] * a[1])), said.WARMUP_UNCAPPED),
    "warm-up in steps": (lambda *a: rate(*a, warmup=min(a[5], a[2] - 1)), said.WARMUP_IN_STEPS),
    "warm-up to lr0": (lambda *a: rate(*a, to_lr0=True), said.WARMUP_TO_LR0),
    "cosine": (
        lambda *a: rate(*a, line=lambda e: 0.5 * (1 + math.cos(math.pi * e / a[2])) * (1 - a[4]) + a[4]),
        said.COSINE,
    ),
    "larger of two": (lambda *a: rate(*a, line=lambda e: max(1 - e / a[2], a[4])), said.LARGER_OF_TWO),
    "lrf on top": (lambda *a: rate(*a, line=lambda e: (1 - e / a[2]) + a[4]), said.LRF_ON_TOP),
    "down at the start of the last epoch": (
        lambda *a: rate(*a, line=lambda e: 1 + (a[4] - 1) * e / (a[2] - 1)),
        said.LAST_EPOCH,
    ),
    "steps from one": (from_one, said.STEP_FROM_ONE),
    "warm-up in stairs": (
        lambda *a: rate(*a, warmup=0) * (min(a[0] // a[1] / min(a[5], a[2] - 1), 1) if a[5] else 1),
        said.WARMUP_BY_EPOCH,
    ),
    "falls after the warm-up": (afterwards, said.FALLS_AFTERWARDS),
    "shares": (lambda *a: rate(*a[:3], 1.0, *a[4:]), said.NO_LR0),
    "lr0": (lambda *a: a[3] * 2, said.LR),
    "division by no warm-up": (lambda *a: rate(*a) * a[0] / (a[5] * a[1]), said.LR_CALL),
}


# ---------------------------------------------------------------- exercise 2: optimizer_steps
def counted(images, batch, nbs, epochs):
    waiting = steps = 0
    for _ in range(epochs):
        for _ in range(0, images, batch):
            waiting += 1
            if waiting == max(round(nbs / batch), 1):
                steps, waiting = steps + 1, 0
    return steps


STEPS_RIGHT = {"counted": counted, "formula": lambda i, b, n, e: -(i // -b) * e // max(1, round(n / b))}
STEPS_WRONG = {
    "rounded down": (lambda i, b, n, e: i // b * e // max(1, round(n / b)), said.ROUNDED_DOWN),
    "without nbs": (lambda i, b, n, e: -(i // -b) * e, said.NO_NBS),
    "each epoch": (lambda i, b, n, e: -(i // -b) // max(1, round(n / b)) * e, said.EACH_EPOCH),
    "rest kept": (lambda i, b, n, e: -(-(i // -b) * e // -max(1, round(n / b))), said.ROUND_UP_STEPS),
    "one epoch": (lambda i, b, n, e: counted(i, b, n, 1), said.NO_EPOCHS),
    "images by nbs": (lambda i, b, n, e: i * e // n, said.IMAGES_BY_NBS),
    "nbs rounded down": (lambda i, b, n, e: -(i // -b) * e // max(1, n // b), said.FLOORED_NBS),
    "nbs rounded up": (lambda i, b, n, e: -(i // -b) * e // -(n // -b), said.CEILED_NBS),
    "nbs not rounded": (lambda i, b, n, e: int(-(i // -b) * e / max(1, n / b)), said.UNROUNDED_NBS),
    "each epoch rounded up": (lambda i, b, n, e: -(-(i // -b) // -max(1, round(n / b))) * e, said.EACH_EPOCH_UP),
    "batches run on": (lambda i, b, n, e: -(i * e // -b) // max(1, round(n / b)), said.RUNNING_ON),
    "not whole": (lambda i, b, n, e: -(i // -b) * e / max(1, round(n / b)), said.NOT_WHOLE),
    "nearest": (lambda i, b, n, e: round(-(i // -b) * e / max(1, round(n / b))), said.NEAREST),
    "images by nbs, each epoch": (lambda i, b, n, e: -(i // -n) * e, said.BY_NBS_EACH_EPOCH),
    "epochs": (lambda i, b, n, e: e, said.STEPS),
    "nbs below batch": (lambda i, b, n, e: -(i // -b) * e // (n // b), said.STEPS_CALL),
}


# ---------------------------------------------------------------- exercise 3: ema_of
def by_ultralytics(values, decay=0.9999, tau=2000):
    layer = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.constant_(layer.weight, values[0])
    ema, averages = ModelEMA(layer, decay, tau), [values[0]]
    for value in values[1:]:
        torch.nn.init.constant_(layer.weight, value)
        ema.update(layer)
        averages.append(ema.ema.weight.item())
    return averages


def average(values, decay=0.9999, tau=2000, *, keep=lambda d: d, ramp=lambda i, tau: 1 - math.exp(-i / tau), first=1):
    now, all_of = values[0], [values[0]]
    for i, value in enumerate(values[1:]):
        d = keep(decay * ramp(i + first, tau))
        now = now * d + value * (1 - d)
        all_of.append(now)
    return all_of


def of(values, decay, tau, kept):
    shares = [decay * (1 - math.exp(-i / tau)) for i in range(len(values))]
    return [values[0], *(d * kept(values, i) + (1 - d) * values[i] for i, d in list(enumerate(shares))[1:])]


def growing(values, decay=0.9999, tau=2000):
    now = [values[0]]
    for i in range(1, len(values)):
        now.append(now[-1] * decay * (1 - math.exp(-i / tau)) + values[i])
    return now


EMA_RIGHT = {"by hand": average, "Ultralytics": by_ultralytics}
EMA_WRONG = {
    "shares swapped": (lambda *a: average(*a, keep=lambda d: 1 - d), said.SHARES_SWAPPED),
    "no ramp": (lambda *a: average(*a, ramp=lambda i, tau: 1), said.NO_RAMP),
    "ramp from zero": (lambda *a: average(*a, first=0), said.RAMP_FROM_ZERO),
    "first lost": (lambda *a: average(*a)[1:], said.FIRST_LOST),
    "from zero": (lambda v, *a: average([0.0, *v], *a)[1:], said.FROM_ZERO),
    "mean": (lambda v, d=0.9, t=1: [sum(v[:i]) / i for i in range(1, len(v) + 1)], said.MEAN),
    "tau fixed": (lambda v, decay=0.9999, tau=2000: average(v, decay), said.FIXED_TAU),
    "decay fixed": (lambda v, decay=0.9999, tau=2000: average(v, tau=tau), said.FIXED_DECAY),
    "the last": (lambda *a: average(*a)[-1], said.LAST_ONLY),
    "i from two": (lambda *a: average(*a, first=2), said.FROM_TWO),
    "the first twice": (lambda v, *a: average([v[0], *v], *a), said.FIRST_TWICE),
    "of the value before": (lambda v, d=0.9999, t=2000: of(v, d, t, lambda v, i: v[i - 1]), said.BEFORE_ONLY),
    "of the first value": (lambda v, d=0.9999, t=2000: of(v, d, t, lambda v, i: v[0]), said.START_ONLY),
    "d falls": (lambda *a: average(*a, ramp=lambda i, tau: math.exp(-i / tau)), said.RAMP_FALLS),
    "without decay": (lambda v, decay=0.9999, tau=2000: average(v, 1, tau), said.NO_DECAY_FACTOR),
    "a growing sum": (growing, said.SUMMED),
    "the values": (lambda v, decay=0.9999, tau=2000: list(v), said.EMA),
    "without defaults": (lambda v, decay, tau: average(v, decay, tau), said.EMA_CALL),
}


# ---------------------------------------------------------------- exercise 4: epochs_trained
def by_stopper(fitness, patience):
    stopper = EarlyStopping(patience)
    for epoch, value in enumerate(fitness):
        if stopper(epoch, value):
            break
    return epoch + 1, stopper.best_epoch


def watch(fitness, patience, *, better=lambda a, b: a > b, wait=0, zero=True):
    best, at = -1.0, 0
    for epoch, value in enumerate(fitness):
        if epoch == 0 or better(value, best) or (zero and best == 0):
            best, at = value, epoch
        if epoch - at >= patience + wait:
            return [epoch + 1, at]
    return [len(fitness), at]


def by_falling(fitness, patience):
    run = best = 0
    for epoch in range(len(fitness)):
        if fitness[epoch] > fitness[best] or fitness[best] == 0:
            best = epoch
        run = run + 1 if epoch and fitness[epoch] <= fitness[epoch - 1] else 0
        if run == patience:
            return epoch + 1, best
    return len(fitness), best


def count(fitness, patience, *, plus=1, reset=True, zero=lambda value, best: best == 0):
    best, bad = 0, 0
    for epoch, value in enumerate(fitness):
        if not epoch or value > fitness[best] or zero(value, fitness[best]):
            best = epoch
            bad = 0 if reset else bad
        else:
            bad += 1
        if bad == patience:
            return epoch + plus, best
    return len(fitness), best


TRAINED_RIGHT = {"Ultralytics": by_stopper, "by hand": watch, "counted": count}
TRAINED_WRONG = {
    "equal is better": (lambda f, p: watch(f, p, better=lambda a, b: a >= b), said.EQUAL_IS_BETTER),
    "one late": (lambda f, p: watch(f, p, wait=1), said.ONE_LATE),
    "one early": (lambda f, p: watch(f, p, wait=-1), said.ONE_EARLY),
    "zeros stop it": (lambda f, p: watch(f, p, zero=False), said.ZERO_STOPPED),
    "last index": (lambda f, p: (by_stopper(f, p)[0] - 1, by_stopper(f, p)[1]), said.LAST_INDEX),
    "best of all": (lambda f, p: (by_stopper(f, p)[0], max(range(len(f)), key=f.__getitem__)), said.BEST_OF_ALL),
    "falls counted": (by_falling, said.COUNT_FALLS),
    "swapped": (lambda f, p: by_stopper(f, p)[::-1], said.PAIR_SWAPPED),
    "no patience": (lambda f, p: (len(f), max(range(len(f)), key=f.__getitem__)), said.NO_STOP),
    "index where it stops": (lambda f, p: count(f, p, plus=0), said.INDEX_IF_STOPPED),
    "never set back": (lambda f, p: count(f, p, reset=False), said.NEVER_RESET),
    "a zero is best": (lambda f, p: count(f, p, zero=lambda value, best: value == 0), said.ZERO_IS_BEST),
    "looked ahead": (
        lambda f, p: (min(len(f), f.index(max(f)) + 1 + p), f.index(max(f))),
        said.BEST_IN_SIGHT,
    ),
    "fitness of the best": (lambda f, p: [by_stopper(f, p)[0], f[by_stopper(f, p)[1]]], said.FITNESS_RETURNED),
    "best from one": (lambda f, p: (by_stopper(f, p)[0], by_stopper(f, p)[1] + 1), said.BEST_FROM_ONE),
    "nothing": (lambda f, p: (0, 0), said.PATIENCE),
    "one argument": (lambda f: (0, 0), said.PATIENCE_CALL),
}

RIGHT = {
    check.lr_at: LR_RIGHT,
    check.optimizer_steps: STEPS_RIGHT,
    check.ema_of: EMA_RIGHT,
    check.epochs_trained: TRAINED_RIGHT,
}
WRONG = {
    check.lr_at: LR_WRONG,
    check.optimizer_steps: STEPS_WRONG,
    check.ema_of: EMA_WRONG,
    check.epochs_trained: TRAINED_WRONG,
}
