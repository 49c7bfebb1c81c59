"""What the configuration can be composed to, beyond what the other tests run."""

import cloudpickle
import train
from hydra import compose, initialize_config_dir

from runs import ROOT


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
