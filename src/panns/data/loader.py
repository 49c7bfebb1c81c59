"""Batches of int16 clips, read by threads, resumable at any batch.

Shapes: B clips in a batch of this rank, L samples, K classes, W ranks.

Every batch is a pure function of its step number, so the whole state of a loader is one integer, the number of draws
all ranks have consumed together: rank, world size and interruptions cannot change what is read.
"""

import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from panns.data.draws import key
from panns.data.samplers import Sampler
from panns.data.store import ClipStore

Rows = npt.NDArray[np.int64]
Transform = Callable[[Tensor, int], Tensor]  # a user's own: int16 (L,) and its sample rate -> int16 (L,)


@dataclass
class Batch:
    """What a training or evaluation step receives.

    Attributes:
        waveform: (B, L) int16; the task scales it to [-1, 1) on the device, so that half the bytes travel.
        target: (B, K) float32 of 0 and 1.
        row: (B,) int64, the clips' rows in the store.
        draw: (B,) int64, global draw numbers: what every random choice about the clip is keyed by.
    """

    waveform: Tensor
    target: Tensor
    row: Tensor
    draw: Tensor
    in_transit: "deque[tuple[Any, Tensor]] | None" = None

    def to(self, device: torch.device | str, **_: Any) -> "Batch":
        """Copies to a device. From pinned memory it runs in the background; its source is held until it is over."""
        if torch.device(device).type != "cuda":
            return replace(self, waveform=self.waveform.to(device), target=self.target.to(device), draw=self.draw)
        waveform = self.waveform.to(device, non_blocking=True)
        moved = replace(self, waveform=waveform, target=self.target.to(device, non_blocking=True), in_transit=None)
        if self.in_transit is not None:
            self.in_transit.append((torch.cuda.current_stream(device).record_event(), self.waveform))
        return moved

    def __len__(self) -> int:
        return len(self.row)


class Plan(Protocol):
    """Says which clips make up batch number `step`."""

    num_batches: int
    draws_per_batch: int  # of all ranks together
    endless: bool

    def batch(self, step: int) -> tuple[Rows, Rows]:
        """-> rows of the store (B,), draw numbers (B,)."""


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

    def batch(self, step: int) -> tuple[Rows, Rows]:
        """-> rows of the store (B,), draw numbers (B,)."""
        draws = step * self.draws_per_batch + self._offsets
        return self.rows[self.sampler.take(draws)], draws


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
    """Reads one planned batch from the store; what threads and worker processes run.

    Args:
        transform: A user's own function on each clip, called as `transform(int16 (L,), sample_rate)` after
            `torch.manual_seed` of the clip's draw number, so that its random choices survive a restart.
    """

    def __init__(
        self, store: ClipStore, plan: Plan, clip_samples: int, seed: int = 0, transform: Transform | None = None
    ) -> None:
        self.store, self.plan, self.clip_samples, self.seed, self.transform = store, plan, clip_samples, seed, transform

    def read(self, step: int, out: npt.NDArray[np.int16] | None = None) -> Batch:
        """-> batch `step`.

        Raises:
            ClipError: a clip's bytes are not what the index says; it names the clip and the file.
        """
        rows, draws = self.plan.batch(step)
        waveform = np.empty((len(rows), self.clip_samples), np.int16) if out is None else out
        self.store.prefetch(rows)
        for i, row in enumerate(rows):
            self.store.read_into(int(row), waveform[i])
            if self.transform is not None:
                torch.manual_seed(key(self.seed, "transform", int(draws[i])))
                waveform[i] = self.transform(torch.from_numpy(waveform[i]), self.store.sample_rate).numpy()
        target = torch.from_numpy(self.store.targets(rows))
        return Batch(torch.from_numpy(waveform), target, torch.from_numpy(rows), torch.from_numpy(draws))


class ClipLoader:
    """An epoch of batches per `iter()`, read ahead by threads into reused int16 buffers.

    Threads suffice because reading and decoding release the interpreter lock; against DataLoader workers they save the
    copies between processes. Lightning stores `state_dict()` in its checkpoints and hands it back.

    Args:
        prefetch: Batches read ahead.
        pin_memory: Page-locked buffers, for copies to a GPU that overlap with computing.
    """

    def __init__(self, reader: BatchReader, num_threads: int = 2, prefetch: int = 4, pin_memory: bool = False) -> None:
        self.reader, self.num_threads, self.prefetch = reader, num_threads, max(prefetch, num_threads)
        self._buffers = _Buffers(pin_memory)
        self._in_transit: deque[tuple[Any, Tensor]] = deque()
        self.step = 0

    def __len__(self) -> int:
        return self.reader.plan.num_batches

    def __iter__(self) -> Iterator[Batch]:
        """Yields the rest of the training epoch that `step` lies in; an evaluation always starts at its first clip."""
        if not self.reader.plan.endless:
            self.step = 0
        end = (self.step // len(self) + 1) * len(self)
        for batch in self._batches(self.step, end):
            self.step += 1
            while self._in_transit and self._in_transit[0][0].query():
                self._in_transit.popleft()
            yield batch
            del batch  # else this frame would keep the buffer from being used again

    def _batches(self, start: int, end: int) -> Iterator[Batch]:
        with ThreadPoolExecutor(self.num_threads, "panns-reader") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                for step in range(start, end + self.prefetch):
                    if step < end:
                        waiting.append(pool.submit(self._read, step))
                    if step >= start + self.prefetch and waiting:
                        yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, step: int) -> Batch:
        rows, _ = self.reader.plan.batch(step)
        out = self._buffers.take((len(rows), self.reader.clip_samples))
        return replace(self.reader.read(step, out), in_transit=self._in_transit)

    def state_dict(self) -> dict[str, int]:
        """-> {"draws": ...}: draws consumed by all ranks together."""
        return {"draws": self.step * self.reader.plan.draws_per_batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on with the next draw.

        Raises:
            ValueError: the position is no whole number of global batches, because the batch size has changed.
        """
        self.step, rest = divmod(state["draws"], self.reader.plan.draws_per_batch)
        if rest:
            raise ValueError(
                f"The checkpoint stopped after {state['draws']} draws, no whole number of batches of "
                f"{self.reader.plan.draws_per_batch} draws: continue with the batch size and mixup it was made with."
            )


class WorkerLoader(ClipLoader):
    """The same batches from DataLoader worker processes: for a user's transform that holds the interpreter lock."""

    def _batches(self, start: int, end: int) -> Iterator[Batch]:
        steps = _Steps(self.reader, start, end)
        yield from torch.utils.data.DataLoader(steps, batch_size=None, num_workers=self.num_threads)


class _Steps(torch.utils.data.Dataset[Batch]):
    def __init__(self, reader: BatchReader, start: int, end: int) -> None:
        self.reader, self.start, self.end = reader, start, end

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, i: int) -> Batch:
        return self.reader.read(self.start + i)
