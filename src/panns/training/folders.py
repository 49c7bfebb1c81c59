"""Whether a run can have the folder where it is to lie: said in one line before Hydra writes into it."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from yaml import YAMLError

from panns.training.checkpoints import LAST
from panns.training.run import FORMER, RESULTS, config_hash, different, is_taken, science, told


class RunFolder(Callback):
    """Ends the program before it starts if the folder of the run, or of the sweep, cannot be written, or holds a run
    of another configuration."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """One run."""
        HydraConfig.instance().set_config(config)  # which the folder's name refers to
        check_writable(Path(config.hydra.run.dir), "hydra.run.dir")
        if rank_zero_only.rank == 0:  # which has written the configuration when other ranks start
            check_configuration(Path(config.hydra.run.dir), config)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """A sweep."""
        check_writable(Path(config.hydra.sweep.dir), "hydra.sweep.dir")


def check_writable(folder: Path, key: str) -> None:
    """Exits with what is wrong with a folder and the key that names another one; makes nothing."""
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if os.path.lexists(parent))
    why = None
    if not nearest.is_dir():
        why = f"{nearest} is no folder"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        why = f"{nearest} may not be written"
    if why:
        sys.exit(f"train.py: {folder} cannot be made: {why}. Put runs elsewhere with {key}=DIR.")


def check_configuration(folder: Path, cfg: DictConfig) -> None:
    """Exits if another configuration was or is trained in a folder, which would be taken for this one.

    With resume=never, that configuration is kept, to be moved aside with its run.
    """
    written = folder / ".hydra" / "config.yaml"
    left = (folder / RESULTS, folder / "checkpoints" / LAST)
    if not written.is_file() or not (any(path.is_file() for path in left) or is_taken(folder)):
        return
    if cfg.resume == "never" and not is_taken(folder):
        shutil.copytree(written.parent, folder / FORMER, dirs_exist_ok=True)
        return
    remedy = "Leave out hydra.run.dir, or give another; resume=never moves aside what is there and starts anew."
    try:
        before = OmegaConf.load(written)
        assert isinstance(before, DictConfig)
    except (AssertionError, OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException):
        sys.exit(f"train.py: {folder} holds a run whose configuration, {written}, cannot be read. {remedy}")
    if config_hash(before) != config_hash(cfg):
        found = different(science(before), science(cfg))
        sys.exit(f"train.py: {folder} holds a run of another configuration: {told(found)}. {remedy}")
