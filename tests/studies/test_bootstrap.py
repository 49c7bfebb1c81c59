"""Resampled scores against scikit-learn; intervals and p against cases whose truth is known."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score

from panns.studies import bootstrap
from panns.studies.bootstrap import clip_weights, gain, resampled_accuracy, resampled_ap, weighted_ap
from panns.studies.scored_clips import scored_clips

RNG = np.random.default_rng(0)


def clips_of(scores, targets):
    ids = np.array([f"clip{k:05}".encode() for k in range(len(scores))])
    counts = targets.sum(1)
    ptr = np.concatenate([[0], np.cumsum(counts)])
    return scored_clips(ids, scores.astype(np.float32), ptr, np.nonzero(targets)[1])


def weights_of(num_clips, resamples, seed=0):
    return np.concatenate(list(clip_weights(num_clips, resamples, seed)), axis=1)


@pytest.mark.parametrize("digits", [1, 2, 8])
@pytest.mark.parametrize("num_positives", [1, 3, 60, 200])
def test_weighted_ap_is_scikit_learns(digits, num_positives):
    """Rounded to one digit, nearly all clips are ties."""
    positive = RNG.permutation(200) < num_positives
    scores = np.round(RNG.random(200) + 0.3 * positive, digits).astype(np.float32)
    weights = weights_of(200, 40)
    ours = weighted_ap(scores, np.flatnonzero(positive), weights)
    for r in range(41):
        drawn = weights[positive, r].any()
        want = average_precision_score(positive, scores, sample_weight=weights[:, r]) if drawn else np.nan
        assert ours[r] == pytest.approx(want, abs=1e-12, nan_ok=True)


def test_weighted_ap_by_hand():
    """Clips from the top: + (twice), - (three times), + (once): precisions 2/2 and 3/6, of 2 and 1 positives."""
    scores, positives = np.array([0.9, 0.5, 0.1, 0.7], np.float32), np.array([0, 2])
    weights = np.array([[2, 0], [3, 1], [1, 0], [0, 9]], np.float32)
    assert weighted_ap(scores, positives, weights) == pytest.approx([(2 * 1 + 1 * 0.5) / 3, np.nan], nan_ok=True)
    assert np.isnan(weighted_ap(scores, np.array([], np.int64), weights)).all()


def test_all_classes_of_all_resamples(monkeypatch):
    """The first row is of the clips as they are; the chunks join without a seam."""
    targets = RNG.random((120, 5)) < [0, 0.02, 0.1, 0.3, 0.6]
    targets[:2, 1] = True
    scores = RNG.random((120, 5)).round(2)
    whole = resampled_ap(clips_of(scores, targets), 20)
    monkeypatch.setattr(bootstrap, "CHUNK", 6)
    np.testing.assert_array_equal(resampled_ap(clips_of(scores, targets), 20), whole)
    assert whole.shape == (21, 5)
    assert np.isnan(whole[:, 0]).all()
    want = [average_precision_score(targets[:, k], scores[:, k].astype(np.float32)) for k in range(1, 5)]
    assert whole[0, 1:] == pytest.approx(want)
    weights = weights_of(120, 20)
    want = [average_precision_score(targets[:, 3], scores[:, 3].astype(np.float32), sample_weight=w) for w in weights.T]
    assert whole[:, 3] == pytest.approx(want)


def test_each_resample_draws_as_many_clips_as_there_are():
    weights = weights_of(50, 300)
    assert (weights[:, 0] == 1).all()
    assert (weights.sum(0) == 50).all()
    assert weights[:, 1:].mean(1) == pytest.approx(np.ones(50), abs=0.35)
    assert not np.array_equal(weights[:, 1], weights[:, 2])
    np.testing.assert_array_equal(weights, weights_of(50, 300))


def test_accuracy_is_scikit_learns():
    labels, scores = RNG.integers(0, 4, 80), RNG.random((80, 4))
    ours = resampled_accuracy(clips_of(scores, np.eye(4, dtype=bool)[labels]), 10)
    weights = weights_of(80, 10)
    want = [accuracy_score(labels, scores.argmax(1), sample_weight=w) for w in weights.T]
    assert ours[:, 0] == pytest.approx(want)


def simulated(rng, quality, num_clips=400, frequencies=(0.02, 0.05, 0.1, 0.2)):
    """Two models that find the same clips hard: scores of each, and targets."""
    targets = rng.random((num_clips, len(frequencies))) < frequencies
    common = rng.normal(size=targets.shape)
    both = [common + 0.7 * rng.normal(size=targets.shape) + q * targets for q in quality]
    return *both, targets


def gain_of(a, b, targets, resamples=200, seed=0):
    draws = [resampled_ap(clips_of(scores, targets), resamples, seed) for scores in (a, b)]
    return gain(draws[:1], draws[1:], targets.sum(0))


def test_coverage_where_no_model_is_better():
    """Of equal models the true difference is zero. 200 sets of clips: 95 % are covered, give or take 3 %."""
    rng = np.random.default_rng(1)
    gains = [gain_of(*simulated(rng, (2.0, 2.0))) for _ in range(200)]
    covered = np.mean([one.mean.low <= 0 <= one.mean.high for one in gains])
    assert 0.91 <= covered <= 0.985
    p = np.array([one.mean.p for one in gains])
    assert 0.015 <= (p <= 0.05).mean() <= 0.09
    assert 0.4 < (p <= 0.5).mean() < 0.6
    of_classes = np.array([one.p for one in gains])
    assert np.nanmean(of_classes <= 0.05) <= 0.06, "classes are found to differ that do not"
    assert np.nanmean(of_classes <= 0.05) >= 0.015


def test_coverage_of_a_large_difference():
    """An AP is higher on resamples, that of the worse model most: of 100 intervals few miss it, on either side."""
    rng, frequencies = np.random.default_rng(5), np.linspace(0.04, 0.12, 20)
    sets = [simulated(rng, (0.3, 4.5), num_clips=200, frequencies=frequencies) for _ in range(300)]
    true = np.mean([gain_of(*one, resamples=2).per_class.mean() for one in sets])
    means = [gain_of(*one).mean for one in sets[:100]]
    assert abs(true) > 0.5
    assert sum(true < mean.low for mean in means) <= 5
    assert sum(true > mean.high for mean in means) <= 5


def test_a_better_model_is_found_better():
    one = gain_of(*simulated(np.random.default_rng(2), (3.0, 1.5)))
    assert one.mean.excludes_zero
    assert one.mean.p == pytest.approx(2 / 201)
    assert one.mean.value == pytest.approx(one.per_class.mean())
    assert one.per_class.min() > 0
    assert (one.p < 0.05).sum() >= 3


def test_clips_that_are_hard_for_both_cancel():
    """Drawn apart, the difference of two like models would seem far less sure."""
    a, b, targets = simulated(np.random.default_rng(3), (2.0, 2.0), num_clips=1000)
    paired = gain_of(a, b, targets).mean.half_width
    draws = [resampled_ap(clips_of(scores, targets), 200, seed) for seed, scores in enumerate((a, b))]
    apart = gain(draws[:1], draws[1:], targets.sum(0)).mean.half_width
    assert paired < 0.8 * apart


def test_seeds_are_averaged_before_the_clips_are_resampled():
    rng = np.random.default_rng(4)
    draws = [np.vstack([np.full((1, 2), level), rng.random((50, 2))]) for level in (0.2, 0.4, 0.1, 0.3)]
    one = gain(draws[:2], draws[2:], np.array([5, 1]))
    assert one.per_class == pytest.approx([0.1, 0.1])
    assert one.mean.value == pytest.approx(0.1)
    resampled = np.mean(draws[:2], axis=0) - np.mean(draws[2:], axis=0)
    means = resampled[1:].mean(1)
    assert one.mean.low == pytest.approx(np.percentile(means, 2.5) + 0.1 - means.mean())
    assert np.isnan(one.p[1]), "of one positive nothing is known"


def test_a_class_that_no_clip_has_is_left_out_without_a_warning(recwarn):
    a, b, targets = simulated(np.random.default_rng(5), (2.0, 1.0))
    targets[:, 0] = False
    one = gain_of(a, b, targets)
    assert np.isnan(one.p[0])
    assert np.isnan(one.per_class[0])
    assert not np.isnan([*one.p[1:], one.mean.value]).any()
    assert not recwarn.list


def test_a_model_is_no_better_than_itself():
    a, _, targets = simulated(np.random.default_rng(5), (2.0, 2.0))
    one = gain_of(a, a, targets)
    assert (one.mean.value, one.mean.low, one.mean.high, one.mean.p) == (0, 0, 0, 1)
    assert (one.p == 1).all()
