"""Commands as processes of their own, some at a time: watched, told to stop, and waited for."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

from hydra.core.utils import JobStatus

from panns.training.exit_codes import BUSY
from panns.training.stops import STOP_SIGNALS, Stops

KEPT = 8192  # bytes of what a process wrote to stderr that are kept for its error
POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1
TOLD = {JobStatus.COMPLETED: "is done", JobStatus.FAILED: "failed", JobStatus.UNKNOWN: "was stopped"}


@dataclass(frozen=True)
class Command:
    """What to run.

    Attributes:
        name: For messages.
        words: Program and arguments.
        log: Where its output goes; None: where ours goes.
    """

    name: str
    words: tuple[str, ...]
    log: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a command.

    Attributes:
        status: COMPLETED, FAILED, or UNKNOWN for one that was told to stop or never started.
        error: The end of what it said, or the signal that ended it.
    """

    status: JobStatus
    error: str = ""


class Running(Protocol):
    """A command that runs somewhere."""

    def ended(self) -> bool:
        """Whether it is over."""

    def heed(self, stops: Sequence[int]) -> None:
        """Hands on the signals that asked to stop so far; the second and later ones kill."""

    @property
    def code(self) -> int:
        """How it ended: the exit code, or minus the signal."""

    def outcome(self) -> Outcome:
        """What came of it, once it is over."""


class Process:
    """A command that runs on this machine.

    Args:
        command: The command.
        env: Its environment.
    """

    def __init__(self, command: Command, env: dict[str, str]) -> None:
        self._tail, self._told = b"", 0
        if command.log is not None:
            command.log.parent.mkdir(parents=True, exist_ok=True)
        self._out = 1 if command.log is None else os.open(command.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        sys.stdout.flush()
        self._process = subprocess.Popen(
            command.words,
            env=env,
            stdout=self._out,
            stderr=subprocess.PIPE,
            start_new_session=True,  # its ranks are one group, and a Ctrl-C reaches it only through us
            preexec_fn=_begin,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Passes on what it writes to stderr, and keeps the end."""
        assert self._process.stderr is not None
        while chunk := os.read(self._process.stderr.fileno(), 4096):
            self._tail = (self._tail + chunk)[-KEPT:]
            os.write(2 if self._out == 1 else self._out, chunk)
        if self._out != 1:
            os.close(self._out)

    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def heed(self, stops: Sequence[int]) -> None:
        """Signals it and all its ranks, each signal once; the second and later ones as SIGKILL."""
        for number, signum in enumerate(stops[self._told :], start=self._told):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL if number else signum)
        self._told = len(stops)

    @property
    def code(self) -> int:
        """How it ended."""
        return self._process.returncode

    def outcome(self) -> Outcome:
        """What came of it, once it is over."""
        if self.code == 0:
            return Outcome(JobStatus.COMPLETED)
        self._reader.join(timeout=5)
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self._tail.decode(errors="replace")).replace("\r", "\n").strip()
        if self._told:
            return Outcome(JobStatus.UNKNOWN, text)
        if self.code > 0:
            return Outcome(JobStatus.FAILED, text or f"ended with exit code {self.code} and said nothing")
        why = " (the kernel does that when memory runs out)" if self.code == -signal.SIGKILL else ""
        return Outcome(JobStatus.FAILED, f"{text}\nended by {signal.Signals(-self.code).name}{why}".strip())


def run_all(
    commands: Sequence[Command], at_once: int, wait_for_locked: float, start: Callable[[Command, int], Running]
) -> list[Outcome]:
    """Runs all commands, `at_once` at a time, in their order.

    SIGTERM and SIGINT are passed on; then no more are started, and those that run are waited for, since they save a
    checkpoint. A second one kills them.

    Args:
        commands: The commands.
        at_once: How many run at the same time.
        wait_for_locked: Seconds for which a command whose folder another process works in is tried again, at the end.
        start: Starts a command in slot 0 to `at_once` - 1.

    Returns:
        What came of each; of those that were stopped, or not started for that, that it is unknown.
    """
    waiting: deque[tuple[int, float]] = deque((index, 0.0) for index in range(len(commands)))
    running: dict[int, tuple[int, Running]] = {}  # slot: index of the command, process
    outcomes = [Outcome(JobStatus.UNKNOWN)] * len(commands)
    first_locked: dict[int, float] = {}
    with _stops() as stops:
        while waiting or running:
            for slot in set(range(at_once)) - set(running):
                if waiting and not stops and waiting[0][1] <= time.monotonic():
                    index = waiting.popleft()[0]
                    _say(f"Job {index + 1} of {len(commands)}: {commands[index].name}", commands[index])
                    running[slot] = index, start(commands[index], slot)
            for slot, (index, process) in list(running.items()):
                process.heed(stops)
                if process.ended():
                    del running[slot]
                    outcomes[index] = process.outcome()
                    _say(f"Job {index + 1} {TOLD[outcomes[index].status]}", commands[index])
                    since = first_locked.setdefault(index, time.monotonic()) if process.code == BUSY else None
                    if since is not None and time.monotonic() - since < wait_for_locked:
                        waiting.append((index, time.monotonic() + 2.0))
            if stops and not running:
                break
            time.sleep(POLL_SECONDS)
    return outcomes


def _say(what: str, command: Command) -> None:
    print(f"{what}; its output: {command.log}" if command.log else what, flush=True)


@contextmanager
def _stops() -> Iterator[list[int]]:
    """The signals that asked to stop so far; they do nothing else meanwhile."""
    stops = Stops()

    def remember(signum: int, _: FrameType | None) -> None:
        if stops.add(signum):
            first = len(stops.signals) == 1
            print("Stopping: waiting for checkpoints; once more to kill." if first else "Killed.", flush=True)

    before = {signum: signal.signal(signum, remember) for signum in STOP_SIGNALS}
    try:
        yield stops.signals
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _begin() -> None:
    """In a new process: lets through the signals that its parent holds back (Ray's workers hold back Ctrl-C), and asks
    Linux for SIGTERM when the parent is gone, so that a killed sweep leaves none behind."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
