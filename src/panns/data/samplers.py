"""Samplers: which clip is draw number n. A pure function of (seed, n), so there is no state to save, shard or lose.

Draws are numbered over the whole run and over all ranks: draw n is the same clip on 1, 2 or 8 GPUs and after a resume.
Clips are named by their position among the training rows; their labels come as CSR: the labels of clip i are
`label_idx[label_ptr[i]:label_ptr[i + 1]]`.

Shapes: N clips, P labels in all, K classes, D draws.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from panns.data.draws import permutations, uniform


class Sampler(ABC):
    """What every sampler is built from and answers. The labels are looked at once and not kept.

    Attributes:
        num_clips: N, clips that the sampler was given.

    Args:
        label_ptr: (N + 1,) where the labels of each clip begin in `label_idx`.
        label_idx: (P,) class numbers.
        num_classes: K.
        seed: another seed is another stream of draws.
        draws_per_batch: draws in one mini-batch over all ranks (twice the batch size under mixup). Only a sampler
            that works by the mini-batch looks at it.

    Raises:
        ValueError: no clips, a label outside the classes, or labels that do not fit `label_ptr`.
    """

    def __init__(
        self, label_ptr: NDArray, label_idx: NDArray, num_classes: int, seed: int, draws_per_batch: int
    ) -> None:
        self.num_clips, self.num_classes = len(label_ptr) - 1, num_classes
        self.seed, self.draws_per_batch = seed, draws_per_batch
        if self.num_clips < 1:
            raise ValueError("There are no training clips to draw from: check the training splits of the data set.")
        if label_ptr[-1] != len(label_idx) or (len(label_idx) and int(label_idx.max()) >= num_classes):
            raise ValueError(
                f"The labels do not fit: {len(label_idx)} labels for {label_ptr[-1]} announced, "
                f"highest class {label_idx.max(initial=0)} of {num_classes}. Build the index of the data set again."
            )

    @abstractmethod
    def take(self, n: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the clips of the draws `n`, any draw numbers in any order: (D,) -> (D,)."""

    def draw(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the clips of draws start..stop-1: (stop - start,)."""
        return self.take(np.arange(start, stop))

    @property
    def num_clips_never_drawn(self) -> int:
        """Clips that no draw can give: those without a label, where clips are found by their class."""
        return 0


class UniformSampler(Sampler):
    """Shuffled laps over all clips, labelled or not (the paper's "no balancing")."""

    def __init__(
        self, label_ptr: NDArray, label_idx: NDArray, num_classes: int, seed: int, draws_per_batch: int
    ) -> None:
        super().__init__(label_ptr, label_idx, num_classes, seed, draws_per_batch)
        self._laps = Laps(seed, "uniform", self.num_clips)

    def take(self, n: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Sampler.take`."""
        return self._laps.take(n)


class ByClass(Sampler):
    """A sampler that chooses a class first. Classes without clips are left out; clips without labels are never drawn.

    Raises:
        ValueError: no clip has a label.
    """

    def __init__(
        self, label_ptr: NDArray, label_idx: NDArray, num_classes: int, seed: int, draws_per_batch: int
    ) -> None:
        super().__init__(label_ptr, label_idx, num_classes, seed, draws_per_batch)
        if not len(label_idx):
            raise ValueError(
                f"None of the {self.num_clips} training clips has a label, so none can be drawn by class: "
                "use sampler=uniform, or check the label column of the data set."
            )
        if len(label_idx) < 2**31:  # with numbers of 4 bytes, scipy's result has those too, and half the memory
            label_ptr = np.asarray(label_ptr, dtype=np.int32)
        by_clip = csr_array((np.ones(len(label_idx), np.bool_), label_idx, label_ptr), (self.num_clips, num_classes))
        by_class = by_clip.tocsc()
        self._clips = by_class.indices  # (P,) the clips of class 0, of class 1, ... each in ascending order
        count = np.diff(by_class.indptr)
        self._begin = by_class.indptr[:-1][count > 0].astype(np.int64)
        self._count = count[count > 0]
        self._num_unlabelled = int((np.diff(label_ptr) == 0).sum())

    @property
    def num_clips_never_drawn(self) -> int:
        """See `Sampler.num_clips_never_drawn`."""
        return self._num_unlabelled


class BalancedSampler(ByClass):
    """The paper's balanced sampling: classes in turn, the order fresh in each cycle; each class in shuffled laps.

    Draw n falls in cycle n // C of the C classes that have clips. Every class comes once per cycle, so its visit number
    is the cycle, and it gives all its clips before it repeats one. This is PANNs' scheme (BalancedTrainSampler), not
    its sequence of numpy random numbers.
    """

    def __init__(
        self, label_ptr: NDArray, label_idx: NDArray, num_classes: int, seed: int, draws_per_batch: int
    ) -> None:
        super().__init__(label_ptr, label_idx, num_classes, seed, draws_per_batch)
        self._cycles = Laps(seed, "balanced", len(self._count))
        self._laps = [Laps(seed, f"balanced {k}", int(count)) for k, count in enumerate(self._count)]

    def take(self, n: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Sampler.take`."""
        n = np.asarray(n, dtype=np.int64)
        chosen = self._cycles.take(n)
        cycle = n // len(self._count)
        place = np.empty_like(n)
        by_class = np.argsort(chosen, kind="stable")
        classes, first = np.unique(chosen[by_class], return_index=True)
        for k, draws in zip(classes.tolist(), np.split(by_class, first)[1:], strict=True):
            place[draws] = self._laps[k].take(cycle[draws])
        return self._clips[self._begin[chosen] + place].astype(np.int64)


class AlternateSampler(Sampler):
    """PANNs' "alternate": balanced and uniform mini-batches in turn, balanced first.

    Each of the two streams goes on where it stopped two mini-batches ago.
    """

    def __init__(
        self, label_ptr: NDArray, label_idx: NDArray, num_classes: int, seed: int, draws_per_batch: int
    ) -> None:
        super().__init__(label_ptr, label_idx, num_classes, seed, draws_per_batch)
        if draws_per_batch < 1:
            raise ValueError(f"draws_per_batch must be at least 1, not {draws_per_batch}.")
        self._balanced = BalancedSampler(label_ptr, label_idx, num_classes, seed, draws_per_batch)
        self._uniform = UniformSampler(label_ptr, label_idx, num_classes, seed, draws_per_batch)

    def take(self, n: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Sampler.take`."""
        batch, place = np.divmod(np.asarray(n, dtype=np.int64), self.draws_per_batch)
        own = batch // 2 * self.draws_per_batch + place  # the draw number within its own stream
        clips = np.empty_like(own)
        for parity, sampler in enumerate((self._balanced, self._uniform)):
            mine = batch % 2 == parity
            clips[mine] = sampler.take(own[mine])
        return clips


class WeightedSampler(ByClass):
    """Independent draws with replacement, a clip weighing the sum of 1 / count(label) over its labels.

    That is PSLA's `WeightedRandomSampler` (which writes 1000 / (count + 0.01)). The weights of one class sum to 1, so
    drawing a class evenly and then one of its clips evenly is this very law, with no table of 2 million weights.
    """

    def take(self, n: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Sampler.take`."""
        u = uniform(self.seed, "weighted", n, size=2)
        chosen = (u[:, 0] * len(self._count)).astype(np.int64)
        place = (u[:, 1] * self._count[chosen]).astype(np.int64)
        return self._clips[self._begin[chosen] + place].astype(np.int64)


class Laps:
    """Endless laps over `length` items, each in a fresh order: visit v is a pure function of (seed, stream, v)."""

    def __init__(self, seed: int, stream: str, length: int) -> None:
        self.seed, self.stream, self.length = seed, stream, length
        self._current = (-1, np.empty(0, dtype=np.int32))  # the lap used last and its order, kept to save work

    def take(self, visits: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the items of these visits: (D,) -> (D,)."""
        lap, place = np.divmod(visits, self.length)
        current, order = self._current  # read once: another thread may replace the pair
        if (lap == current).all():
            return order[place].astype(np.int64)
        laps, which = np.unique(lap, return_inverse=True)
        orders = permutations(self.seed, self.stream, laps, self.length)
        self._current = (int(laps[-1]), orders[-1].copy())  # a copy lets go of the other laps
        return orders[which, place].astype(np.int64)
