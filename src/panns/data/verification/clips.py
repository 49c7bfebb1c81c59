"""Reading clips to see whether they are whole: what runs in the worker processes of `panns verify`.

A fault is an answer, not an exception: one bad clip among two million must not stop the others.
"""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from zlib_ng import zlib_ng

from panns.data.clip_audio import CLIPPED_SAMPLES
from panns.data.codecs import num_clipped
from panns.data.first_crc32 import read_crc32
from panns.data.hashing import file_sha256
from panns.data.store import ClipError, ClipStore
from panns.data.store_files import NOT_THERE

Rows = npt.NDArray[np.int64]
Fault = tuple[str, str]  # one of `kinds.KINDS`, and what is wrong in words
CLIPS_PER_TASK = 64


class Task(NamedTuple):
    """Clips to read, or with `path` a whole file to hash."""

    rows: tuple[int, ...]
    path: str = ""


class Answer(NamedTuple):
    """What is wrong with which rows, or the checksum of a file (empty if it cannot be read).

    `crc32` is that of clips whose index has none.
    """

    checked: int
    faults: list[tuple[int, str, str]]
    path: str = ""
    sha256: str = ""
    crc32: Sequence[tuple[int, int]] = ()


class ClipChecker:
    """Answers tasks; each process opens the store once.

    Args:
        root: folder of the store.
        identity: of index and crc32, so that a store that was repaired is opened anew.
        first_crc32: file with the crc32 of clips whose index has none.
    """

    def __init__(self, root: Path, identity: str, first_crc32: Path) -> None:
        self.root, self.identity, self.first_crc32 = root, identity, first_crc32

    def __call__(self, task: Task) -> Answer:
        """Read the clips of a task, or hash its file."""
        if task.path:
            return Answer(0, [], task.path, file_sha256(self.root / task.path))
        store, first = _opened(self.root, self.identity, self.first_crc32)
        seen: list[tuple[int, int]] = []
        faults = [(row, *fault) for row in task.rows for fault in clip_faults(store, row, int(first[row]), seen)]
        return Answer(len(task.rows), faults, crc32=seen)


@lru_cache(maxsize=1)
def _opened(root: Path, identity: str, first_crc32: Path) -> tuple[ClipStore, npt.NDArray[np.uint32]]:
    store = ClipStore.open_as_it_is(root)
    return store, read_crc32(first_crc32, len(store))


def clip_faults(store: ClipStore, row: int, first_crc32: int, seen_crc32: list[tuple[int, int]]) -> Iterator[Fault]:
    """Read one clip -> what is wrong with it.

    Args:
        first_crc32: of a clip whose index has none, what an earlier verification read; 0 for nothing.
        seen_crc32: receives row and crc32 of such a clip.

    Raises:
        AccessError: its file cannot be opened, for another reason than that it is not there.
    """
    try:
        payload = store.read_payload(row)
        if store.crc32[row] == 0:
            crc32 = zlib_ng.crc32(payload)
            if first_crc32 not in (0, crc32):
                yield "damaged", "the bytes are not those that were first read (crc32 differs)"
                return
            seen_crc32.append((row, crc32))
        samples = store.decode(row, payload)
    except ClipError as error:
        yield "missing" if isinstance(error.__cause__, NOT_THERE) else "damaged", error.why
    else:
        yield from _sample_faults(samples)


def _sample_faults(samples: np.ndarray) -> Iterator[Fault]:
    low, high = (int(samples.min()), int(samples.max())) if len(samples) else (0, 0)
    if low == high:
        yield ("constant", f"{len(samples)} samples of {low}") if low else ("silent", f"{len(samples)} zero samples")
    elif (high == 32767 or low <= -32767) and (clipped := num_clipped(samples)) >= CLIPPED_SAMPLES:
        yield "clipped", f"{clipped} samples at full scale"


def tasks_of(store: ClipStore, rows: Rows, hashed: npt.NDArray[np.bool_]) -> list[Task]:
    """Clips in the order in which they lie, and after the clips of a file to be hashed (files,) its checksum.

    That way the file is still in the memory of the machine when it is hashed.
    """
    rows = rows[np.lexsort((store.offset[rows], store.file[rows]))]
    last = np.flatnonzero(np.append(np.diff(store.file[rows].astype(np.int64)) != 0, True) & hashed[store.file[rows]])
    tasks, begin = [], 0
    for end in [*(last + 1).tolist(), len(rows)]:
        tasks += [
            Task(tuple(rows[i : min(i + CLIPS_PER_TASK, end)].tolist())) for i in range(begin, end, CLIPS_PER_TASK)
        ]
        if end > begin and hashed[store.file[rows[end - 1]]]:
            tasks.append(Task((), os.fsdecode(store.path[store.file[rows[end - 1]]])))
        begin = end
    return tasks
