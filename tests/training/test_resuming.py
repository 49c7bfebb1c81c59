"""Going on from a checkpoint: of another model or other data never, with other numbers of the optimizer if asked."""

import csv
import json
from copy import deepcopy

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR
from train import train

from panns.training.checkpoints import AtomicCheckpointIO
from panns.training.resuming import check_fits, take_settings
from panns.training.schedules import warmup_cosine
from panns.weights.files import CheckpointError, load_checkpoint
from runs import small

FINGERPRINT = {"train": {"clips": 3}}
ADAM = {"_target_": "torch.optim.Adam", "lr": 1e-3, "betas": [0.9, 0.999], "weight_decay": 0.0, "amsgrad": True}


def save(path, **content):
    AtomicCheckpointIO().save_checkpoint(content, path)
    return path


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"a": torch.zeros(2), "b": torch.zeros(1)}, "1 parameters missing"),
        ({}, "1 foreign"),
        ({"a": torch.zeros(3)}, r"a is \(2,\) there and \(3,\) here"),
    ],
)
def test_checkpoint_of_another_model(tmp_path, parameters, says):
    path = save(tmp_path / "a.ckpt", state_dict={"a": torch.zeros(2)}, hyper_parameters={"fingerprint": FINGERPRINT})
    assert check_fits(path, {"a": torch.zeros(2)}, {"fingerprint": FINGERPRINT}) == {}
    with pytest.raises(CheckpointError, match=says):
        check_fits(path, parameters, {"fingerprint": FINGERPRINT})


def test_checkpoint_of_other_data(tmp_path):
    path = save(tmp_path / "a.ckpt", state_dict={}, hyper_parameters={"fingerprint": FINGERPRINT})
    with pytest.raises(CheckpointError, match="other data"):
        check_fits(path, {}, {"fingerprint": {"train": {"clips": 4}}})
    labels = {"labels": {"classes": "aaa", "single_label": False}}
    check_fits(path, {}, {"fingerprint": FINGERPRINT | labels})  # that of an earlier version does not know
    known = save(tmp_path / "b.ckpt", state_dict={}, hyper_parameters={"fingerprint": FINGERPRINT | labels})
    with pytest.raises(CheckpointError, match=r"other data.*\(labels\)"):
        check_fits(known, {}, {"fingerprint": FINGERPRINT | {"labels": labels["labels"] | {"classes": "bbb"}}})
    quarantined = FINGERPRINT | {"quarantine": {"clips": 3}}  # says why clips are absent, not which are there
    check_fits(path, {}, {"fingerprint": quarantined})


def test_a_damaged_checkpoint_is_told_with_the_ways_on(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(
        CheckpointError, match=r"last\.ckpt is damaged .*resume=CHECKPOINT, as best\.ckpt .*resume=never"
    ):
        check_fits(tmp_path / "last.ckpt", {}, {})


def configured(lr_batch_size=None, batch_size=32, **optimizer):
    return {
        "optimizer": ADAM | optimizer,
        "scheduler": {"_target_": "panns.training.schedules.warmup_cosine", "final_fraction": 0.0},
        "task": {"lr_batch_size": lr_batch_size},
        "data": {"batch_size": batch_size},
        "fingerprint": FINGERPRINT,
    }


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (configured(amsgrad=False), r"optimizer\.amsgrad True there, False here.*checkpoint=.*weights alone"),
        (configured(_target_="torch.optim.SGD"), r"optimizer\._target_ torch\.optim\.Adam there"),
        (configured(betas=0.9), r"optimizer\.betas \[0\.9, 0\.999\] there, 0\.9 here"),
        (configured(foreach=True), r"optimizer\.foreach left out there, True here"),
        (configured() | {"task": {"freeze": "embedding"}}, r"task\.freeze left out there, embedding here"),
        (configured() | {"data": {"clips_per_epoch": 64}}, r"data\.clips_per_epoch left out there, 64 here"),
        (configured() | {"augmentation": {"mixup": {"alpha": 1}}}, r"augmentation\.mixup False there, True here"),
        (configured() | {"scheduler": {"_target_": "x.Y"}}, r"scheduler\._target_ .* there, x\.Y here"),
    ],
)
def test_what_an_optimizer_cannot_change_on_the_way_is_refused(tmp_path, now, says):
    path = save(tmp_path / "a.ckpt", state_dict={}, hyper_parameters=configured())
    with pytest.raises(CheckpointError, match=says):
        check_fits(path, {}, now)


