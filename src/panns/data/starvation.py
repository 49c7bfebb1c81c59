"""Says once, with numbers, when training waits for clips: for the disk, the decoding, or batches to be handed over."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from panns.data.batches import Batch

WINDOW_SECONDS = 30.0
STARVING = 0.2  # of the time

log = logging.getLogger(__name__)


class Starvation:
    """Measures how long the loop that takes batches waits for them.

    Attributes:
        waited: seconds of waiting since the start, all epochs together.
    """

    def __init__(self, num_readers: int) -> None:
        self.num_readers = num_readers
        self.waited = 0.0
        self._told = False
        self._elapsed = self._waited = self._reading = self._working = 0.0
        self._clips = 0

    def watch(self, batches: "Iterable[Batch]", training: bool) -> "Iterator[Batch]":
        """Pass the batches on; the wait for the first one, when nothing is read ahead yet, does not count."""
        iterator, begin, first = iter(batches), time.perf_counter(), True
        while True:
            asked = time.perf_counter()
            batch = next(iterator, None)
            if batch is None:
                return
            now = time.perf_counter()
            self.waited += now - asked
            if training and not first:
                self._count(batch, now - asked, now - begin)
            begin, first = now, False
            yield batch
            del batch  # as in the loader: its buffer is to be used again

    def _count(self, batch: "Batch", waited: float, elapsed: float) -> None:
        self._waited += waited
        self._elapsed += elapsed
        self._reading += batch.seconds[0]
        self._working += batch.seconds[1]
        self._clips += len(batch)
        if self._elapsed < WINDOW_SECONDS:
            return
        if self._waited > STARVING * self._elapsed and not self._told:
            self._told = True
            log.warning("%s", self._message())
        self._elapsed = self._waited = self._reading = self._working = 0.0
        self._clips = 0

    def _message(self) -> str:
        reading = self._reading / max(self._working, 1e-9)
        busy = min(self._working / self._elapsed, self.num_readers)
        said = (
            f"Training waits for clips: {self._waited / self._elapsed:.0%} of the last {self._elapsed:.0f} s, at "
            f"{self._clips / self._elapsed:.0f} clips/s with {self.num_readers} readers, {busy:.1f} of them busy, "
            f"{reading:.0%} of that with reading files. "
        )
        if busy < 0.5 * self.num_readers:
            return said + (
                "Handing batches over limits, not the readers: worker processes copy each of them. data.num_workers=0 "
                "reads in threads, without copies, unless there is a data.transform; or other programs take the cores."
            )
        if reading > 0.5:
            return said + (
                "The storage limits. If it answers late, as network disks and object storage do, more data.num_threads "
                "help; if it gives no more bytes, copy the store to a local disk, or pack it as flac (half of pcm)."
            )
        return said + (
            "Decoding and transforms limit. More data.num_threads help as far as there are cores; a store packed with "
            "--codec pcm needs no decoding."
        )
