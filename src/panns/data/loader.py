"""Batches of int16 clips, read by threads, resumable at any batch.

Shapes: B clips in a batch of this rank, L samples, K classes, W ranks.

Every batch is a pure function of its step number, so the whole state of a loader is one integer, the number of draws
all ranks have consumed together: rank, world size and interruptions cannot change what is read.
"""

import signal
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from panns.data.damage import Damaged, Mender
from panns.data.draws import key
from panns.data.samplers import Sampler
from panns.data.starvation import Starvation
from panns.data.store import READING, ClipError, ClipStore, StoreError

BEYOND = 2**40  # draws: more than any run makes
DRAWS_AT_ONCE = 8192  # asked of a sampler: one by class costs ten times as much per draw in requests of 64
Rows = npt.NDArray[np.int64]
Transform = Callable[[Tensor, int], Tensor]  # a user's own: int16 (L,) and its sample rate -> int16 (L,)


class LoaderError(StoreError):
    """The loader itself failed; what to do is said."""


@dataclass
class Batch:
    """What a training or evaluation step receives.

    Attributes:
        waveform: (B, L) int16; the task scales it to [-1, 1) on the device, so that half the bytes travel.
        target: (B, K) float32 of 0 and 1.
        row: (B,) int64, the clips' rows in the store.
        draw: (B,) int64, global draw numbers: what every random choice about the clip is keyed by.
        damaged: clips that could not be read, and what took their place.
        seconds: that reading files took, and making the batch in all, in the thread or process that made it.
    """

    waveform: Tensor
    target: Tensor
    row: Tensor
    draw: Tensor
    damaged: tuple[Damaged, ...] = ()
    seconds: tuple[float, float] = (0.0, 0.0)
    in_transit: "deque[tuple[Any, Tensor]] | None" = None

    def to(self, device: torch.device | str, **_: Any) -> "Batch":
        """Copies to a device; to a GPU in the background, beside the computation, while the source is held."""
        device = torch.device(device)
        if device.type != "cuda":
            return replace(self, waveform=self.waveform.to(device), target=self.target.to(device))
        copying, computing = _copy_stream(device), torch.cuda.current_stream(device)
        with torch.cuda.stream(copying):
            waveform = self.waveform.to(device, non_blocking=True)
            target = self.target.pin_memory().to(device, non_blocking=True)
        computing.wait_stream(copying)
        for tensor in (waveform, target):
            tensor.record_stream(computing)  # its memory is not used again before that stream is done with it
        if self.in_transit is not None:
            self.in_transit.append((copying.record_event(), self.waveform))
        return replace(self, waveform=waveform, target=target, in_transit=None)

    def __len__(self) -> int:
        return len(self.row)


@cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


class Plan(Protocol):
    """Says which clips make up batch number `step`."""

    num_batches: int
    draws_per_batch: int  # of all ranks together
    endless: bool

    def batch(self, step: int) -> tuple[Rows, Rows]:
        """-> rows of the store (B,), draw numbers (B,)."""

    def spare(self, draw: int, attempt: int) -> int:
        """-> the row that takes the place of a draw whose clip is damaged; only asked of an endless plan."""


