"""Checkers of notebook 07: the learning rate of a step, optimiser steps, the running average, patience."""

import math

from cnx_tutorial.teaching.checks.asking import ask
from cnx_tutorial.teaching.checks.runner import exercise

NO_WARMUP = "there is no warm-up: in its steps the rate is step / (warm-up steps) of the falling line"
NO_DECAY = "the rate does not fall: it goes down from epoch to epoch, to lrf * lr0"
TO_ZERO = "the falling line ends at 0; it ends at lrf * lr0"
EVERY_STEP = "the falling line changes with the epoch, step // steps, and not with every step"
EPOCH_LATE = "the epoch is one too high: step 0 is in epoch 0"
WARMUP_UNCAPPED = "the warm-up is never longer than epochs - 1 epochs"
WARMUP_IN_STEPS = "warmup_epochs are epochs: multiply by the steps of an epoch"
WARMUP_TO_LR0 = "the warm-up rises to lr0; it rises to the falling line of its epoch"
COSINE = "that is a cosine; Ultralytics' default falls in a straight line"
LARGER_OF_TWO = "that is the larger of 1 - e/E and lrf; the line falls from 1 to lrf by the same amount in each epoch"
LRF_ON_TOP = "lrf is added to the whole of 1 - e/E; the line starts at 1: (1 - e/E) * (1 - lrf) + lrf"
LAST_EPOCH = "the line reaches lrf * lr0 at the end of the last epoch, not at its start: divide the epoch by epochs"
STEP_FROM_ONE = "steps count from 0: the very first one has the learning rate 0"
WARMUP_BY_EPOCH = "the warm-up rises with every step, not from epoch to epoch: step / (warm-up steps)"
FALLS_AFTERWARDS = "the line falls from epoch 0 on; it does not wait for the end of the warm-up"
NO_LR0 = "those are shares of lr0: multiply by it"
LR = "none of the usual mistakes; with 10 steps, 5 epochs, 0.003, 0.01 and 3, step 15 has 0.001203"
LR_CALL = (
    "it takes step, steps, epochs, lr0, lrf and warmup_epochs; the last may be 2.5, and where it is 0 there is nothing "
    "to divide by"
)

ROUNDED_DOWN = "the last, smaller batch of an epoch counts too: round up"
NO_NBS = "nbs is not used: gradients of round(nbs / batch) batches are added up for one step"
EACH_EPOCH = "gradients are added up across the end of an epoch: divide all batches together, not those of each epoch"
ROUND_UP_STEPS = "what is left over at the very end is lost: round down"
NO_EPOCHS = "that is one epoch; asked are all of them"
IMAGES_BY_NBS = "a step takes whole batches: count batches first, then divide by those that are added up"
FLOORED_NBS = "nbs / batch is rounded to the nearest whole number, not down"
CEILED_NBS = "nbs / batch is rounded to the nearest whole number, not up"
UNROUNDED_NBS = "nbs / batch is not rounded: a whole number of batches is added up"
EACH_EPOCH_UP = "the steps of each epoch were rounded up: what is left over waits for the next epoch"
RUNNING_ON = (
    "batches run on across the end of an epoch; the last, smaller batch ends it: round up the batches of one epoch"
)
NOT_WHOLE = "steps are whole: round down at the end"
NEAREST = "what is left over at the very end is lost: round down, not to the nearest number"
BY_NBS_EACH_EPOCH = "a step takes whole batches, and no step ends with the epoch: count all batches, then divide"
STEPS = "none of the usual mistakes; 160 images, batch 16, nbs 64 and 5 epochs are 12 steps"
STEPS_CALL = (
    "it takes images, batch, nbs and epochs; at least one batch makes a step, also where nbs is smaller than batch"
)

