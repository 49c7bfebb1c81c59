"""Subsets of clips that are fair to every class: fractions inside each other, and clips held out for validation.

All functions are pure functions of clip ids, labels and a seed: the order of the rows in a store changes nothing, and
clips that are missing change the choice among the others hardly. Two million clips take a second.

A clip counts for the rarest of its classes. Within a class the clips stand in an order drawn from their ids; clip
number j of n has the rank (j + 1/2) / n, and a fraction f of the clips is those of a rank below f: of each class
round(f n), and every smaller fraction is part of every larger one.

Shapes: N clips, P labels in all, K classes; those of clip i are label_idx[label_ptr[i]:label_ptr[i + 1]].
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panns.data.draws import bits

Ids = NDArray[np.bytes_]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Clips:
    """What is chosen from.

    Attributes:
        id: (N,) bytes, each once.
        label_ptr: (N + 1,).
        label_idx: (P,).
        num_classes: K.
    """

    id: Ids
    label_ptr: NDArray[Any]
    label_idx: NDArray[Any]
    num_classes: int

    def __len__(self) -> int:
        return len(self.id)


def subset(clips: Clips, fraction: float, seed: int) -> Mask:
    """A stratified fraction of the clips -> (N,), with at least one clip of every class that has any.

    With the same seed, a smaller fraction lies within a larger one, and 1.0 is all clips.

    Raises:
        ValueError: no fraction above 0 and up to 1.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"data.fraction={fraction}: a fraction of the training clips is above 0 and at most 1.")
    rank, order = _ranks(clips, seed, "fraction")
    return (rank < fraction) | _first_of_each_class(clips, order, np.ones(clips.num_classes, dtype=np.int64))


def held_out(clips: Clips, size: float, at_least: int, seed: int) -> Mask:
    """Clips to validate with -> (N,), the others are to train on.

    Every class keeps a clip to train on. Up to half of its clips, `at_least` many of each class are held out.

    Args:
        size: below 1 a fraction of the clips, else about how many.
        at_least: of each class, beyond the fraction.

    Raises:
        ValueError: a size that leaves nothing to train on.
    """
    fraction = size if size < 1 else size / max(len(clips), 1)
    if not 0 <= fraction < 1 or at_least < 0:
        raise ValueError(
            f"data.holdout={size:g}, data.holdout_min_per_class={at_least}: of {len(clips):,} clips, hold out a "
            "fraction below 1, or a number of clips."
        )
    rank, order = _ranks(clips, seed, "holdout")
    count = np.bincount(clips.label_idx, minlength=clips.num_classes)
    chosen = (rank < fraction) | _first_of_each_class(clips, order, np.minimum(at_least, count // 2))
    return chosen & ~_first_of_each_class(clips, order[::-1], np.ones_like(count))


def is_listed(ids: Ids, listed: Iterable[str]) -> Mask:
    """Which of the ids stand in a list -> (N,)."""
    known = {clip_id.encode() for clip_id in listed}
    if not known:
        return np.zeros(len(ids), dtype=bool)
    return np.fromiter((clip_id in known for clip_id in ids.tolist()), dtype=bool, count=len(ids))


def names_no_clip(ids: Ids, listed: Iterable[str]) -> list[str]:
    """What of a list is none of the ids."""
    if not (names := list(listed)):
        return []
    there = {*ids[is_listed(ids, names)].tolist()}
    return [name for name in names if name.encode() not in there]


def _ranks(clips: Clips, seed: int, stream: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rank in (0, 1) of each clip within its rarest class, and the clips by ascending rank -> (N,), (N,)."""
    random, stratum = hashes(clips.id, seed, stream), _rarest_class(clips)
    by_random = np.argsort(random)  # no ties in 64 bits: each id is there once
    by_class = by_random[_by_class(stratum[by_random], clips.num_classes + 1)]
    size = np.bincount(stratum, minlength=clips.num_classes + 1)
    begin = np.cumsum(size) - size
    sorted_stratum = np.repeat(np.arange(len(size)), size)
    sorted_rank = (np.arange(len(clips)) - begin[sorted_stratum] + 0.5) / size[sorted_stratum]
    rank = np.empty(len(clips))
    rank[by_class] = sorted_rank
    return rank, by_class[np.argsort(sorted_rank, kind="stable")]  # ascending within each class: fast


def _by_class(classes: NDArray[Any], num_classes: int) -> NDArray[np.int64]:
    """Positions in order of class, those of one class as they stand: numpy's radix sort, for which 16 bits are few
    enough.
    """
    return np.argsort(classes.astype(np.min_scalar_type(num_classes)), kind="stable")


def _rarest_class(clips: Clips) -> NDArray[np.int64]:
    """The class of each clip that has the fewest clips, K for a clip without labels -> (N,)."""
    K = clips.num_classes
    by_count = np.argsort(np.bincount(clips.label_idx, minlength=K), kind="stable")
    rarity = np.empty(K + 1, dtype=np.int64)
    rarity[by_count], rarity[K] = np.arange(K), K
    # one label more behind each clip: `reduceat` has no answer for an empty stretch
    padded = np.insert(rarity[clips.label_idx], clips.label_ptr[1:], K)
    rarest = np.minimum.reduceat(padded, clips.label_ptr[:-1] + np.arange(len(clips))) if len(clips) else padded
    return np.append(by_count, K)[rarest]


def _first_of_each_class(clips: Clips, order: NDArray[np.int64], wanted: NDArray[np.int64]) -> Mask:
    """The first `wanted` (K,) clips of each class in an order of the clips (N,) -> (N,)."""
    counts = np.diff(clips.label_ptr)[order]
    begin = np.cumsum(counts) - counts  # of each clip's labels among the labels in this order
    classes = clips.label_idx[np.arange(len(clips.label_idx)) + np.repeat(clips.label_ptr[order] - begin, counts)]
    by_class = _by_class(classes, clips.num_classes)
    count = np.bincount(classes, minlength=clips.num_classes)
    nth = np.arange(len(classes)) - np.repeat(np.cumsum(count) - count, count)
    chosen = np.zeros(len(clips), dtype=bool)
    chosen[np.repeat(order, counts)[by_class[nth < np.repeat(wanted, count)]]] = True
    return chosen


def hashes(ids: Ids, seed: int, stream: str) -> NDArray[np.uint64]:
    """64 random bits of each id, whatever the other ids are -> (N,)."""
    if not len(ids):
        return np.zeros(0, dtype=np.uint64)
    words = ids.astype(f"S{-(-ids.itemsize // 8) * 8}").view("<u8").reshape(len(ids), -1)
    random = bits(seed, stream, words[:, 0])
    for word in words.T[1:]:
        random = np.where(word, bits(seed, stream, random, word), random)  # an id ends where only zeros follow
    return random
