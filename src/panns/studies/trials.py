"""The trials of a search as a table and a picture."""

import csv
from collections.abc import Sequence
from pathlib import Path

import optuna
from matplotlib.figure import Figure
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from panns.drawing import BLUE, ORANGE, clean, save
from panns.whole_files import written_whole

TRIALS, PICTURE = "trials.csv", "trials.png"
MARKS = {TrialState.COMPLETE: ("finished", "o", BLUE), TrialState.PRUNED: ("pruned", "x", ORANGE)}


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
            values = [trial.params.get(key) for key in keys]
            writer.writerow([trial.number, trial.state.name.lower(), score, last_step(trial), *values])
    shown = [trial for trial in trials if trial.state in MARKS]
    if shown:
        _draw(shown, keys, objective, folder / PICTURE)


def _draw(trials: Sequence[FrozenTrial], keys: Sequence[str], objective: str, path: Path) -> None:
    """The scores in the order of the trials, and over what each key was; of pruned ones, the last score they had."""
    scores = {t.number: t.value if t.value is not None else t.intermediate_values[last_step(t)] for t in trials}
    figure = Figure(figsize=(3.2 * (1 + len(keys)), 3.2), layout="constrained")
    history, *over_keys = figure.subplots(1, 1 + len(keys), sharey=True)
    for state, (label, mark, colour) in MARKS.items():
        of_state = [trial for trial in trials if trial.state == state]
        values, numbers = [scores[trial.number] for trial in of_state], [trial.number for trial in of_state]
        history.plot(numbers, values, mark, color=colour, label=label)
        for key, ax in zip(keys, over_keys, strict=True):
            places = [trial.distributions[key].to_internal_repr(trial.params[key]) for trial in of_state]
            ax.plot(places, values, mark, color=colour)
    history.set(xlabel="trial", ylabel=objective)
    history.xaxis.get_major_locator().set_params(integer=True)
    history.legend(frameon=False)
    for key, ax in zip(keys, over_keys, strict=True):
        ax.set_xlabel(key)
        distribution = trials[0].distributions[key]
        if isinstance(distribution, CategoricalDistribution):
            ax.set_xticks(range(len(distribution.choices)), [str(choice) for choice in distribution.choices])
        if getattr(distribution, "log", False):
            ax.set_xscale("log")
    for ax in (history, *over_keys):
        clean(ax)
    save(figure, path)


def last_step(trial: FrozenTrial) -> int:
    """The last optimizer step that a trial has a score of, 0 without one."""
    return max(trial.intermediate_values, default=0)
