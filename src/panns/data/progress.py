"""Progress of a long import: a bar in a terminal, a plain line now and then in a log."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def waiting(what: str, show: bool = True) -> Iterator[None]:
    """Say what takes its time before there is anything to count."""
    console = Console(stderr=True)
    if not show:
        yield
    elif console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(f"{what} ...")
        yield


def track(items: Iterable[T], total: int, done: int, what: str, show: bool = True, unit: str = "clips") -> Iterator[T]:
    """Pass the items through; `done` of `total` were there before."""
    console = Console(stderr=True)
    if not show:
        return iter(items)
    shown = _bar if console.is_terminal else _lines
    return shown(items, total, done, what, console, unit)


def _bar(items: Iterable[T], total: int, done: int, what: str, console: Console, unit: str) -> Iterator[T]:
    columns = (SpinnerColumn(), TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[rate]}"), console=console) as progress:
        task, begin = progress.add_task(what, total=total, completed=done, rate=""), time.monotonic()
        for number, item in enumerate(items, start=1):
            rate = number / max(time.monotonic() - begin, 1e-9)
            progress.update(task, completed=done + number, rate=f"{rate:.0f} {unit}/s")
            yield item


def _lines(items: Iterable[T], total: int, done: int, what: str, console: Console, unit: str) -> Iterator[T]:
    begin = last = time.monotonic()
    for number, item in enumerate(items, start=1):
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or done + number == total:
            rate, last = number / max(now - begin, 1e-9), now
            left = (total - done - number) / rate
            console.print(f"{what}: {done + number:,} of {total:,} {unit}, {rate:.0f} {unit}/s, {left:.0f} s left")
        yield item
