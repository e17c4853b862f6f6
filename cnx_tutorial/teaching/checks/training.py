"""Misconceptions of notebook 08: the learning rate of a step, optimiser steps, the running average, patience."""

import math

from cnx_tutorial.teaching.checks.engine import Steps, function


# ---------------------------------------------------------------- exercise 1
def moment(rng):
    steps, epochs = int(rng.integers(1, 30)), int(rng.integers(1, 25))
    return (int(rng.integers(0, steps * epochs)), steps, epochs, float(rng.choice([0.003, 0.02])), float(rng.choice([0.01, 0.1, 0.5])), int(rng.choice([0, 1, 2, 3])))


SHARE_OVER_ONE = "the share of the warm-up is never more than 1: after it the rate is the falling line"
lr_at = function(
    "lr_at",
    "the learning rate of a step",
    "the learning rate that Ultralytics sets, in warm-up and after it",
    right=Steps(
        "step, steps, epochs, lr0, lrf, warmup_epochs",
        epoch=lambda step, steps: step // steps,
        length=lambda warmup_epochs, epochs: min(warmup_epochs, epochs - 1),
        part=lambda epoch, epochs: epoch / epochs,
        line=lambda part, lrf: (1 - part) * (1 - lrf) + lrf,
        falling=lambda lr0, line: lr0 * line,
        warmup=lambda length, steps: round(length * steps),
        done=lambda step: step,
        top=lambda falling: falling,
        rate=lambda done, step, warmup, falling, top: top * done / warmup if step < warmup else falling,
    ),
    rows=[
        ("there is no warm-up: in its steps the rate is step / (warm-up steps) of the falling line", {"rate": lambda falling: falling}),
        ("the rate does not fall: it goes down from epoch to epoch, to lrf * lr0", {"line": lambda: 1.0}),
        ("the falling line ends at 0; it ends at lrf * lr0", {"line": lambda part: 1 - part}),
        ("the falling line changes with the epoch, step // steps, and not with every step", {"epoch": lambda step, steps: step / steps}),
        ("the epoch is one too high: step 0 is in epoch 0", {"epoch": lambda step, steps: step // steps + 1}),
        ("the warm-up is never longer than epochs - 1 epochs", {"length": lambda warmup_epochs: warmup_epochs}),
        ("the warm-up is never longer than epochs - 1 epochs", {"length": lambda warmup_epochs, epochs: min(warmup_epochs, epochs)}),
        ("warmup_epochs are epochs: multiply by the steps of an epoch", {"warmup": lambda length: length}),
        ("the warm-up rises to lr0; it rises to the falling line of its epoch", {"top": lambda lr0: lr0}),
        ("that is a cosine; Ultralytics' default falls in a straight line", {"line": lambda part, lrf: (1 + math.cos(math.pi * part)) / 2 * (1 - lrf) + lrf}),
        ("that is the larger of 1 - e/E and lrf; the line falls from 1 to lrf by the same amount in each epoch", {"line": lambda part, lrf: max(1 - part, lrf)}),
        ("lrf is added to the whole of 1 - e/E; the line starts at 1: (1 - e/E) * (1 - lrf) + lrf", {"line": lambda part, lrf: 1 - part + lrf}),
        ("the line falls to lrf, which is a part of lr0, not a learning rate", {"falling": lambda lr0, part, lrf: lr0 + (lrf - lr0) * part}),
        ("the line reaches lrf * lr0 at the end of the last epoch, not at its start: divide the epoch by epochs", {"part": lambda epoch, epochs: epoch / (epochs - 1)}),
        ("steps count from 0: the very first one has the learning rate 0", {"done": lambda step: step + 1}),
        ("the warm-up rises with every step, not from epoch to epoch: step / (warm-up steps)", {"rate": lambda falling, epoch, length: falling * min(epoch / length, 1) if length else falling}),
        ("the line falls from epoch 0 on; it does not wait for the end of the warm-up", {"part": lambda epoch, length, epochs: (epoch - length) / (epochs - length), "top": lambda lr0: lr0}),
        ("those are shares of lr0: multiply by it", {"falling": lambda line: line}),
        (SHARE_OVER_ONE, {"rate": lambda done, warmup, top: top * done / warmup}),
        (SHARE_OVER_ONE, {"rate": lambda done, warmup, top: top * done / warmup if warmup else top}),
        ("that falls by the same factor in each epoch; the line falls by the same amount", {"line": lambda part, lrf: lrf**part}),
        ("that line rises from lrf to 1; it falls from 1 to lrf", {"line": lambda part, lrf: part * (1 - lrf) + lrf}),
    ],
    pinned=[*((step, 10, 5, 0.003, 0.01, 3) for step in (0, 4, 15, 29, 30, 45)), (5, 10, 2, 0.01, 0.1, 3), (12, 10, 2, 0.01, 0.1, 3), (7, 4, 8, 0.02, 0.05, 0), (9, 4, 8, 0.02, 0.05, 2.5), (10, 4, 8, 0.02, 0.05, 2.5)],
    draw=moment,
    tolerance=1e-9,
    in_error="it takes step, steps, epochs, lr0, lrf and warmup_epochs; the last may be 2.5, and where it is 0 there is nothing to divide by",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 2
WHOLE_BATCHES = "a step takes whole batches: count batches first, then divide by those that are added up"
optimizer_steps = function(
    "optimizer_steps",
    "optimiser steps of a training without warm-up",
    "the optimiser steps of all trainings",
    right=Steps(
        "images, batch, nbs, epochs",
        batches=lambda images, batch: math.ceil(images / batch),
        together=lambda nbs, batch: max(round(nbs / batch), 1),
        steps=lambda epochs, batches, together: epochs * batches // together,
    ),
    rows=[
        ("the last, smaller batch of an epoch counts too: round up", {"batches": lambda images, batch: images // batch}),
        ("nbs is not used: gradients of round(nbs / batch) batches are added up for one step", {"together": lambda: 1}),
        ("gradients are added up across the end of an epoch: divide all batches together, not those of each epoch", {"steps": lambda epochs, batches, together: epochs * (batches // together)}),
        ("what is left over at the very end is lost: round down", {"steps": lambda epochs, batches, together: math.ceil(epochs * batches / together)}),
        ("that is one epoch; asked are all of them", {"steps": lambda batches, together: batches // together}),
        (WHOLE_BATCHES, {"steps": lambda epochs, images, nbs: epochs * images // nbs}),
        (WHOLE_BATCHES, {"steps": lambda epochs, images, nbs: epochs * math.ceil(images / nbs)}),
        (WHOLE_BATCHES, {"steps": lambda epochs, images, nbs: epochs * (images // nbs)}),
        (WHOLE_BATCHES, {"steps": lambda epochs, images, nbs: math.ceil(epochs * images / nbs)}),
        ("nbs / batch is rounded to the nearest whole number, not down", {"together": lambda nbs, batch: max(nbs // batch, 1)}),
        ("nbs / batch is rounded to the nearest whole number, not up", {"together": lambda nbs, batch: math.ceil(nbs / batch)}),
        ("a half is rounded to the even number, as round() does: round(2.5) is 2", {"together": lambda nbs, batch: max(int(nbs / batch + 0.5), 1)}),
        ("nbs / batch is not rounded: a whole number of batches is added up", {"together": lambda nbs, batch: max(nbs / batch, 1)}),
        ("the steps of each epoch were rounded up: what is left over waits for the next epoch", {"steps": lambda epochs, batches, together: epochs * math.ceil(batches / together)}),
        ("images that fill their batches leave no smaller one behind: round up, instead of adding 1", {"batches": lambda images, batch: images // batch + 1}),
        ("nbs is in images; divide by the batches that are added up, round(nbs / batch)", {"together": lambda nbs: nbs}),
        ("batches run on across the end of an epoch; the last, smaller batch ends it: round up the batches of one epoch", {"steps": lambda epochs, images, batch, together: math.ceil(epochs * images / batch) // together}),
        ("at least one batch makes a step, also where nbs is smaller than batch", {"together": lambda nbs, batch: round(nbs / batch)}),
        ("what is left over at the very end is lost: round down, not to the nearest number", {"steps": lambda epochs, batches, together: round(epochs * batches / together)}),
    ],
    pinned=[(160, 16, 64, 5), (205, 16, 64, 3), (50, 16, 16, 10), (100, 8, 22, 4), (33, 32, 16, 3), (90, 12, 64, 7), (40, 8, 20, 3), (40, 32, 15, 2)],
    draw=lambda rng: (int(rng.integers(1, 300)), int(rng.choice([1, 4, 8, 12, 16, 32])), int(rng.choice([8, 16, 22, 40, 64])), int(rng.integers(1, 12))),
    whole=True,
    in_error="it takes images, batch, nbs and epochs; at least one batch makes a step, also where nbs is smaller than batch",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 3
def averages(
    values, decay=0.9999, tau=2000, *, share=lambda i, decay, tau: decay * (1 - math.exp(-i / tau)), first=1, own=lambda averages, values, i: averages[-1],
    weight=lambda d: 1 - d, start=lambda values: values[:1], handed=lambda averages: averages,
):  # fmt: skip
    found = start(values)
    for place, value in enumerate(values[1:], 1):
        d = share(place + first - 1, decay, tau)
        found = [*found, d * own(found, values, place) + weight(d) * value]
    return handed(found)


ema_of = function(
    "ema_of",
    "the running averages of Ultralytics' ModelEMA",
    "the running averages, for lists of any length",
    right=averages,
    rows=[
        ("the shares are swapped: the average keeps d of itself and takes 1 - d of the new value", {"share": lambda i, decay, tau: 1 - decay * (1 - math.exp(-i / tau))}),
        ("d rises with i: decay * (1 - exp(-i / tau))", {"share": lambda i, decay, tau: decay}),
        ("d rises with i: decay * (1 - exp(-i / tau))", {"share": lambda i, decay, tau: decay**i}),
        ("the exponent is -i / tau: with i / tau, 1 - exp() is negative", {"share": lambda i, decay, tau: decay * (1 - math.exp(i / tau))}),
        ("the exponent is -i / tau, not -tau / i", {"share": lambda i, decay, tau: decay * (1 - math.exp(-tau / i))}),
        ("that d falls with i: decay * (1 - exp(-i / tau)) rises", {"share": lambda i, decay, tau: decay * math.exp(-i / tau)}),
        ("the rise is not multiplied by decay", {"share": lambda i, decay, tau: 1 - math.exp(-i / tau)}),
        ("the first update has i = 1, not 0", {"first": 0}),
        ("the first update has i = 1, not 2", {"first": 2}),
        ("the first value is the first entry of the list", {"handed": lambda averages: averages[1:]}),
        ("the average starts at the first value, not at 0", lambda values, decay=0.9999, tau=2000: averages([0.0, *values], decay, tau)[1:]),
        ("the first value starts the average, and does not update it: one entry for each value", lambda values, decay=0.9999, tau=2000: averages([*values[:1], *values], decay, tau)),
        ("that is the mean of all values so far; the running average forgets", lambda values, decay=0.9999, tau=2000: [sum(values[: i + 1]) / (i + 1) for i in range(len(values))]),
        ("it is the average that keeps a share of itself, not the value before", {"own": lambda averages, values, i: values[i - 1]}),
        ("it is the average so far that keeps a share of itself, not the first value", {"own": lambda averages, values, i: values[0]}),
        ("the new value counts only 1 - d of itself", {"weight": lambda d: 1.0}),
        ("return all averages, one for each value, not the last alone", {"handed": lambda averages: averages[-1]}),
    ],
    pinned=[([1.0, 5.0, 3.0, 7.0, 7.0], 0.5, 2.0), ([8.0, 4.0], 0.9999, 1), ([8.0, 4.0, 2.0, 1.0],), ([2.0],)],
    draw=lambda rng: ([round(float(value), 1) for value in rng.uniform(-9, 9, rng.integers(1, 7))], float(rng.choice([0.5, 0.9, 0.9999])), float(rng.choice([1, 5, 2000]))),
    in_error="it takes values, decay and tau, and the last two may be left out",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 4
def trained(
    fitness, patience, *, better=lambda value, best: value > best, ends=lambda waited, patience, best: waited >= patience, zero=lambda value, best: best == 0,
    waited=lambda epoch, best, fitness: epoch - best, handed=lambda epochs, best, fitness: (epochs, best), ended=1, rival=lambda epoch, best: best,
):  # fmt: skip
    best = 0
    for epoch, value in enumerate(fitness):
        if better(value, fitness[rival(epoch, best)]) or zero(value, fitness[best]):
            best = epoch
        if ends(waited(epoch, best, fitness), patience, fitness[best]):
            return handed(epoch + ended, best, fitness)
    return handed(len(fitness), best, fitness)


def run(rng):
    """Fitness that rises, a little or much, falls and stands still, with zeros at the start now and then."""
    values = rng.choice([0.1, 0.2, 0.201, 0.3, 0.31, 0.4], rng.integers(1, 12))
    values[: rng.choice([0, 0, 1, 3])] = 0
    return [float(value) for value in values], int(rng.integers(1, 5))


epochs_trained = function(
    "epochs_trained",
    "epochs trained, and the index of the best of them",
    "what Ultralytics' EarlyStopping does, for all trainings",
    right=trained,
    rows=[
        ("as good as the best is not better: >, not >=", {"better": lambda value, best: value >= best}),
        ("it stops one epoch too late: stop as soon as epoch - best >= patience", {"ends": lambda waited, patience, best: waited > patience}),
        ("it stops one epoch too early: epochs without improvement must reach patience", {"ends": lambda waited, patience, best: waited >= patience - 1}),
        ("as long as the best fitness is 0, the current epoch counts as the best", {"zero": lambda value, best: False}),
        ("as long as the best fitness is 0, the current epoch counts as the best", {"zero": lambda value, best: False, "ends": lambda waited, patience, best: best > 0 and waited >= patience}),
        ("as long as the best fitness is 0, the current epoch counts as the best", {"zero": lambda value, best: False, "waited": lambda epoch, best, fitness: epoch - best + (fitness[best] == 0)}),
        ("an epoch with fitness 0 counts as the best only as long as the best itself is 0", {"zero": lambda value, best: value == 0 or best == 0}),
        ("the first number is how many epochs are trained: the index of the last one, plus 1", {"handed": lambda epochs, best, fitness: (epochs - 1, best)}),
        ("where patience ends the training, the epoch that ended it was trained too: epoch + 1", {"ended": 0}),
        ("the best epoch was looked for in the whole list; what comes after the end was never trained", {"handed": lambda epochs, best, fitness: (epochs, fitness.index(max(fitness)))}),
        ("a fall against the epoch before is no end; what counts is the time since the best", {"waited": lambda epoch, best, fitness: next(n for n in range(epoch + 1) if n == epoch or fitness[epoch - n] > fitness[epoch - n - 1])}),
        ("the two numbers are swapped: epochs trained first, then the best one", {"handed": lambda epochs, best, fitness: (best, epochs)}),
        ("an epoch is compared with the best so far, not with the one before it", {"rival": lambda epoch, best: max(epoch - 1, 0)}),
        ("patience is not used: the training goes through to the end", lambda fitness, patience: (len(fitness), fitness.index(max(fitness)))),
        ("patience is not used: the training goes through to the end", {"ends": lambda waited, patience, best: False}),
        ("the epochs without improvement count from the best one on: a new best sets them back to 0", {"waited": lambda epoch, best, fitness: sum(0 < max(fitness[:e]) >= fitness[e] for e in range(1, epoch + 1))}),
        ("the best of the whole list was taken as known; patience can end the training before it", lambda fitness, patience: (min((best := fitness.index(max(fitness))) + patience + 1, len(fitness)), best)),
        ("the second number is the index of the best epoch, not its fitness", {"handed": lambda epochs, best, fitness: (epochs, fitness[best])}),
        ("the best epoch is an index, counted from 0", {"handed": lambda epochs, best, fitness: (epochs, best + 1)}),
    ],
    pinned=[([0.1, 0.3, 0.2, 0.3, 0.25, 0.4], 3), ([0.0, 0.0, 0.0, 0.1, 0.2], 2), ([0.5, 0.4, 0.45, 0.44, 0.43, 0.9], 2), ([0.1, 0.2, 0.3], 2), ([0.0, 0.2, 0.2, 0.2, 0.1, 0.1], 4), ([0.1, 0.05, 0.2, 0.1, 0.05, 0.05], 2), ([0.0, 0.2, 0.0, 0.0, 0.0, 0.1], 3)],
    draw=run,
    whole=True,
    in_error="it takes fitness, a list, and patience, and returns two numbers",
)  # fmt: skip
