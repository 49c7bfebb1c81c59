"""Random parameters, drawn so that no evaluation sound repeats the parameters of a training sound.

Every range is cut into 32 cells. Training clips draw from three cells of every four, evaluation clips from the fourth:
a frequency, rate, decay or level heard in evaluation was never heard in training, but lies between two that were.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

NUM_CELLS = 32
HELD_OUT_CELLS = tuple(range(2, NUM_CELLS, 4))
TRAIN_CELLS = tuple(cell for cell in range(NUM_CELLS) if cell not in HELD_OUT_CELLS)


class Draw:
    """The random stream of one clip.

    Args:
        rng: the clip's own generator; also the source of its noise.
        held_out: draw ranges from the evaluation cells instead of the training cells.
    """

    def __init__(self, rng: np.random.Generator, held_out: bool) -> None:
        self.rng = rng
        self._cells = HELD_OUT_CELLS if held_out else TRAIN_CELLS

    def uniform(self, low: float, high: float) -> float:
        """A number between `low` and `high`, from the cells of the split."""
        cell = self._cells[int(self.rng.integers(len(self._cells)))]
        return low + (high - low) * (cell + float(self.rng.random())) / NUM_CELLS

    def log_uniform(self, low: float, high: float) -> float:
        """As `uniform`, on a logarithmic scale: for frequencies and rates."""
        return float(np.exp(self.uniform(float(np.log(low)), float(np.log(high)))))

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included; the same numbers in either split."""
        return int(self.rng.integers(low, high + 1))

    def choice(self, options: Sequence[T]) -> T:
        """One of a few variants, such as the cadences of different countries; the same in either split."""
        return options[int(self.rng.integers(len(options)))]
