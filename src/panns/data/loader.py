"""Batches of int16 clips, read by threads, resumable at any batch.

Every batch is a pure function of its step number, so the whole state of a loader is one integer, the number of draws
all ranks have consumed together: rank, world size and interruptions cannot change what is read.
"""

import ctypes
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from panns.data.batches import Batch, BatchReader, Buffers
from panns.data.damage import Mender
from panns.data.plans import Plan, Rows
from panns.data.starvation import Starvation
from panns.data.store_files import StoreError


class LoaderError(StoreError):
    """The loader itself failed; what to do is said."""


class ClipLoader:
    """An epoch of batches per `iter()`, read ahead by threads into reused int16 buffers.

    Threads suffice because reading and decoding release the interpreter lock; against DataLoader workers they save the
    copies between processes.

    Args:
        prefetch: Batches read ahead.
        pin_memory: Page-locked buffers, for copies to a GPU that overlap with computing.
        max_damaged: Training clips that may turn out unreadable, see `panns.data.damage`.
    """

    def __init__(
        self,
        reader: BatchReader,
        plan: Plan,
        num_threads: int = 2,
        prefetch: int = 4,
        pin_memory: bool = False,
        max_damaged: int = 0,
    ) -> None:
        self.reader, self.plan = reader, plan
        self.num_threads, self.prefetch = num_threads, max(prefetch, num_threads)
        self._mender = Mender(reader.read, plan.spare, max_damaged, reader.store.place)
        self.starvation = Starvation(num_threads)
        self._buffers = Buffers(pin_memory)
        self._in_transit: deque[tuple[Any, Tensor]] = deque()
        self.step = 0

    def __len__(self) -> int:
        return self.plan.num_batches

    def __iter__(self) -> Iterator[Batch]:
        """Yields the rest of the training epoch that `step` lies in; an evaluation always starts at its first clip.

        Raises:
            DamageError: a clip cannot be read, or one more than may be.
            LoaderError: a worker process died.
        """
        _give_back_memory()
        if not self.plan.endless:
            self.step = 0
        end = (self.step // len(self) + 1) * len(self)
        planned = map(self.plan.batch, range(self.step, end))
        for batch in self.starvation.watch(self._batches(planned), self.plan.endless):
            if batch.damaged:
                batch = self._mender.mend(batch)
            self.step += 1
            while self._in_transit and self._in_transit[0][0].query():
                self._in_transit.popleft()
            yield batch
            del batch  # else this frame would keep the buffer from being used again

    def _batches(self, planned: Iterator[tuple[Rows, Rows]]) -> Iterator[Batch]:
        with ThreadPoolExecutor(self.num_threads, "panns-reader") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                for rows, draws in planned:
                    waiting.append(pool.submit(self._read, rows, draws))
                    if len(waiting) > self.prefetch:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, rows: Rows, draws: Rows) -> Batch:
        out = self._buffers.take((len(rows), self.reader.clip_samples))
        return replace(self.reader.read(rows, draws, out), in_transit=self._in_transit)

    @property
    def draws(self) -> int:
        """Draws consumed by all ranks together: all there is to know to go on."""
        return self.step * self.plan.draws_per_batch

    def go_on_after(self, draws: int) -> None:
        """Goes on with the next draw.

        Raises:
            ValueError: the position is no whole number of global batches, because the batch size has changed.
        """
        self.step, rest = divmod(draws, self.plan.draws_per_batch)
        if rest:
            raise ValueError(
                f"The checkpoint stopped after {draws} draws, no whole number of batches of "
                f"{self.plan.draws_per_batch} draws: continue with the batch size and mixup it was made with."
            )


class WorkerLoader(ClipLoader):
    """The same batches from DataLoader worker processes: for a user's transform that holds the interpreter lock.

    The draws are planned here: a worker gets the rows of a batch and has no copy of the sampler.
    """

    def _batches(self, planned: Iterator[tuple[Rows, Rows]]) -> Iterator[Batch]:
        clips, workers = _PlannedClips(self.reader), self.num_threads
        loader = torch.utils.data.DataLoader(clips, batch_size=None, sampler=planned, num_workers=workers)
        try:
            yield from _start_workers(loader)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise LoaderError(
                f"A loader process died ({str(error).strip().partition('. ')[0]}): killed by somebody, or for want of "
                f"memory, of which each of {self.num_threads} takes its own. Run the same command again: it goes on; "
                "where it was memory, with a smaller data.num_workers or data.num_threads"
            ) from error


def _give_back_memory() -> None:
    """Hands the memory that is free in this process back to the system, where libc can: after the columns of millions
    of clips were gone through it is much, and each page that is written to after a fork is there twice.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _start_workers(loader: "torch.utils.data.DataLoader[Batch]") -> Iterator[Batch]:
    """Iterate, without torch's signal handler: it raises the death of a worker wherever the main thread stands, perhaps
    in the middle of an optimizer step. So it shows within seconds when a batch is asked for, and the run can be saved.
    """
    former = signal.getsignal(signal.SIGCHLD)
    batches = iter(loader)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, former or signal.SIG_DFL)
    return batches


class _PlannedClips(torch.utils.data.Dataset[Batch]):
    def __init__(self, reader: BatchReader) -> None:
        self.reader = reader

    def __getitem__(self, planned: tuple[Rows, Rows]) -> Batch:
        return self.reader.read(*planned)
