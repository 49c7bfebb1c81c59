"""The trials of a search as a table and a picture."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from panns.drawing import BLUE, ORANGE, clean, save
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
        _draw(scored, keys, objective, folder / PICTURE)


def _draw(scored: Sequence[FrozenTrial], keys: Sequence[str], objective: str, path: Path) -> None:
    """The scores in the order of the trials, the best so far as a line, and over what each key was."""
    numbers, scores = [trial.number for trial in scored], np.array([trial.value for trial in scored])
    figure = Figure(figsize=(3.2 * (1 + len(keys)), 3.2), layout="constrained")
    history, *over_keys = figure.subplots(1, 1 + len(keys), sharey=True)
    history.plot(numbers, np.maximum.accumulate(scores), color=ORANGE, drawstyle="steps-post")
    history.plot(numbers, scores, "o", color=BLUE)
    history.set(xlabel="trial", ylabel=objective)
    for key, ax in zip(keys, over_keys, strict=True):
        ax.plot([trial.params[key] for trial in scored], scores, "o", color=BLUE)
        ax.set_xlabel(key)
        if getattr(scored[0].distributions[key], "log", False):
            ax.set_xscale("log")
    for ax in (history, *over_keys):
        clean(ax)
    save(figure, path)
