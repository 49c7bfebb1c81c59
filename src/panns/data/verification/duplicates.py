"""Clips that are there more than once: by their id, or by their audio."""

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from panns.data.store import ClipStore
from panns.data.store_files import StoreError

Rows = npt.NDArray[np.int64]
Fault = tuple[int, str, str]  # row, kind, words


def same_ids(store: ClipStore, rows: Rows) -> Iterator[Fault]:
    """Rows whose id is taken by an earlier one."""
    for first, *others in _groups(rows, [store.id]):
        for row in others:
            yield row, "same_id", f"in {_split(store, row)}; first in {_split(store, first)}"


def same_audio(store: ClipStore, rows: Rows, crc32: npt.NDArray[np.uint32]) -> Iterator[Fault]:
    """Rows whose audio is, byte for byte, that of an earlier one of another split or of their own.

    Among 2 million clips some agree in bytes, samples and crc32 by chance, so that clips that do are read and compared.

    Args:
        crc32: (N,) of each clip, 0 where it is not known: such clips cannot be compared.
    """
    for candidates in _groups(rows[crc32[rows] != 0], [store.frames, store.nbytes, crc32]):
        same = defaultdict(list)
        for row in candidates:
            try:
                same[sha256(store.read_payload(row)).digest()].append(row)
            except (StoreError, OSError):
                continue  # damaged: found by the check of the clips
        for rows_of_one in same.values():
            for row in rows_of_one[1:]:
                elsewhere = [other for other in rows_of_one if store.split[other] != store.split[row]]
                other = (elsewhere or rows_of_one)[0]
                words = f"in {_split(store, row)}; as {store.id[other].decode()} in {_split(store, other)}"
                yield row, "same_audio_elsewhere" if elsewhere else "same_audio", words


def _groups(rows: Rows, columns: list[np.ndarray]) -> Iterator[list[int]]:
    """Rows that agree in all columns, two or more at a time, in the order of the index."""
    order = rows[np.lexsort([column[rows] for column in columns])]  # stable
    new = np.ones(len(order) + 1, dtype=bool)
    if len(order):
        new[1:-1] = np.any([column[order][1:] != column[order][:-1] for column in columns], axis=0)
    begin = np.flatnonzero(new)
    for start in np.flatnonzero(np.diff(begin) > 1):
        yield order[begin[start] : begin[start + 1]].tolist()


def _split(store: ClipStore, row: int) -> str:
    return store.splits[store.split[row]]
