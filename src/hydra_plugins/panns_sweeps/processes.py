"""The launcher that makes each job of a sweep a process. Light at import: Hydra imports all plugins at its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hydra_plugins.panns_sweeps.commands import CommandLauncher

if TYPE_CHECKING:
    from panns.studies.processes import Command, Outcome


class ProcessLauncher(CommandLauncher):
    """Runs the jobs on this machine.

    Args:
        n_jobs: At a time.
        gpus_per_job: Each job sees so many of the visible GPUs, no two jobs the same; None: every job sees all.
        wait_for_locked: Seconds to wait for a run that another process works in, at the end of the sweep.
    """

    def __init__(self, n_jobs: int = 1, gpus_per_job: int | None = None, wait_for_locked: float = 60.0) -> None:
        super().__init__(n_jobs)
        self.gpus_per_job, self.wait_for_locked = gpus_per_job, wait_for_locked

    def run(self, commands: Sequence[Command]) -> list[Outcome]:
        """Some at a time; a single one says what it has to say here."""
        from panns.studies.launching import Slots
        from panns.studies.processes import Process, run_all

        slots = Slots.of(self.n_jobs or 1, self.gpus_per_job)
        commands = commands if slots.count > 1 else [replace(command, log=None) for command in commands]
        return run_all(
            commands, slots.count, self.wait_for_locked, lambda command, slot: Process(command, slots.env(slot))
        )
