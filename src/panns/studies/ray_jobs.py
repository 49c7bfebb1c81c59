"""Commands on a Ray cluster: each is an actor that holds CPUs and GPUs of one node and runs the command there.

An actor and not a task, since a job must be told to save a checkpoint: Ray can only interrupt tasks or kill them. It
imports nothing of ours but `processes`: it is there within a second.
"""

import os
import platform
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from hydra.core.utils import JobStatus
from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError

from panns.studies.processes import Command, Outcome, Process

STORE_BYTES = 100 * 2**20  # nothing large goes through Ray
OF_THE_NODE = ("TMPDIR", "HOSTNAME", "XDG_RUNTIME_DIR")  # variables that differ by machine
OF_THE_SCHEDULER = ("RAY_", "SLURM_")  # of the sweep's own process, not of the jobs
GPUS = "_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Share:
    """What a job holds of a node.

    Attributes:
        num_cpus: CPUs.
        num_gpus: GPUs; the job sees no others.
    """

    num_cpus: float
    num_gpus: float

    @classmethod
    def of(cls, num_cpus: float, num_gpus: float | None, own: bool) -> "Share":
        """Compares with the cluster's nodes; says so if none could ever hold a job.

        Args:
            num_cpus: Of each job.
            num_gpus: Of each job; None: one where any node has one.
            own: Whether the cluster is ours alone, so that no node will join: then that ends the program.
        """
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if num_gpus is None:
            num_gpus = 1 if any(node.get("GPU") for node in nodes) else 0
        if not any(node.get("CPU", 0) >= num_cpus and node.get("GPU", 0) >= num_gpus for node in nodes):
            there = "; ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
            text = f"no node of the Ray cluster has a job's {num_cpus:g} CPUs and {num_gpus:g} GPUs (there: {there})"
            if own:
                sys.exit(f"train.py: {text}: lower hydra.launcher.num_cpus or hydra.launcher.num_gpus.")
            print(f"The jobs wait until one joins: {text}.", flush=True)
        return cls(num_cpus, num_gpus)


class NodeJob:
    """What runs on the node; a class for an actor.

    Args:
        command: The command.
        folder: The sweep's, to run it in.
        env: The sweep's environment.
        share: What the job holds of the node.
    """

    def __init__(self, command: Command, folder: str, env: Mapping[str, str], share: Share) -> None:
        self._command, self._folder = command, folder
        self._env = job_env(env, os.environ, share)
        self._process: Process | None = None

    def node(self) -> str:
        """Goes to the sweep's folder -> the name of the node. The command does not run yet."""
        os.chdir(self._folder)
        return platform.node()

    def look(self, stops: Sequence[int]) -> tuple[int, Outcome] | None:
        """Starts the command at the first call, hands on the signals -> how it ended, None if it runs."""
        if self._process is None:
            self._process = Process(self._command, self._env)
        self._process.heed(stops)
        return (self._process.code, self._process.outcome()) if self._process.ended() else None


class RayJob:
    """A command on the cluster, seen from the sweep: it waits for its place, runs, and is over.

    Args:
        command: The command.
        share: What it needs of a node.
    """

    def __init__(self, command: Command, share: Share) -> None:
        self._command = command
        self._stops: list[int] = []
        self._begun, self._end = False, (0, Outcome(JobStatus.UNKNOWN))
        actor: Any = ray.remote(num_cpus=share.num_cpus, num_gpus=share.num_gpus)(NodeJob)
        self._actor: Any = actor.remote(command, str(Path.cwd()), dict(os.environ), share)
        self._answer = self._actor.node.remote()

    def ended(self) -> bool:
        """Whether it is over; asks the node again if it has answered."""
        if self._actor is not None and ray.wait([self._answer], timeout=0)[0]:
            self._take()
        return self._actor is None

    def _take(self) -> None:
        """Takes the node's answer."""
        try:
            answer = ray.get(self._answer)
        except ActorUnavailableError:
            answer = None  # the network; a node that is gone is told otherwise
        except RayError as error:
            self._over(1, Outcome(JobStatus.UNKNOWN if self._stops else JobStatus.FAILED, told(error)))
            return
        if isinstance(answer, str):
            self._begun = True
            print(f"{self._command.name} runs on {answer}", flush=True)
        elif answer is not None:
            self._over(*answer)
            return
        self._answer = self._actor.look.remote(self._stops) if self._begun else self._actor.node.remote()

    def heed(self, stops: Sequence[int]) -> None:
        """Hands on signals with the next question; what has no place yet gives up at once."""
        self._stops = list(stops)
        if stops and not self._begun:
            self._over(0, Outcome(JobStatus.UNKNOWN))

    def _over(self, code: int, outcome: Outcome) -> None:
        """Keeps what came of it, and lets others have its place."""
        if self._actor is not None:
            ray.kill(self._actor)
            self._actor, self._end = None, (code, outcome)

    @property
    def code(self) -> int:
        """How it ended."""
        return self._end[0]

    def outcome(self) -> Outcome:
        """What came of it, once it is over."""
        return self._end[1]


def job_env(sweep: Mapping[str, str], node: Mapping[str, str], share: Share) -> dict[str, str]:
    """The environment of a job: the sweep's, but for what belongs to the node.

    Args:
        sweep: Environment of the sweep.
        node: Of the actor: Ray has named its GPUs there.
        share: What the job holds; of CPUs it computes with as many, unless the sweep has OMP_NUM_THREADS.
    """
    env = {k: v for k, v in sweep.items() if not (k.startswith(OF_THE_SCHEDULER) or _of_the_node(k))}
    env |= {k: v for k, v in node.items() if _of_the_node(k)}
    if not share.num_gpus:
        env["CUDA_VISIBLE_DEVICES"] = ""
    env.setdefault("OMP_NUM_THREADS", str(max(int(share.num_cpus), 1)))
    return env


def _of_the_node(variable: str) -> bool:
    return variable in OF_THE_NODE or variable.endswith(GPUS)


def told(error: RayError) -> str:
    """An error of the cluster in a line or two."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, FileNotFoundError):
        return f"{cause.filename} is not on the node: all nodes must see the file system that the sweep is started in"
    if isinstance(cause, RayActorError):
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        return f"the job's place on the Ray cluster is lost: {lines[-1]}"
    return str(cause)


@contextmanager
def cluster(address: str | None) -> Iterator[bool]:
    """Joins a cluster -> whether it is one of our own, which ends with us.

    Args:
        address: As Ray has it; None: $RAY_ADDRESS, else a cluster of this machine alone.

    Ends the program with one line where none answers.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if not address:
        os.environ |= {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_kill_child_processes_on_worker_exit": "0",  # if we are killed, `Process` has jobs save a checkpoint
        }
        options |= {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    else:
        options["runtime_env"] = {"py_executable": sys.executable}  # whatever Python `ray start` was run with
    try:
        _knock(address or "")
        ray.init(address or "local", **options)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        sys.exit(
            f"train.py: hydra.launcher.address: no Ray cluster at {address or 'this machine'} "
            f"({str(error).strip().splitlines()[0]}): start one with `ray start --head`, or leave the address out."
        )
    try:
        yield not address
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Whether anybody listens at HOST:PORT: Ray itself tries for minutes.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
