"""The launcher that makes each job of a sweep a process. Light at import: Hydra imports all plugins at its start."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class ProcessLauncher(Launcher):
    """Runs each job as `train.py` in a process group of its own, so that jobs may have several GPUs.

    Args:
        n_jobs: At a time.
        gpus_per_job: Each job sees so many of the visible GPUs, no two jobs the same; None: every job sees all.
        wait_for_locked: Seconds to wait for a run that another process works in, at the end of the sweep.
    """

    def __init__(self, n_jobs: int = 1, gpus_per_job: int | None = None, wait_for_locked: float = 60.0) -> None:
        self.n_jobs, self.gpus_per_job, self.wait_for_locked = n_jobs, gpus_per_job, wait_for_locked
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """As Hydra wants it."""
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs the jobs; one that fails does not keep the others from running."""
        from panns.studies.launching import Slots, job_return, train_command
        from panns.studies.processes import run_all

        assert self.config is not None
        assert self.hydra_context is not None
        slots = Slots.of(self.n_jobs, self.gpus_per_job)
        loader = self.hydra_context.config_loader
        commands = [train_command(self.config, words, loader, logged=self.n_jobs > 1) for words in job_overrides]
        outcomes = run_all(commands, self.n_jobs, self.wait_for_locked, slots.env)
        return [job_return(words, outcome) for words, outcome in zip(job_overrides, outcomes, strict=True)]
