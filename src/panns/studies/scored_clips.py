"""What a run scored: probabilities and labels of each clip, as `val_scores.npz` keeps them.

Shapes: N clips, K classes, L labels.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ARRAYS = ("id", "scores", "label_ptr", "label_idx")


class ScoredClipsError(ValueError):
    """A file of scores cannot be read."""


@dataclass(frozen=True)
class ScoredClips:
    """Clips in the order of their ids, each once.

    Attributes:
        id: (N,) bytes.
        scores: (N, K) float32, higher where the class is rather there.
        clip: (L,) positions of the clips that a label stands for; with `class_` in the order of class, then clip.
        class_: (L,) the classes of these labels.
    """

    id: NDArray[np.bytes_]
    scores: NDArray[np.float32]
    clip: NDArray[np.int64]
    class_: NDArray[np.int64]

    def positives(self, k: int) -> NDArray[np.int64]:
        """Positions of the clips that class k is in."""
        first, end = np.searchsorted(self.class_, [k, k + 1])
        return self.clip[first:end]

    def clips_hash(self) -> str:
        """Of the ids and labels: equal where two runs scored the same clips."""
        digest = hashlib.sha256(repr(self.scores.shape).encode())
        for array in (self.id, self.clip, self.class_):
            digest.update(array.tobytes())
        return digest.hexdigest()


def scored_clips(
    id: NDArray[np.bytes_], scores: NDArray[np.float32], label_ptr: NDArray[np.int64], label_idx: NDArray[np.int64]
) -> ScoredClips:
    """Clips in any order -> in the order of their ids.

    Args:
        id: (N,) bytes.
        scores: (N, K).
        label_ptr: (N + 1,) where the labels of each clip begin in `label_idx`.
        label_idx: (L,) their classes.
    """
    order = np.argsort(id, kind="stable")
    place = np.empty(len(id), dtype=np.int64)
    place[order] = np.arange(len(id))
    clip = np.repeat(place, np.diff(label_ptr))
    by_class = np.lexsort((clip, label_idx))
    return ScoredClips(id[order], scores[order], clip[by_class], label_idx[by_class].astype(np.int64))


def read_scored_clips(path: Path) -> ScoredClips:
    """Read `val_scores.npz` or `test_scores.npz` of a run.

    Raises:
        ScoredClipsError: the file is damaged or of another form.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in ARRAYS]
    except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise ScoredClipsError(
            f"{path} is no whole file of scores ({error}): remove it, and the report does without."
        ) from error
    id, scores, label_ptr, label_idx = arrays
    fits = scores.ndim == 2 and len(id) == len(scores) == len(label_ptr) - 1 and label_ptr[-1] == len(label_idx)
    if not fits or np.isnan(scores).any() or len(np.unique(id)) != len(id):
        raise ScoredClipsError(f"{path} has arrays that do not fit together: remove it, and the report does without.")
    return scored_clips(id, scores, label_ptr, label_idx)
