"""Statistics of a comparison: is a difference larger than chance, over seeds and over images?

Two samples stand behind a mean: the seeds that were trained, and the images that were evaluated. Differences are taken seed by seed (paired), and
Student's t gives their interval; the images are drawn again, the same for both models, and the middle of the differences gives theirs. With
several models a difference by chance is more likely, so the p-values are corrected (Holm, 1979).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Difference:
    """Score of a model minus that of another, in the score's own unit.

    mean; low, high: confidence interval over the seeds; p: of a difference of zero, corrected for the number of comparisons; image_low, image_high:
    interval over the images. What one seed cannot tell is None.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    image_low: float
    image_high: float
    interval: float = 95.0

    @property
    def verdict(self) -> str:
        """ "higher" or "lower" where the difference is larger than seeds and images together explain; else "no detectable difference".

        Other seeds and other images would move it independently, so the half widths of the two intervals are added as sides of a right angle.
        """
        if self.p is None:
            return "one seed: no verdict"
        half = math.hypot(self.high - self.low, self.image_high - self.image_low) / 2
        by_images = self.image_low > 0 if self.mean > 0 else self.image_high < 0
        if self.p < 1 - self.interval / 100 and by_images and abs(self.mean) > half:
            return "higher" if self.mean > 0 else "lower"
        return "no detectable difference"


def paired(
    a: Sequence[float], b: Sequence[float], interval: float = 95.0
) -> tuple[float, float | None, float | None, float | None]:
    """Mean of the differences a - b, seed by seed, the ends of its confidence interval (Student's t) and the p-value of no difference.

    One pair has a mean only, the rest is None.

    Raises:
        ValueError: a and b have not the same length, or none.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} and {len(b)} scores: paired differences need one of each model for each seed")
    differences = np.subtract(a, b)
    mean = float(differences.mean())
    if len(differences) == 1:
        return mean, None, None, None
    if np.ptp(differences) < 1e-12:  # the same with every seed
        return mean, mean, mean, float(abs(mean) < 1e-12)
    test = stats.ttest_rel(a, b)
    ends = test.confidence_interval(interval / 100)
    return mean, float(ends.low), float(ends.high), float(test.pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number, by Holm's method: the smallest times n, the next times n - 1, ... and never below one before it."""
    asked = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, i) in enumerate(asked):
        least = max(least, min(1.0, p * (len(asked) - rank)))
        corrected[i] = least
    return corrected


def over_images(a: Sequence[np.ndarray], b: Sequence[np.ndarray], interval: float = 95.0) -> tuple[float, float]:
    """Interval of the difference over other draws of the images.

    Args:
        a, b: for each seed the model's score under the same draws, each of shape (draws,); nan where a draw had no object.
    """
    differences = np.mean(a, axis=0) - np.mean(b, axis=0)
    outside = (1 - interval / 100) / 2
    low, high = np.nanquantile(differences, [outside, 1 - outside])
    return float(low), float(high)
