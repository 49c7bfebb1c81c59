"""Several processes see what one would see, and end in the same weights."""

import csv
import json

import numpy as np
import pytest
import torch

from panns.training.checkpoints import load_checkpoint
from runs import start

SAME_NOISE = ("model.backbone.dropout=0", "model.head.dropout=0")  # dropout is drawn by each process for itself
GLOO = ("trainer.accelerator=cpu",)


def rows(path):
    return np.array([[int(row) for row in line.split()] for line in path.read_text().splitlines()])


def drawn_classes(folder):
    return (folder / "run" / "drawn_classes.csv").read_text()


class Trained:
    """A finished run of the small network."""

    def __init__(self, tones, folder, *overrides):
        folder.mkdir()
        record = ("+callbacks.record._target_=runs.RecordRows", f"+callbacks.record.folder={folder}")
        options = ("augmentation=mixup_specaugment", "data.max_epochs=2", *SAME_NOISE, *record, *overrides)
        done = start(tones, folder / "run", *options)
        assert done.returncode == 0, done.stderr
        self.folder = folder
        self.results = json.loads((folder / "run" / "metrics.json").read_text())
        self.checkpoint = load_checkpoint(folder / "run" / "checkpoints" / "last.ckpt")

    def losses(self):
        """Of the steps."""
        with (self.folder / "run" / "history.csv").open() as file:
            return [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "train/loss"]

    def stream(self, world_size):
        """(steps, pairs of this rank, 2) per rank."""
        return [rows(self.folder / f"rank{rank}.txt").reshape(8, -1, 2) for rank in range(world_size)]


@pytest.fixture(scope="module")
def one(tones, tmp_path_factory):
    return Trained(tones, tmp_path_factory.mktemp("ranks") / "one")


@pytest.mark.parametrize(
    ("world_size", "trainer"),
    [
        pytest.param(2, ("trainer=ddp",), id="ddp2"),
        pytest.param(4, ("trainer=ddp",), id="ddp4", marks=pytest.mark.slow),
        pytest.param(2, ("trainer=fsdp", "logger=wandb"), id="fsdp2", marks=pytest.mark.slow),
    ],
)
def test_ranks_see_the_stream_of_one_and_end_in_its_weights(one, tones, tmp_path, world_size, trainer):
    many = Trained(tones, tmp_path / "many", *trainer, *GLOO, f"trainer.devices={world_size}")
    (stream,) = one.stream(1)  # 8 steps of 4 mixed pairs
    for rank, mine in enumerate(many.stream(world_size)):
        assert np.array_equal(mine, stream[:, rank::world_size])
    for name, weight in one.checkpoint["state_dict"].items():
        torch.testing.assert_close(many.checkpoint["state_dict"][name], weight, rtol=1e-5, atol=1e-5, msg=name)
    assert many.results["val/num_clips"] == one.results["val/num_clips"] == 12
    for name in ("val/mAP", "val/mAUC", "val/d_prime"):
        assert many.results[name] == pytest.approx(one.results[name], abs=1e-6)
    assert many.results["fingerprint"] == one.results["fingerprint"]
    assert many.losses() == pytest.approx(one.losses(), rel=1e-4)
    assert drawn_classes(tmp_path / "many") == drawn_classes(one.folder)


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_killed_rank_stops_all_and_a_restart_goes_on(one, tones, tmp_path, rank):
    two = (
        "trainer=ddp",
        *GLOO,
        "trainer.devices=2",
        "augmentation=mixup_specaugment",
        "data.max_epochs=2",
        *SAME_NOISE,
    )
    kill = f"+callbacks.pruning={{_target_: runs.SignalAt, name: SIGKILL, step: 5, rank: {rank}}}"  # not another run
    killed = start(tones, tmp_path / "run", *two, kill)
    assert killed.returncode != 0
    assert f"rank {1 - rank} of 2 stops, since another rank of this run died" in killed.stderr
    assert "the same command goes on from" in killed.stderr
    done = start(tones, tmp_path / "run", *two)
    assert done.returncode == 0, done.stderr
    again = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state_dict"]
    for name, weight in one.checkpoint["state_dict"].items():
        torch.testing.assert_close(again[name], weight, rtol=1e-5, atol=1e-5, msg=name)
    assert drawn_classes(tmp_path) == drawn_classes(one.folder)


def test_whole_graphs_and_synchronised_batch_norms_are_refused_together(tones, tmp_path):
    done = start(tones, tmp_path / "run", "trainer=ddp", *GLOO, "trainer.devices=2", "task.compile=true")
    assert done.returncode != 0
    assert "task.sync_batch_norm=false" in done.stderr
    assert "Traceback" not in done.stderr
