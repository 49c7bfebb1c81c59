"""Labels that imply others: a clip of `Dog` is one of `Animal` too, though AudioSet's lists need not say so.

Shapes: N clips, P labels in all, K classes; those of clip i are label_idx[label_ptr[i]:label_ptr[i + 1]].
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panns.data.facts import ancestors
from panns.data.labels import ClassLabel, LabelError

Labels = NDArray[Any]  # int, of the columns of a store


def propagated(label_ptr: Labels, label_idx: Labels, classes: Sequence[ClassLabel]) -> tuple[Labels, Labels]:
    """Labels with all their ancestors in AudioSet's ontology, among `classes` -> label_ptr (N + 1,), label_idx.

    The classes of each clip are in ascending order, each once.

    Raises:
        LabelError: a class that is none of AudioSet's.
    """
    above_ptr, above_idx = closure(classes)
    num_added = above_ptr[label_idx.astype(np.int64) + 1] - above_ptr[label_idx]
    within = np.arange(num_added.sum()) - np.repeat(np.cumsum(num_added) - num_added, num_added)
    clip = np.repeat(np.arange(len(label_ptr) - 1), np.diff(label_ptr))
    clip, chosen = np.repeat(clip, num_added), above_idx[np.repeat(above_ptr[label_idx], num_added) + within]
    pairs = np.sort(clip * len(classes) + chosen, kind="stable")  # nearly in order; np.unique takes 100 times as long
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
    counts = np.bincount(pairs // len(classes), minlength=len(label_ptr) - 1)
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(label_ptr.dtype)
    return ptr, (pairs % len(classes)).astype(label_idx.dtype)


def closure(classes: Sequence[ClassLabel]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each class and its ancestors among `classes`, by position, as CSR -> (K + 1,), (entries,).

    Raises:
        LabelError: a class that is none of AudioSet's.
    """
    above = ancestors()
    position = {label.mid: number for number, label in enumerate(classes)}
    foreign = [label.name for label in classes if label.mid not in above]
    if foreign:
        raise LabelError(
            f"The ontology is AudioSet's, and {len(foreign)} of {len(classes)} classes are not "
            f"({', '.join(foreign[:3])}{', ...' if len(foreign) > 3 else ''}); set data.propagate_labels=null."
        )
    lists = [
        sorted({number, *(position[mid] for mid in above[label.mid] if mid in position)})
        for number, label in enumerate(classes)
    ]
    ptr = np.concatenate([[0], np.cumsum([len(entries) for entries in lists])])
    return ptr, np.concatenate(lists).astype(np.int64)
