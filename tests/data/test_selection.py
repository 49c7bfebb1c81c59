"""Subsets by hand, and at AudioSet's real size and class counts."""

import time
from itertools import pairwise

import numpy as np
import pytest

from panns.data import facts
from panns.data.selection import Clips, hashes, held_out, is_listed, subset

FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0)  # of the data-size study


def clips_of(labels: dict[str, list[int]], num_classes: int) -> Clips:
    ptr = np.cumsum([0, *(len(of_clip) for of_clip in labels.values())])
    idx = np.array([label for of_clip in labels.values() for label in of_clip], dtype=np.uint16)
    return Clips(np.array([clip_id.encode() for clip_id in labels]), ptr, idx, num_classes)


def shuffled(clips: Clips, rng: np.random.Generator) -> tuple[Clips, np.ndarray]:
    """The same clips in another order, and where each one was."""
    order = rng.permutation(len(clips))
    count = np.diff(clips.label_ptr)[order]
    first = np.repeat(clips.label_ptr[order], count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    ptr = np.concatenate([[0], np.cumsum(count)])
    return Clips(clips.id[order], ptr, clips.label_idx[first + within], clips.num_classes), order


def counts(clips: Clips, mask: np.ndarray) -> np.ndarray:
    return np.bincount(clips.label_idx[np.repeat(mask, np.diff(clips.label_ptr))], minlength=clips.num_classes)


@pytest.fixture(scope="module")
def audioset() -> Clips:
    """As many clips as PANNs trained on, each class as frequent as there, about two labels a clip."""
    rng, num_clips = np.random.default_rng(0), facts.SPLIT_SIZES["balanced_train"].panns
    num_clips += facts.SPLIT_SIZES["unbalanced_train"].panns
    label = np.repeat(np.arange(527), facts.clips_per_class()["panns_train"])
    rng.shuffle(label)
    clip = np.concatenate([np.arange(num_clips), rng.integers(0, num_clips, len(label) - num_clips)])
    pairs = np.sort(clip * 527 + label, kind="stable")
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]
    ptr = np.concatenate([[0], np.cumsum(np.bincount(pairs // 527, minlength=num_clips))])
    ids = np.array([b"%011x" % number for number in rng.permutation(num_clips)])
    return Clips(ids, ptr, (pairs % 527).astype(np.uint16), 527)


@pytest.fixture(scope="module")
def studied(audioset) -> dict[float, np.ndarray]:
    start = time.perf_counter()
    chosen = {fraction: subset(audioset, fraction, seed=0) for fraction in FRACTIONS}
    assert (time.perf_counter() - start) / len(FRACTIONS) < 10  # seconds each; about 1 on a quiet core
    return chosen


# By hand


def test_each_class_gives_its_share_and_at_least_one_clip():
    labels = {f"dog{i}": [0] for i in range(10)} | {f"cat{i}": [1] for i in range(5)} | {"owl": [2]}
    clips = clips_of(labels, 4)
    assert counts(clips, subset(clips, 0.2, 0)).tolist() == [2, 1, 1, 0]
    assert counts(clips, subset(clips, 0.5, 0)).tolist() == [5, 2, 1, 0]
    assert counts(clips, subset(clips, 1e-9, 0)).tolist() == [1, 1, 1, 0]
    assert subset(clips, 1.0, 0).all()


def test_a_clip_counts_for_its_rarest_class():
    """All speech clips with music stand in line for music alone: 4 of its 8, whatever speech has."""
    clips = clips_of({f"s{i}": [0] for i in range(40)} | {f"m{i}": [0, 1] for i in range(8)}, 2)
    for seed in range(20):
        assert counts(clips, subset(clips, 0.5, seed)).tolist() == [24, 4]


def test_clips_without_labels_are_a_class_of_their_own():
    clips = clips_of({f"a{i}": [0] for i in range(4)} | {f"n{i}": [] for i in range(10)}, 1)
    chosen = subset(clips, 0.5, 0)
    assert (chosen[:4].sum(), chosen[4:].sum()) == (2, 5)
    assert counts(clips, chosen).tolist() == [2]


def test_another_seed_is_another_subset():
    clips = clips_of({f"c{i}": [0] for i in range(1000)}, 1)
    both = (subset(clips, 0.5, 0) & subset(clips, 0.5, 1)).sum()
    assert 200 < both < 300  # 250 by chance
    assert subset(clips, 0.5, 0).sum() == 500


def test_a_missing_clip_changes_no_more_than_one_other():
    labels = {f"c{i}": [i % 3] for i in range(300)}
    before = dict(zip(labels, subset(clips_of(labels, 3), 0.1, 0), strict=True))
    for gone in list(labels)[:60]:
        rest = {clip_id: of_clip for clip_id, of_clip in labels.items() if clip_id != gone}
        after = subset(clips_of(rest, 3), 0.1, 0)
        assert sum(before[clip_id] != chosen for clip_id, chosen in zip(rest, after, strict=True)) <= 1


def test_held_out_clips_leave_every_class_something_to_train_on():
    labels = {f"dog{i}": [0] for i in range(100)} | {f"cat{i}": [1] for i in range(6)} | {"owl": [2], "both": [1, 2]}
    clips = clips_of(labels, 3)
    for seed in range(20):
        chosen = held_out(clips, 0.1, 4, seed)
        out, left = counts(clips, chosen), counts(clips, ~chosen)
        assert out[0] == 10
        assert 3 <= out[1] <= 4  # half of 7, and perhaps the clip it shares with the owl
        assert out[2] <= 1
        assert (left >= 1).all()
    assert counts(clips, held_out(clips, 0.1, 0, 0)).tolist() == [10, 1, 0]
    assert held_out(clips, 0.0, 0, 0).sum() == 0
    assert held_out(clips, 54, 0, 0).sum() == 54  # of 108: 50 dogs, 3 of 6 cats, one of the two with an owl


def test_nothing_to_choose_from():
    empty = clips_of({}, 3)
    assert subset(empty, 0.5, 0).shape == held_out(empty, 0.5, 1, 0).shape == (0,)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan")])
def test_no_fraction(fraction):
    with pytest.raises(ValueError, match=r"data\.fraction="):
        subset(clips_of({"a": [0]}, 1), fraction, 0)


@pytest.mark.parametrize(("size", "at_least"), [(-0.1, 0), (2, 0), (3, 0), (0.5, -1), (float("nan"), 0)])
def test_no_holdout(size, at_least):
    with pytest.raises(ValueError, match=r"data\.holdout="):
        held_out(clips_of({"a": [0], "b": [0]}, 1), size, at_least, 0)


def test_the_hash_of_an_id_depends_on_nothing_else():
    short = np.array([b"abc", b"abcdefgh", b"abcdefghi"])
    longer = np.array([b"abc", b"abcdefgh", b"abcdefghi", b"0123456789abcdefghij"])
    np.testing.assert_array_equal(hashes(short, 0, "x"), hashes(longer, 0, "x")[:3])
    everything = np.concatenate([hashes(longer, seed, name) for seed in (0, 1) for name in ("x", "y")])
    assert len(set(everything.tolist())) == 16
    assert hashes(np.array([b"--4gqARaEJE"]), 0, "fraction").tolist() == [FROZEN]


FROZEN = 2439978401466144208  # a subset published today is the same tomorrow


def test_listed_ids():
    ids = np.array([b"a", b"bc", b"-x_", b"bc"])
    assert is_listed(ids, ["bc", "nowhere", "-x_"]).tolist() == [False, True, True, True]
    assert is_listed(ids, []).tolist() == [False] * 4


# At AudioSet's size


def test_smaller_fractions_lie_within_larger_ones(studied):
    for smaller, larger in pairwise(FRACTIONS):
        assert not (studied[smaller] & ~studied[larger]).any()
    assert studied[1.0].all()


def test_sizes_and_class_proportions(audioset, studied):
    total = counts(audioset, studied[1.0])
    for fraction, chosen in studied.items():
        assert abs(chosen.sum() - fraction * len(audioset)) < 263.5 + 1  # half a clip of each class, at worst
        got = counts(audioset, chosen)
        assert (got >= 1).all()
        chance = np.sqrt(total * fraction * (1 - fraction))  # standard deviation of a plain draw
        error = np.abs(got - fraction * total)
        assert (error <= np.maximum(1, 4 * chance)).all()
        assert error.mean() <= 0.35 * chance.mean() + 1e-9


def test_the_rarest_class_has_its_share_to_the_clip(audioset, studied):
    total = counts(audioset, studied[1.0])
    rarest = total.argmin()
    for fraction, chosen in studied.items():
        assert abs(counts(audioset, chosen)[rarest] - fraction * total[rarest]) <= 0.5


def test_the_order_of_the_rows_changes_nothing(audioset, studied):
    other, order = shuffled(audioset, np.random.default_rng(1))
    np.testing.assert_array_equal(subset(other, 0.1, 0), studied[0.1][order])
    np.testing.assert_array_equal(held_out(other, 0.01, 10, 0), held_out(audioset, 0.01, 10, 0)[order])


def test_holdout_of_audioset(audioset):
    chosen = held_out(audioset, 0.01, 10, 0)
    assert 19342 < chosen.sum() < 19342 + 10 * 527
    assert counts(audioset, chosen).min() >= 9  # 10, less one that would have been the last to train on
    assert counts(audioset, ~chosen).min() >= 30
    other = held_out(audioset, 0.01, 10, 1)
    assert (chosen & other).sum() < 0.05 * chosen.sum()
