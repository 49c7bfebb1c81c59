"""What becomes of a training clip that cannot be read: the run stops, or another draw takes its place and is counted.

The replacement of draw n is a pure function of n and of which clips are damaged: the same on any number of ranks, and
after a resume. Clips of an evaluation are never replaced, since its scores would be those of another set.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from panns.data.store import ClipError
from panns.data.store_files import StoreError

if TYPE_CHECKING:
    from panns.data.batches import Batch
    from panns.data.plans import Rows

MAX_SHOWN = 5  # names in a message
MAX_TRIES = 1000  # replacements that are damaged themselves, for one draw


class DamageError(StoreError):
    """A clip that a run needs cannot be read; names the clip, its file, and what can be done."""


class Damaged(NamedTuple):
    """One clip of a batch that could not be read; once it is mended, `instead` is the row that took its place."""

    place: int
    draw: int
    error: ClipError
    instead: int | None = None


class Mender:
    """Puts other clips in the place of damaged ones.

    Args:
        read: Reads a batch of given rows and draws.
        spare: Row of the k-th replacement of a draw; None where nothing is replaced.
        limit: Clips that may be damaged in this process; 0 stops at the first.
        place: The store, for messages.
    """

    def __init__(
        self,
        read: "Callable[[Rows, Rows], Batch]",
        spare: Callable[[int, int], int] | None,
        limit: int,
        place: str,
    ) -> None:
        self.read, self.spare, self.limit, self.place = read, spare, limit, place
        self.clips: dict[str, None] = {}  # that could not be read so far

    def mend(self, batch: "Batch") -> "Batch":
        """The batch with a clip in every place.

        Raises:
            DamageError: more clips are damaged than may be, or one of an evaluation.
        """
        row, mended = batch.row.clone(), []
        for damaged in batch.damaged:
            place, one = damaged.place, self._replacement(damaged)
            batch.waveform[place], batch.target[place], row[place] = one.waveform[0], one.target[0], one.row[0]
            mended.append(damaged._replace(instead=int(one.row[0])))
        return replace(batch, row=row, damaged=tuple(mended))

    def _replacement(self, damaged: Damaged) -> "Batch":
        """The first spare of a draw that can be read, as a batch of one."""
        error = damaged.error
        for attempt in range(1, MAX_TRIES):
            self._count(error)
            assert self.spare is not None
            one = self.read(np.array([self.spare(damaged.draw, attempt)]), np.array([damaged.draw]))
            if not one.damaged:
                return one
            error = one.damaged[0].error
        raise DamageError(f"{self.place}: hardly any clip can be read; the last: {error}")

    def _count(self, error: ClipError) -> None:
        """Count a damaged clip, and stop at the limit."""
        if self.spare is None:
            raise DamageError(
                f"{error}. Clips to evaluate on are never replaced. Put the file back as it was and run the same "
                f"command again; or start a new run after `panns verify {self.place} --all`, which keeps out what is "
                "damaged, and the scores will say so"
            ) from error
        self.clips[error.clip_id] = None
        if len(self.clips) <= self.limit:
            return
        if self.limit:
            names, rest = ", ".join(list(self.clips)[:MAX_SHOWN]), len(self.clips) - MAX_SHOWN
            raise DamageError(
                f"{len(self.clips)} clips could not be read, more than data.max_damaged_clips={self.limit}: "
                f"{names}{f' and {rest} more' if rest > 0 else ''}; the last: {error}. "
                "Put the files back as they were and run the same command again: it goes on. For a new run, "
                f"`panns verify {self.place} --all` finds all that is damaged and keeps it out"
            ) from error
        raise DamageError(
            f"{error}. Put the file back as it was and run the same command again: it goes on. Or add "
            "data.max_damaged_clips=100 to it: other draws then take the place of up to 100 such clips, counted and "
            "named"
        ) from error
