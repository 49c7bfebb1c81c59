"""One batch of int16 clips: what it is, the memory it lies in, and reading it from the store.

Shapes: B clips, L samples, K classes.
"""

import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from panns.data.damage import Damaged
from panns.data.draws import key
from panns.data.plans import Rows
from panns.data.store import READING, ClipError, ClipStore

Transform = Callable[[Tensor, int], Tensor]  # a user's own: int16 (L,) and its sample rate -> int16 (L,)


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


class Buffers:
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
