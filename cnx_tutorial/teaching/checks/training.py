"""Misconceptions of notebook 08: the best of several learning rates, the learning rate of a step, optimiser steps, the epoch to keep, the running average.

Two exercises train: the checker makes the networks and the curves, and measures what the learner's function leaves behind. Weight decay has a module of its own.
"""

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from cnx_tutorial.teaching.checks.engine import Steps, function
from cnx_tutorial.teaching.checks.runner import Mismatch


# ---------------------------------------------------------------- exercise 1
class Runs(dict):
    """Losses of trainings by their learning rate; called with a rate, it hands over that curve."""

    def __call__(self, rate: float) -> list[float]:
        return list(self[rate])


def train_on_two_images(rate: float, steps: int = 12) -> list[float]:
    """The losses of a small network that learns where the square is in two images; nan where the rate is far too large."""
    images, square = torch.full((2, 3, 8, 8), 0.5), torch.zeros(2, 1, 8, 8)
    images[0, :, 1:5, 2:6], images[1, :, 4:7, 0:3] = 0.9, 0.1
    square[0, :, 1:5, 2:6], square[1, :, 4:7, 0:3] = 1, 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    optimizer, losses = torch.optim.SGD(network.parameters(), lr=rate), []
    for _ in range(steps + 1):
        loss = F.mse_loss(network(images), square)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def trained_runs() -> list[tuple]:
    """Real trainings: one rate suits, one moves nothing, one ends in nan."""
    runs = Runs({rate: train_on_two_images(rate) for rate in (1e4, 0.2, 1e-4)})
    return [([1e4, 0.2, 1e-4], runs), ([1e-4, 0.2], runs), ([0.2, 1e-4, 1e4], runs), ([1e-4, 1e4], runs)]


def drawn_runs(rng):
    """Curves from the same first loss, with spikes and dips on the way; some end in nan."""
    rates = [float(rate) for rate in rng.permutation([1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0])[: rng.integers(2, 6)]]
    runs = Runs({rate: [4.0, *(round(float(loss), 2) for loss in rng.uniform(0.1, 6, 4))] for rate in rates})
    for rate in rates[:-1]:
        if rng.random() < 0.3:
            runs[rate][-2:] = [math.nan, math.nan]
    return [float(rate) for rate in rng.permutation(rates)], runs


