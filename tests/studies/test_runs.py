"""Runs as they are found in a folder."""

import json

import numpy as np
import pytest
from train import train

from panns.studies.runs import FAILED, FINISHED, UNFINISHED, RunsError, find_runs, read_run
from runs import small
from studies.made import made_run, scored


def test_a_run_of_train_py_is_known_by_its_configuration_and_has_what_a_report_reads(tones, tmp_path, capsys):
    from omegaconf import OmegaConf

    from panns.training.run import config_hash

    folder = tmp_path / "any-name"
    cfg = small(tones, folder, "data.max_epochs=1", "data.holdout=0.3")
    train(cfg)
    (folder / ".hydra").mkdir()
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")  # as Hydra does
    (run,), unread = find_runs(tmp_path)
    assert not unread
    assert (run.name, run.seed, run.status, run.batch_size) == (config_hash(cfg), 1234, FINISHED, 4)
    results = json.loads((folder / "metrics.json").read_text())
    assert run.role == "test"
    assert run.score("mAP") == results["test/mAP"] != results["val/mAP"]
    assert run.score("accuracy") is None
    assert run.scores_file == folder / "test_scores.npz"
    assert np.mean(list(run.class_ap().values())) == pytest.approx(results["test/mAP"])
    steps, values = run.history()["val/mAP"]
    assert len(steps) == len(values) == 1


def test_how_far_each_got(made, tmp_path):
    status = {(run.seed, run.status) for run in find_runs(made.runs)[0]}
    assert status == {(0, FINISHED), (1, FINISHED), (2, FINISHED), (1, UNFINISHED)}
    job = made.study.jobs()[0]
    folder = made_run(tmp_path, job.cfg, *scored(np.random.default_rng(0)), finished=False)
    assert read_run(folder).error == ""
    (folder / "error.txt").write_text("Traceback\nValueError: no disk\n")
    assert (read_run(folder).status, read_run(folder).error) == (FAILED, "ValueError: no disk")


def test_what_cannot_be_read_is_told_and_the_others_are_read(made, tmp_path):
    jobs, rng = made.study.jobs(), np.random.default_rng(0)
    good, bad, foreign, broken = (made_run(tmp_path, job.cfg, *scored(rng)) for job in jobs[:4])
    (bad / "metrics.json").write_text('{"val/mAP": 0.')
    (foreign / ".hydra" / "config.yaml").write_text("a: 1\n")
    (broken / ".hydra" / "config.yaml").write_text("a: [\n")
    (tmp_path / "summary").mkdir()
    runs, unread = find_runs(tmp_path)
    assert [run.folder for run in runs] == [good]
    assert len(unread) == 3
    for folder, says in ((bad, "cannot be read"), (foreign, "no configuration of train.py"), (broken, "of a run")):
        assert any(str(folder) in line and says in line for line in unread), unread
    with pytest.raises(RunsError, match=r"no folder .*nowhere.*--runs"):
        find_runs(tmp_path / "nowhere")
