"""Sweeps from the command line, left alone and disturbed."""

import csv
import json
import os
import random
import shutil
import signal
import time

import pytest
import torch

from panns import create_model
from panns.cli import main
from studies.sweeping import FAST, finish, jobs_of, sweep, wait_for_new_checkpoint

TIMED = {"seconds", "device"}  # columns of results.csv that no two runs share


def test_what_is_done_is_skipped_and_what_failed_is_told_and_tried_again(tones, tmp_path):
    rates = ["model.frontend.n_mels=16", "hydra.launcher.n_jobs=2"]
    code, said = finish(tmp_path, tones, *rates, "optimizer.lr=1e-3,-1", "seed=0")
    assert code == 1
    assert "1 of 2 jobs are finished, 1 of them now" in said
    assert "failed: optimizer.lr=-1, seed 0: train.py: optimizer: Invalid learning rate: -1" in said
    (error,) = (tmp_path / "runs").glob("*/error.txt")
    assert "Invalid learning rate" in error.read_text()
    (first,) = (tmp_path / "runs").glob("*/metrics.json")
    before = first.stat().st_mtime_ns

    code, said = finish(tmp_path, tones, *rates, "optimizer.lr=1e-3,2e-3", "seed=0")
    assert code == 0
    assert "2 jobs, 1 of them finished before" in said
    assert "optimizer.lr=0.002: val/mAP 0." in said
    assert first.stat().st_mtime_ns == before  # a changed number reruns only what it touches
    (summary,) = (json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*-summary-*/summary.json"))
    assert [job["value"] for job in summary["jobs"]] == [
        json.loads((tmp_path / job["folder"] / "metrics.json").read_text())["val/mAP"] for job in summary["jobs"]
    ]
    assert len(list((tmp_path / "runs" / ".jobs").glob("*.log"))) == 3

    machines = ["optimizer.lr=1e-3,2e-3", "seed=0", "data.num_threads=1,2"]
    code, said = finish(tmp_path, tones, *rates, *machines)
    assert code == 0
    assert "2 jobs, 2 of them finished before.\n  2 more combinations differ from one of these in nothing" in said
    whole = first.read_text()
    first.write_text(whole[:50])
    code, said = finish(tmp_path, tones, *rates, *machines)
    assert code == 1
    assert f"train.py: {first.relative_to(tmp_path)} cannot be read" in said
    assert "Traceback" not in said
    first.write_text(whole)

    code, said = finish(tmp_path, tones, *rates, "optimizer.lr=1e-3", "seed=0", "resume=never", "data.store=none")
    assert code == 1
    assert "0 of 1 jobs are finished, 0 of them now" in said  # the old results are none of a new start

    code, said = finish(tmp_path, tones, *rates, "seed=0,-1")
    assert code == 1
    assert said.splitlines()[-1] == "train.py: seed=-1: a seed is a whole number from 0 to 4294967295."
    code, said = finish(tmp_path, tones, *rates, "hydra.sweep.subdir=x", "seed=0,1")
    assert code == 1
    assert "train.py: Two jobs have the folder runs/x: seed 0 there, 1 here. Leave out hydra.sweep.subdir." in said
    shutil.copytree(next((tmp_path / "runs").glob("*/metrics.json")).parent, tmp_path / "runs" / "x")
    code, said = finish(tmp_path, tones, *rates, "hydra.sweep.subdir=x", "optimizer.lr=1e-3", "seed=5")
    assert code == 1
    assert "train.py: runs/x holds a run of another configuration: " in said
    assert "seed 0 there, 5 here" in said


def test_a_finished_job_that_started_from_other_weights_is_none_of_this_sweep(tones, tmp_path):
    start = tmp_path / "start.pth"
    words = ["seed=0,1", "hydra.launcher.n_jobs=2", f"checkpoint={start}", "data.max_epochs=1"]
    model = create_model("cnn10", num_classes=4, **{"backbone.depth": 2, "backbone.base_channels": 4})
    torch.save(model.state_dict(), start)
    assert finish(tmp_path, tones, *words)[0] == 0
    code, said = finish(tmp_path, tones, *words)
    assert code == 0
    assert "2 jobs, 2 of them finished before" in said
    with torch.no_grad():
        model.head.classifier.bias += 1
    torch.save(model.state_dict(), start)
    code, said = finish(tmp_path, tones, *words)
    assert code == 1
    assert "2 jobs, 0 of them finished before" in said
    assert "started from other weights than those that checkpoint= names now" in said
    assert "resume=never" in said
    assert len(list((tmp_path / "runs").glob("*/error.txt"))) == 2
    start.rename(tmp_path / "aside.pth")
    code, said = finish(tmp_path, tones, *words)
    assert code == 0
    assert "2 jobs, 2 of them finished before" in said
    assert not list((tmp_path / "runs").glob("*/error.txt"))
    (tmp_path / "aside.pth").rename(start)
    code, said = finish(tmp_path, tones, *words, "resume=never")
    assert code == 0
    code, said = finish(tmp_path, tones, *words)
    assert "2 jobs, 2 of them finished before" in said


def test_what_cannot_be_one_sweep_is_said(tones, tmp_path):
    shutil.copytree(tones, tmp_path / "other")
    code, said = finish(tmp_path, tones, f"data.store={tones},{tmp_path / 'other'}")
    assert code == 1
    assert f"data.store={tones} and data.store={tmp_path / 'other'} would be one run, " in said
    assert "with a name= of its own." in said
    code, said = finish(tmp_path, tones, "experiment=mel_bins_demo,hop_size_demo", "data=store")
    assert code == 1
    assert said.splitlines()[-1] == "train.py: Studies are started one by one: python train.py -m experiment=NAME."


@pytest.mark.slow
def test_six_jobs_killed_five_times_end_in_the_report_of_those_left_alone(tones, tmp_path, monkeypatch):
    study = ["experiment=mel_bins_demo", "data=store", "model=cnn10", "study.seeds=[0,1]", "data.max_epochs=12"]
    study += ["callbacks.last.every_n_steps=2", "model.frontend.hop_length=320", "model.backbone.dropout=0.2"]
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    for folder in (alone, killed):
        folder.mkdir()
    code, said = finish(alone, tones, *study)
    assert code == 0, said
    rng = random.Random(0)
    for turn in range(5):
        process = sweep(killed, tones, *study, f"hydra.launcher.n_jobs={1 + turn % 2}")
        wait_for_new_checkpoint(killed / "runs", process)
        time.sleep(2 * rng.random() if turn < 4 else 0)  # the last leaves one half done
        assert process.poll() is None, f"all was done before it could be killed for the {turn + 1}th time"
        for pid in [*jobs_of(process.pid), process.pid]:
            os.kill(pid, signal.SIGTERM if turn == 0 else signal.SIGKILL)
        process.wait(timeout=120)
    assert len(list((killed / "runs").glob("*/metrics.json"))) < 6
    code, said = finish(killed, tones, *study)
    assert code == 0, said
    assert said.count("going on from") >= 1
    reports = []
    for folder in (alone, killed):
        monkeypatch.chdir(folder)
        words = [
            word for word in (*FAST, f"data.store={tones}", *study) if not word.startswith(("experiment", "logger"))
        ]
        assert main(["report", "mel_bins_demo", *words, "--runs", "runs", "--out", "report"]) == 0
        with (folder / "report" / "results.csv").open() as file:
            reports.append([{k: v for k, v in row.items() if k not in TIMED} for row in csv.DictReader(file)])
    assert len(reports[0]) == 6
    assert reports[0] == reports[1]
