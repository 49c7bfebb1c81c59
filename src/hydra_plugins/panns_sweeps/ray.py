"""The launcher that gives jobs to a Ray cluster. Light at import: Hydra imports all plugins at its start."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra_plugins.panns_sweeps.commands import CommandLauncher

if TYPE_CHECKING:
    from panns.studies.processes import Command, Outcome


class RayLauncher(CommandLauncher):
    """Runs each job on a node of a Ray cluster.

    Args:
        address: Of the cluster, as Ray has it; None: $RAY_ADDRESS, else one on this machine for the time of the sweep.
        num_cpus: That a job holds, all on one node.
        num_gpus: The same; None: one where the cluster has any.
        n_jobs: At most so many at a time; None: as many as the cluster has place for.
        wait_for_locked: Seconds to wait for a run that another process works in, at the end of the sweep.
    """

    def __init__(
        self,
        address: str | None = None,
        num_cpus: float = 1,
        num_gpus: float | None = None,
        n_jobs: int | None = None,
        wait_for_locked: float = 60.0,
    ) -> None:
        super().__init__(n_jobs)
        self.address, self.num_cpus, self.num_gpus = address, num_cpus, num_gpus
        self.wait_for_locked = wait_for_locked

    def run(self, commands: Sequence[Command]) -> list[Outcome]:
        """As many at a time as there is place for.

        Ends the program with one line where Ray is missing, no cluster answers, or no job would ever find place.
        """
        try:
            import ray  # noqa: F401
        except ModuleNotFoundError:
            sys.exit("train.py: hydra/launcher=ray needs Ray: pip install '.[ray]'")
        from panns.studies.processes import run_all
        from panns.studies.ray_jobs import RayJob, Share, cluster

        with cluster(self.address) as own:
            share = Share.of(self.num_cpus, self.num_gpus, own)
            at_once = self.n_jobs or len(commands)
            return run_all(commands, at_once, self.wait_for_locked, lambda command, _: RayJob(command, share))