best_rate = function(
    "best_rate",
    "the learning rate whose training leaves the smallest loss",
    "the rate with the smallest last loss, also where a training ends in nan",
    right=Steps(
        "rates, train",
        curves=lambda rates, train: [train(rate) for rate in rates],
        left=lambda curves: [losses[-1] for losses in curves],
        safe=lambda left: [loss if math.isfinite(loss) else math.inf for loss in left],
        place=lambda safe: min(range(len(safe)), key=lambda i: safe[i]),
        best=lambda rates, place: rates[place],
    ),
    rows=[
        ("every training begins with the same loss: compare the last losses", {"left": lambda curves: [losses[0] for losses in curves]}),
        ("the lowest loss on the way is not what is left at the end: compare the last losses", {"left": lambda curves: [min(loss for loss in losses if loss == loss) for losses in curves]}),
        ("the mean of a curve counts its beginning, too: compare the last losses", {"left": lambda curves: [sum(losses) / len(losses) for losses in curves]}),
        ("the rate with the largest loss was chosen: a small loss is what is wanted", {"place": lambda left: max((i for i in range(len(left)) if left[i] == left[i]), key=lambda i: left[i])}),
        ("nan is neither smaller nor larger than a number, so that min keeps a nan that comes first: leave such runs out", {"safe": lambda left: left}),
        ("a training that ended in nan was chosen: argmin of NumPy and PyTorch takes nan for the smallest", {"safe": lambda left: [loss if loss == loss else -1.0 for loss in left]}),
        ("return the rate itself, not its place in the list", {"best": lambda place: place}),
        ("return the rate, not the loss that it leaves", {"best": lambda safe, place: safe[place]}),
        ("that is the largest of the rates; call train(rate) for each, and compare the losses", {"best": lambda rates: max(rates)}),
        ("that is the smallest of the rates; call train(rate) for each, and compare the losses", {"best": lambda rates: min(rates)}),
        ("the rates were sorted after the training, so that losses and rates no longer belong together", {"best": lambda rates, place: sorted(rates)[place]}),
        ("the fall in the last step says little: compare the last losses", {"left": lambda curves: [losses[-1] - losses[-2] for losses in curves]}),
    ],
    pinned=trained_runs,
    draw=drawn_runs,
    tolerance=1e-9,
    in_error="it takes rates, a list, and train, a function: train(rate) gives the list of losses of one training",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 2
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


# ---------------------------------------------------------------- exercise 3
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
        ("that is one epoch; the exercise asks for all of them", {"steps": lambda batches, together: batches // together}),
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


# ---------------------------------------------------------------- exercise 4
Pair = tuple[torch.Tensor, torch.Tensor]


def small_training(seed: int) -> tuple:
    """(network, train, val, epochs, lr): 12 points of three classes, two of them with a wrong label, which the network can learn by heart."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(3, 6, generator=random)
    points = [centres[torch.arange(n) % 3] + torch.randn(n, 6, generator=random) for n in (12, 60)]
    labels = torch.arange(12) % 3
    labels[[0, 4]] = torch.tensor([1, 2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    return network, (points[0], labels), (points[1], torch.arange(60) % 3), 25 + seed % 3, 0.05


def kept(
    network: nn.Module, train: Pair, val: Pair, epochs: int, lr: float, *, fitted: Callable = lambda train, val: train, shown: Callable = lambda train, val: val,
    decides: Callable = lambda train, val: val, best: Callable = min, own: Callable = copy.deepcopy, restored: bool = True, cleared: bool = True, first_look: bool = False,
    anew: bool = False, optimizer: type = torch.optim.AdamW, waits: bool = True, counted_from: int = 0,
):  # fmt: skip
    crops, classes = fitted(train, val)
    steps, seen, deciding, weights = optimizer(network.parameters(), lr=lr), [], [], None

    def loss_on(pair: Pair) -> float:
        with torch.no_grad():
            return F.cross_entropy(network(pair[0]), pair[1]).item()

    for _ in range(epochs):
        early = loss_on(shown(train, val)), loss_on(decides(train, val))
        steps = optimizer(network.parameters(), lr=lr) if anew else steps
        if cleared:
            network.zero_grad()
        F.cross_entropy(network(crops), classes).backward()
        steps.step()
        late = early if first_look else (loss_on(shown(train, val)), loss_on(decides(train, val)))
        seen, deciding = [*seen, late[0]], [*deciding, late[1]]
        if late[1] == best(deciding):
            weights = own(network.state_dict())
        elif not waits:
            break
    if restored:
        network.load_state_dict(weights)
    return seen, deciding.index(best(deciding)) + counted_from


def measured(result: object, question: list) -> dict[str, object]:
    """What was returned, and the loss of the network that was left behind, measured here."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Mismatch("the result is no pair", "(losses, epoch)", f"an object of type {type(result).__name__}", "return two things: the list of validation losses, and the index of the lowest")
    network, _, (crops, classes) = question[:3]
    with torch.no_grad():
        left = F.cross_entropy(network(crops), classes).item()
    return {"loss of the network that is left": left, "epoch": result[1], "losses": result[0]}  # fmt: skip


LAST_WEIGHTS = "the network has the weights of the last epoch: load those of the best, from a copy (copy.deepcopy), since later steps change what state_dict() hands over"
BOTH = "the validation crops were trained on, too: then no loss is left that shows overfitting"
keep_best = function(
    "keep_best",
    "the validation loss of each epoch, and the epoch whose weights the network has at the end",
    "the losses, the epoch, and the loss of the network that is left, measured",
    right=kept,
    rows=[
        (LAST_WEIGHTS, {"own": lambda state: state}),
        (LAST_WEIGHTS, {"restored": False}),
        ("the training loss decides, and it falls to the end: let the validation loss decide", {"decides": lambda train, val: train}),
        (BOTH, {"fitted": lambda train, val: tuple(map(torch.cat, zip(train, val, strict=True)))}),
        ("the network was trained on val: train on train alone", {"fitted": lambda train, val: val}),
        ("the gradients of all steps so far add up: set them to zero in each epoch", {"cleared": False}),
        ("the loss on val was taken before the step: look after it, so that it belongs to the weights of that epoch", {"first_look": True}),
        ("those are losses on train: return the losses on val", {"shown": lambda train, val: train}),
        ("those are losses on train, and the epoch is theirs, too: use the losses on val", {"shown": lambda train, val: train, "decides": lambda train, val: train}),
        ("the epoch is an index, counted from 0", {"counted_from": 1}),
        ("the epoch with the highest loss was kept: the lowest is the best", {"best": max}),
        ("an optimiser made anew in each epoch forgets what it knows of earlier gradients: make one before the loop", {"anew": True}),
        ("that is SGD; the exercise asks for AdamW", {"optimizer": torch.optim.SGD}),
        ("that is Adam; the exercise asks for AdamW", {"optimizer": torch.optim.Adam}),
        ("the training ended at the first loss that was not better: train all epochs, a later one may be lower", {"waits": False}),
    ],
    pinned=lambda: [small_training(seed) for seed in (0, 7, 11, 13)],
    see=measured,
    tolerance=1e-4,
    pairs=False,
    called="a small network, 12 training crops and 60 for validation",
    in_error="it takes network, train, val, epochs and lr; train and val are pairs: crops, classes",
)  # fmt: skip


# ---------------------------------------------------------------- exercise 5
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
