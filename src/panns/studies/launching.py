"""How a job of a sweep is run: its command line, and its share of the machine."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from panns.data.workers import num_cores
from panns.studies.jobs import compose_jobs
from panns.studies.processes import Command, Outcome
from panns.studies.study import quoted

OF_THE_SWEEP = ("hydra.mode", "hydra.sweep", "hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper")
LOGS = ".jobs"  # below the folder of all runs


class JobError(RuntimeError):
    """A job failed; the message is the end of what it said."""


def check_launcher(launcher: Launcher | None) -> None:
    """Ends the program with one line where jobs cannot be handed on, before a sweep begins."""
    if type(launcher).__name__ == "SlurmLauncher" and shutil.which("srun") is None:
        sys.exit(
            "train.py: hydra/launcher=slurm: there is no SLURM here (no srun on the PATH). Start the sweep where jobs "
            "are submitted, or leave hydra/launcher out to run it on this machine."
        )


@dataclass(frozen=True)
class Slots:
    """Shares of the machine.

    Attributes:
        count: How many jobs run at a time.
        gpus: Names of the GPUs of each slot; empty: all jobs see all.
    """

    count: int
    gpus: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, n_jobs: int, gpus_per_job: int | None) -> "Slots":
        """Deals out the GPUs that this process may see.

        Ends the program with one line where there are too few.
        """
        if not gpus_per_job:
            return cls(n_jobs)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]
        if n_jobs * gpus_per_job > len(names):
            sys.exit(
                f"train.py: {n_jobs} jobs of {gpus_per_job} GPUs each need {n_jobs * gpus_per_job}, and {len(names)} "
                "are visible: lower hydra.launcher.n_jobs or hydra.launcher.gpus_per_job."
            )
        return cls(n_jobs, tuple(tuple(names[i * gpus_per_job : (i + 1) * gpus_per_job]) for i in range(n_jobs)))

    def env(self, slot: int) -> dict[str, str]:
        """The environment of the job in a slot: its GPUs, and its part of the cores unless OMP_NUM_THREADS is set."""
        env = dict(os.environ)
        if self.count > 1:
            env.setdefault("OMP_NUM_THREADS", str(max(num_cores() // self.count, 1)))
        if self.gpus:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpus[slot])
        return env


def train_command(config: DictConfig, overrides: Sequence[str], loader: ConfigLoader) -> Command:
    """`python train.py ...` for one job.

    Args:
        config: Of the sweep as a whole.
        overrides: That make the job.
        loader: Hydra's.
    """
    (job,) = compose_jobs(config, [(list(overrides), "")], loader)
    own = [word for word in config.hydra.overrides.hydra if not word.lstrip("+~").startswith(OF_THE_SWEEP)]
    where = [("--config-dir", s.path) for s in config.hydra.runtime.config_sources if s.provider == "command-line"]
    words = (
        sys.executable,
        sys.argv[0],
        *(word for pair in where for word in pair),
        *overrides,
        *own,
        "hydra.mode=RUN",
        f"hydra.run.dir={quoted(str(job.folder))}",
    )
    return Command(job.folder.name, words, Path(config.hydra.sweep.dir) / LOGS / f"{job.folder.name}.log")


def job_return(overrides: Sequence[str], outcome: Outcome) -> JobReturn:
    """What Hydra is told of a job."""
    value = JobError(outcome.error) if outcome.status == JobStatus.FAILED else None
    return JobReturn(overrides=list(overrides), status=outcome.status, _return_value=value)
