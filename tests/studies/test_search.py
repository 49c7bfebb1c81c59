"""Searches: on a made-up score whose best is known, and on real runs that are killed."""

import csv
import json
import math
import os
import signal
import time

import optuna
import pytest
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.trial import TrialState

from panns.studies.search import JOURNAL, Search, run_search
from panns.training.pruning import PRUNED_AT, open_search
from panns.training.run import register_resolvers
from panns.zoo import config_dir
from studies.test_sweep import finish, jobs_of, sweep, wait_for_new_checkpoint

FEW = "hparams_search.sampler.n_startup_trials=2"
LR = "optimizer.lr=tag(log,interval(1e-5,1e-1))"


class Launcher:
    """Gives each run a score that is best for cnn10 at a rate of 1e-3, or another fate by the number of its trial."""

    def __init__(self, search, **fates) -> None:
        self.search, self.fates, self.numbers, self.batches = search, fates, [], []

    def launch(self, job_overrides, initial_job_idx):
        rates = [next(word for word in words if word.startswith("optimizer.lr=")) for words in job_overrides]
        self.batches.append(rates)
        return [self.run(list(words)) for words in job_overrides]

    def run(self, words):
        given = dict(word.split("=", 1) for word in words)
        number = int(given["hparams_search.trial"])
        self.numbers.append(number)
        fate = next((fate for fate, numbers in self.fates.items() if number in numbers), None)
        study = open_search(self.search.folder / JOURNAL)
        trial = study.get_trials()[number]
        if fate == "stopped":
            return JobReturn(status=JobStatus.UNKNOWN)
        if fate == "failed":
            return JobReturn(status=JobStatus.FAILED, _return_value=RuntimeError("loss is nan"))
        if fate == "pruned":
            running = optuna.trial.Trial(study, trial._trial_id)
            running.report(0.1, 40)
            running.set_user_attr(PRUNED_AT, 40)
            return JobReturn(status=JobStatus.COMPLETED, _return_value=None)
        value = 0.5 - 0.1 * abs(math.log10(float(given["optimizer.lr"])) + 3) - 0.2 * (given["model"] != "cnn10")
        folder = self.search.job(trial).folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps({} if fate == "without" else {"val/mAP": value}))
        return JobReturn(status=JobStatus.COMPLETED, _return_value=value)


@pytest.fixture
def search(tmp_path):
    """A search over the rate and two models."""

    def make(*given):
        given = ["hparams_search=optuna", LR, "model=cnn6,cnn10", *given]
        register_resolvers()
        fixed = [word for word in given if not word.startswith(("optimizer.lr=tag", "model=cnn6,"))]
        GlobalHydra.instance().clear()
        initialize_config_dir(str(config_dir().absolute()), version_base="1.3")
        cfg = compose("train", [*fixed, f"hydra.sweep.dir={tmp_path}"], return_hydra_config=True)
        OmegaConf.set_struct(cfg, False)
        cfg.hydra.runtime.output_dir = str(tmp_path)
        HydraConfig.instance().set_config(cfg)
        return Search.of(cfg, given, GlobalHydra.instance().config_loader())

    yield make
    HydraConfig.instance().cfg = None
    GlobalHydra.instance().clear()


