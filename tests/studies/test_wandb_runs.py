"""Runs of a W&B project, from objects that have what `wandb.Api()` hands out."""

from types import SimpleNamespace

import numpy as np
import pytest
import wandb

from panns.studies.runs import FAILED, FINISHED, UNFINISHED, RunsError
from panns.studies.wandb_runs import read_project, wandb_runs

CONFIG = {"seed": 3, "data": {"batch_size": 32}}
RESULTS = {"val/mAP": 0.4, "step": 80}


def run(name, state="finished", config=CONFIG, **summary):
    def scan_history(keys):
        step, metric = keys
        assert metric in summary
        return [{step: n, metric: value} for n, value in ((40, 0.1), (80, 0.3), (40, 0.2))]

    url = f"https://wandb.ai/me/panns/runs/{name}"
    return SimpleNamespace(
        id=name, url=url, state=state, config=config, summary_metrics=summary, scan_history=scan_history
    )


def project(*runs):
    return SimpleNamespace(runs=lambda name: runs if name == "me/panns" else None)


def test_finished_running_and_failed_runs():
    made = [run("a", **{"results": RESULTS, "val/mAP": 0.3, "train/loss": 1}), run("b", "crashed"), run("c", "failed")]
    found, unread = read_project(project(*made), "me/panns")
    assert [one.status for one in found] == [FINISHED, UNFINISHED, FAILED]
    assert unread == []
    first = found[0]
    assert (first.name, first.seed, first.batch_size) == ("a", 3, 32)
    assert first.place == "https://wandb.ai/me/panns/runs/a"
    assert first.score("mAP") == 0.4
    assert first.folder is first.scores_file is None
    assert first.class_ap() == {}
    assert list(first.history()) == ["val/mAP"]
    steps, values = first.history()["val/mAP"]
    np.testing.assert_array_equal(steps, [40, 80])
    np.testing.assert_array_equal(values, [0.2, 0.3])  # of a step logged twice the later one


def test_what_is_no_run_of_ours_is_told():
    found, unread = read_project(project(run("a", config={"lr": 1}), run("b")), "me/panns")
    assert [one.name for one in found] == ["b"]
    assert found[0].status == UNFINISHED
    assert "runs/a is no run of train.py" in unread[0]
    assert "runs/b is finished and has no `results`" in unread[1]


@pytest.mark.parametrize(
    ("config", "results", "wrong"),
    [
        (CONFIG | {"data": "demo"}, RESULTS, "no data.batch_size"),
        (CONFIG | {"seed": "three"}, RESULTS, "no seed"),
        (CONFIG, ["val/mAP", 0.4], "it holds no scores"),
        (CONFIG, RESULTS | {"val/mAP": "high"}, "val/mAP is 'high', no number"),
        (CONFIG, RESULTS | {"fingerprint": {"train": 3}}, "fingerprint.train is 3"),
    ],
)
def test_odd_values_are_told_and_the_other_runs_read(config, results, wrong):
    made = [run("a", config=config, results=results), run("b", results=RESULTS)]
    found, unread = read_project(project(*made), "me/panns")
    assert [one.name for one in found] == ["b"]
    assert len(unread) == 1
    assert "runs/a " in unread[0]
    assert wrong in unread[0]


def test_a_refusal_of_wandb_is_one_line(monkeypatch):
    def refuse():
        raise wandb.errors.UsageError("no key")

    monkeypatch.setattr(wandb, "Api", refuse)
    with pytest.raises(RunsError, match=r"does not hand out me/panns \(no key\): log in with `wandb login`"):
        wandb_runs("me/panns")
