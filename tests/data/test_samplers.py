"""Samplers: balance, full laps, one stream whatever the slice or the number of ranks, and the weighted law."""

import numpy as np
import pytest
from scipy import stats

from panns.data.facts import clips_per_class
from panns.data.plans import TrainPlan
from panns.data.samplers import AlternateSampler, BalancedSampler, UniformSampler, WeightedSampler

ALL = [UniformSampler, BalancedSampler, AlternateSampler, WeightedSampler]
BY_CLASS = [BalancedSampler, AlternateSampler, WeightedSampler]
NUM_CLASSES = 9  # class 7 has no clip
BATCH = 16


def csr(labels):
    """Turn a list of label lists into (label_ptr, label_idx)."""
    ptr = np.concatenate([[0], np.cumsum([len(clip) for clip in labels])]).astype(np.int64)
    return ptr, np.array([k for clip in labels for k in clip], dtype=np.uint16)


@pytest.fixture(scope="module")
def labels():
    """300 clips, 0-3 labels each, from a very common class 0 to a class 8 with few clips."""
    rng = np.random.default_rng(0)
    law = np.array([50, 20, 10, 8, 5, 3, 3, 0, 1], dtype=float)
    return [
        sorted(rng.choice(NUM_CLASSES, size=rng.integers(0, 4), replace=False, p=law / law.sum()).tolist())
        for _ in range(300)
    ]


def build(kind, labels, seed=1234, num_classes=NUM_CLASSES, draws_per_batch=BATCH):
    return kind(*csr(labels), num_classes=num_classes, seed=seed, draws_per_batch=draws_per_batch)


def clips_of(labels, k):
    return {clip for clip, own in enumerate(labels) if k in own}


@pytest.mark.parametrize("kind", ALL)
class TestEverySampler:
    def test_any_slice_equals_the_whole(self, kind, labels):
        whole = build(kind, labels).draw(0, 5000)
        assert whole.dtype == np.int64
        for start, stop in [(0, 1), (4999, 5000), (700, 733), (123, 4567), (50, 50)]:
            np.testing.assert_array_equal(build(kind, labels).draw(start, stop), whole[start:stop])

    def test_the_order_of_asking_does_not_matter(self, kind, labels):
        whole = build(kind, labels).draw(0, 5000)
        sampler = build(kind, labels)  # one object, asked forward, backward and at random
        at_random = np.random.default_rng(0).permutation(5000)
        across_laps = np.arange(10, 400)
        for n in [np.arange(4000, 4100), across_laps, np.arange(10), np.arange(5000)[::-7], at_random]:
            np.testing.assert_array_equal(sampler.take(n), whole[n])

    @pytest.mark.parametrize("world_size", [1, 2, 8])
    def test_ranks_make_up_the_stream(self, kind, labels, world_size):
        whole = build(kind, labels).draw(0, 4000)
        together = np.empty_like(whole)
        for rank in range(world_size):
            sampler = build(kind, labels)
            for start in range(0, 4000, 400):  # each rank asks step by step for its own draws only
                mine = np.arange(start + rank, start + 400, world_size)
                together[mine] = sampler.take(mine)
        np.testing.assert_array_equal(together, whole)

    def test_seeds_differ(self, kind, labels):
        first, second = (build(kind, labels, seed).draw(0, 2000) for seed in (1, 2))
        assert (first == second).mean() < 0.2

    def test_far_draws(self, kind, labels):
        far = build(kind, labels).draw(10**12, 10**12 + 100)
        assert far.min() >= 0
        assert far.max() < len(labels)

    def test_one_clip_one_class(self, kind):
        assert build(kind, [[0]], num_classes=1).draw(0, 5).tolist() == [0] * 5

    def test_no_clips(self, kind):
        with pytest.raises(ValueError, match="no training clips"):
            build(kind, [])

    def test_labels_that_do_not_fit(self, kind, labels):
        with pytest.raises(ValueError, match="labels do not fit"):
            build(kind, labels, num_classes=8)


def test_uniform_laps_hold_every_clip_once(labels):
    draws = build(UniformSampler, labels).draw(0, 4 * len(labels)).reshape(4, -1)
    for lap in draws:
        np.testing.assert_array_equal(np.sort(lap), np.arange(len(labels)))
    assert (draws[0] != draws[1]).any()
    assert build(UniformSampler, labels).num_clips_never_drawn == 0


