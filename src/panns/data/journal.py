"""The journal of an import: one line a clip, written as soon as the clip is safe, so that no work is done twice."""

import fcntl
import io
import json
import os
from pathlib import Path
from typing import NamedTuple

from panns.data.clip_audio import Findings

MAX_SHOWN = 300  # characters of two values in a message


class JournalError(ValueError):
    """The folder holds an unfinished import that cannot be continued by this one."""


class Record(NamedTuple):
    """What the journal keeps of a clip; a clip that was left out has `nbytes` 0."""

    clip_id: str
    findings: Findings
    shard: int = 0
    end: int = 0  # size of the shard with this clip, bytes
    offset: int = 0
    nbytes: int = 0
    codec: int = 0
    frames: int = 0
    crc32: int = 0


def differences(was: dict, now: dict) -> str:
    """What two plans differ in, for people; of values too long to read, their key alone."""
    pairs = {key: (repr(was.get(key)), repr(now.get(key))) for key in sorted({*was, *now})}
    return ", ".join(
        f"{key} was {before}, is {after}" if len(before + after) <= MAX_SHOWN else f"{key} differ"
        for key, (before, after) in pairs.items()
        if before != after
    )


class Journal:
    """Append-only JSON lines: first the plan of the import, then one record a clip. One process at a time.

    Args:
        path: the file; made if it is not there.
        plan: settings that decide the bytes of the store; a journal with others is refused.
    """

    def __init__(self, path: Path, plan: dict) -> None:
        self.path, self.plan = path, plan
        self._file = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), "a+")
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go when the process ends
            self.records = self._read()
        except BlockingIOError as error:
            self._file.close()
            raise JournalError(f"{path.parent}: another process is writing this store; wait for it to end") from error
        except ValueError as error:
            self._file.close()
            if isinstance(error, JournalError):
                raise
            raise JournalError(f"{path}: damaged ({error}); delete the folder and start anew") from error

    def append(self, record: Record) -> None:
        """Add one record."""
        self._write_line(record)
        self.records.append(record)

    def keep(self, count: int) -> None:
        """Forget all records but the first `count`."""
        self.records = self.records[:count]
        self._file.truncate(0)
        for line in (self.plan, *self.records):
            self._write_line(line)

    def close(self) -> None:
        """Close the file and let go of the folder."""
        self._file.close()

    def _read(self) -> list[Record]:
        lines = self.path.read_bytes().split(b"\n")
        whole = lines[:-1]  # what follows the last line end is a record that was being written
        self._file.truncate(sum(len(line) + 1 for line in whole))
        if not whole:
            self._write_line(self.plan)
            return []
        plan = json.loads(whole[0])
        if plan != self.plan:
            raise JournalError(
                f"{self.path.parent}: holds an unfinished store made otherwise ({differences(plan, self.plan)}); run "
                "the first command again, or delete the folder"
            )
        return [
            Record(clip_id, [(w, d) for w, d in found], *rest) for clip_id, found, *rest in map(json.loads, whole[1:])
        ]

    def _write_line(self, content: object) -> None:
        rest = memoryview(json.dumps(content).encode() + b"\n")
        while rest:
            rest = rest[self._file.write(rest) :]
