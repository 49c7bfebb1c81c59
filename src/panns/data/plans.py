"""Which clips make up which batch: a pure function of the batch's number.

Shapes: B clips in a batch of this rank, W ranks.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from panns.data.samplers import Sampler

BEYOND = 2**40  # draws: more than any run makes
DRAWS_AT_ONCE = 8192  # asked of a sampler: one by class costs ten times as much per draw in requests of 64
Rows = npt.NDArray[np.int64]


class Plan(Protocol):
    """Says which clips make up batch number `step`."""

    num_batches: int
    draws_per_batch: int  # of all ranks together
    endless: bool

    @property
    def spare(self) -> Callable[[int, int], int] | None:
        """Gives the row that takes the place of a damaged clip, see `TrainPlan.spare`; None where nothing does."""

    def batch(self, step: int) -> tuple[Rows, Rows]:
        """-> rows of the store (B,), draw numbers (B,)."""


class TrainPlan:
    """Batches of an endless stream of draws, dealt out to W ranks.

    The unit that is dealt is one training example: a clip, or with mixup the two clips that are mixed. Rank r takes
    examples r, r + W, r + 2W, ... of each global batch, so W ranks together see exactly the batches that one rank would
    see.

    Args:
        rows: The training rows that `sampler` numbers 0, 1, 2, ...; of any integer type.
        batch_size: Examples per batch of this rank.
        draws_per_example: 2 with mixup, else 1.
        num_batches: Batches of an epoch.
    """

    endless = True

    def __init__(
        self,
        rows: npt.NDArray[np.integer],
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
            rows = self.rows[self.sampler.take(draws.ravel())].astype(np.int64)
            self._block = (number, rows.reshape(draws.shape), draws)
        _, rows, draws = self._block
        return rows[place], draws[place]

    def spare(self, draw: int, attempt: int) -> int:
        """-> row of a draw far behind the last one of any run: a function of `draw`, whatever the ranks."""
        return int(self.rows[self.sampler.take(np.array([draw + attempt * BEYOND]))][0])


class EvaluationPlan:
    """Every row once: rank r of W takes rows r, r + W, ..., in as many batches as every other rank.

    Ranks that hold shards of one network have to call it equally often. A rank whose clips would fill one batch fewer
    than those of others puts its last clip into a batch of its own; where it has none to spare, it reads one again,
    which the scores count once.
    """

    endless = False
    spare = None  # scores would be those of another set

    def __init__(self, rows: npt.NDArray[np.integer], batch_size: int, rank: int, world_size: int) -> None:
        self.rows = rows[rank::world_size].astype(np.int64)
        self.num_batches = -(-len(rows[::world_size]) // batch_size)
        self.draws_per_batch = batch_size * world_size
        self._ends = np.minimum(np.arange(self.num_batches + 1) * batch_size, len(self.rows))
        if batch_size > 1 and self.num_batches > 1 and self._ends[-2] == len(self.rows):
            self._ends[-2] -= 1
        self._again = rows[:1].astype(np.int64)

    def batch(self, step: int) -> tuple[Rows, Rows]:
        """-> rows of the store (B,), the same as draw numbers (B,)."""
        rows = self.rows[self._ends[step] : self._ends[step + 1]]
        rows = rows if len(rows) else self._again
        return rows, rows
