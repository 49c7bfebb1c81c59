"""The trials of a search as a table and a picture."""

import csv
from pathlib import Path

import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState

from panns.whole_files import written_whole

TRIALS, PICTURE = "trials.csv", "trials.png"


def write_trials(study: optuna.Study, folder: Path, objective: str) -> None:
    """Writes trials.csv, one line a trial, and trials.png: the scores in the order of the trials and over each value.

    Args:
        study: The search.
        folder: Where they go.
        objective: Name of the score.
    """
    trials = study.get_trials(deepcopy=False)
    keys = list(dict.fromkeys(key for trial in trials for key in trial.params))
    with written_whole(folder / TRIALS, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", objective, "steps", *keys])
        for trial in trials:
            score = trial.value if trial.state == TrialState.COMPLETE else None
            steps = max(trial.intermediate_values, default=0)
            values = [trial.params.get(key) for key in keys]
            writer.writerow([trial.number, trial.state.name.lower(), score, steps, *values])
    if scored := [trial for trial in trials if trial.state == TrialState.COMPLETE]:
        numbers, scores = [trial.number for trial in scored], np.array([trial.value for trial in scored])
        figure = Figure(figsize=(3.2 * (1 + len(keys)), 3.2), layout="constrained")
        history, *slices = np.atleast_1d(figure.subplots(1, 1 + len(keys), sharey=True))
        best = np.maximum if study.direction == optuna.study.StudyDirection.MAXIMIZE else np.minimum
        history.plot(numbers, scores, "o", numbers, best.accumulate(scores), "-")
        history.set(xlabel="trial", ylabel=objective)
        for key, axes in zip(keys, slices, strict=True):
            _slice(axes, key, [trial.params[key] for trial in scored], scores, scored[0].distributions[key])

        figure.savefig(folder / PICTURE, dpi=120)


def _slice(axes: Axes, key: str, values: list, scores: np.ndarray, distribution: object) -> None:
    """The scores over what one key was."""
    axes.plot(values, scores, "o")
    axes.set_xlabel(key)
    if isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log:
        axes.set_xscale("log")
