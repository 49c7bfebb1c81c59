"""A sweep from start to end: skips what is finished, has the rest trained, and says what came of each job."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from panns.studies.jobs import SweepJob, compose_jobs, sweep_words
from panns.studies.runs import CONFIG, ERROR, cause
from panns.studies.study import Study, StudyError, parse_study
from panns.studies.summary import summarise
from panns.training.run import RESULTS, RunError, read_results
from panns.training.start import check_same_start, start_now
from panns.weights.files import CheckpointError
from panns.whole_files import written_whole


@dataclass(frozen=True)
class Sweep:
    """What is to be trained.

    Attributes:
        config: Of the sweep as a whole.
        study: That it is of; None where only lists of the command line are swept.
        jobs: All of them, finished ones too.
        given: Overrides of the command line.
        doubles: Combinations beyond the jobs, each the same run as one of them.
    """

    config: DictConfig
    study: Study | None
    jobs: list[SweepJob]
    given: tuple[str, ...] = ()
    doubles: int = 0

    @classmethod
    def of(cls, config: DictConfig, given: Sequence[str], loader: ConfigLoader) -> "Sweep":
        """From Hydra's configuration of a multirun and the overrides of its command line.

        Ends the program with one line where the study or a row is not there.
        """
        try:
            study = parse_study(config.hydra.runtime.choices.get("experiment") or "", config)
            words = sweep_words(study, given, loader)
            jobs = compose_jobs(config, words, loader)
            if study is None and any("study" in job.cfg for job in jobs):
                raise StudyError("Studies are started one by one: python train.py -m experiment=NAME.")
            return cls(config, study, jobs, tuple(given), len(words) - len(jobs))
        except StudyError as error:
            sys.exit(f"train.py: {error}")

    @property
    def name(self) -> str:
        """For messages."""
        return self.study.name if self.study else str(self.config.name)

    def unfinished(self) -> list[SweepJob]:
        """The jobs that have no results yet, or such of other weights; all of them where all are to start anew.

        Ends the program with one line where results cannot be read, before hours go into the other jobs.
        """
        if self.config.resume == "never":
            return self.jobs
        now = cache(start_now)
        return [job for job in self.jobs if not finished_at(job) or started_apart(job, now)]


def run_sweep(sweep: Sweep, launcher: Launcher, at_once: int | None) -> list[dict[str, Any]]:
    """Has every job trained that is not finished.

    Args:
        sweep: What to train.
        launcher: That does it.
        at_once: Jobs that it gets at a time; None: all.

    Returns:
        The content of metrics.json of each job.

    Raises:
        SystemExit: not every job is finished; the message says that the same command goes on.
    """
    todo = {job: finished_at(job) for job in sweep.unfinished()}
    print(f"{sweep.name}: {len(sweep.jobs)} jobs, {len(sweep.jobs) - len(todo)} of them finished before.", flush=True)
    if sweep.doubles:
        print(f"  {sweep.doubles} more combinations differ from one of these in nothing that decides its result.")
    for job in sweep.jobs:
        (job.folder / ERROR).unlink(missing_ok=True)
    try:
        for first in range(0, len(todo), at_once or len(todo) or 1):
            batch = list(todo)[first : first + (at_once or len(todo))]
            returned = launcher.launch([list(job.overrides) for job in batch], initial_job_idx=first)
            for job, outcome in zip(batch, returned, strict=True):
                if outcome.status == JobStatus.FAILED and finished_at(job) in (None, todo[job]):
                    keep_error(job, outcome._return_value)
            if any(outcome.status == JobStatus.UNKNOWN for outcome in returned):
                break  # told to stop
    finally:
        missing = [job for job, before in todo.items() if finished_at(job) in (None, before)]
        tell(sweep, missing, len(todo) - len(missing))
    if missing:
        sys.exit(1)
    summarise(sweep.name, sweep.config, sweep.jobs, sweep.study, sweep.given)
    return [results_of(job) for job in sweep.jobs]


def started_apart(job: SweepJob, now: Callable[[str | None], dict[str, Any]]) -> bool:
    """Whether a finished job started from other weights than its file holds now; train.py then refuses it.

    Args:
        job: To look at.
        now: What the fingerprint of a run says that starts from a file.
    """
    try:
        check_same_start(job.folder, results_of(job).get("fingerprint", {}), now(job.cfg.checkpoint))
    except CheckpointError:
        return True
    return False


def results_of(job: SweepJob) -> dict[str, Any]:
    """Of a finished job; ends the program with one line where they cannot be read."""
    try:
        return read_results(job.folder)
    except RunError as error:
        sys.exit(f"train.py: {error}")


def tell(sweep: Sweep, missing: Sequence[SweepJob], now: int) -> None:
    """Prints what came of the jobs: how many are finished, `now` of them by this sweep, and what became of the rest."""
    failed = [job for job in missing if (job.folder / ERROR).is_file()]
    done = len(sweep.jobs) - len(missing)
    print(f"{sweep.name}: {done} of {len(sweep.jobs)} jobs are finished, {now} of them now.", flush=True)
    for job in failed:
        print(f"  failed: {job.name}: {cause(job.folder / ERROR)}\n          {job.folder / ERROR}")
    if begun := len(missing) - len(failed):
        print(f"  not finished: {begun}")
    if missing:
        print("The same command tries again what failed, goes on with what is half done, and skips what is finished.")
    sys.stdout.flush()


def finished_at(job: SweepJob) -> int | None:
    """When its results were written, ns; None where there are none."""
    path = job.folder / RESULTS
    return path.stat().st_mtime_ns if path.is_file() else None


def keep_error(job: SweepJob, error: Exception) -> None:
    """Leaves the error of a failed job in its folder, and the configuration, for those that read it later."""
    config = job.folder / CONFIG
    config.parent.mkdir(parents=True, exist_ok=True)
    if not config.is_file():
        OmegaConf.save(job.cfg, config)
    with written_whole(job.folder / ERROR) as file:
        file.write(f"{str(error).strip() or type(error).__name__}\n")
