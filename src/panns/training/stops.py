"""Requests to stop. Light to import: what runs the jobs of a sweep does."""

import signal
import time

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
TOGETHER = 2.0  # seconds


class Stops:
    """The requests to stop that a process has had.

    SLURM, systemd and `timeout` send a signal to a process and to all others of its group or job, one of which may pass
    it on: what arrives within `TOGETHER` of a request belongs to it.

    Attributes:
        signals: One of each request.
    """

    def __init__(self) -> None:
        self.signals: list[int] = []
        self._since = 0.0

    def add(self, signum: int) -> bool:
        """Takes note of a signal -> whether it is a request of its own."""
        now = time.monotonic()
        if self.signals and now - self._since < TOGETHER:
            return False
        self._since = now
        self.signals.append(signum)
        return True
