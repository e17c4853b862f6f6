"""Student's t by hand, Holm by hand, and how often chance is taken for a difference."""

import math

import numpy as np
import pytest

from cnx_tutorial.compare.verdicts import Difference, holm, over_images, paired


def test_paired_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), and t for two degrees of freedom is 4.303."""
    mean, low, high, p = paired([2, 4, 6], [1, 2, 3])
    half = 4.3027 / math.sqrt(3)
    assert (
        mean == pytest.approx(2)
        and low == pytest.approx(2 - half, abs=1e-3)
        and high == pytest.approx(2 + half, abs=1e-3)
    )
    assert p == pytest.approx(0.0742, abs=1e-4)
    assert paired([1.5], [1.0]) == (0.5, None, None, None)
    assert paired([1, 2], [1, 2]) == (0, 0, 0, 1.0)
    assert paired([1, 2], [0.5, 1.5])[3] == 0  # the same difference with every seed
    narrow, wide = paired([2, 4, 6], [1, 2, 3], 80), paired([2, 4, 6], [1, 2, 3], 99)
    assert wide[1] < low < narrow[1]
    with pytest.raises(ValueError, match="1 and 2 scores"):
        paired([1], [1, 2])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


def test_a_verdict_needs_both_seeds_and_images():
    def verdict(p, image_low, image_high, mean=0.02):
        return Difference(mean, mean - 0.01, mean + 0.01, p, image_low, image_high).verdict

    assert verdict(0.01, 0.005, 0.03) == "higher"
    assert verdict(0.01, -0.03, -0.005, mean=-0.02) == "lower"
    assert verdict(0.01, -0.005, 0.03) == "no detectable difference"
    assert verdict(0.2, 0.005, 0.03) == "no detectable difference"
    assert verdict(0.01, -0.03, -0.005) == "no detectable difference"  # seeds and images disagree
    assert Difference(0.02, None, None, None, 0.01, 0.03).verdict == "one seed: no verdict"


def test_chance_is_taken_for_a_difference_once_in_twenty_at_most():
    """Two models that are equally good, each better on images of its own: scores of 3, 5 and 10 seeds and of a hundred images, 400 times each."""
    chance, said = np.random.default_rng(0), {}
    for seeds in (3, 5, 10):
        verdicts = []
        for _ in range(400):
            ours, theirs = chance.normal(0, 0.1, (2, 100))  # of each image, with every seed
            # So that seeds and images make the mean as uncertain.
            a, b = chance.normal(0.5, 0.01 * seeds**0.5, (2, seeds))
            chosen = chance.integers(0, 100, (400, 100))
            images = over_images([ours[chosen].mean(1) + s for s in a], [theirs[chosen].mean(1) + s for s in b])
            verdicts.append(Difference(*paired(a + ours.mean(), b + theirs.mean()), *images).verdict)
        said[seeds] = 400 - verdicts.count("no detectable difference")
    print(f"of 400 comparisons of models that are equally good so many said higher or lower, by seeds: {said}")
    assert sum(said.values()) <= 1200 / 20 and max(said.values()) <= 400 / 15
