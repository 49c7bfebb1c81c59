"""`val_scores.npz` and `test_scores.npz`: what a run gave to each clip, for comparisons of runs clip by clip.

Shapes: N clips, K classes, L labels.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from panns.data.store import ClipStore
from panns.whole_files import written_whole


def write_scores(path: Path, scored: Mapping[str, np.ndarray], store: ClipStore) -> None:
    """Writes the arrays id (N,) bytes, scores (N, K) float32, label_ptr (N + 1,) and label_idx (L,), whole or not at
    all.

    Args:
        path: Of the file.
        scored: What `TaggingMetrics` computed: `index`, the clips' rows in the store, and `scores`.
        store: Has the clips' ids, and the labels that they were scored against.
    """
    rows = scored["index"]
    counts, labels = store.labels_of(rows)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    with written_whole(path, "wb") as file:
        np.savez(file, id=store.id[rows], scores=scored["scores"], label_ptr=pointers, label_idx=labels)