class TrainPlan:
    """Batches of an endless stream of draws, dealt out to W ranks.

    The unit that is dealt is one training example: a clip, or with mixup the two clips that are mixed. Rank r takes
    examples
    r, r + W, r + 2W, ... of each global batch, so W ranks together see exactly the batches that one rank would see.

    Args:
        rows: The training rows that `sampler` numbers 0, 1, 2, ...
        batch_size: Examples per batch of this rank.
        draws_per_example: 2 with mixup, else 1.
        num_batches: Batches of an epoch.
    """

    endless = True

    def __init__(
        self,
        rows: Rows,
        sampler: Sampler,
        batch_size: int,
        draws_per_example: int,
        num_batches: int,
        rank: int,
        world_size: int,
    ) -> None:
        self.rows, self.sampler, self.num_batches = rows, sampler, num_batches
        self.draws_per_batch = batch_size * draws_per_example * world_size
        example = rank + world_size * np.arange(batch_size)[:, None]
        self._offsets = (example * draws_per_example + np.arange(draws_per_example)).reshape(-1)
        self._steps_at_once = max(1, DRAWS_AT_ONCE // len(self._offsets))
        self._block = (-1, self._offsets[:0], self._offsets[:0])  # the block asked for last: number, rows, draws

    def batch(self, step: int) -> tuple[Rows, Rows]:
        """-> rows of the store (B,), draw numbers (B,)."""
        number, place = divmod(step, self._steps_at_once)
        if self._block[0] != number:
            steps = np.arange(number * self._steps_at_once, (number + 1) * self._steps_at_once)[:, None]
            draws = steps * self.draws_per_batch + self._offsets
            self._block = (number, self.rows[self.sampler.take(draws.ravel())].reshape(draws.shape), draws)
        _, rows, draws = self._block
        return rows[place], draws[place]

    def spare(self, draw: int, attempt: int) -> int:
        """-> row of a draw far behind the last one of any run: a function of `draw`, whatever the ranks."""
        return int(self.rows[self.sampler.take(np.array([draw + attempt * BEYOND]))][0])


class EvaluationPlan:
    """Every row once: rank r of W takes rows r, r + W, ...; nothing is repeated to fill the last batch."""

    endless = False

    def __init__(self, rows: Rows, batch_size: int, rank: int, world_size: int) -> None:
        self.rows, self.batch_size = rows[rank::world_size], batch_size
        self.num_batches = -(-len(self.rows) // batch_size)
        self.draws_per_batch = batch_size * world_size

    def batch(self, step: int) -> tuple[Rows, Rows]:
        """-> rows of the store (B,), the same as draw numbers (B,)."""
        rows = self.rows[step * self.batch_size : (step + 1) * self.batch_size]
        return rows, rows

    def spare(self, draw: int, attempt: int) -> int:
        """An evaluation has no spare clips."""
        raise NotImplementedError


class _Buffers:
    """Batch memory that is used again as soon as nobody holds a tensor, or a view of one, made from it."""

    def __init__(self, pin_memory: bool) -> None:
        self.pin_memory = pin_memory
        self._free: deque[tuple[npt.NDArray[np.int16], Tensor | None]] = deque()

    def take(self, shape: tuple[int, int]) -> npt.NDArray[np.int16]:
        """-> int16 array of `shape`; its memory comes back here when the array and all that share it are gone."""
        try:
            memory, owner = self._free.popleft()
        except IndexError:
            memory, owner = self._allocate(shape)
        if memory.shape != shape:  # the last batch of an evaluation is smaller; the buffer is simply replaced
            memory, owner = self._allocate(shape)
        view = memory[:]
        weakref.finalize(view, self._free.append, (memory, owner))
        return view

    def _allocate(self, shape: tuple[int, int]) -> tuple[npt.NDArray[np.int16], Tensor | None]:
        if not self.pin_memory:
            return np.empty(shape, np.int16), None
        owner = torch.empty(shape, dtype=torch.int16, pin_memory=True)
        return owner.numpy(), owner


class BatchReader:
    """Reads planned batches from the store; what threads and worker processes run.

    Args:
        transform: A user's own function on each clip, called as `transform(int16 (L,), sample_rate)` after
            `torch.manual_seed` of the clip's draw number, so that its random choices survive a restart.
    """

    def __init__(self, store: ClipStore, clip_samples: int, seed: int = 0, transform: Transform | None = None) -> None:
        self.store, self.clip_samples, self.seed, self.transform = store, clip_samples, seed, transform

    def read(self, rows: Rows, draws: Rows, out: npt.NDArray[np.int16] | None = None) -> Batch:
        """-> the batch of these rows of the store (B,) and draw numbers (B,).

        Clips that cannot be read are named in it, and their places hold nothing of use.
        """
        begin, reading, damaged = time.perf_counter(), READING.seconds, []
        waveform = np.empty((len(rows), self.clip_samples), np.int16) if out is None else out
        self.store.prefetch(rows)
        for i, row in enumerate(rows):
            try:
                self.store.read_into(int(row), waveform[i])
            except ClipError as error:
                damaged.append(Damaged(i, int(draws[i]), error))
                continue
            if self.transform is not None:
                torch.manual_seed(key(self.seed, "transform", int(draws[i])))
                waveform[i] = self.transform(torch.from_numpy(waveform[i]), self.store.sample_rate).numpy()
        target = torch.from_numpy(self.store.targets(rows))
        batch = Batch(torch.from_numpy(waveform), target, torch.from_numpy(rows), torch.from_numpy(draws))
        batch.damaged = tuple(damaged)
        batch.seconds = (READING.seconds - reading, time.perf_counter() - begin)
        return batch


class ClipLoader:
    """An epoch of batches per `iter()`, read ahead by threads into reused int16 buffers.

    Threads suffice because reading and decoding release the interpreter lock; against DataLoader workers they save the
    copies between processes. Lightning stores `state_dict()` in its checkpoints and hands it back.

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
        spare = plan.spare if plan.endless else None
        self._mender = Mender(reader.read, spare, max_damaged, reader.store.place)
        self.starvation = Starvation(num_threads)
        self._buffers = _Buffers(pin_memory)
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

    def state_dict(self) -> dict[str, int]:
        """-> {"draws": ...}: draws consumed by all ranks together."""
        return {"draws": self.step * self.plan.draws_per_batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on with the next draw.

        Raises:
            ValueError: the position is no whole number of global batches, because the batch size has changed.
        """
        self.step, rest = divmod(state["draws"], self.plan.draws_per_batch)
        if rest:
            raise ValueError(
                f"The checkpoint stopped after {state['draws']} draws, no whole number of batches of "
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
