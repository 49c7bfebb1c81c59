"""Whether runs can be written where they are to lie: said in one line before Hydra stumbles over it."""

import os
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class WritableFolder(Callback):
    """Ends the program before it starts if the folder of the run, or of the sweep, cannot be written."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """One run."""
        HydraConfig.instance().set_config(config)  # which the folder's name refers to
        check_writable(Path(config.hydra.run.dir), "hydra.run.dir")

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
