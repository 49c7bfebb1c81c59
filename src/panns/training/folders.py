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

UNREADABLE = (  # what a file that is no configuration raises; Hydra would only warn of it
    OSError,
    UnicodeDecodeError,
    YAMLError,
    OmegaConfBaseException,
    AssertionError,
    AttributeError,
    TypeError,
    KeyError,
)


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
    if cfg.resume == "never" and not is_taken(folder):
        if _holds_run(folder):
            shutil.copytree(folder / ".hydra", folder / FORMER, dirs_exist_ok=True)
    elif why := other_configuration(folder, cfg):
        remedy = "Leave out hydra.run.dir, or give another; resume=never moves aside what is there and starts anew."
        sys.exit(f"train.py: {why} {remedy}")


def other_configuration(folder: Path, cfg: DictConfig) -> str | None:
    """-> in what the configuration of the run in a folder is another one; None if it is the same, or none is there."""
    written = folder / ".hydra" / "config.yaml"
    if not written.is_file() or not (_holds_run(folder) or is_taken(folder)):
        return None
    try:
        before = OmegaConf.load(written)
        assert isinstance(before, DictConfig)
        same, found = config_hash(before) == config_hash(cfg), different(science(before), science(cfg))
    except UNREADABLE:
        return f"{folder} holds a run whose configuration, {written}, cannot be read."
    return None if same else f"{folder} holds a run of another configuration: {told(found)}."


def _holds_run(folder: Path) -> bool:
    left = (folder / RESULTS, folder / "checkpoints" / LAST)
    return (folder / ".hydra" / "config.yaml").is_file() and any(path.is_file() for path in left)
