"""The trial of stems: its crops, and that it tells a stem that sees from one that does not."""

import pytest
import torch
from torch import nn

import cnx_tutorial.nn as cnx
from cnx_tutorial.teaching import stem_trial


@pytest.mark.parametrize("split", ["train", "val"])
def test_crops_are_of_both_kinds_and_platelets_are_the_purple_ones(split):
    images, labels = stem_trial.crops(split)
    assert images.shape == (len(labels), 3, 16, 16) and images.abs().max() <= 1
    assert 0.3 < labels.float().mean() < 0.6
    middle = images[:, :, 4:12, 4:12].mean((2, 3))
    purple = middle[:, 2] - middle[:, 1]  # more blue than green
    assert purple[labels == 1].mean() > purple[labels == 0].mean() + 0.1


def test_a_blind_stem_guesses_and_the_patch_stem_learns():
    count, platelets = len(stem_trial.crops("train")[1]), int(stem_trial.crops("train")[1].sum())

    class Blind(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 96, 4, 4)

    random = torch.get_rng_state()
    assert stem_trial.mistakes(Blind) in (platelets, count - platelets)
    assert stem_trial.mistakes(lambda: cnx.ConvNeXtStem(3, 96, 4, 4)) < 0.15 * count
    assert torch.equal(torch.get_rng_state(), random)
