"""A search for the best values: Optuna chooses those of each next run, and ends runs that fall behind."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from panns.studies.jobs import ROW, SWEEP, SweepJob, compose_jobs
from panns.studies.launching import JobError
from panns.studies.runs import ERROR, cause
from panns.studies.space import as_label, as_words, split
from panns.studies.study import StudyError, quoted
from panns.studies.sweep import finished_at, keep_error, results_of
from panns.studies.trials import PICTURE, TRIALS, write_trials
from panns.training.pruning import PRUNED_AT, open_search
from panns.training.run import config_hash, objective_of

JOURNAL = "journal.log"
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
SAME = "same as"  # attribute of a trial that was left out: the number of the one that is that run
MOST_SAME = 10  # trials of one batch that are left out so, before the batch stays smaller


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        config: Of the search as a whole.
        folder: Where its trials are kept.
        fixed: The overrides that all its runs share.
        space: Key -> what it may be.
        loader: Hydra's.
    """

    config: DictConfig
    folder: Path
    fixed: tuple[str, ...]
    space: dict[str, BaseDistribution]
    loader: ConfigLoader

    @classmethod
    def of(cls, config: DictConfig, given: Sequence[str], loader: ConfigLoader) -> "Search":
        """From Hydra's configuration of a multirun and the overrides of its command line.

        Ends the program with one line where nothing is swept, or something that cannot be searched.
        """
        try:
            fixed, space = split(config, given, loader)
        except StudyError as error:
            sys.exit(f"train.py: {error}")
        row = [word for word in fixed if word not in given]  # of a study, which the configuration does not know
        which = json.dumps([config_hash(config), *row, *map(repr, sorted(space.items()))])
        name = f"{config.name}-search-{hashlib.sha256(which.encode()).hexdigest()[:8]}"
        return cls(config, Path(config.hydra.sweep.dir) / name, tuple(fixed), space, loader)

    def job(self, trial: FrozenTrial) -> SweepJob:
        """The run that a trial is."""
        words, label = as_words(trial.params), as_label(trial.params)
        journal = quoted(str(self.folder / JOURNAL))
        of_trial = [f"hparams_search.trial={trial.number}", f"hparams_search.journal={journal}"]
        told = [f"{SWEEP}={quoted('search of ' + ' '.join(self.space))}", f"{ROW}={quoted(label)}"]
        (job,) = compose_jobs(self.config, [([*self.fixed, *words, *told, *of_trial], label)], self.loader)
        return job


def run_search(search: Search, launcher: Launcher, at_once: int) -> list[dict[str, Any]]:
    """Runs trials until there are as many as asked for, those of former starts among them.

    Args:
        search: What to search.
        launcher: That runs them.
        at_once: How many it gets at a time.

    Returns:
        The content of metrics.json of the best one.

    Raises:
        SystemExit: another process runs the same search, it was told to stop, no trial came to an end, or it gave up
            since as many trials in a row failed as are wanted.
    """
    wanted = search.config.hparams_search.n_trials
    with _alone(search):
        study = open_search(search.folder / JOURNAL)
        print(f"Search: {_counts(study)}, {wanted} wanted.", flush=True)
        stopped = _run_trials(search, study, launcher, at_once)
        print(f"Search: {_counts(study)}; {search.folder / TRIALS}", flush=True)
    if stopped:
        sys.exit("The same command goes on.")
    if not study.get_trials(states=(TrialState.COMPLETE,)):
        sys.exit("train.py: no trial came to an end. The same command tries others.")
    best = search.job(study.best_trial)
    print(f"Best: {search.config.objective} {study.best_value:.4f} with {best.label}; {best.folder}", flush=True)
    if (ended := len(study.get_trials(states=ENDED))) < wanted:
        sys.exit(
            f"train.py: {wanted} trials in a row failed, so the search has {ended} of the {wanted} wanted; "
            "the error.txt in their folders says why. The same command tries others."
        )
    return [results_of(best)]


def _run_trials(search: Search, study: optuna.Study, launcher: Launcher, at_once: int) -> bool:
    """Runs what former starts left unfinished, then new trials, also in place of those that fail.

    Gives up after as many failures in a row as trials are wanted.

    Returns:
        Whether it was told to stop.
    """
    wanted, failures = search.config.hparams_search.n_trials, 0
    waiting = _left_unfinished(search, study)
    while failures < wanted:
        left = wanted - len(study.get_trials(deepcopy=False, states=ENDED))
        if not waiting and left <= 0:
            break
        jobs = _next_jobs(search, study, waiting, min(at_once, max(left, len(waiting))))
        stopped = _run_batch(search, study, jobs, launcher)
        write_trials(study, search.folder, search.config.objective)
        if stopped:
            return True
        trials = study.get_trials(deepcopy=False)
        failures = failures + len(jobs) if all(trials[number].state == TrialState.FAIL for number in jobs) else 0
    return False


def _left_unfinished(search: Search, study: optuna.Study) -> list[FrozenTrial]:
    """The trials that former starts began; those that were killed while their values were drawn have failed."""
    begun = study.get_trials(states=(TrialState.RUNNING,))
    whole = [trial for trial in begun if trial.params.keys() == search.space.keys()]
    for trial in begun:
        if trial not in whole:
            study.tell(trial.number, state=TrialState.FAIL)
    return whole


