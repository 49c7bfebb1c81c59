"""The picture of a search's trials."""

import logging

import matplotlib.figure
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution

from panns.studies.trials import write_trials


def test_choices_stand_in_their_order_and_matplotlib_says_nothing_of_them(tmp_path, monkeypatch, caplog):
    drawn = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))
    )
    study = optuna.create_study(direction="maximize")
    space = {"batch": CategoricalDistribution(["16", "32", "64"]), "lr": FloatDistribution(1e-4, 1e-1, log=True)}
    for score, batch in ((0.1, "64"), (0.3, "16")):
        trial = optuna.trial.create_trial(params={"batch": batch, "lr": 1e-3}, distributions=space, value=score)
        study.add_trial(trial)
    with caplog.at_level(logging.INFO):  # as Hydra sets it
        write_trials(study, tmp_path, "val/mAP")
    assert "categorical" not in caplog.text
    _, batch, lr = drawn[0].axes
    assert [tuple(point) for line in batch.lines for point in line.get_xydata()] == [(2, 0.1), (0, 0.3)]
    assert [label.get_text() for label in batch.get_xticklabels()] == ["16", "32", "64"]
    assert lr.get_xscale() == "log"
