"""Runs as they are found in a folder."""

import json

import numpy as np
import pytest
from train import train

from panns.studies.runs import FAILED, FINISHED, UNFINISHED, RunsError, find_runs, read_run
from runs import small
from studies.made import made_run, scored


@pytest.fixture(scope="module")
def jobs(made):
    return made.study.jobs()


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
    (folder / "error.txt").write_text("epoch 1\ntrain.py: No store.\n    panns pack\nTo try without: data=demo.\n")
    assert read_run(folder).error == "train.py: No store."


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


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("metrics.json", "[1]", "it holds no scores"),
        ("metrics.json", "[]", "it holds no scores"),
        ("metrics.json", "{}", "it holds no scores"),
        ("metrics.json", '{"val/mAP": NaN}', "val/mAP is nan, no number"),
        ("metrics.json", '{"val/mAP": null}', "val/mAP is None, no number"),
        ("metrics.json", '{"val/mAP": 0.4, "step": "x"}', "step is 'x', no number"),
        ("metrics.json", '{"val/mAP": 0.4, "damaged_clips": 3}', "damaged_clips is 3, no group"),
        ("metrics.json", '{"val/mAP": 0.4, "fingerprint": "x"}', "fingerprint is 'x', no group"),
        ("metrics.json", '{"val/mAP": 0.4, "fingerprint": {"train": 1}}', "fingerprint.train is 1, no group"),
        ("metrics.json", '{"val/mAP": 0.4, "fingerprint": {"train": {"clips": []}}}', "fingerprint.train is"),
        ("metrics.json", '{"val/mAP": 0.4, "model": {"parameters": "many"}}', "model.parameters is 'many'"),
        (".hydra/config.yaml", "seed: abc\ndata: {batch_size: 4}\n", "no configuration of train.py"),
        (".hydra/config.yaml", "seed: 1\ndata: {}\n", "no configuration of train.py"),
        (".hydra/config.yaml", "seed: 1\ndata: {batch_size: 4}\ntrainer: gpu\n", "no configuration of train.py"),
        (".hydra/config.yaml", "seed: ${none}\ndata: {batch_size: 4}\n", "no configuration of a run"),
        (".hydra/config.yaml", b"\xff\xfe\x00", "no configuration of a run"),
    ],
)
def test_a_file_of_another_form_is_named_with_what_to_do_and_the_others_are_read(jobs, tmp_path, name, content, says):
    good, odd = (made_run(tmp_path, job.cfg, *scored(np.random.default_rng(0))) for job in jobs[:2])
    (odd / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    runs, (line,) = find_runs(tmp_path)
    assert [run.folder for run in runs] == [good]
    assert line.startswith(str(odd / name))
    assert says in line
    assert "remove it and start the run again" in line or "take its folder out" in line or "remove the run" in line


def test_a_run_whose_curves_or_classes_cannot_be_read_is_there_without_them(made, tmp_path):
    job = made.study.jobs()[0]
    folder = made_run(tmp_path, job.cfg, *scored(np.random.default_rng(0)))
    score = read_run(folder).score("mAP")
    (folder / "history.csv").write_bytes(b"\x80\xff\x00")
    (folder / "per_class.csv").write_text("name,score\nSpeech,0.5\n")
    (run,), (history, classes) = find_runs(tmp_path)
    assert (run.score("mAP"), run.history(), run.class_ap()) == (score, {}, {})
    assert history.startswith(f"{folder / 'history.csv'} cannot be read (")
    assert (
        classes
        == f"{folder / 'per_class.csv'} cannot be read (no column 'class'); remove it, and the report does without."
    )
    (folder / "history.csv").write_text("step,name,value\n40,val/mAP\n")  # cut off
    assert len(find_runs(tmp_path)[1]) == 2
