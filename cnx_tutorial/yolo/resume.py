"""Go on with a training as if it had never stopped.

Ultralytics' checkpoint holds the averaged weights and the optimizer, both in half precision. It lacks the weights that were trained and the state of
the random numbers, so a resumed training is another training. `last.pt` gets one more entry, which Ultralytics does not read and drops when the
training ends. It holds what is missing, in full precision. On a CPU a training that was cut off then ends with the very same weights.

The optimizer's state is matched by the names of the parameters, since our trainer sorts them into other groups than Ultralytics'.
"""

import io
import random
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.utils.torch_utils import unwrap_model

ENTRY = "archive/cnx_tutorial_state.pt"  # in the folder that torch.save gives all its entries
stock_load_checkpoint_state = BaseTrainer._load_checkpoint_state


def with_state(checkpoint: bytes, state: dict) -> bytes:
    """A checkpoint's bytes with one more entry; torch.load passes over it."""
    packed, extra = io.BytesIO(checkpoint), io.BytesIO()
    torch.save(state, extra)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(ENTRY, extra.getvalue())
    return packed.getvalue()


def read_state(checkpoint: Path) -> dict | None:
    """What `with_state` added; None where nothing was, as in a checkpoint that Ultralytics' own class wrote."""
    if not zipfile.is_zipfile(checkpoint):
        return None
    with zipfile.ZipFile(checkpoint) as archive:
        if ENTRY not in archive.namelist():
            return None
        return torch.load(io.BytesIO(archive.read(ENTRY)), "cpu", weights_only=True)


def random_state() -> dict:
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, keys.tolist(), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }


def set_random_state(state: dict) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(state["torch"])


def training_state(trainer: BaseTrainer) -> dict:
    """All that decides how a training goes on, between two epochs."""
    model, loader = unwrap_model(trainer.model), trainer.train_loader
    return {
        "epoch": trainer.epoch,
        "threads": torch.get_num_threads(),
        "model": model.state_dict(),
        "ema": trainer.ema.ema.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "gradients": {name: p.grad for name, p in model.named_parameters() if p.grad is not None},
        "since_step": trainer.batches_since_step,
        "random": random_state(),
        "mosaic_images": list(getattr(loader.dataset, "buffer", [])),
    }


def restore_weights(trainer: BaseTrainer, state: dict) -> None:
    """Weights, averaged weights and optimizer in full precision."""
    unwrap_model(trainer.model).load_state_dict(state["model"])
    trainer.ema.ema.load_state_dict(state["ema"])
    trainer.optimizer.load_state_dict(sorted_like(trainer, state["optimizer"]))


def restore_chance(trainer: BaseTrainer, state: dict) -> None:
    """Random numbers, the order of the images, those that a mosaic may take, and gradients that wait for their step."""
    loader, closed = trainer.train_loader, trainer.epochs - trainer.close_mosaic
    done = trainer.start_epoch
    for epochs in [closed, done - closed] if 0 < closed < done else [done]:
        loader.reset()  # as when mosaic was closed
        loader.iterator = loader._get_iterator()
        for _ in range(epochs * len(loader)):
            next(loader.iterator._sampler_iter)  # the order of epochs gone by, without loading an image
    for index in state["mosaic_images"]:
        loader.dataset.load_image(index)
    parameters = dict(unwrap_model(trainer.model).named_parameters())
    for name, gradient in state["gradients"].items():
        parameters[name].grad = gradient.to(parameters[name].device)
    set_random_state(state["random"])


def name_parameters(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Write into each group of the optimizer the names of its parameters, so that its state says whose it is."""
    names = {id(p): name for name, p in model.named_parameters()}
    for group in optimizer.param_groups:
        group["names"] = [names[id(p)] for p in group["params"]]


def sorted_like(trainer: BaseTrainer, saved: dict) -> dict:
    """A saved optimizer state in the order of this trainer's optimizer, parameter by parameter.

    Raises:
        ValueError: it belongs to another model or another optimizer.
    """
    optimizer = trainer.optimizer
    names = {id(p): name for name, p in unwrap_model(trainer.model).named_parameters()}
    wanted = [[names[id(p)] for p in group["params"]] for group in optimizer.param_groups]
    written = [group.get("names") for group in saved["param_groups"]]
    if None in written:  # Ultralytics' class began it
        written = getattr(trainer, "stock_order", wanted)
    fits = len(written) == len(wanted) == len(saved["param_groups"])
    fits = fits and all(len(a) == len(g["params"]) for a, g in zip(written, saved["param_groups"], strict=True))
    if not fits or sorted(sum(written, [])) != sorted(sum(wanted, [])):
        raise ValueError(
            "this checkpoint's optimizer belongs to other parameters than the model has; train on from its weights instead of resuming: "
            "YOLO('last.pt').train(data=...)"
        )
    number = {
        name: i
        for ns, g in zip(written, saved["param_groups"], strict=True)
        for name, i in zip(ns, g["params"], strict=True)
    }
    order = {name: i for i, name in enumerate(sum(wanted, []))}
    state = {order[name]: saved["state"][i] for name, i in number.items() if i in saved["state"]}
    groups = []
    for group, now, ns in zip(saved["param_groups"], optimizer.param_groups, wanted, strict=True):
        rest = {key: value for key, value in group.items() if key != "names"}
        groups.append({**rest, **({"names": ns} if "names" in now else {}), "params": [order[name] for name in ns]})
    return {"state": state, "param_groups": groups}


def load_checkpoint_state(self: BaseTrainer, ckpt: dict) -> None:
    """Ultralytics' `_load_checkpoint_state`, which here reads the optimizer of our trainer and of Ultralytics'."""
    if ckpt.get("optimizer") is not None:
        ckpt = {**ckpt, "optimizer": sorted_like(self, ckpt["optimizer"])}
    stock_load_checkpoint_state(self, ckpt)
