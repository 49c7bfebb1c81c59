"""What the launchers share: each job is a command. Light at import: Hydra imports all plugins at its start."""

from __future__ import annotations

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
    """Runs each job as `train.py` in a process group of its own, so that jobs may have several GPUs."""

    def __init__(self) -> None:
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """As Hydra wants it."""
        self.config, self.hydra_context = config, hydra_context

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
