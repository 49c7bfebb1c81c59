"""Nothing is lost: a run that is killed, again and again, ends with the very weights of one that was left alone."""

import csv
import json

import pytest
import torch

from panns.weights.files import load_checkpoint
from runs import start

CLOCK = ("train/clips_per_second", "train/waiting")
EVERYTHING_RANDOM = ("augmentation=mixup_specaugment", "callbacks.last.every_n_steps=3", "data.num_threads=2")


def stop_at(name, step, validating=False):
    """Under a name that may differ between two starts of a run."""
    return (f"+callbacks.pruning={{_target_: runs.SignalAt, name: {name}, step: {step}, validating: {validating}}}",)


@pytest.fixture(scope="module")
def left_alone(tones, tmp_path_factory):
    folder = tmp_path_factory.mktemp("left_alone") / "run"
    done = start(tones, folder, *EVERYTHING_RANDOM)
    assert done.returncode == 0, done.stderr
    return folder


def test_killed_run_ends_bit_equal(tones, tmp_path, left_alone):
    folder = tmp_path / "run"
    for stop, code in (
        (stop_at("SIGKILL", 1), -9),  # before the first checkpoint
        (stop_at("SIGKILL", 4, validating=True), -9),  # in the first epoch's validation
        (stop_at("SIGKILL", 4), -9),  # right after an epoch
        (stop_at("SIGTERM", 5), 143),  # told to stop: saves first
        (stop_at("SIGKILL", 7), -9),  # in mid-epoch, after a checkpoint at step 6
        (stop_at("SIGINT", 9), 130),
    ):
        done = start(tones, folder, *EVERYTHING_RANDOM, *stop)
        assert done.returncode == code, done.stderr
        if code > 0:
            assert f"saved {folder}" in done.stdout, done.stdout
    done = start(tones, folder, *EVERYTHING_RANDOM)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stdout

    expected, actual = (load_checkpoint(f / "checkpoints" / "last.ckpt") for f in (left_alone, folder))
    assert actual["global_step"] == expected["global_step"] == 12
    for name, weight in expected["state_dict"].items():
        assert torch.equal(actual["state_dict"][name], weight), name
    for a, b in zip(
        expected["optimizer_states"][0]["state"].values(), actual["optimizer_states"][0]["state"].values(), strict=True
    ):
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert actual["AudioSetDataModule"] == {"draws": 96}
    same = ("val/mAP", "val/mAUC", "last/val/mAP", "step", "best_checkpoint")
    results = [json.loads((f / "metrics.json").read_text()) for f in (left_alone, folder)]
    assert [results[0][key] for key in same] == [results[1][key] for key in same]
    assert history(folder) == history(left_alone)


def history(folder):
    """Every number that does not depend on the clock, in order, none missing and none twice."""
    with (folder / "history.csv").open() as file:
        return sorted(tuple(row) for row in csv.reader(file) if row[1] not in CLOCK)


def test_finished_run_is_not_done_twice(tones, left_alone):
    before = (left_alone / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    done = start(tones, left_alone, *EVERYTHING_RANDOM)
    assert done.returncode == 0
    assert "Finished before: val/mAP" in done.stdout
    assert (left_alone / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


def test_a_run_killed_in_its_final_scoring_ends_as_one_that_was_not(tones, left_alone):
    before, curve = json.loads((left_alone / "metrics.json").read_text()), history(left_alone)
    (left_alone / "metrics.json").unlink()
    assert start(tones, left_alone, *EVERYTHING_RANDOM).returncode == 0
    now = json.loads((left_alone / "metrics.json").read_text())
    assert now | {"seconds": 0} == before | {"seconds": 0}
    assert history(left_alone) == curve
