"""The scores of runs on resampled clips, each run resampled once however often it is compared."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panns.studies.bootstrap import resampled_accuracy, resampled_ap
from panns.studies.runs import FoundRun
from panns.studies.scored_clips import ScoredClips, ScoredClipsError, read_scored_clips

CLOSE = 1e-3  # between a score of the run and the same from its kept scores


class ResamplingError(ValueError):
    """The clips of a run cannot be resampled."""


@dataclass(frozen=True)
class Resampled:
    """A run on R resamples of its clips.

    Attributes:
        scores: (1 + R, K) AP, or (1 + R, 1) accuracy.
        positives: (K,) clips of each class, or (1,) all clips.
        clips_hash: Of the clips' ids and labels.
    """

    scores: NDArray[np.float64]
    positives: NDArray[np.int64]
    clips_hash: str


class Resampler:
    """Resamples the clips of runs.

    Args:
        metric: "mAP" or "accuracy".
        resamples: R.
        tell: Is called with a line for each run that is resampled.
    """

    def __init__(self, metric: str, resamples: int, tell: Callable[[str], None]) -> None:
        self.metric, self.resamples, self.tell = metric, resamples, tell
        self._done: dict[str, Resampled] = {}

    def __call__(self, run: FoundRun) -> Resampled:
        """The resampled scores of a run.

        Raises:
            ResamplingError: it kept no scores, or others than those of its results.
        """
        if run.place not in self._done:
            self._done[run.place] = self._resample(run)
        return self._done[run.place]

    def _resample(self, run: FoundRun) -> Resampled:
        if run.scores_file is None:
            raise ResamplingError(f"{run.place} kept no scores of its clips")
        try:
            clips = read_scored_clips(run.scores_file)
        except ScoredClipsError as error:
            raise ResamplingError(str(error).removesuffix(".")) from error  # a reason, which stands within a sentence
        self.tell(f"resampling the {len(clips.id):,} clips of {run.place} {self.resamples:,} times")
        scores, positives = self._score(clips)
        there, said = float(np.nanmean(scores[0])), run.score(self.metric)
        if said is None or abs(there - said) > CLOSE:
            raise ResamplingError(f"{run.scores_file} gives {self.metric} {there:.4f}, not that of the run's results")
        return Resampled(scores, positives, clips.clips_hash())

    def _score(self, clips: ScoredClips) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        if self.metric == "accuracy":
            return resampled_accuracy(clips, self.resamples), np.array([len(clips.id)])
        positives = np.bincount(clips.class_, minlength=clips.scores.shape[1])
        return resampled_ap(clips, self.resamples), positives
