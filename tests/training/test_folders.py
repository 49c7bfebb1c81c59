"""Runs that have no place to lie, or that of another run, are told so in one line."""

import pytest
from omegaconf import OmegaConf
from train import train

from panns.training import folders
from panns.training.folders import check_configuration, check_writable
from panns.training.run import FORMER, Run
from runs import config, small, start


def test_a_folder_that_can_be_made_is_not_made(tmp_path):
    check_writable(tmp_path / "a" / "b", "hydra.run.dir")
    assert not any(tmp_path.iterdir())


def test_a_file_in_the_way_is_named(tones, tmp_path):
    (tmp_path / "runs").write_text("")
    done = start(tones, tmp_path / "unused", f"hydra.run.dir='{tmp_path}/runs/${{name}}'")
    said = f"train.py: {tmp_path}/runs/cnn10_store cannot be made: {tmp_path}/runs is no folder."
    assert done.stderr.strip().splitlines()[-1].startswith(said)
    sweep = ("hydra.mode=MULTIRUN", "seed=1,2", f"hydra.sweep.dir={tmp_path}/runs/sweep")
    done = start(tones, tmp_path / "unused", *sweep)
    assert "runs/sweep cannot be made" in done.stderr.strip().splitlines()[-1]
    assert "hydra.sweep.dir=DIR" in done.stderr


def test_a_folder_of_somebody_else_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(SystemExit, match=f"{tmp_path} may not be written"):
        check_writable(tmp_path / "new", "hydra.run.dir")


def as_hydra_leaves_it(folder, cfg):
    (folder / ".hydra").mkdir(exist_ok=True)
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")


def test_the_folder_of_another_configuration_is_refused_and_stays_as_it_is(tones, tmp_path):
    folder, other = tmp_path / "run", ("data.max_epochs=2", "model.frontend.n_mels=32")
    cfg = small(tones, folder, "data.max_epochs=1")
    train(cfg)
    as_hydra_leaves_it(folder, cfg)
    before = contents(folder)
    done = start(tones, folder, *other)
    assert done.returncode == 1
    assert f"train.py: {folder} holds a run of another configuration: " in done.stderr
    assert "model.frontend.n_mels 16 there, 32 here" in done.stderr
    assert "data.max_epochs 1 there, 2 here" in done.stderr
    assert "resume=never moves aside what is there" in done.stderr
    check_configuration(folder, small(tones, folder, "data.max_epochs=1", "data.num_threads=1"))  # the same science
    (folder / "metrics.json").rename(tmp_path / "metrics.json")
    with pytest.raises(SystemExit, match="n_mels 16 there, 32 here"):  # half done
        check_configuration(folder, small(tones, folder, *other))
    (tmp_path / "metrics.json").rename(folder / "metrics.json")
    assert contents(folder) == before

    anew = small(tones, folder, *other, "resume=never")
    check_configuration(folder, anew)
    as_hydra_leaves_it(folder, anew)
    train(anew)
    assert len(list(folder.glob("before-*/checkpoints/last.ckpt"))) == 1
    (former,) = folder.glob("before-*/.hydra/config.yaml")
    assert former.read_bytes() == before[".hydra/config.yaml"]
    assert not (folder / FORMER).exists()


def test_the_folder_of_a_run_under_way_is_refused_before_anything_is_written(tmp_path):
    cfg = config("seed=2")
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(config("seed=1"), tmp_path / ".hydra" / "config.yaml")
    (tmp_path / "notes.txt").write_text("else a run that came to nothing takes its folder away")
    for more in ("resume=auto", "resume=never"):
        check_configuration(tmp_path, cfg)  # nothing was left by what started here
        with Run(tmp_path), pytest.raises(SystemExit, match="seed 1 there, 2 here"):
            check_configuration(tmp_path, config("seed=2", more))
    assert not (tmp_path / FORMER).exists()


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_whose_configuration_cannot_be_read_is_named(tmp_path):
    cfg = config()
    (tmp_path / ".hydra").mkdir()
    for broken in ("a: [", "- a list\n", "\x00", "data: foo\n", "trainer: 3\n"):
        (tmp_path / ".hydra" / "config.yaml").write_text(broken)
        check_configuration(tmp_path, cfg)  # without results, it is no run
        (tmp_path / "metrics.json").write_text("{}")
        with pytest.raises(SystemExit, match=r"config\.yaml, cannot be read\. Leave out hydra\.run\.dir"):
            check_configuration(tmp_path, cfg)
        (tmp_path / "metrics.json").unlink()
