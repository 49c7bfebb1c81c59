"""Scores on resampled clips: how far a score, or a difference of two, depends on which clips were scored.

Every run is scored on the same resamples, so that what makes a clip hard for all of them cancels in a difference.

Shapes: N clips, K classes, R resamples, P thresholds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from panns.studies.scored_clips import ScoredClips
from panns.studies.statistics import Interval, percentile_interval

RESAMPLES = 1000
CHUNK = 250  # resamples at a time: 19 MB of weights at AudioSet's 18,887 clips


@dataclass(frozen=True)
class Gain:
    """What one row of a study has more than another, by resampling the clips.

    Attributes:
        mean: Of the mean over classes (mAP), with interval and p.
        per_class: (K,) of each class; NaN without positives.
        p: (K,) two-sided, of each class by itself: no correction for there being many.
    """

    mean: Interval
    per_class: NDArray[np.float64]
    p: NDArray[np.float64]


def clip_weights(num_clips: int, resamples: int, seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """How often each clip is in each resample, (N, up to CHUNK) at a time; the first of all has each clip once."""
    rng = np.random.default_rng(seed)
    done = 0
    while done < resamples + 1:
        columns = min(CHUNK, resamples + 1 - done)
        drawn = [np.bincount(rng.integers(num_clips, size=num_clips), minlength=num_clips) for _ in range(columns)]
        weights = np.stack(drawn, axis=1).astype(np.float32)
        if not done:
            weights[:, 0] = 1
        done += columns
        yield weights


def resampled_ap(clips: ScoredClips, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """AP of each class on the clips and on R resamples of them -> (1 + R, K); NaN where a class has no positives."""
    num_classes = clips.scores.shape[1]
    chunks = []
    for weights in clip_weights(len(clips.id), resamples, seed):
        of_class = (weighted_ap(clips.scores[:, k], clips.positives(k), weights) for k in range(num_classes))
        chunks.append(np.stack(list(of_class), axis=1))
    return np.concatenate(chunks)


def resampled_accuracy(clips: ScoredClips, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """Share of clips whose highest score is their label, on the clips and on R resamples of them -> (1 + R, 1)."""
    right = np.zeros(len(clips.id), np.float32)
    right[clips.clip] = clips.scores.argmax(1)[clips.clip] == clips.class_
    chunks = [right @ weights / len(right) for weights in clip_weights(len(clips.id), resamples, seed)]
    return np.concatenate(chunks)[:, None]


def weighted_ap(
    scores: NDArray[np.float32], positives: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    """AP of one class with clips that count several times, as scikit-learn's with `sample_weight`.

    AP is the mean over the positives of the precision at their scores; so only the weights between the scores of
    positives are added up, one row of a sparse matrix for each. They are whole numbers below 2^24: exact in float32.

    Args:
        scores: (N,).
        positives: Positions of the clips that the class is in.
        weights: (N, R).

    Returns:
        (R,), NaN where no positive has a weight.
    """
    thresholds = np.unique(scores[positives])
    if not len(thresholds):
        return np.full(weights.shape[1], np.nan)
    level = np.searchsorted(thresholds, scores, "right") - 1  # the highest threshold that a clip reaches
    reached = np.flatnonzero(level >= 0)
    at_level = _sums(level, reached, len(thresholds), weights)
    hits_at_level = _sums(level, positives, len(thresholds), weights)
    clips, hits = (np.cumsum(at[::-1], axis=0, dtype=np.float64) for at in (at_level, hits_at_level))
    precision = np.divide(hits, clips, out=np.zeros_like(hits), where=clips > 0)
    with np.errstate(invalid="ignore"):  # 0 / 0 where no positive was drawn
        return (hits_at_level[::-1] * precision).sum(axis=0) / hits[-1]


def gain(row: Sequence[NDArray[np.float64]], reference: Sequence[NDArray[np.float64]], num_positives: NDArray) -> Gain:
    """Compare two rows of a study.

    Args:
        row: What `resampled_ap` gave for each of its runs, (1 + R, K) each.
        reference: The same of the other row's runs with the same seeds.
        num_positives: (K,) clips of each class.
    """
    difference = np.mean(row, axis=0) - np.mean(reference, axis=0)
    of_mean = np.nanmean(difference, axis=1)
    mean = percentile_interval(float(of_mean[0]), of_mean[1:])
    return Gain(mean, difference[0], _class_p(difference, num_positives))


def _class_p(difference: NDArray[np.float64], num_positives: NDArray) -> NDArray[np.float64]:
    """Two-sided p of each class, (1 + R, K) -> (K,).

    By Student's t with one degree of freedom less than there are positives: an AP is a mean over the positives, and
    of few of them the resamples alone are too sure. Their number would also limit p, and so what is left of it after
    a correction for 527 classes.
    """
    p, tested = np.full(len(num_positives), np.nan), num_positives >= 2
    positives, value, resampled = num_positives[tested], difference[0, tested], difference[1:, tested]
    spread = np.nanstd(resampled, axis=0, ddof=1) * np.sqrt(positives / (positives - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        of_tested = 2 * stats.t.sf(np.abs(value) / spread, positives - 1)
    p[tested] = np.where((value == 0) & ~(spread > 0), 1.0, of_tested)
    return p


def _sums(
    level: NDArray[np.int64], clips: NDArray[np.int64], num_levels: int, weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Add the weights of some clips, level by level -> (P, R)."""
    ones = np.ones(len(clips), np.float32)
    return sparse.csr_matrix((ones, (level[clips], clips)), shape=(num_levels, len(weights))) @ weights