def test_it_nears_the_best_and_goes_on_where_it_stood(search, tmp_path, capsys):
    first = search("hparams_search.n_trials=8")
    (best,) = run_search(first, Launcher(first), 2)
    more = search("hparams_search.n_trials=16")
    assert more.folder == first.folder  # the number of trials is not what it is
    launcher = Launcher(more)
    (best,) = run_search(more, launcher, 2)
    assert launcher.numbers == list(range(8, 16))
    assert best["val/mAP"] > 0.45  # within a factor of 3 of the best rate
    said = capsys.readouterr().out
    assert "8 finished, 0 pruned, 0 failed, 16 wanted" in said
    assert f"Best: val/mAP {best['val/mAP']:.4f} with optimizer.lr=" in said
    with (more.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == [str(number) for number in range(16)]
    assert max(float(row["val/mAP"]) for row in rows) == best["val/mAP"]
    assert (more.folder / "trials.png").stat().st_size > 1000


def test_stopped_ones_go_on_failed_ones_are_replaced_and_pruned_ones_count(search, capsys):
    first = search("hparams_search.n_trials=5")
    with pytest.raises(SystemExit, match="The same command goes on"):
        run_search(first, Launcher(first, failed=[0], pruned=[1], stopped=[3]), 1)
    values = open_search(first.folder / JOURNAL).get_trials()[3].params
    said = capsys.readouterr().out
    assert "Trial 0: failed: optimizer.lr=" in said
    assert ": loss is nan\n" in said
    assert "Trial 1: pruned at step 40" in said
    assert "1 finished, 1 pruned, 1 failed, 1 half done" in said
    error = next(first.folder.parent.glob("*/error.txt"))
    assert error.read_text() == "loss is nan\n"

    again = search("hparams_search.n_trials=5")
    launcher = Launcher(again)
    run_search(again, launcher, 1)
    assert launcher.numbers == [3, 4, 5]
    trials = open_search(again.folder / JOURNAL).get_trials()
    assert trials[3].params == values
    assert [trial.state for trial in trials] == [
        TrialState.FAIL,
        TrialState.PRUNED,
        *[TrialState.COMPLETE] * 4,
    ]


@pytest.mark.parametrize("at_once", [1, 3])
def test_failed_ones_are_replaced_within_the_same_start(search, capsys, at_once):
    made = search("hparams_search.n_trials=4")
    launcher = Launcher(made, failed=[0, 2, 3])
    run_search(made, launcher, at_once)
    assert launcher.numbers == list(range(7))
    assert "Search: 4 finished, 0 pruned, 3 failed; " in capsys.readouterr().out


def test_a_run_without_the_score_is_a_failed_trial(search, capsys):
    searched = search("hparams_search.n_trials=3")
    run_search(searched, Launcher(searched, without=[1]), 1)
    said = capsys.readouterr().out
    assert "Trial 1: failed: " in said
    assert f"its run has no val/mAP: {searched.folder.parent}" in said
    assert "Search: 3 finished, 0 pruned, 1 failed" in said


def test_where_all_fail_it_gives_up_and_says_so(search, capsys):
    made = search("hparams_search.n_trials=3")
    launcher = Launcher(made, failed=range(1, 100))
    with pytest.raises(
        SystemExit, match=r"3 trials in a row failed, so the search has 1 of the 3 wanted.*tries others"
    ):
        run_search(made, launcher, 1)
    assert launcher.numbers == [0, 1, 2, 3]
    assert "Best: val/mAP" in capsys.readouterr().out
    again = search("hparams_search.n_trials=3")
    launcher = Launcher(again)
    run_search(again, launcher, 1)
    assert launcher.numbers == [4, 5]


def test_no_two_that_run_at_once_are_one_run(search, capsys):
    made = search("hparams_search.n_trials=9")
    of_three = Search.of(
        made.config, ["hparams_search=optuna", "optimizer.lr=1e-2,1e-3,1e-4", "model=cnn10"], made.loader
    )
    launcher = Launcher(of_three)
    (best,) = run_search(of_three, launcher, 4)
    assert best["val/mAP"] == pytest.approx(0.5)
    assert all(len(set(batch)) == len(batch) for batch in launcher.batches)
    said = capsys.readouterr().out
    assert "left out, the same as trial 0: optimizer.lr=" in said
    assert "Search: 9 finished, 0 pruned, 0 failed; " in said


def test_the_trials_do_not_depend_on_interruptions(search, tmp_path):
    whole = search(FEW, "hparams_search.n_trials=6")
    run_search(whole, Launcher(whole), 1)
    expected = [trial.params for trial in open_search(whole.folder / JOURNAL).get_trials()]
    whole.folder.rename(tmp_path / "aside")
    for count in (3, 5, 6):
        part = search(FEW, f"hparams_search.n_trials={count}")
        run_search(part, Launcher(part), 1)
    assert [trial.params for trial in open_search(part.folder / JOURNAL).get_trials()] == expected


def test_anew_leaves_no_old_score_in_place(search, tmp_path):
    for numbers in ("hparams_search.n_trials=2", "resume=auto"), ("hparams_search.n_trials=2", "resume=never"):
        made = search(*numbers)
        launcher = Launcher(made)
        run_search(made, launcher, 1)
        assert launcher.numbers == [0, 1]
    assert len(list(tmp_path.glob("*-search-*/before-*/journal.log"))) == 1
    made = search("hparams_search.n_trials=2", "resume=never")
    with pytest.raises(SystemExit, match="no trial came to an end"):  # what is there are the results of before
        run_search(made, Launcher(made, failed=[0, 1]), 1)


def test_two_processes_do_not_share_a_search(search):
    made = search()
    made.folder.mkdir()
    with FileLock(made.folder / ".lock"), pytest.raises(SystemExit, match="another process runs this search"):
        run_search(made, Launcher(made), 1)


def test_what_cannot_be_searched_is_said(search):
    made = search()
    for given, said in (
        ([LR, "seed=0,1"], "seed=0,1: a search takes one seed"),
        (["model=cnn6"], "nothing to search"),
        (["optimizer.lr=tag(log,interval(0,1))"], "low"),
    ):
        with pytest.raises(SystemExit, match=said):
            Search.of(made.config, given, made.loader)


def test_a_study_is_searched_at_one_of_its_rows(search):
    with pytest.raises(SystemExit, match="a search takes one row of mel_bins_demo: say which by row="):
        search("experiment=mel_bins_demo")


@pytest.mark.slow
def test_trials_are_pruned_and_a_killed_search_goes_on(tones, tmp_path):
    words = ["hparams_search=optuna", "hparams_search.n_trials=6", "hparams_search.pruner.n_startup_trials=1"]
    words += ["optimizer.lr=1e-9,1e-2,3e-3,1e-8", "data.max_epochs=4", "model.frontend.n_mels=16", "seed=5"]
    words += ["hparams_search.sampler.n_startup_trials=6"]
    process = sweep(tmp_path, tones, *words)
    wait_for_new_checkpoint(tmp_path / "runs", process)
    for pid in [*jobs_of(process.pid), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.5)
    code, said = finish(tmp_path, tones, *words)
    assert code == 0, said
    assert "1 half done, 6 wanted" in said
    (table,) = (tmp_path / "runs").glob("*-search-*/trials.csv")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert pruned, said
    assert all(int(row["steps"]) < 16 for row in pruned)