class TestBalanced:
    """On clips of one label each, a drawn clip tells which class was chosen."""

    CLIPS_OF = (60, 17, 5, 1, 0, 9)

    @pytest.fixture
    def chosen(self):
        one_label = [[k] for k, count in enumerate(self.CLIPS_OF) for _ in range(count)]
        draws = build(BalancedSampler, one_label, num_classes=len(self.CLIPS_OF)).draw(0, 5 * 2400)
        return draws, np.array(one_label)[draws, 0]

    def test_each_cycle_has_every_class_once_in_a_fresh_order(self, chosen):
        cycles = chosen[1].reshape(-1, 5)
        np.testing.assert_array_equal(np.sort(cycles, axis=1), np.broadcast_to([0, 1, 2, 3, 5], cycles.shape))
        orders, counts = np.unique(cycles, axis=0, return_counts=True)
        assert len(orders) == 120  # 5!
        assert stats.chisquare(counts).pvalue > 1e-4

    def test_class_counts_stay_within_one(self, chosen):
        running = np.cumsum(chosen[1][:, None] == [0, 1, 2, 3, 5], axis=0)
        assert (running.max(axis=1) - running.min(axis=1)).max() == 1

    def test_a_class_gives_all_its_clips_before_one_again(self, chosen):
        draws, classes = chosen
        for k, count in enumerate(self.CLIPS_OF):
            own = draws[classes == k]
            if count:
                laps = own[: len(own) // count * count].reshape(-1, count)
                assert all(len(set(lap)) == count for lap in laps)
                assert count < 5 or (laps[0] != laps[1]).any()

    def test_classes_of_one_size_have_orders_of_their_own(self):
        two_classes = [[0]] * 50 + [[1]] * 50
        draws = build(BalancedSampler, two_classes, num_classes=2).draw(0, 100)
        assert (draws[draws < 50] == draws[draws >= 50] - 50).sum() < 10

    def test_many_labels(self, labels):
        """By the chosen class: every clip comes about as often as its labels' 1 / count say."""
        sampler = build(BalancedSampler, labels)
        cycles = 60_000
        drawn = np.bincount(sampler.draw(0, 8 * cycles), minlength=len(labels))
        expected = cycles * np.array([sum(1 / len(clips_of(labels, k)) for k in own) for own in labels])
        assert np.abs(drawn - expected).max() <= 3 + 1e-6  # a part lap per label, whatever the number of draws


class TestBalancedAtFullSize:
    """AudioSet's classes with 5.2 million clips of one label each, as many as it has labels: a clip tells its class."""

    NUM_LABELS, CYCLES = 5_160_000, 1300

    @pytest.fixture(scope="class")
    def count(self):
        known = clips_per_class()["panns_train"]
        return np.rint(known * self.NUM_LABELS / known.sum()).astype(np.int64)

    @pytest.fixture(scope="class")
    def sampler(self, count):
        classes = np.repeat(np.arange(527, dtype=np.uint16), count)
        return BalancedSampler(np.arange(len(classes) + 1), classes, 527, seed=0, draws_per_batch=64)

    @pytest.fixture(scope="class")
    def draws(self, sampler):
        return sampler.draw(0, 527 * self.CYCLES)

    @pytest.fixture(scope="class")
    def chosen(self, count, draws):
        return np.searchsorted(np.cumsum(count), draws, "right")

    def test_each_cycle_has_every_class_once(self, chosen):
        cycles = np.sort(chosen.reshape(-1, 527), axis=1)
        np.testing.assert_array_equal(cycles, np.broadcast_to(np.arange(527), cycles.shape))

    def test_a_label_takes_four_bytes(self, count, sampler):
        assert sampler._clips.nbytes == 4 * count.sum()

    def test_a_class_gives_all_its_clips_before_one_again(self, count, draws, chosen):
        order = np.argsort(chosen, kind="stable")
        by_class = draws[order].reshape(527, self.CYCLES)  # in the order of drawing
        assert (count < self.CYCLES).sum() > 50  # classes that repeat; the others have given no clip twice
        for own, size in zip(by_class, count, strict=True):
            for lap in range(0, self.CYCLES, size):
                part = own[lap : lap + size]
                assert len(np.unique(part)) == len(part)

    @pytest.mark.parametrize("world_size", [2, 8])
    def test_ranks_deal_out_one_stream(self, sampler, draws, world_size):
        """Through the plan of the loader, mixed pairs and all: no draw twice, none left out."""
        rows = np.arange(sampler.num_clips)
        plans = [TrainPlan(rows, sampler, 32 // world_size, 2, 2000, rank, world_size) for rank in range(world_size)]
        seen = np.full(len(draws) // 64 * 64, -1)
        for plan in plans:
            for step in range(len(draws) // 64):
                clips, numbers = plan.batch(step)
                assert (seen[numbers] == -1).all()
                seen[numbers] = clips
        np.testing.assert_array_equal(seen, draws[: len(seen)])


def test_alternate_takes_the_batches_of_both_streams_in_turn(labels):
    batches = build(AlternateSampler, labels).draw(0, 10 * BATCH).reshape(5, 2, BATCH)
    np.testing.assert_array_equal(batches[:, 0].ravel(), build(BalancedSampler, labels).draw(0, 5 * BATCH))
    np.testing.assert_array_equal(batches[:, 1].ravel(), build(UniformSampler, labels).draw(0, 5 * BATCH))


def test_alternate_needs_a_batch_size(labels):
    with pytest.raises(ValueError, match="draws_per_batch"):
        build(AlternateSampler, labels, draws_per_batch=0)


def test_weighted_follows_its_law(labels):
    draws = build(WeightedSampler, labels).draw(0, 200_000)
    weight = np.array([sum(1 / len(clips_of(labels, k)) for k in own) for own in labels])
    expected = weight / weight.sum() * len(draws)
    seen = np.bincount(draws, minlength=len(labels))
    assert seen[weight == 0].sum() == 0
    assert stats.chisquare(seen[weight > 0], expected[weight > 0]).pvalue > 1e-4


def test_weighted_draws_are_independent(labels):
    draws = build(WeightedSampler, labels).draw(0, 200_000)
    common = np.array([0 in own for own in labels])[draws]
    table = np.histogram2d(common[:-1], common[1:], bins=2)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-4


@pytest.mark.parametrize("kind", [BalancedSampler, WeightedSampler])
def test_clips_without_labels_are_left_out_and_counted(kind):
    sampler = build(kind, [[], [1], [], [0, 1], []], num_classes=3)
    assert sampler.num_clips_never_drawn == 3
    assert set(sampler.draw(0, 500).tolist()) == {1, 3}


@pytest.mark.parametrize("kind", BY_CLASS)
def test_no_clip_has_a_label(kind):
    with pytest.raises(ValueError, match="None of the 2 training clips has a label"):
        build(kind, [[], []])
