"""The files and the rows of a store, held against the index without reading a clip."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from panns.data.codecs import CODECS
from panns.data.progress import track
from panns.data.report import Finding
from panns.data.store import ClipStore
from panns.data.store_files import NOT_THERE, AccessError, StoreError

STAT_THREADS = 32  # a network file system answers many at a time, each after milliseconds
MANY_FILES = 10_000  # that take long enough to show a bar
MISSING = -1


@dataclass(frozen=True)
class FileStates:
    """The files of a store as they are now.

    Attributes:
        nbytes: (files,) size, `MISSING` for a file that is not there.
        changed_ns: (files,) time of the last change.
    """

    nbytes: npt.NDArray[np.int64]
    changed_ns: npt.NDArray[np.int64]

    def differ(self, store: ClipStore) -> npt.NDArray[np.bool_]:
        """Files that are not there, or not of the size they were."""
        return self.nbytes != store.file_bytes

    @property
    def identity(self) -> str:
        """Another one when any file was exchanged."""
        return hashlib.sha256(self.nbytes.tobytes() + self.changed_ns.tobytes()).hexdigest()


def look_at_files(store: ClipStore, show_progress: bool) -> FileStates:
    """Size and time of each file.

    Raises:
        AccessError: a file cannot be looked at, for another reason than that it is not there.
    """
    paths = [os.fsdecode(path) for path in store.path]
    with ThreadPoolExecutor(STAT_THREADS) as threads:
        states = threads.map(partial(_look, store.root), paths, chunksize=64)
        found = list(track(states, len(paths), 0, "looking", show_progress and len(paths) > MANY_FILES, "files"))
    return FileStates(*np.array(found, dtype=np.int64).reshape(-1, 2).T.copy())


def _look(root: Path, path: str) -> tuple[int, int]:
    try:
        state = (root / path).stat()
    except NOT_THERE:
        return MISSING, 0
    except OSError as error:
        raise AccessError.of(root / path, error) from error
    return state.st_size, state.st_mtime_ns


def file_findings(store: ClipStore, states: FileStates) -> list[Finding]:
    """Files that are not there or not of their size."""
    found = []
    for file in np.flatnonzero(states.differ(store)):
        path, was, now = str(store.file_path(int(file))), int(store.file_bytes[file]), int(states.nbytes[file])
        if now == MISSING:
            found.append(Finding("", path, "file_missing", f"{was:,} bytes when it was indexed"))
        else:
            found.append(Finding("", path, "file_size", f"{now:,} bytes where the index has {was:,}"))
    return found


def bad_rows(store: ClipStore) -> dict[int, str]:
    """Rows of the index that point to nothing, and why: what a flipped bit in a column leaves.

    Raises:
        StoreError: the labels cannot be told apart.
    """
    if store.label_ptr[0] != 0 or (np.diff(store.label_ptr) < 0).any():
        raise StoreError(
            f"{store.root}: the index is damaged (label_ptr does not ascend); put index/ back from a copy, or delete "
            "the folder and make the store anew"
        )
    class_number = _unknown_class(store)
    checks = (
        (store.split >= len(store.splits), "split number {}", store.split),
        (store.file >= len(store.path), "file number {}", store.file),
        (store.codec >= len(CODECS), "codec number {}", store.codec),
        (store.offset < 0, "offset {}", store.offset),
        (store.nbytes < 1, "{} bytes", store.nbytes),
        (store.frames < 1, "{} samples", store.frames),
        (class_number >= 0, "class number {}", class_number),
    )
    why: dict[int, str] = {}
    for wrong, words, column in checks:
        for row in np.flatnonzero(wrong).tolist():
            why.setdefault(row, words.format(column[row]))
    return why


def _unknown_class(store: ClipStore) -> npt.NDArray[np.int64]:
    """A class number of each clip that the store does not have, -1 for most -> (N,)."""
    number = np.full(len(store), -1)
    bad = np.flatnonzero(store.label_idx >= store.num_classes)
    number[np.searchsorted(store.label_ptr, bad, side="right") - 1] = store.label_idx[bad]
    return number
