"""The confusion matrix of a single-label task, as a table."""

import csv
from pathlib import Path

import numpy as np

CONFUSION = "confusion.csv"


def write_confusion(names: list[str], matrix: np.ndarray, path: Path) -> None:
    """(K, K) counts, true class by row, predicted class by column."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["true \\ predicted", *names], *([name, *row] for name, row in zip(names, matrix.tolist(), strict=True))]
        )


def read_confusion(path: Path) -> tuple[list[str], np.ndarray]:
    """-> class names, (K, K) counts."""
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    return header[1:], np.array([[int(value) for value in row[1:]] for row in rows])
