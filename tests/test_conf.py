"""What the configuration can be composed to, beyond what the other tests run."""

from itertools import product

import cloudpickle
import pytest
import train
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from runs import ROOT, config


def choices(group: str) -> list[str]:
    """The names of a config group, bases left out."""
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


def test_a_sweep_can_be_sent_to_slurm():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", ["hydra/launcher=slurm"], return_hydra_config=True)
    assert cfg.hydra.launcher._target_.endswith("SlurmLauncher")
    assert cfg.hydra.launcher.gpus_per_node == 1


def test_train_travels_to_another_machine():
    """submitit pickles what stands in the main script by value, with all that its names may mean."""
    cloudpickle.register_pickle_by_value(train)
    try:
        assert cloudpickle.dumps(train.train)
    finally:
        cloudpickle.unregister_pickle_by_value(train)


CHOICES = {group: choices(group) for group in ("model", "data", "augmentation", "trainer")}
ON_CPU = ("trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=1")


def composed(of_group: dict[str, str]) -> None:
    """Composes one choice of each group, resolves all of it, and makes augmentation and trainer."""
    where = {"store": ("data.store=none", "data.validation_splits=[eval]"), "esc50": ("data.root=none",)}
    chosen = (f"{group}={name}" for group, name in of_group.items())
    cfg = config(*chosen, *ON_CPU, *where.get(of_group["data"], ()), "run_dir=none", "logger=csv")
    OmegaConf.to_container(cfg, resolve=True)
    augmentation = instantiate(cfg.augmentation)
    assert augmentation.draws_per_example == (2 if "mixup" in of_group["augmentation"] else 1)
    instantiate(cfg.trainer, callbacks=[], logger=[])


@pytest.mark.parametrize("number", range(len(CHOICES["model"])))
def test_each_choice_goes_with_some_of_each_other_group(number, no_init):
    """All choices, and one after the other all that stand beside them."""
    of_group = {group: names[number % len(names)] for group, names in CHOICES.items()}
    composed(of_group)
    assert instantiate(config(f"model={of_group['model']}").model, num_classes=3).num_classes == 3


@pytest.mark.slow
@pytest.mark.parametrize("model", CHOICES["model"])
def test_every_choice_goes_with_every_other(model):
    for names in product(*(CHOICES[group] for group in ("data", "augmentation", "trainer"))):
        composed({"model": model, **dict(zip(("data", "augmentation", "trainer"), names, strict=True))})


def test_several_machines_are_those_of_slurm(monkeypatch):
    monkeypatch.setenv("SLURM_NNODES", "3")
    assert config("trainer=ddp_multinode").trainer.num_nodes == 3
    monkeypatch.delenv("SLURM_NNODES")
    cfg = config("trainer=ddp_multinode", "run_dir=none")
    with pytest.raises(InstantiationException, match=r"trainer.num_nodes is not known outside of SLURM"):
        instantiate(cfg.trainer)
    assert config("trainer=ddp_multinode", "trainer.num_nodes=2").trainer.num_nodes == 2
