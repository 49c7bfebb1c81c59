"""`panns submit`: `panns pack` or `panns index` in parts, as jobs of a cluster, and a job that merges them.

A job that runs into its time limit or is preempted is queued again, and goes on where it stopped.
"""

import argparse
import ast
from pathlib import Path
from typing import Any

from panns import cli
from panns.commands.numbers import whole

MAX_REQUEUES = 100
CLUSTERS = ("slurm", "local")


class SubmitError(ValueError):
    """Jobs that cannot be submitted as asked, or have failed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many parts, on what, and the command."""
    parser.add_argument("--parts", type=whole(1), required=True, metavar="N", help="jobs that share the clips")
    parser.add_argument("--cluster", choices=CLUSTERS, default=CLUSTERS[0], help="local: here (default: %(default)s)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting of submitit, such as slurm_partition=cpu, cpus_per_task=16, mem_gb=32, timeout_min=240",
    )
    parser.add_argument("--logs", type=Path, metavar="DIR", help="default: STORE-logs")
    parser.add_argument("import_command", nargs=argparse.REMAINDER, metavar="pack ... | index ...")


def run(args: argparse.Namespace) -> int:
    """Submit all parts and the merge; on this machine, wait for them."""
    command = args.import_command[args.import_command[:1] == ["--"] :]
    if command[:1] not in (["pack"], ["index"]):
        raise SubmitError("say how many parts, then the import: panns submit --parts 64 pack audioset ... --out STORE")
    given = cli.parse(command)  # a typo shows here, not in 64 logs
    if given.part:
        raise SubmitError("--part is filled in for each job; leave it out")
    logs = args.logs or given.out.with_name(f"{given.out.name}-logs")
    parts = _executor(args.cluster, logs, args.set, f"panns-{command[0]}")
    jobs = parts.map_array(Command(), [[*command, "--part", f"{k}/{args.parts}"] for k in range(1, args.parts + 1)])
    ids = list(dict.fromkeys(job.job_id.partition("_")[0] for job in jobs))  # under SLURM all have that of the array
    print(f"{args.parts} parts: job {', '.join(ids)}, logs in {logs}", flush=True)
    merge = ["merge", str(given.out)]
    if args.cluster == "local":
        _wait(jobs)
        return cli.main(merge)
    last = _executor(args.cluster, logs, [*args.set, f"slurm_dependency=afterok:{ids[0]}"], "panns-merge")
    print(f"merge: job {last.submit(Command(), merge).job_id}, when all are done; until then `squeue --me` shows them")
    print("if a part fails, see its log and run the same command again: what is done is not done twice")
    return 0


class Command:
    """One `panns` command as a job; submitit calls `checkpoint` before the job is stopped."""

    def __call__(self, arguments: list[str]) -> None:
        """Run it, and fail as a job where the command fails."""
        code = cli.run(cli.parse(arguments))
        if code:
            raise SubmitError(f"panns {' '.join(arguments)}: exit code {code}")

    def checkpoint(self, arguments: list[str]) -> Any:
        """The same again: it goes on where it stopped."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(Command(), arguments)


def _executor(cluster: str, logs: Path, settings: list[str], name: str) -> Any:
    """A submitit executor.

    Raises:
        SubmitError: submitit is not installed, there is no SLURM here, or it does not know a setting.
    """
    try:
        import submitit
    except ImportError as error:
        raise SubmitError("submitit is not installed: pip install '.[slurm]'") from error
    chosen: dict[str, Any] = {"timeout_min": 240, "name": name}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise SubmitError(f"--set {setting}: write KEY=VALUE, such as --set slurm_partition=cpu")
        chosen[key] = _value(value)
    try:
        executor = submitit.AutoExecutor(folder=logs, cluster=cluster, **{f"{cluster}_max_num_timeout": MAX_REQUEUES})
        executor.update_parameters(**chosen)
    except (NameError, AssertionError, TypeError, RuntimeError) as error:
        raise SubmitError(f"submitit on {cluster}: {error}") from error
    return executor


def _value(text: str) -> Any:
    """A number or a list where it reads as one, else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _wait(jobs: list[Any]) -> None:
    for job in jobs:
        if error := job.exception():
            why = str(error).split("-" * 20)[1].strip(" -\n").splitlines()[-1]  # submitit frames the traceback with it
            raise SubmitError(f"job {job.job_id} failed ({why}); see {job.paths.stderr}")
