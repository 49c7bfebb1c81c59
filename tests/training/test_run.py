"""The name of a run is its scientific configuration; its folder is gone if the run came to nothing."""

import os

import pytest
import torch

from panns.training import run
from panns.training.run import Run, RunBusyError, RunError, config_hash, objective_of, science
from runs import config, start

FROZEN = {
    "demo": "0fbaa9aa",
    "demo_long": "5e89315e",
    "esc50_scratch": "15dd5812",
    "paper_cnn14": "fd88e0e1",
    "depth": "fd88e0e1",
    "augmentation_demo": "0d9a2471",
}


def test_runs_keep_their_names():
    """A name that changes would make all runs that users have be trained again.

    Where a key is new, put the value with which it changes nothing into `LATER`. Where training itself changes, the
    name must change: put the new one here.
    """
    assert {name: config_hash(config(f"experiment={name}", "seed=1234")) for name in FROZEN} == FROZEN


def test_how_a_run_is_computed_and_told_is_not_part_of_its_name():
    plain = config_hash(config("experiment=demo"))
    for same in (
        "trainer=cpu",
        "trainer.devices=2",
        "data.num_threads=1",
        "data.store=/elsewhere",
        "logger=csv",
        "task.compile=true",
        "callbacks.last.every_n_steps=7",
        "callbacks.progress=null",
        "row=a",
        "sweep=b",
        "resume=never",
        "name=other",
    ):
        assert config_hash(config("experiment=demo", same)) == plain, same
    for other in (
        "seed=2",
        "optimizer.lr=1e-4",
        "trainer.precision=16-mixed",
        "callbacks.best=null",
        "sampler=uniform",
        "checkpoint=released",
        "data.fraction=0.5",
        "objective=val/mAUC",
    ):
        assert config_hash(config("experiment=demo", other)) != plain, other


def test_the_names_of_repetitions():
    one, two = (config("experiment=demo", f"seed={seed}") for seed in (1, 2))
    assert config_hash(one) != config_hash(two)
    assert config_hash(one, without=("seed",)) == config_hash(two, without=("seed",))


def test_a_key_of_a_later_version_leaves_old_names(monkeypatch):
    before = config_hash(config("experiment=demo"))
    new = config("experiment=demo", "+task.later=1", "+augmentation.deep={kind: a}")
    assert config_hash(new) != before
    monkeypatch.setattr(
        run, "LATER", run.LATER | {"task.later": 1, "augmentation.deep": {"kind": "a"}, "model.none.such": 3}
    )
    assert config_hash(new) == before
    assert config_hash(config("experiment=demo", "+task.later=2")) != before
    assert "later" in science(config("experiment=demo", "+task.later=2"))["task"]


@pytest.mark.parametrize("text", ['{"val/mAP": 0.1', "[]", "", "\x00"])
def test_damaged_results_are_told_with_the_way_on(text, tmp_path):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(
        RunError, match=r"metrics\.json cannot be read .*: remove it, and the same command scores the run"
    ):
        Run(tmp_path).results()


def test_a_score_that_a_run_has_not(tmp_path):
    (tmp_path / "metrics.json").write_text('{"val/mAP": 1.0}')  # d' is infinite then
    results = Run(tmp_path).results()
    assert objective_of(results, "val/mAP") == 1.0
    assert objective_of(results, "val/d_prime") is None


def started(folder):
    """What Hydra leaves before a run begins."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text("seed: 1\n")
    (folder / "train.log").write_text("a line\n")
    return folder


def test_a_run_that_came_to_nothing_leaves_no_folder(tmp_path):
    with Run(started(tmp_path / "run")) as one:
        one.checkpoints.mkdir()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["history.csv", "checkpoints/last.ckpt", "before-2026-01-01/history.csv", "notes.txt"])
def test_what_no_start_brings_back_is_kept(name, tmp_path):
    with Run(started(tmp_path / "run")) as one:
        (one.folder / name).parent.mkdir(exist_ok=True)
        (one.folder / name).write_text("mine")
    assert (one.folder / name).read_text() == "mine"
    assert (one.folder / ".hydra" / "config.yaml").is_file()


def test_a_link_to_another_disk_is_kept(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with Run(started(tmp_path / "run")) as one:
        one.checkpoints.symlink_to(tmp_path / "elsewhere")
    assert one.checkpoints.is_symlink()


def test_a_folder_where_another_process_has_started_meanwhile_is_kept(tmp_path):
    with Run(started(tmp_path / "run")) as one:
        written = one.folder / ".hydra" / "config.yaml"
        os.utime(written, ns=(0, written.stat().st_mtime_ns + 1))
    assert written.is_file()


def test_a_folder_that_hydra_did_not_make_and_the_working_folder_are_kept(tmp_path, monkeypatch):
    with Run(tmp_path / "plain"):
        pass
    assert (tmp_path / "plain").is_dir()
    monkeypatch.chdir(started(tmp_path / "here"))
    with Run("."):
        pass
    assert (tmp_path / "here").is_dir()


def test_the_next_process_gets_the_lock_of_a_folder_that_was_removed(tmp_path):
    with Run(started(tmp_path / "run")):
        pass
    with Run(tmp_path / "run") as one:
        assert (one.folder / ".lock").is_file()


def test_the_files_of_a_run_under_way_are_not_moved_aside(tmp_path):
    with Run(started(tmp_path / "run")) as one:
        (one.folder / "history.csv").write_text("1")
        one.checkpoints.mkdir()
        with pytest.raises(RunBusyError):
            Run(one.folder, "never")
        assert (one.folder / "history.csv").is_file()
        assert not list(one.folder.glob("before-*"))


def test_a_run_goes_on_from_its_own_checkpoint_once_it_has_one(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with Run(started(tmp_path / "run"), str(tmp_path / "other.ckpt")) as one:
        assert one.checkpoint() == tmp_path / "other.ckpt"
        one.checkpoints.mkdir()
        torch.save({"state_dict": {}}, one.checkpoints / "last.ckpt")
        assert one.checkpoint() == one.checkpoints / "last.ckpt"


def test_the_checkpoint_that_a_run_goes_on_from_is_part_of_its_name():
    plain = config_hash(config("experiment=demo"))
    names = {config_hash(config("experiment=demo", f"resume={path}")) for path in ("a.ckpt", "b.ckpt")}
    assert len(names | {plain}) == 3
    with pytest.raises(RunError, match="resume=None: give auto, never, or a checkpoint"):
        Run("run", None)


def test_a_refused_configuration_leaves_no_folder(tones, tmp_path):
    (tmp_path / "runs").mkdir()
    done = start(tones, tmp_path / "runs" / "one", "resume=nowhere.ckpt", "logger=wandb")
    assert done.returncode == 1, done.stderr
    assert not any((tmp_path / "runs").iterdir())
