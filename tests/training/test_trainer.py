"""The Lightning Trainer as it is configured."""

import pytest
from pytorch_lightning.accelerators import CPUAccelerator

from panns.training import trainer
from panns.training.trainer import build_trainer, seed_everything


@pytest.mark.parametrize("accelerator", ["gpu", "cuda"])
def test_a_gpu_that_is_not_there_is_told_with_what_to_take_instead(accelerator, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.CUDAAccelerator, "is_available", staticmethod(lambda: False))
    monkeypatch.setattr(trainer.MPSAccelerator, "is_available", staticmethod(lambda: False))
    with pytest.raises(ValueError, match=f"accelerator={accelerator}: PyTorch sees no GPU here; take trainer=cpu, or"):
        build_trainer(tmp_path, accelerator=accelerator)
    assert isinstance(build_trainer(tmp_path, accelerator="cpu", logger=False).accelerator, CPUAccelerator)


def test_a_training_without_an_end_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"data\.max_epochs is below 0: training would not end"):
        build_trainer(tmp_path, accelerator="cpu", max_epochs=-1)
    assert build_trainer(tmp_path, accelerator="cpu", max_epochs=-1, max_steps=3, logger=False).max_steps == 3


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_does_not_take_is_told(seed):
    with pytest.raises(ValueError, match=f"seed={seed}: a seed is a whole number from 0 to 4294967295"):
        seed_everything(seed)
