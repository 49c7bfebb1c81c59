"""How sure one may be of a mean, of a difference of means, and of many differences at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval; without one where it cannot be had.

    Attributes:
        value: The mean, or the difference.
        low: Lower end.
        high: Upper end.
        p: Two-sided, that the value is zero; None for a mean.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @property
    def half_width(self) -> float | None:
        """Of a symmetric interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside; not where there is no interval."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def t_interval(values: Sequence[float]) -> Interval:
    """The mean over seeds with Student's interval; one value has none."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values))
    return Interval(mean, mean - half, mean + half)


def welch_interval(values: Sequence[float], reference: Sequence[float]) -> Interval:
    """The difference of two means over seeds, their spreads not taken to be equal; needs two values of each.

    The seeds are no pairs here: another network draws other initial weights from the same seed.
    """
    difference = float(np.mean(values) - np.mean(reference))
    if min(len(values), len(reference)) < 2 or not (np.ptp(values) or np.ptp(reference)):
        return Interval(difference)
    test = stats.ttest_ind(values, reference, equal_var=False)
    low, high = test.confidence_interval(CONFIDENCE)
    return Interval(difference, float(low), float(high), float(test.pvalue))


def paired_interval(differences: Sequence[float]) -> Interval:
    """The mean difference over folds, on each of which both were scored; Student's interval and p of paired values."""
    mean = t_interval(differences)
    if mean.low is None or not np.ptp(differences):
        return Interval(mean.value)
    return Interval(mean.value, mean.low, mean.high, float(stats.ttest_1samp(differences, 0.0).pvalue))


def percentile_interval(value: float, resampled: ArrayLike) -> Interval:
    """A value with the interval and the p that its resamples, (R,), give it; p is never below 2 / (R + 1).

    The resamples are moved so that their mean is the value: an AP comes out higher on clips that are there several
    times, the more so the lower it is. Of large differences on a few hundred clips, the interval would else miss more
    than 10 % of the time, always on one side, in place of 5 %.
    """
    found = np.asarray(resampled, dtype=float)
    centred = found - (found.mean() - value)
    low, high = np.percentile(centred, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    tail = min((centred <= 0).sum(), (centred >= 0).sum())
    return Interval(value, float(low), float(high), float(min(1.0, 2 * (1 + tail) / (1 + len(centred)))))


def false_discovery(p: ArrayLike) -> NDArray[np.float64]:
    """Benjamini and Hochberg's adjusted p of many tests, (K,) -> (K,); NaN stays NaN and is no test.

    Among those with an adjusted p of at most 0.05, 5 % are expected to be false.
    """
    p = np.asarray(p, dtype=float)
    adjusted, tested = np.full_like(p, np.nan), ~np.isnan(p)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(p[tested])
    return adjusted
