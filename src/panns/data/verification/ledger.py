"""What a check has found so far, one line an answer, so that a check of hours can be stopped and go on."""

import fcntl
import hashlib
import json
from pathlib import Path

from panns.data.store_files import StoreError
from panns.data.verification.clips import Answer, Task


class Ledger:
    """Answers in the order of the tasks, kept in a file. Another plan, or a damaged file, starts anew.

    Args:
        path: the file; made if it is not there.
        identity: of what is checked, in its present state.
        tasks: that are to be answered.

    Raises:
        StoreError: another process is checking the same store.
    """

    def __init__(self, path: Path, identity: str, tasks: list[Task]) -> None:
        plan = hashlib.sha256(json.dumps([identity, tasks]).encode()).hexdigest()
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go when the process ends
        except BlockingIOError as error:
            self._file.close()
            raise StoreError(f"{path.parent}: another process is verifying this store; wait for it to end") from error
        self.answers = self._read(plan)
        if not self.answers:
            self._file.truncate(0)
            self._write(plan)

    def append(self, answer: Answer) -> None:
        """Keep one answer."""
        self.answers.append(answer)
        self._write(answer)

    def close(self) -> None:
        """Let go of the file; it stays."""
        self._file.close()

    def _read(self, plan: str) -> list[Answer]:
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        whole = lines[:-1]  # what follows the last line end is an answer that was being written
        try:
            first, *rest = map(json.loads, whole)
            answers = [
                Answer(checked, [(row, what, why) for row, what, why in faults], path, checksum, crc32)
                for checked, faults, path, checksum, crc32 in rest
            ]
        except (ValueError, TypeError):
            return []
        if first != plan:
            return []
        self._file.truncate(sum(len(line) + 1 for line in whole))
        return answers

    def _write(self, content: object) -> None:
        self._file.write(json.dumps(content).encode() + b"\n")
        self._file.flush()
