"""A run as a trial of a search."""

import optuna
import pytest
from train import train

from panns.training.errors import Pruned
from panns.training.pruning import PRUNED_AT, open_search
from runs import small

TRIAL = ("hparams_search=optuna", "hparams_search.trial=1", "hparams_search.pruner.n_startup_trials=1")


def start(tones, tmp_path, others_score):
    """A run as trial 1, after a trial 0 that scored as said at each of its validations."""
    study = open_search(tmp_path / "journal.log")
    other = study.ask()
    for step in (4, 8, 12):
        other.report(others_score, step)
    study.tell(other, others_score)
    study.ask()
    run = tmp_path / "run"
    return study, run, small(tones, run, *TRIAL, f"hparams_search.journal={tmp_path / 'journal.log'}")


def test_a_run_that_falls_behind_ends_with_its_checkpoint(tones, tmp_path):
    study, run, cfg = start(tones, tmp_path, 2.0)
    with pytest.raises(Pruned, match="at step 4 val/mAP is behind"):
        train(cfg)
    trial = study.get_trials()[1]
    assert list(trial.intermediate_values) == [4]
    assert trial.user_attrs == {PRUNED_AT: 4}
    assert trial.state == optuna.trial.TrialState.RUNNING  # the search tells it
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert not (run / "metrics.json").exists()

    cfg.hparams_search.journal = None  # the same run on its own goes on from there
    assert 0 <= train(cfg) <= 1
    assert list(study.get_trials()[1].intermediate_values) == [4]


def test_a_run_that_keeps_up_reports_and_ends_as_any_other(tones, tmp_path):
    study, run, cfg = start(tones, tmp_path, -1.0)
    score = train(cfg)
    values = study.get_trials()[1].intermediate_values
    assert list(values) == [4, 8, 12]
    assert max(values.values()) == pytest.approx(score, abs=1e-6)
    assert (run / "metrics.json").is_file()
