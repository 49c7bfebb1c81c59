"""The runs of a W&B project, read as those of a folder are."""

from functools import partial
from typing import Any

import numpy as np

from panns.studies.runs import FAILED, FINISHED, UNFINISHED, Curve, FoundRun, RunsError, misfit

STEP = "trainer/global_step"  # what Lightning's logger calls the optimizer step
RESULTS = "results"  # of the summary: what metrics.json holds
STATES = {"failed": FAILED}  # crashed, killed and running ones may go on


def wandb_runs(project: str) -> tuple[list[FoundRun], list[str]]:
    """All runs of a project, and what is wrong with those that cannot be read.

    Args:
        project: ENTITY/PROJECT.

    Raises:
        RunsError: nobody is logged in, or there is no such project.
    """
    import wandb
    from wandb.errors import CommError, Error

    try:
        return read_project(wandb.Api(), project)
    except (CommError, Error, ValueError) as error:
        raise RunsError(
            f"W&B does not hand out {project} ({error}): log in with `wandb login`, and name it as ENTITY/PROJECT."
        ) from error


def read_project(api: Any, project: str) -> tuple[list[FoundRun], list[str]]:
    """The same from a `wandb.Api()`."""
    runs, unread = [], []
    for run in api.runs(project):
        config, summary = run.config, run.summary_metrics or {}
        results = summary.get(RESULTS) or {}
        data = config.get("data")
        if not (isinstance(data, dict) and all(type(n) is int for n in (config.get("seed"), data.get("batch_size")))):
            unread.append(f"{run.url} is no run of train.py: its configuration has no seed or no data.batch_size.")
            continue
        if results and (wrong := misfit(results)):
            unread.append(f"{run.url} has other `{RESULTS}` in its summary than train.py writes ({wrong}).")
            continue
        if run.state == "finished" and not results:
            unread.append(f"{run.url} is finished and has no `{RESULTS}` in its summary: it is of an older version.")
        runs.append(
            FoundRun(
                name=run.id,
                seed=config["seed"],
                status=FINISHED if results else STATES.get(run.state, UNFINISHED),
                place=run.url,
                batch_size=data["batch_size"],
                results=results,
                history=partial(_curves, run),
            )
        )
    return runs, unread


def _curves(run: Any) -> dict[str, Curve]:
    """The curves of the validations; where a resumed run logged a step twice, the later value counts."""
    names = [name for name in run.summary_metrics or {} if name.startswith("val/")]
    curves = {}
    for name in names:
        points = {int(row[STEP]): float(row[name]) for row in run.scan_history(keys=[STEP, name])}
        steps = sorted(points)
        curves[name] = np.array(steps, dtype=np.int64), np.array([points[step] for step in steps])
    return curves
