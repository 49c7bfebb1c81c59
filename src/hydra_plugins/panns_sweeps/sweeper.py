"""The sweeper of `python train.py -m`. Light at import: Hydra imports all plugins whenever it starts."""

import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class StudySweeper(Sweeper):
    """Trains every combination of what is swept that is not finished yet, and says what came of all.

    Args:
        max_batch_size: At most so many jobs are handed to the launcher at a time; None: all.
        params: Key -> values as on the command line, swept unless the command line says otherwise.
    """

    def __init__(self, max_batch_size: int | None = None, params: dict[str, str] | None = None) -> None:
        self.max_batch_size = max_batch_size
        self.params = params or {}
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """As Hydra wants it."""
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: Sequence[str]) -> Any:
        """Runs the sweep.

        Args:
            arguments: Overrides as they were given on the command line, lists among them.

        Raises:
            SystemExit: not every job is finished.
        """
        from panns.starting import INTERRUPTED, LINE, started
        from panns.studies.launching import check_launcher
        from panns.studies.sweep import Sweep, run_sweep

        check_launcher(self.launcher)
        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        HydraConfig.instance().set_config(self.config)  # for what the name of the sweep refers to
        given = [*(f"{key}={values}" for key, values in self.params.items()), *arguments]
        started()
        try:
            if self.config.get("hparams_search"):
                return self._search(given)
            sweep = Sweep.of(self.config, given, self.hydra_context.config_loader)
            return run_sweep(sweep, self.launcher, self.max_batch_size)
        except KeyboardInterrupt:
            print(f"{LINE}; the same command goes on from what is saved", file=sys.stderr)
            sys.exit(INTERRUPTED)

    def _search(self, given: Sequence[str]) -> Any:
        """Lets Optuna choose among what is swept, as many runs at a time as the launcher takes."""
        assert self.config is not None
        assert self.hydra_context is not None
        try:
            from panns.studies.search import Search, run_search
        except ModuleNotFoundError as error:
            sys.exit(f"train.py: hparams_search needs {error.name}: pip install '.[optuna]'")
        search = Search.of(self.config, given, self.hydra_context.config_loader)
        n_jobs = self.config.hydra.launcher.get("n_jobs") or 1
        return run_search(search, self.launcher, self.max_batch_size or n_jobs)
