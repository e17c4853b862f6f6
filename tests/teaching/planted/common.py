"""Answers that are wrong in every exercise, and what a checker says about an answer."""

import torch
from torch import nn


def said_by(checker, answer, capsys) -> str:
    """What the checker prints about this answer; it must not raise."""
    assert checker(answer) is None
    return capsys.readouterr().out


def stub(*args, **options):
    raise NotImplementedError()


def raises(*args, **options):
    raise KeyError("oops")


def leaves(*args, **options):
    raise SystemExit(3)


def endless(*args, **options):
    while True:
        pass


def on_another_device(x=None, *args, **options):
    return x.to("meta") if isinstance(x, torch.Tensor) else torch.empty(3, device="meta")


class Hostile:
    """Raises at whatever one does with it."""

    def __getattribute__(self, name):
        raise RuntimeError("do not touch")


class HostileLayer(nn.Module):
    """Made without fault, and of no use."""

    def __init__(self, *args, **options):
        super().__init__()

    def forward(self, x):
        return "text"
