"""One function over many items on all cores, results in order; no process outlives its parent."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
ITEMS_AHEAD = 8  # a worker: enough to keep all busy behind a slow item, little memory


def ordered_map(
    work: Callable[[T], R], items: Sequence[T], jobs: int, ahead: int = ITEMS_AHEAD
) -> Generator[R, None, None]:
    """Results in the order of the items, whatever the number of processes; with one job, in this process.

    Closing the generator waits for the items at work and drops the others.

    Args:
        ahead: items that are at work or wait for their turn, a process.
    """
    if jobs == 1 or not items:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy threads and CUDA state of a caller that trains
    with ProcessPoolExecutor(min(jobs, len(items)), mp_context=context, initializer=_start) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(_submit(pool, work, item))
                if len(waiting) >= jobs * ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _submit(pool: ProcessPoolExecutor, work: Callable[[T], R], item: T) -> Future[R]:
    """Submit with Ctrl-C held back: a worker that starts here inherits that, and only the parent is interrupted."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(work, item)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _start() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # the parent was killed: without it a worker would wait for work forever
