"""Runs that have no place to lie are told so in one line."""

import pytest

from panns.training import folders
from panns.training.folders import check_writable
from runs import start


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
