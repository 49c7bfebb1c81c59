"""Clips of a remote store kept on a local disk: each is fetched once, the next lap reads it from here.

Clips are kept until the space they may take is full, and none is put out for another. Training visits all clips in
laps of ever new order, where the clip that was not read for the longest time is the next one needed: putting it out,
as an LRU cache does, throws away what is wanted, while a fixed part of the clips kept is hit as often as it is large
(Mohan et al., Analyzing and Mitigating Data Stalls in DNN Training, VLDB 2021).

A clip lies where it lies in its shard, in a sparse file of the shard's name. Any number of threads and processes of one
machine may use the same folder without waiting for one another: all would write the same bytes.
"""

import errno
import logging
import os
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np

from panns.data.store_files import OpenFile

KEPT_FREE = 0.05  # of the disk, where no limit was given
CLIPS_BETWEEN_COUNTS = 256
MAX_OPEN_FILES = 256
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

log = logging.getLogger(__name__)


class NearbyClips:
    """Local copies of byte ranges, by row.

    Args:
        folder: where they lie, on a local disk.
        path: (files,) name of each remote file, relative.
        file, offset, nbytes: (N,) the range of each row.
        max_bytes: that the clips may take, 0 for none; None: until 5 % of the disk are left.
    """

    def __init__(
        self,
        folder: Path,
        path: np.ndarray,
        file: np.ndarray,
        offset: np.ndarray,
        nbytes: np.ndarray,
        max_bytes: int | None,
    ) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._path, self._file, self._offset, self._nbytes = path, file, offset, nbytes
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "present.u1").open("ab") as marks:
            marks.truncate(len(file))
        self._present = np.memmap(folder / "present.u1", np.uint8, "r+", shape=(len(file),)) if len(file) else file
        self._open_file = lru_cache(maxsize=MAX_OPEN_FILES)(_open_or_make)
        self._is_full, self._until_count, self._room = max_bytes == 0, 0, 0

    @property
    def num_clips(self) -> int:
        """Clips that are here."""
        return int(np.count_nonzero(self._present))

    @property
    def num_bytes(self) -> int:
        """What they take, in bytes."""
        return int(self._nbytes[np.flatnonzero(self._present)].sum())

    def missing(self, rows: np.ndarray) -> list[int]:
        """Those of the rows that are not here, each once."""
        return [int(row) for row in np.unique(rows[self._present[rows] == 0])]

    def get(self, row: int) -> bytes | None:
        """The bytes of a clip, None if it is not here."""
        if not self._present[row]:
            return None
        try:
            shard = self._shard(row)  # held, or another thread that opens many files may have it closed
            return os.pread(shard.descriptor, int(self._nbytes[row]), int(self._offset[row]))
        except OSError as error:
            log.warning("%s: %s; the clip is fetched again", self.folder, error)
            self.forget(row)
            return None

    def put(self, row: int, payload: bytes) -> None:
        """Keep a clip, if there is room."""
        if self._is_full or self._present[row] or not self._has_room(len(payload)):
            return
        try:
            shard = self._shard(row)
            written = os.pwrite(shard.descriptor, payload, int(self._offset[row]))
        except OSError as error:
            if error.errno not in FULL:
                raise
            written = 0
        if written == len(payload):
            self._present[row] = 1  # last: whoever sees the mark finds the bytes
        else:
            self._fill(f"{self.folder}: no space left on its disk")

    def forget(self, row: int) -> bool:
        """Drop a clip whose bytes are not good, as after a power cut -> whether it was here."""
        was, self._present[row] = bool(self._present[row]), 0
        return was

    def _has_room(self, nbytes: int) -> bool:
        self._until_count, self._room = self._until_count - 1, self._room - nbytes
        if self._until_count < 0 or self._room < 0:  # count anew: other processes put clips here too
            self._until_count = CLIPS_BETWEEN_COUNTS
            disk = shutil.disk_usage(self.folder)
            free = round(disk.free - KEPT_FREE * disk.total)
            self._room = (free if self.max_bytes is None else self.max_bytes - self.num_bytes) - nbytes
            if self._room < 0:
                limit = f"{KEPT_FREE:.0%} of its disk are left" if self.max_bytes is None else "data.cache_gb reached"
                self._fill(f"{self.folder}: {limit}")
        return not self._is_full

    def _fill(self, why: str) -> None:
        self._is_full = True
        log.warning(
            "%s; %s of %s clips are kept there, the others are read over the network each time",
            why, f"{self.num_clips:,}", f"{len(self._present):,}",
        )  # fmt: skip

    def _shard(self, row: int) -> OpenFile:
        name = os.fsdecode(self._path[self._file[row]]).replace("../", "up/")
        return self._open_file(self.folder / "clips" / name)


def _open_or_make(path: Path) -> OpenFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    return OpenFile(path, os.O_RDWR | os.O_CREAT)