def _next_jobs(search: Search, study: optuna.Study, waiting: list[FrozenTrial], count: int) -> dict[int, SweepJob]:
    """The runs of the next trials by their numbers: those of `waiting`, which are taken from it, and new ones.

    They are fewer than `count` where the values drawn are time and again those of another one that is still to run.
    """
    jobs: dict[int, SweepJob] = {}
    left_out = 0
    while len(jobs) < count and left_out < MOST_SAME:
        trial = waiting.pop(0) if waiting else _ask(search, study)
        job = search.job(trial)
        same = [n for n, other in jobs.items() if other.folder == job.folder and _to_run(search, study, n, other)]
        if same:  # two processes cannot work in one folder
            optuna.trial.Trial(study, trial._trial_id).set_user_attr(SAME, same[0])
            study.tell(trial.number, state=TrialState.FAIL)
            left_out += 1
            print(f"Trial {trial.number}: left out, the same as trial {same[0]}: {job.label}", flush=True)
        else:
            jobs[trial.number] = job
    return jobs


def _ask(search: Search, study: optuna.Study) -> FrozenTrial:
    """A new trial. Its values follow from the seed, its number and the trials before, whatever stopped in between."""
    number = len(study.get_trials(deepcopy=False))
    study.sampler = instantiate(search.config.hparams_search.sampler)(seed=search.config.seed + number)
    study.ask(search.space)
    return study.get_trials()[number]


def _to_run(search: Search, study: optuna.Study, number: int, job: SweepJob) -> bool:
    """Whether a trial has a run before it that is not finished yet."""
    return (search.config.resume == "never" or finished_at(job) is None) and not _pruned(study, number)


def _run_batch(search: Search, study: optuna.Study, jobs: Mapping[int, SweepJob], launcher: Launcher) -> bool:
    """Has trials run and tells the study what came of them; returns whether some were told to stop."""
    before = {number: finished_at(job) for number, job in jobs.items()}
    todo = [number for number, job in jobs.items() if _to_run(search, study, number, job)]
    for number in todo:
        (jobs[number].folder / ERROR).unlink(missing_ok=True)
    returned = launcher.launch([list(jobs[n].overrides) for n in todo], initial_job_idx=todo[0]) if todo else []
    outcomes = dict(zip(todo, returned, strict=True))
    for number, job in jobs.items():
        finished = finished_at(job) not in (None, before[number] if number in todo else None)
        _tell(study, number, job, finished, outcomes.get(number), search.config.objective)
    return any(outcome.status == JobStatus.UNKNOWN for outcome in returned)


def _tell(
    study: optuna.Study, number: int, job: SweepJob, finished: bool, outcome: JobReturn | None, objective: str
) -> None:
    """Tells the study and the user what came of a trial; nothing of one that was stopped, which goes on later."""
    if finished:
        value = objective_of(results_of(job), objective)
        if value is None:
            study.tell(number, state=TrialState.FAIL)
            print(f"Trial {number}: failed: {job.label}: its run has no {objective}: {job.folder}", flush=True)
            return
        study.tell(number, value)
        best = ", the best so far" if study.best_trial.number == number else ""
        print(f"Trial {number}: {objective} {value:.4f}{best}: {job.label}", flush=True)
    elif _pruned(study, number):
        study.tell(number, state=TrialState.PRUNED)
        at = study.get_trials(deepcopy=False)[number].user_attrs[PRUNED_AT]
        print(f"Trial {number}: pruned at step {at}: {job.label}", flush=True)
    elif outcome is not None and outcome.status != JobStatus.UNKNOWN:
        why = outcome._return_value if outcome.status == JobStatus.FAILED else JobError("ended without results")
        keep_error(job, why)
        study.tell(number, state=TrialState.FAIL)
        path = job.folder / ERROR
        print(f"Trial {number}: failed: {job.label}: {cause(path)}\n          {path}", flush=True)


def _pruned(study: optuna.Study, number: int) -> bool:
    """Whether the run of a trial has ended since it fell behind."""
    return PRUNED_AT in study.get_trials(deepcopy=False)[number].user_attrs


def _counts(study: optuna.Study) -> str:
    """How many trials there are, for messages."""
    states = [trial.state for trial in study.get_trials(deepcopy=False) if SAME not in trial.user_attrs]
    named = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    half_done = states.count(TrialState.RUNNING)
    counts = ", ".join(f"{states.count(state)} {name}" for name, state in named.items())
    return f"{counts}, {half_done} half done" if half_done else counts


@contextmanager
def _alone(search: Search) -> Iterator[None]:
    """Holds the folder of the search, and moves what lies there aside where all is to start anew."""
    search.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(search.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        sys.exit(f"train.py: another process runs this search, in {search.folder}.")
    try:
        if search.config.resume == "never" and (search.folder / JOURNAL).exists():
            old = search.folder / f"before-{datetime.now():%Y-%m-%d_%H-%M-%S}"
            old.mkdir()
            for name in (JOURNAL, TRIALS, PICTURE):
                if (search.folder / name).exists():
                    (search.folder / name).rename(old / name)
        yield
    finally:
        lock.release()
