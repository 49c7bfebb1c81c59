"""What a study found: each row's means over seeds, and its difference to the reference row and to the paper."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from panns.published.tables import Entry, entry
from panns.studies.bootstrap import RESAMPLES, Gain, gain
from panns.studies.gathering import RowRuns, scored_data
from panns.studies.paper import comparable, on_audioset
from panns.studies.resampling import Resampled, Resampler, ResamplingError
from panns.studies.runs import FoundRun
from panns.studies.statistics import Interval, false_discovery, paired_interval, t_interval, welch_interval
from panns.studies.study import Study

SCORES = ("mAP", "mAUC", "d_prime", "accuracy")
DISCOVERY = 0.05


@dataclass(frozen=True)
class Against:
    """A row against the reference.

    Attributes:
        over_seeds: Difference of the means over seeds; None where both were scored on different clips.
        over_clips: By resampling the clips of the runs with common seeds; None where that cannot be done.
        why_not: What kept from one or both; empty where nothing did.
        by_folds: Each seed has clips of its own, so that `over_seeds` is of the differences seed by seed.
    """

    over_seeds: Interval | None
    over_clips: Gain | None
    why_not: str = ""
    by_folds: bool = False

    @property
    def of_common_seeds(self) -> float | None:
        """The difference that `over_clips` is of, where it is another than that over all seeds."""
        if self.over_clips is None or self.over_seeds is None:
            return None
        value = self.over_clips.mean.value
        return None if math.isclose(value, self.over_seeds.value, abs_tol=1e-6) else value

    @cached_property
    def changed(self) -> NDArray[np.bool_]:
        """(K,) classes whose AP differs, 5 % of them expected to be false discoveries."""
        assert self.over_clips is not None
        return false_discovery(self.over_clips.p) <= DISCOVERY


@dataclass(frozen=True)
class RowOutcome:
    """What one row came to.

    Attributes:
        row_runs: Its runs.
        scores: Means over seeds by the name of the score; empty where there is nothing to average.
        paper: The published row that it repeats.
        comparable: Whether it was scored on the data of that row.
        against: The comparison with the reference; None for the reference and where one of both has no mean.
    """

    row_runs: RowRuns
    scores: Mapping[str, Interval]
    paper: Entry | None
    comparable: bool
    against: Against | None

    @property
    def label(self) -> str:
        """The row's name."""
        return self.row_runs.row.label

    def cost(self, what: str) -> float | None:
        """What "model" of metrics.json says of its runs: parameters, macs or multi_adds."""
        known = [run.results["model"][what] for run in self.row_runs.finished if what in run.results.get("model", {})]
        return known[0] if known else None


@dataclass(frozen=True)
class Outcome:
    """A whole study.

    Attributes:
        study: What was asked.
        metric: The score that rows are compared by: "mAP" or "accuracy".
        rows: In the order of the study.
    """

    study: Study
    metric: str
    rows: tuple[RowOutcome, ...]

    @property
    def averaged(self) -> list[RowOutcome]:
        """Rows that have a mean."""
        return [row for row in self.rows if self.metric in row.scores]

    @property
    def compared(self) -> list[tuple[RowOutcome, Against]]:
        """Rows that are compared with the reference."""
        return [(row, row.against) for row in self.rows if row.against is not None]

    @property
    def finished(self) -> list[FoundRun]:
        """All finished runs."""
        return [run for row in self.rows for run in row.row_runs.finished]

    @property
    def audioset(self) -> bool:
        """Whether all finished runs were scored on AudioSet's evaluation set."""
        return bool(self.finished) and all(
            on_audioset(run, row.row_runs.cfg) for row in self.rows for run in row.row_runs.finished
        )


def conclude(
    study: Study,
    gathered: Sequence[RowRuns],
    resamples: int = RESAMPLES,
    tell: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Average and compare.

    Args:
        study: What was asked.
        gathered: Its rows.
        resamples: Of the clips.
        tell: Is called with a line for each run whose clips are resampled.

    Raises:
        NotPublishedError: a row names one that the paper does not have.
    """
    objective = OmegaConf.to_container(gathered[0].cfg, resolve=False)["objective"]  # type: ignore[index,call-overload]
    metric = "accuracy" if str(objective).endswith("accuracy") else "mAP"
    reference = next((one for one in gathered if one.row.label == study.reference), None)
    resampler = Resampler(metric, resamples, tell)
    return Outcome(study, metric, tuple(_row_outcome(one, reference, metric, resampler) for one in gathered))


def _row_outcome(one: RowRuns, reference: RowRuns | None, metric: str, resampler: Resampler) -> RowOutcome:
    paper = entry(one.row.paper) if one.row.paper else None
    fits = paper is not None and bool(one.averaged) and all(comparable(run, one.cfg, paper) for run in one.averaged)
    against = None
    if reference is not None and one is not reference and one.averaged and reference.averaged:
        against = _compare(one.averaged, reference.averaged, metric, resampler)
    return RowOutcome(one, _means(one.averaged), paper, fits, against)


def _means(runs: Sequence[FoundRun]) -> dict[str, Interval]:
    """Over all seeds; a score that one of the runs lacks has none."""
    means = {}
    for name in SCORES:
        values = [run.score(name) for run in runs]
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            means[name] = t_interval(known)
    return means


def _compare(row: Sequence[FoundRun], reference: Sequence[FoundRun], metric: str, resampler: Resampler) -> Against:
    if len({_clips(run) for run in (*row, *reference)}) > 1:
        return _compare_by_folds(row, reference, metric)
    scores = [[value for run in runs if (value := run.score(metric)) is not None] for runs in (row, reference)]
    over_seeds = welch_interval(*scores) if all(scores) else None
    common = sorted({run.seed for run in row} & {run.seed for run in reference})
    if not common:
        return Against(over_seeds, None, "no seed has a run of both rows")
    try:
        mine, theirs = ([resampler(run) for run in runs if run.seed in common] for runs in (row, reference))
        _check_same_clips([*mine, *theirs])
    except ResamplingError as error:
        return Against(over_seeds, None, str(error))
    return Against(over_seeds, gain([one.scores for one in mine], [one.scores for one in theirs], mine[0].positives))


def _compare_by_folds(row: Sequence[FoundRun], reference: Sequence[FoundRun], metric: str) -> Against:
    """Where not all runs have the same clips: pairs of runs of a seed, which have to have the same."""
    theirs = {run.seed: run for run in reference}
    pairs = [(run, theirs[run.seed]) for run in row if run.seed in theirs]
    if not pairs or any(_clips(mine) != _clips(other) for mine, other in pairs):
        return Against(None, None, "the runs were scored on different clips")
    scores = [(mine.score(metric), other.score(metric)) for mine, other in pairs]
    differences = [mine - other for mine, other in scores if mine is not None and other is not None]
    return Against(paired_interval(differences) if differences else None, None, by_folds=True)


def _clips(run: FoundRun) -> str | None:
    return scored_data(run).get("id_hash")


def _check_same_clips(resampled: Sequence[Resampled]) -> None:
    if len({one.clips_hash for one in resampled}) > 1:
        raise ResamplingError("the kept scores are of different clips")