SHARES_SWAPPED = "the shares are swapped: the average keeps d of itself and takes 1 - d of the new value"
NO_RAMP = "d rises with i: decay * (1 - exp(-i / tau))"
RAMP_FROM_ZERO = "the first update has i = 1, not 0"
FIRST_LOST = "the first value is the first entry of the list"
FROM_ZERO = "the average starts at the first value, not at 0"
MEAN = "that is the mean of all values so far; the running average forgets"
FIXED_TAU = "the tau argument is not used: 2000 is only its default"
FIXED_DECAY = "the decay argument is not used: 0.9999 is only its default"
FROM_TWO = "the first update has i = 1, not 2"
FIRST_TWICE = "the first value starts the average, and does not update it: one entry for each value"
BEFORE_ONLY = "it is the average that keeps a share of itself, not the value before"
START_ONLY = "it is the average so far that keeps a share of itself, not the first value"
RAMP_FALLS = "that d falls with i: decay * (1 - exp(-i / tau)) rises"
NO_DECAY_FACTOR = "the rise is not multiplied by decay"
SUMMED = "the new value counts only 1 - d of itself"
LAST_ONLY = "return all averages, one for each value, not the last alone"
EMA = "none of the usual mistakes; compare with ema_of([8.0, 4.0], tau=1), which is [8.0, 6.528...]"
EMA_CALL = "it takes values, decay and tau, and the last two may be left out"

EQUAL_IS_BETTER = "as good as the best is not better: >, not >="
ONE_LATE = "it stops one epoch too late: stop as soon as epoch - best >= patience"
ONE_EARLY = "it stops one epoch too early: epochs without improvement must reach patience"
ZERO_STOPPED = "as long as the best fitness is 0, the current epoch counts as the best"
LAST_INDEX = "the first number is how many epochs are trained: the index of the last one, plus 1"
BEST_OF_ALL = "the best epoch was looked for in the whole list; what comes after the end was never trained"
COUNT_FALLS = "a fall against the epoch before is no end; what counts is the time since the best"
PAIR_SWAPPED = "the two numbers are swapped: epochs trained first, then the best one"
NO_STOP = "patience is not used: the training goes through to the end"
INDEX_IF_STOPPED = "where patience ends the training, the epoch that ended it was trained too: epoch + 1"
NEVER_RESET = "the epochs without improvement count from the best one on: a new best sets them back to 0"
ZERO_IS_BEST = "an epoch with fitness 0 counts as the best only as long as the best itself is 0"
BEST_IN_SIGHT = "the best of the whole list was taken as known; patience can end the training before it"
FITNESS_RETURNED = "the second number is the index of the best epoch, not its fitness"
BEST_FROM_ONE = "the best epoch is an index, counted from 0"
PATIENCE = "none of the usual mistakes; patience 3 and 0.1, 0.3, 0.2, 0.3, 0.25, 0.4 give (5, 1)"
PATIENCE_CALL = "it takes fitness, a list, and patience, and returns two numbers"


# ---------------------------------------------------------------- exercise 1
def _lr(
    step,
    steps,
    epochs,
    lr0,
    lrf,
    warmup_epochs,
    *,
    line=None,
    warm=None,
    cap=True,
    rise=True,
    late=0,
    top=None,
    first=0,
):
    epoch = step // steps + late
    fall = line or (lambda e: (1 - e / epochs) * (1 - lrf) + lrf)
    falling = lr0 * fall(epoch)
    length = min(warmup_epochs, epochs - 1) if cap else warmup_epochs
    warmup = round(length * steps) if warm is None else warm
    if not rise or step >= warmup:
        return falling
    return (lr0 if top else falling) * (step + first) / warmup


