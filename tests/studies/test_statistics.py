"""Intervals against numbers worked by hand and against textbooks' formulas."""

import math

import numpy as np
import pytest
from scipy import stats

from panns.studies.statistics import (
    false_discovery,
    paired_interval,
    percentile_interval,
    t_interval,
    welch_interval,
)


def test_interval_of_three_seeds_by_hand():
    """1, 2, 3: standard error 1 / sqrt(3), and Student's 97.5 % quantile for 2 degrees of freedom is 4.3027."""
    known = t_interval([1.0, 2.0, 3.0])
    assert known.value == 2.0
    assert known.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert (known.low + known.high) / 2 == pytest.approx(2.0)
    assert known.p is None


def test_one_seed_has_no_interval():
    for known in (t_interval([0.4]), welch_interval([0.4], [0.3, 0.2])):
        assert (known.low, known.high, known.half_width) == (None, None, None)
        assert not known.excludes_zero
    assert t_interval([0.4]).value == 0.4
    assert welch_interval([0.4], [0.3, 0.2]).value == pytest.approx(0.15)


def test_welch_by_its_formula():
    a, b = [0.41, 0.43, 0.45], [0.40, 0.405, 0.41, 0.40]
    va, vb = np.var(a, ddof=1) / 3, np.var(b, ddof=1) / 4
    freedom = (va + vb) ** 2 / (va**2 / 2 + vb**2 / 3)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(va + vb)
    known = welch_interval(a, b)
    assert known.value == pytest.approx(np.mean(a) - np.mean(b))
    assert (known.low, known.high) == pytest.approx((known.value - half, known.value + half))
    assert known.p == pytest.approx(2 * stats.t.sf(known.value / math.sqrt(va + vb), freedom))


def test_seeds_without_any_spread_are_no_proof():
    assert welch_interval([0.4, 0.4], [0.3, 0.3]).p is None


def test_student_covers_what_he_says():
    rng = np.random.default_rng(0)
    known = [t_interval(rng.normal(0.4, 0.01, 3).tolist()) for _ in range(2000)]
    assert np.mean([one.low <= 0.4 <= one.high for one in known]) == pytest.approx(0.95, abs=0.015)


def test_percentiles_by_hand():
    """-1, 0, ..., 99: of 101, 2.5 % lie below 1.5 and above 96.5; two are not above zero. They follow the value."""
    known = percentile_interval(49.0, np.arange(-1, 100))
    assert (known.value, known.low, known.high) == pytest.approx((49.0, 1.5, 96.5))
    moved = percentile_interval(50.0, np.arange(-1, 100))
    assert (moved.value, moved.low, moved.high) == pytest.approx((50.0, 2.5, 97.5))
    assert known.p == pytest.approx(2 * (1 + 2) / 102)
    assert known.excludes_zero
    assert percentile_interval(0.0, np.array([-1.0, 1.0])).p == 1.0
    assert percentile_interval(1.0, np.ones(999)).p == pytest.approx(2 / 1000)


def test_false_discovery_by_hand():
    """Benjamini and Hochberg (1995): p times tests over rank, made monotone from the largest down."""
    p = [0.01, 0.04, math.nan, 0.03, 0.005]
    assert false_discovery(p).tolist() == pytest.approx([0.02, 0.04, math.nan, 0.04, 0.02], nan_ok=True)
    assert np.isnan(false_discovery([math.nan])).all()


def test_false_discoveries_are_as_few_as_promised():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        effect = np.arange(100) < 20
        found = false_discovery(2 * stats.norm.sf(np.abs(rng.normal(3.0 * effect)))) <= 0.05
        shares.append((found & ~effect).sum() / max(found.sum(), 1))
    assert 0.02 < np.mean(shares) < 0.05


def test_folds_are_pairs():
    mine, theirs = [0.90, 0.85, 0.95, 0.80], [0.88, 0.84, 0.91, 0.79]
    known = paired_interval([a - b for a, b in zip(mine, theirs, strict=True)])
    test = stats.ttest_rel(mine, theirs)
    assert known.value == pytest.approx(0.02)
    assert (known.low, known.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert known.p == pytest.approx(test.pvalue)
    assert paired_interval([0.1]).low is None
    assert paired_interval([0.1, 0.1]).low is None
