import shutil
from types import SimpleNamespace

import pytest
import torch

from panns.training.checkpoints import AtomicCheckpointIO
from panns.weights.files import load_checkpoint

FINGERPRINT = {"train": {"clips": 3}}


def save(path, **content):
    AtomicCheckpointIO().save_checkpoint(content, path)
    return path


def test_round_trip_leaves_no_temporary_file(tmp_path):
    path = save(
        tmp_path / "deep" / "a.ckpt", state_dict={"w": torch.arange(3)}, hyper_parameters={"fingerprint": FINGERPRINT}
    )
    assert load_checkpoint(path)["state_dict"]["w"].tolist() == [0, 1, 2]
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_former_checkpoint(tmp_path):
    path = save(tmp_path / "a.ckpt", step=1)
    with pytest.raises(AttributeError):  # something that cannot be saved, half-way through
        save(path, step=2, big=torch.zeros(1000), unsavable=lambda: None)
    assert load_checkpoint(path)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_and_nothing_is_lost(tmp_path, monkeypatch):
    path = save(tmp_path / "a.ckpt", step=1)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"a\.ckpt.*No space left.*before it is untouched"):
        save(path, step=2)

    def unexpected(*_, **__):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 284672 vs 284568")

    monkeypatch.setattr(torch, "save", unexpected)
    for free, why in ((10**9, "unexpected pos"), (0, r"\(the disk is full\)")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        with pytest.raises(OSError, match=rf"a\.ckpt.*{why}.*before it is untouched\. Make room and run the same"):
            save(path, step=2)
    monkeypatch.undo()
    assert load_checkpoint(path)["step"] == 1
