"""The Lightning Trainer as it is configured."""

import pytest
from pytorch_lightning.accelerators import CPUAccelerator

from panns.training import trainer
from panns.training.trainer import build_trainer


@pytest.mark.parametrize("accelerator", ["gpu", "cuda"])
def test_a_gpu_that_is_not_there_is_told_with_what_to_take_instead(accelerator, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.CUDAAccelerator, "is_available", staticmethod(lambda: False))
    monkeypatch.setattr(trainer.MPSAccelerator, "is_available", staticmethod(lambda: False))
    with pytest.raises(ValueError, match=f"accelerator={accelerator}: PyTorch sees no GPU here; take trainer=cpu, or"):
        build_trainer(tmp_path, accelerator=accelerator)
    assert isinstance(build_trainer(tmp_path, accelerator="cpu", logger=False).accelerator, CPUAccelerator)
