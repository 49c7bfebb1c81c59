"""Faults of data and machine as the user of train.py meets them: said in one line, nothing lost, nothing silent."""

import csv
import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.errors import InstantiationException
from train import train

from panns.data import StoreError, starvation
from panns.data.damage import DamageError
from panns.data.quarantine import write_quarantine
from panns.training.checkpoints import load_checkpoint
from panns.weights.files import CheckpointError
from runs import scratch, small, start


@pytest.fixture
def store(tones, tmp_path) -> Path:
    """A copy of the tones, one file a clip, to damage."""
    shutil.copytree(tones.parent, tmp_path / "data")
    return tmp_path / "data" / "store"


def record(folder: Path) -> tuple[str, str]:
    folder.mkdir(exist_ok=True)
    return "+callbacks.record._target_=runs.RecordRows", f"+callbacks.record.folder={folder}"


def rows_of(folder: Path) -> np.ndarray:
    return np.array([line.split() for line in (folder / "rank0.txt").read_text().splitlines()], dtype=int)


@pytest.fixture(scope="module")
def left_alone(tones, tmp_path_factory) -> Path:
    """A run that nothing happens to: 12 steps of 4 clips, which are written down."""
    folder = tmp_path_factory.mktemp("left_alone")
    train(small(tones, folder, "augmentation=none", *record(folder)))
    return folder


def first_seen(left_alone: Path, step: int) -> tuple[int, str]:
    """A clip that step `step` is the first to use: its row and its file."""
    rows = rows_of(left_alone)
    row = next(row for row in rows[step] if row not in rows[:step])
    return int(row), f"clip{row:02}.wav"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / "checkpoints" / "last.ckpt")["state_dict"]


def same_weights(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("flip", "the bytes are not those that were indexed (crc32 differs)"),
        ("cut", "the file has 32022 bytes where the index has 64044: cut or replaced"),
        ("remove", "the file is not there (No such file or directory)"),
        ("replace", "the bytes are not those that were indexed (crc32 differs)"),
    ],
)
def test_a_clip_damaged_in_the_middle_of_a_run_stops_it_and_it_goes_on(how, why, store, left_alone, tmp_path):
    _, name = first_seen(left_alone, 6)
    path, whole = store.parent / name, (store.parent / name).read_bytes()
    vandal = {"_target_": "runs.ScratchAt", "path": path, "step": 0, "how": how}
    folder = tmp_path / "run"
    cfg = small(
        store, folder, "augmentation=none", *(f"+callbacks.vandal.{key}={value}" for key, value in vandal.items())
    )
    with pytest.raises(DamageError) as caught:
        train(cfg)
    said = str(caught.value)
    assert said.startswith(f"clip {Path(name).stem} in {path}: {why}. Put the file back as it was and run the same")
    assert "data.max_damaged_clips=100" in said
    assert load_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == 6
    path.write_bytes(whole)
    train(small(store, folder, "augmentation=none"))
    assert same_weights(folder, left_alone)