def saved_after(steps, make_schedule, lr=1e-3):
    """A checkpoint as Lightning writes it, after some steps, and the schedule that would be gone on with."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight], lr=lr, amsgrad=True)
    schedule = make_schedule(optimizer)
    for _ in range(steps):
        weight.grad = torch.ones(2)
        optimizer.step()
        schedule.step()
    return {
        "hyper_parameters": configured(lr=lr),
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
    }


def goes_on(checkpoint, make_schedule):
    """-> parameter groups at the steps after a checkpoint, read back as Lightning does."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=0.5, amsgrad=True)
    schedule = make_schedule(optimizer)
    optimizer.load_state_dict(deepcopy(checkpoint["optimizer_states"][0]))
    schedule.load_state_dict(checkpoint["lr_schedulers"][0])
    groups = []
    for _ in range(4):
        groups.append({key: value for key, value in optimizer.param_groups[0].items() if key != "params"})
        optimizer.step()
        schedule.step()
    return groups


def cosine(optimizer):
    return warmup_cosine(optimizer, total_steps=20, warmup_fraction=0.1)


def test_numbers_of_the_optimizer_that_are_given_anew_are_taken():
    """From the step after the checkpoint on, as if the schedule had always started from the new learning rate."""
    checkpoint = saved_after(7, cosine)
    take_settings(checkpoint, configured(lr=0.02, weight_decay=0.1, betas=[0.8, 0.9]))
    always = goes_on(saved_after(7, cosine, lr=0.02), cosine)
    for group, wanted in zip(goes_on(checkpoint, cosine), always, strict=True):
        assert group["lr"] == pytest.approx(wanted["lr"], rel=1e-12)
        assert (group["weight_decay"], group["betas"], group["initial_lr"]) == (0.1, [0.8, 0.9], 0.02)


def test_the_batch_that_scales_the_learning_rate_counts_too():
    checkpoint = saved_after(7, cosine)
    checkpoint["hyper_parameters"] = configured(lr_batch_size=32, batch_size=32)
    take_settings(checkpoint, configured(lr_batch_size=32, batch_size=128))
    assert goes_on(checkpoint, cosine)[0]["initial_lr"] == pytest.approx(4e-3)


def test_nothing_changes_where_nothing_changed():
    checkpoint = saved_after(7, cosine)
    before = deepcopy(checkpoint)
    take_settings(checkpoint, configured())
    assert str(checkpoint) == str(before)


def test_a_schedule_with_learning_rates_of_its_own_keeps_them():
    def one_cycle(optimizer):
        return OneCycleLR(optimizer, max_lr=0.1, total_steps=20)

    checkpoint = saved_after(7, one_cycle)
    take_settings(checkpoint, configured(lr=0.02))
    assert goes_on(checkpoint, one_cycle) == goes_on(saved_after(7, one_cycle), one_cycle)


def learning_rates(folder):
    """Of the steps that a run made."""
    with (folder / "history.csv").open() as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "train/lr"]


def test_a_run_goes_on_beyond_its_end_along_the_longer_schedule(tones, tmp_path):
    train(small(tones, tmp_path / "one", "scheduler=warmup_cosine", "data.max_epochs=1"))
    longer = ("scheduler=warmup_cosine", "data.max_epochs=2")
    train(small(tones, tmp_path / "two", f"resume={tmp_path / 'one' / 'checkpoints' / 'last.ckpt'}", *longer))
    train(small(tones, tmp_path / "whole", *longer))
    assert learning_rates(tmp_path / "two") == learning_rates(tmp_path / "whole")[4:]


def test_a_run_goes_on_with_another_learning_rate_and_says_so(tones, tmp_path, capsys):
    train(small(tones, tmp_path / "one", "data.max_epochs=1"))
    path = tmp_path / "one" / "checkpoints" / "last.ckpt"
    capsys.readouterr()
    changed = ("optimizer.lr=0.1", "data.max_epochs=2", "sampler=uniform")
    train(small(tones, tmp_path / "two", f"resume={path}", *changed))
    said = " ".join(capsys.readouterr().out.split())
    assert "optimizer.lr 0.001 there, 0.1 here" in said
    assert "sampler._target_ panns.data.samplers.BalancedSampler there" in said
    assert learning_rates(tmp_path / "two") == [0.1] * 4
    assert load_checkpoint(path)["optimizer_states"][0]["param_groups"][0]["lr"] == 0.001


def test_a_run_that_has_nothing_left_to_do_is_scored_in_its_own_folder(tones, tmp_path):
    train(small(tones, tmp_path / "one", "data.max_epochs=1"))
    path = tmp_path / "one" / "checkpoints" / "last.ckpt"
    train(small(tones, tmp_path / "two", f"resume={path}", "data.max_epochs=1"))
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two"))
    assert two["best_checkpoint"] is None
    assert two["val/mAP"] == one["last/val/mAP"]
