"""Stateless draws: even, independent over counters, streams and seeds, and frozen for good."""

import itertools

import numpy as np
import pytest
from scipy import stats

from panns.data.draws import bits, permutation, permutations, uniform

N = np.arange(100_000)


def test_one_counter_is_splitmix64():
    """Against the published generator, written out with Python integers."""

    def splitmix64(state, count):
        for _ in range(count):
            z = state
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
            yield z ^ (z >> 31)
            state = (state + 0x9E3779B97F4A7C15) % 2**64

    start = int(bits(7, "clips")[0])
    assert bits(7, "clips", np.arange(50)).tolist() == list(splitmix64(start, 50))


def test_frozen_numbers():
    """A change here changes every published run."""
    assert permutation(1234, "balanced", 0, 8).tolist() == [0, 4, 5, 7, 1, 2, 6, 3]
    assert uniform(1234, "mixup", np.array([0, 10**9])).tolist() == [[0.38988029068389496], [0.5725750674302309]]


@pytest.mark.parametrize("size", [1, 3])
def test_uniform_is_even(size):
    u = uniform(1, "mixup", N, size)
    assert u.shape == (len(N), size)
    assert u.dtype == np.float64
    assert u.min() >= 0
    assert u.max() < 1
    for column in u.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4


@pytest.mark.parametrize(
    "pair",
    [
        (uniform(1, "a", N), uniform(1, "a", N + 1)),
        (uniform(1, "a", N), uniform(1, "a", N + 2**32)),
        (uniform(1, "a", N), uniform(2, "a", N)),
        (uniform(1, "a", N), uniform(1, "b", N)),
        (uniform(1, 0, N), uniform(1, 1, N)),
        (uniform(1, "a", N, 2)[:, :1], uniform(1, "a", N, 2)[:, 1:]),
        (uniform(1, "a", N, 2)[:-1, 1:], uniform(1, "a", N, 2)[1:, :1]),
    ],
    ids=["next draw", "far draw", "seeds", "streams", "numbered streams", "same draw", "next draw's other"],
)
def test_pairs_are_independent(pair):
    first, second = (p[: len(N) - 1, 0] for p in pair)
    table = np.histogram2d(first, second, bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chi2_contingency(table).pvalue > 1e-4
    assert stats.chisquare(table.ravel()).pvalue > 1e-4


def test_uniform_depends_on_the_draw_alone():
    whole = uniform(3, "mask", N, 4)
    pick = np.array([5, 99_999, 0, 5])
    np.testing.assert_array_equal(uniform(3, "mask", pick, 4), whole[pick])
    np.testing.assert_array_equal(uniform(3, "mask", pick, 2), whole[pick, :2])


@pytest.mark.parametrize("length", [2, 3, 4])
def test_every_order_is_as_likely(length):
    orders = permutations(5, "lap", np.arange(24_000), length)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == len(list(itertools.permutations(range(length))))
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("length", [1, 2, 527, 65_536, 100_001])
def test_permutation_has_every_item_once(length):
    order = permutation(0, "lap", 3, length)
    np.testing.assert_array_equal(np.sort(order), np.arange(length))
    assert order.dtype == np.int32


def test_permutation_mixes_places():
    """No item keeps to a place, and neighbours in one order are no neighbours in another."""
    orders = permutations(0, "lap", np.arange(20_000), 50)
    table = np.stack([np.bincount(orders[:, place], minlength=50) for place in range(50)])
    assert stats.chi2_contingency(table).pvalue > 1e-4
    step = np.bincount((orders[:, 1] - orders[:, 0]) % 50, minlength=50)[1:]
    assert stats.chisquare(step).pvalue > 1e-4


def test_one_permutation_is_a_row_of_many():
    many = permutations(9, "x", [4, 8], 100)
    np.testing.assert_array_equal(permutation(9, "x", 8, 100), many[1])
    assert (many[0] != many[1]).any()
    assert (permutation(9, "y", 8, 100) != many[1]).any()
    assert (permutation(10, "x", 8, 100) != many[1]).any()
