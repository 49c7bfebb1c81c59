"""Progress of a download: a bar in a terminal, a plain line now and then in a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import TransferSpeedColumn as Speed

from panns.data.progress import SECONDS_BETWEEN_LINES


class Transfer:
    """Shows how much of one file is there; a context manager.

    Args:
        name: Of the file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._begin = self._last = time.monotonic()
        self._task: TaskID | None = None
        columns = (TextColumn(name), BarColumn(), DownloadColumn(), Speed(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self.console) if self.console.is_terminal else None

    def __enter__(self) -> "Transfer":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """One line, above the bar if there is one."""
        self.console.print(f"{self.name}: {text}", markup=False)

    def show(self, done: int, total: int | None) -> None:
        """`done` of `total` bytes are there; None if nobody knows how many there will be."""
        if self._bar is not None:
            if self._task is None:  # what was there before is no part of the speed
                self._task = self._bar.add_task(self.name, total=total, completed=done)
            self._bar.update(self._task, completed=done, total=total)
            return
        now = time.monotonic()
        if done == total or now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            self.say(f"{decimal(done)}" + (f" of {decimal(total)}" if total else "") + f", {now - self._begin:.0f} s")
