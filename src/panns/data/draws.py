"""Randomness without a state: every number is a pure function of (seed, stream, counters).

A run that draws its numbers this way has nothing to save and nothing to lose: the n-th clip, its mixup weight and its
SpecAugment stripes come out the same on 1 or 8 GPUs and after any resume. The numbers are computed with exact integer
arithmetic alone, so they depend neither on the numpy version nor on the machine.

Shapes: N counters, S numbers per counter, R permutations, M items.
"""

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # odd, 2**64 / golden ratio: consecutive counters land far apart


def bits(seed: int, stream: str | int, *counters: ArrayLike) -> NDArray[np.uint64]:
    """Return 64 random bits for each tuple of counters, which broadcast as numpy arrays do (at least 1-D).

    One counter gives the splitmix64 generator (Steele, Lea and Flood 2014) at that place of its sequence; each further
    counter starts such a sequence at the state reached so far. Streams of different names are unrelated.
    """
    name = hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest()
    state = np.array([int.from_bytes(name, "little")], dtype=np.uint64)
    for counter in counters:
        state = _mix(state + GOLDEN * np.atleast_1d(counter).astype(np.uint64))
    return state


def uniform(seed: int, stream: str | int, n: NDArray[np.int64], size: int = 1) -> NDArray[np.float64]:
    """Return numbers spread evenly over [0, 1): n (N,) -> (N, S), with S = `size` numbers for each entry of `n`."""
    random = bits(seed, stream, np.asarray(n)[:, None], np.arange(size))
    return (random >> np.uint64(11)) * 2.0**-53  # the 53 bits that a float64 holds


def permutations(seed: int, stream: str | int, keys: ArrayLike, length: int) -> NDArray[np.int32]:
    """Return one shuffle of 0..length-1 per key: keys (R,) -> (R, M), with M = `length` below 2**31.

    Sorts random numbers that carry their item in the low bits: one value sort, no ties, the same on every machine.
    """
    item = np.arange(length, dtype=np.uint64)
    width = np.uint64(max(length - 1, 1).bit_length())
    carried = (bits(seed, stream, np.atleast_1d(keys)[:, None], item) >> width << width) | item
    carried.sort(axis=1)
    return (carried & ((np.uint64(1) << width) - np.uint64(1))).astype(np.int32)


def permutation(seed: int, stream: str | int, key: int, length: int) -> NDArray[np.int32]:
    """Return the shuffle of 0..length-1 that belongs to `key`: (M,)."""
    return permutations(seed, stream, key, length)[0]


def key(seed: int, stream: str | int, n: int) -> int:
    """Return a 63-bit number for counter `n`: the seed of a generator that takes one, such as `torch.manual_seed`."""
    return int(bits(seed, stream, n)[0] >> np.uint64(1))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every input bit over all 64 output bits (Stafford's mix 13, the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
