"""Fig. 4 (mAP during training) and Fig. 12 (AP of each class) of the paper, read from its vector drawings.

Shapes: S iterations, K = 527 classes.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from panns.published.tables import rows_of

Curve = tuple[NDArray[np.int64], NDArray[np.float64]]


@cache
def learning_curves() -> dict[str, Curve]:
    """mAP on AudioSet's evaluation set, by the key of the table row: iterations (S,) of 32 examples, and mAP (S,)."""
    rows = list(rows_of("curves.csv"))
    curves = {}
    for key in list(rows[0])[1:]:
        points = [(int(row["iteration"]), float(row[key])) for row in rows if row[key]]
        iterations, scores = zip(*points, strict=True)
        curves[key] = np.array(iterations), np.array(scores)
    return curves


@cache
def class_ap() -> dict[str, NDArray[np.float64]]:
    """AP of each class in AudioSet's order, (K,), by the key of the table row; and of "averaging instances"."""
    rows = list(rows_of("class_ap.csv"))
    return {key: np.array([float(row[key]) for row in rows]) for key in list(rows[0])[1:]}


@cache
def class_names() -> tuple[str, ...]:
    """The classes of `class_ap`, (K,)."""
    return tuple(row["class"] for row in rows_of("class_ap.csv"))
