"""What the launchers share: each job is a command. Light at import: Hydra imports all plugins at its start."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from panns.studies.processes import Command, Outcome


class CommandLauncher(Launcher):
    """Runs each job as `train.py` in a process group of its own, so that jobs may have several GPUs.

    Args:
        n_jobs: At a time; None: as many as there is place for.
    """

    def __init__(self, n_jobs: int | None) -> None:
        self.n_jobs = n_jobs
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """As Hydra wants it; ends the program with one line where the launcher's settings cannot be."""
        self.config, self.hydra_context = config, hydra_context
        if self.n_jobs is not None and self.n_jobs < 1:
            sys.exit(f"train.py: hydra.launcher.n_jobs={self.n_jobs}: at least one job must run at a time.")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs the jobs; one that fails does not keep the others from running."""
        from panns.studies.launching import job_return, train_command

        assert self.config is not None
        assert self.hydra_context is not None
        loader = self.hydra_context.config_loader
        outcomes = self.run([train_command(self.config, words, loader) for words in job_overrides])
        return [job_return(words, outcome) for words, outcome in zip(job_overrides, outcomes, strict=True)]

    @abstractmethod
    def run(self, commands: Sequence[Command]) -> list[Outcome]:
        """Runs the commands -> what came of each."""
