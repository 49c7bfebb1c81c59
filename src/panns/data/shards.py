"""Tar shards, written so that they can be continued byte for byte after any interruption."""

import io
import os
import tarfile
from pathlib import Path

BLOCK = 512
END_OF_ARCHIVE = bytes(2 * BLOCK)


class ShardWriter:
    """Appends files to `<folder>/00000.tar`, `00001.tar`, ... of at most `max_bytes` each (one file at least).

    What it writes depends on the files alone: no times, no users. So the shards of an interrupted and continued import
    are those of an uninterrupted one.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self.number, self.size = 0, 0
        self._file: io.FileIO | None = None

    def resume(self, number: int, size: int) -> None:
        """Go on in shard `number` after its first `size` bytes; what lies behind is cut off."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.tar"):
            if int(path.stem) > number:
                path.unlink()
        self.number, self.size = number, size
        self._open()

    def write(self, name: str, payload: bytes) -> tuple[int, int]:
        """Append one file -> (number of the shard, offset of the payload in it).

        Raises:
            OSError: the disk is full or fails; the shard is as it was at the last `resume` after the next one.
        """
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(payload), 0o644
        header = member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        block = header + payload + bytes(-len(payload) % BLOCK)
        if self.size and self.size + len(block) + len(END_OF_ARCHIVE) > self.max_bytes:
            self.close()
            self.number, self.size = self.number + 1, 0
        if self._file is None:
            self._open()
        self._append(block)
        offset = self.size + len(header)
        self.size += len(block)
        return self.number, offset

    def close(self) -> None:
        """End the archive, and wait until it is on the disk."""
        if self._file is not None:
            self._append(END_OF_ARCHIVE)
            os.fsync(self._file.fileno())
            self.abandon()

    def abandon(self) -> None:
        """Let go of an unfinished shard."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def path(self, number: int) -> Path:
        """Where a shard lies."""
        return self.folder / f"{number:05d}.tar"

    def _open(self) -> None:
        self._file = io.FileIO(self.path(self.number), "ab")
        self._file.truncate(self.size)

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        rest = memoryview(data)
        while rest:  # a nearly full disk takes a part of it, and raises at the next call
            rest = rest[self._file.write(rest) :]