def test_the_user_sees_one_line_and_where_the_run_stands(store, left_alone, tmp_path):
    _, name = first_seen(left_alone, 6)
    scratch(store.parent / name, "flip")
    done = start(store, tmp_path / "run", "augmentation=none")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"train.py: clip {Path(name).stem} in ")
    assert "Traceback" not in done.stderr
    assert f"Saved {tmp_path}/run/checkpoints/last.ckpt at step 6; the same command goes on from there." in done.stdout


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_clips_are_replaced_if_so_chosen_and_reported(workers, store, left_alone, tmp_path, capsys, caplog):
    rows = rows_of(left_alone)
    bad = [first_seen(left_alone, step) for step in (2, 6)]
    for _, name in bad:
        scratch(store.parent / name, "flip")
    folder = tmp_path / "run"
    options = ("augmentation=none", "data.max_damaged_clips=2", f"data.num_workers={workers}")
    train(small(store, folder, *options, *record(folder)))
    mended = rows_of(folder)
    changed = mended != rows
    assert np.array_equal(changed, np.isin(rows, [row for row, _ in bad]))
    with (folder / "damaged_clips.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [int(line["draw"]) for line in table] == np.flatnonzero(changed).tolist()
    assert [line["instead"] for line in table] == [f"clip{row:02}" for row in mended[changed]]
    assert {line["id"] for line in table} == {Path(name).stem for _, name in bad}
    results = json.loads((folder / "metrics.json").read_text())
    assert results["damaged_clips"] == {"clips": 2, "draws": int(changed.sum())}
    said = capsys.readouterr().out
    assert f"Training clips that could not be read and were replaced: 2, in {changed.sum()} draws" in said
    for row, _ in bad:
        assert caplog.text.count(f"clip clip{row:02} in ") == 1


def test_replacements_do_not_depend_on_ranks_or_interruptions(store, left_alone, tmp_path):
    for step in (2, 6):
        scratch(store.parent / first_seen(left_alone, step)[1], "flip")
    options = ("augmentation=none", "data.max_damaged_clips=2")
    train(small(store, tmp_path / "one", *options, *record(tmp_path / "one")))
    parts = tmp_path / "two"
    done = start(
        store, parts / "run", *options, *record(parts), "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"
    )
    assert done.returncode == 0, done.stderr
    stream = rows_of(tmp_path / "one")
    for rank in range(2):
        lines = (parts / f"rank{rank}.txt").read_text().splitlines()
        assert np.array_equal(np.array([line.split() for line in lines], dtype=int), stream[:, rank::2])
    results = [json.loads((folder / "metrics.json").read_text()) for folder in (tmp_path / "one", parts / "run")]
    assert results[0]["damaged_clips"] == results[1]["damaged_clips"] != {"clips": 0, "draws": 0}

    options = (*options, "callbacks.last.every_n_steps=3")
    stop = ("+callbacks.stop._target_=runs.RaiseAt", "+callbacks.stop.step=7")  # step 6, with damage, is done twice
    with pytest.raises(ZeroDivisionError):
        train(small(store, tmp_path / "again", *options, *stop))
    train(small(store, tmp_path / "again", *options))
    assert same_weights(tmp_path / "again", tmp_path / "one")
    results.append(json.loads((tmp_path / "again" / "metrics.json").read_text()))
    assert results[2]["damaged_clips"] == results[0]["damaged_clips"]  # draws made twice count once


def test_a_clip_put_into_quarantine_makes_it_another_run(store, left_alone, tmp_path):
    row, name = first_seen(left_alone, 6)
    scratch(store.parent / name, "flip")
    with pytest.raises(DamageError):
        train(small(store, tmp_path / "run", "augmentation=none"))
    write_quarantine(store, {f"clip{row:02}": "damaged"})
    with pytest.raises(CheckpointError, match=r"Its quarantine had 0 clips and has 1: to end this run, set quara"):
        train(small(store, tmp_path / "run", "augmentation=none"))
    (store / "quarantine.csv").unlink()
    train(small(store, tmp_path / "run", "augmentation=none", "data.max_damaged_clips=1"))
    train(small(store, tmp_path / "whole", "augmentation=none", "data.max_damaged_clips=1"))
    assert same_weights(tmp_path / "run", tmp_path / "whole")


def test_more_damage_than_was_chosen_stops(store, left_alone, tmp_path):
    for path in sorted(store.parent.glob("clip[0-3]*.wav")):
        scratch(path, "flip")
    with pytest.raises(
        DamageError, match=r"4 clips could not be read, more than data\.max_damaged_clips=3: clip.*; the last: clip"
    ):
        train(small(store, tmp_path / "run", "data.max_damaged_clips=3", "data.num_threads=1"))


def test_clips_to_evaluate_on_are_never_replaced(store, tmp_path):
    scratch(store.parent / "clip45.wav", "flip")
    with pytest.raises(
        DamageError, match=r"clip clip45 in .*Clips to evaluate on are never replaced\. Put the file back"
    ):
        train(small(store, tmp_path / "run", "data.max_damaged_clips=100"))


def test_a_store_without_a_file_does_not_start(store, tmp_path):
    (store.parent / "clip07.wav").unlink()
    with pytest.raises(InstantiationException) as caught:
        train(small(store, tmp_path / "run"))
    assert isinstance(caught.value.__cause__, StoreError)
    assert re.search(r"clip07\.wav is not there \(No such file.*put the old file back", str(caught.value.__cause__))


def test_a_loader_process_that_is_killed(store, left_alone, tmp_path):
    killer = ("+callbacks.killer._target_=runs.KillWorkerAt", "+callbacks.killer.step=4")
    whole = ("augmentation=none", "data.clips_per_epoch=48", "data.max_epochs=1")  # 12 batches, more than read ahead
    done = start(store, tmp_path / "run", "data.num_workers=1", *whole, *killer)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("train.py: A loader process died (DataLoader worker (pid"), done.stderr
    assert "Run the same command again: it goes on" in last
    assert "last.ckpt at step" in done.stdout
    train(small(store, tmp_path / "run", *whole))
    assert same_weights(tmp_path / "run", left_alone)


def test_slow_reads_only_take_longer_and_are_told_once(store, left_alone, tmp_path, monkeypatch, caplog):
    read = os.preadv
    monkeypatch.setattr(os, "preadv", lambda *arguments: (time.sleep(0.05), read(*arguments))[1])
    monkeypatch.setattr(starvation, "WINDOW_SECONDS", 0.5)
    train(small(store, tmp_path / "run", "augmentation=none", "data.num_threads=1"))
    assert same_weights(tmp_path / "run", left_alone)
    assert caplog.text.count("Training waits for clips: ") == 1
    assert "of that with reading files. The storage limits. If it answers late" in caplog.text
    with (tmp_path / "run" / "history.csv").open() as file:
        waiting = [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "train/waiting"]
    assert max(waiting) > 0.5