def _lr_stairs(step, steps, epochs, lr0, lrf, warmup_epochs):
    length = min(warmup_epochs, epochs - 1)
    share = min(step // steps / length, 1) if length else 1
    return share * _lr(step, steps, epochs, lr0, lrf, 0)


def _lr_afterwards(step, steps, epochs, lr0, lrf, warmup_epochs):
    length = min(warmup_epochs, epochs - 1)
    if step < length * steps:
        return lr0 * step / (length * steps)
    return lr0 * ((1 - (step // steps - length) / (epochs - length)) * (1 - lrf) + lrf)


STEPS_ASKED = tuple((step, 10, 5, 0.003, 0.01, 3) for step in (0, 4, 15, 29, 30, 45)) + (
    (5, 10, 2, 0.01, 0.1, 3),
    (12, 10, 2, 0.01, 0.1, 3),
    (7, 4, 8, 0.02, 0.05, 0),
    (31, 4, 8, 0.02, 0.05, 0),
    (9, 4, 8, 0.02, 0.05, 2.5),
    (62, 4, 20, 0.02, 0.5, 1),
)
WRONG_LR = {
    NO_WARMUP: lambda *a: _lr(*a, rise=False),
    NO_DECAY: lambda *a: _lr(*a, line=lambda e: 1.0),
    TO_ZERO: lambda *a: _lr(*a, line=lambda e: 1 - e / a[2]),
    EVERY_STEP: lambda *a: _lr(*a, line=lambda e: (1 - a[0] / a[1] / a[2]) * (1 - a[4]) + a[4]),
    EPOCH_LATE: lambda *a: _lr(*a, late=1),
    WARMUP_UNCAPPED: lambda *a: _lr(*a, cap=False),
    WARMUP_IN_STEPS: lambda *a: _lr(*a, warm=min(a[5], a[2] - 1)),
    WARMUP_TO_LR0: lambda *a: _lr(*a, top=True),
    COSINE: lambda *a: _lr(*a, line=lambda e: (1 + math.cos(math.pi * e / a[2])) / 2 * (1 - a[4]) + a[4]),
    LARGER_OF_TWO: lambda *a: _lr(*a, line=lambda e: max(1 - e / a[2], a[4])),
    LRF_ON_TOP: lambda *a: _lr(*a, line=lambda e: 1 - e / a[2] + a[4]),
    LAST_EPOCH: lambda *a: _lr(*a, line=lambda e: (1 - e / (a[2] - 1)) * (1 - a[4]) + a[4]),
    STEP_FROM_ONE: lambda *a: _lr(*a, first=1),
    WARMUP_BY_EPOCH: _lr_stairs,
    FALLS_AFTERWARDS: _lr_afterwards,
    NO_LR0: lambda *a: _lr(*a) / a[3],
}


@exercise("the learning rate that Ultralytics sets, for twelve steps of five trainings")
def lr_at(answer: object) -> None:
    """Check `lr_at(step, steps, epochs, lr0, lrf, warmup_epochs)`: the learning rate of a step."""
    ask(answer, STEPS_ASKED, _lr, WRONG_LR, LR, arguments=LR_CALL, tolerance=1e-9)


# ---------------------------------------------------------------- exercise 2
def _steps(images, batch, nbs, epochs):
    return epochs * math.ceil(images / batch) // max(round(nbs / batch), 1)


TRAININGS = ((160, 16, 64, 5), (205, 16, 64, 3), (50, 16, 16, 10), (100, 8, 22, 4), (33, 32, 16, 3), (90, 12, 64, 7))
WRONG_STEPS = {
    ROUNDED_DOWN: lambda i, b, n, e: e * (i // b) // max(round(n / b), 1),
    NO_NBS: lambda i, b, n, e: e * math.ceil(i / b),
    EACH_EPOCH: lambda i, b, n, e: e * (math.ceil(i / b) // max(round(n / b), 1)),
    ROUND_UP_STEPS: lambda i, b, n, e: math.ceil(e * math.ceil(i / b) / max(round(n / b), 1)),
    NO_EPOCHS: lambda i, b, n, e: _steps(i, b, n, 1),
    IMAGES_BY_NBS: lambda i, b, n, e: e * i // n,
    FLOORED_NBS: lambda i, b, n, e: e * math.ceil(i / b) // max(n // b, 1),
    CEILED_NBS: lambda i, b, n, e: e * math.ceil(i / b) // math.ceil(n / b),
    UNROUNDED_NBS: lambda i, b, n, e: e * math.ceil(i / b) // max(n / b, 1),
    EACH_EPOCH_UP: lambda i, b, n, e: e * math.ceil(math.ceil(i / b) / max(round(n / b), 1)),
    RUNNING_ON: lambda i, b, n, e: math.ceil(e * i / b) // max(round(n / b), 1),
    NOT_WHOLE: lambda i, b, n, e: e * math.ceil(i / b) / max(round(n / b), 1),
    NEAREST: lambda i, b, n, e: round(e * math.ceil(i / b) / max(round(n / b), 1)),
    BY_NBS_EACH_EPOCH: lambda i, b, n, e: e * math.ceil(i / n),
}


@exercise("the optimiser steps of six trainings")
def optimizer_steps(answer: object) -> None:
    """Check `optimizer_steps(images, batch, nbs, epochs)`: steps without warm-up."""
    ask(answer, TRAININGS, _steps, WRONG_STEPS, STEPS, arguments=STEPS_CALL, tolerance=0.0)


# ---------------------------------------------------------------- exercise 3
def _ema(values, decay=0.9999, tau=2000, *, share=None, swap=False, first=1, start=None):
    averages = [values[0] if start is None else start]
    for i, value in enumerate(values[1:], first):
        d = (share or (lambda i: decay * (1 - math.exp(-i / tau))))(i)
        d = 1 - d if swap else d
        averages.append(d * averages[-1] + (1 - d) * value)
    return averages


def _from_zero(values, decay=0.9999, tau=2000):
    return _ema([0.0, *values], decay, tau)[1:]


def _kept(values, decay, tau, kept):
    averages = [values[0]]
    for i, value in enumerate(values[1:], 1):
        d = decay * (1 - math.exp(-i / tau))
        averages.append(d * kept(values, i) + (1 - d) * value)
    return averages


def _summed(values, decay=0.9999, tau=2000):
    averages = [values[0]]
    for i, value in enumerate(values[1:], 1):
        averages.append(decay * (1 - math.exp(-i / tau)) * averages[-1] + value)
    return averages


SERIES = (([1.0, 5.0, 3.0, 7.0, 7.0], 0.5, 2.0), ([8.0, 4.0], 0.9999, 1), ([8.0, 4.0, 2.0, 1.0],), ([2.0],))
WRONG_EMA = {
    SHARES_SWAPPED: lambda *a: _ema(*a, swap=True),
    NO_RAMP: lambda v, d=0.9999, t=2000: _ema(v, share=lambda i: d),
    RAMP_FROM_ZERO: lambda *a: _ema(*a, first=0),
    FIRST_LOST: lambda *a: _ema(*a)[1:],
    FROM_ZERO: _from_zero,
    MEAN: lambda v, d=0.9999, t=2000: [sum(v[: i + 1]) / (i + 1) for i in range(len(v))],
    FIXED_TAU: lambda v, d=0.9999, t=2000: _ema(v, d),
    FIXED_DECAY: lambda v, d=0.9999, t=2000: _ema(v, tau=t),
    LAST_ONLY: lambda *a: _ema(*a)[-1],
    FROM_TWO: lambda *a: _ema(*a, first=2),
    FIRST_TWICE: lambda v, d=0.9999, t=2000: _ema([v[0], *v], d, t),
    BEFORE_ONLY: lambda v, d=0.9999, t=2000: _kept(v, d, t, lambda v, i: v[i - 1]),
    START_ONLY: lambda v, d=0.9999, t=2000: _kept(v, d, t, lambda v, i: v[0]),
    RAMP_FALLS: lambda v, d=0.9999, t=2000: _ema(v, share=lambda i: d * math.exp(-i / t)),
    NO_DECAY_FACTOR: lambda v, d=0.9999, t=2000: _ema(v, 1.0, t),
    SUMMED: _summed,
}


@exercise("the averages of Ultralytics' ModelEMA, for four lists")
def ema_of(answer: object) -> None:
    """Check `ema_of(values, decay=0.9999, tau=2000)`: the running averages."""
    ask(answer, SERIES, _ema, WRONG_EMA, EMA, arguments=EMA_CALL)


# ---------------------------------------------------------------- exercise 4
def _trained(fitness, patience, *, better=lambda value, best: value > best, late=0, zero=True):
    best = 0
    for epoch, value in enumerate(fitness):
        if better(value, fitness[best]) or (zero and fitness[best] == 0):
            best = epoch
        if epoch - best >= patience + late:
            return epoch + 1, best
    return len(fitness), best


def _by_falls(fitness, patience):
    falls, best = 0, 0
    for epoch in range(1, len(fitness)):
        falls = falls + 1 if fitness[epoch] <= fitness[epoch - 1] else 0
        best = epoch if fitness[epoch] > fitness[best] or fitness[best] == 0 else best
        if falls >= patience:
            return epoch + 1, best
    return len(fitness), best


def _trained_otherwise(fitness, patience, *, reset=True, counts=lambda value, best: best == 0, index=False):
    best = waited = 0
    for epoch, value in enumerate(fitness):
        if epoch == 0 or value > fitness[best] or counts(value, fitness[best]):
            best, waited = epoch, 0 if reset else waited
        else:
            waited += 1
        if waited >= patience:
            return epoch + (not index), best
    return len(fitness), best


def _in_sight(fitness, patience):
    best = fitness.index(max(fitness))
    return min(best + patience + 1, len(fitness)), best


RUNS = (
    ([0.1, 0.3, 0.2, 0.3, 0.25, 0.4], 3),
    ([0.0, 0.0, 0.0, 0.1, 0.2], 2),
    ([0.5, 0.4, 0.45, 0.44, 0.43, 0.9], 2),
    ([0.1, 0.2, 0.3], 2),
    ([0.0, 0.2, 0.2, 0.2, 0.1, 0.1], 4),
    ([0.3, 0.2, 0.25, 0.21, 0.26], 10),
    ([0.1, 0.05, 0.2, 0.1, 0.05, 0.05], 2),
    ([0.0, 0.2, 0.0, 0.0, 0.0, 0.1], 3),
)
WRONG_TRAINED = {
    EQUAL_IS_BETTER: lambda f, p: _trained(f, p, better=lambda value, best: value >= best),
    ONE_LATE: lambda f, p: _trained(f, p, late=1),
    ONE_EARLY: lambda f, p: _trained(f, p, late=-1),
    ZERO_STOPPED: lambda f, p: _trained(f, p, zero=False),
    LAST_INDEX: lambda f, p: (_trained(f, p)[0] - 1, _trained(f, p)[1]),
    BEST_OF_ALL: lambda f, p: (_trained(f, p)[0], f.index(max(f))),
    COUNT_FALLS: _by_falls,
    PAIR_SWAPPED: lambda f, p: _trained(f, p)[::-1],
    NO_STOP: lambda f, p: (len(f), f.index(max(f))),
    INDEX_IF_STOPPED: lambda f, p: _trained_otherwise(f, p, index=True),
    NEVER_RESET: lambda f, p: _trained_otherwise(f, p, reset=False),
    ZERO_IS_BEST: lambda f, p: _trained_otherwise(f, p, counts=lambda value, best: value == 0),
    BEST_IN_SIGHT: _in_sight,
    FITNESS_RETURNED: lambda f, p: (_trained(f, p)[0], f[_trained(f, p)[1]]),
    BEST_FROM_ONE: lambda f, p: (_trained(f, p)[0], _trained(f, p)[1] + 1),
}


@exercise("what Ultralytics' EarlyStopping does, for eight trainings")
def epochs_trained(answer: object) -> None:
    """Check `epochs_trained(fitness, patience)`: epochs trained, and the best of them."""
    ask(answer, RUNS, _trained, WRONG_TRAINED, PATIENCE, arguments=PATIENCE_CALL, tolerance=0.0)
