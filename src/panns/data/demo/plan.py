"""Which classes sound in which clip: quotas by class, dealt out to clips of one to three sounds."""

import numpy as np
from numpy.typing import NDArray

from panns.data.demo.classes import DEMO_CLASSES

SOUNDS_PER_CLIP = (1, 2, 3)
SOUNDS_PER_CLIP_SHARES = (0.2, 0.4, 0.4)
TAIL_RATIO = 33.0  # how many times more common the first class is than the last in training
TAIL_BEND = 0.9  # below 1, the common classes stand further out


def train_shares() -> NDArray[np.float64]:
    """The long tail (K,): share of each demo class among the training sounds."""
    rank = np.arange(len(DEMO_CLASSES)) / (len(DEMO_CLASSES) - 1)
    weights = TAIL_RATIO ** -(rank**TAIL_BEND)
    return weights / weights.sum()


def eval_shares() -> NDArray[np.float64]:
    """Evenly: every class counts alike in a macro average, so each gets as many evaluation clips."""
    return np.full(len(DEMO_CLASSES), 1 / len(DEMO_CLASSES))


def quotas(shares: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers (K,) that add up to `total`, as near the shares as can be (largest remainders)."""
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    largest = np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]
    counts[largest] += 1
    return counts


def plan(rng: np.random.Generator, num_clips: int, shares: NDArray[np.float64]) -> list[list[int]]:
    """For every clip, the positions in `DEMO_CLASSES` of the sounds in it; none twice in one clip."""
    sizes = np.repeat(SOUNDS_PER_CLIP, quotas(np.array(SOUNDS_PER_CLIP_SHARES), num_clips))
    deck = rng.permutation(np.repeat(np.arange(len(shares)), quotas(shares, int(sizes.sum()))))
    clips = [list(map(int, hand)) for hand in np.split(deck, np.cumsum(rng.permutation(sizes))[:-1])]
    for clip in clips:
        while len(set(clip)) < len(clip):
            _swap_repeat(rng, clip, clips)
    return clips


def _swap_repeat(rng: np.random.Generator, clip: list[int], clips: list[list[int]]) -> None:
    """Tries to exchange a repeated class for a sound of another clip, without making a repeat there."""
    slot = next(i for i, sound in enumerate(clip) if sound in clip[:i])
    other = clips[int(rng.integers(len(clips)))]
    place = int(rng.integers(len(other)))
    if clip[slot] not in other and other[place] not in clip:
        clip[slot], other[place] = other[place], clip[slot]
