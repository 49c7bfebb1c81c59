"""The end of a sweep whose jobs are all finished: mean and spread of each row, confusion matrices added up."""

import hashlib
import json
import shlex
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from panns.studies.gathering import differences
from panns.studies.jobs import SweepJob
from panns.studies.study import Study
from panns.training.confusion import CONFUSION, read_confusion, write_confusion
from panns.training.pictures import confusion_matrix
from panns.training.run import objective_of, read_results

NO_PART_OF_RUNS = ("experiment=", "hydra", "resume=", "row=")  # overrides by which no run is known


def summarise(
    name: str, config: DictConfig, jobs: Sequence[SweepJob], study: Study | None, given: Sequence[str] = ()
) -> None:
    """Prints each row's objective over its seeds; of a sweep that is no study also that of all jobs, and writes it.

    Args:
        name: Of the sweep.
        config: Of the sweep as a whole.
        jobs: All finished.
        study: That the jobs are of; `panns report` then does the rest.
        given: Overrides of the command line, with which it finds them.
    """
    results = {job.folder: read_results(job.folder) for job in jobs}
    values = {folder: objective_of(of_job, config.objective) for folder, of_job in results.items()}
    fingerprints = {folder: of_job.get("fingerprint", {}) for folder, of_job in results.items()}
    apart = []
    for label in dict.fromkeys(job.label for job in jobs):
        of_row = [job for job in jobs if job.label == label]
        found = differences([(job.seed, fingerprints[job.folder]) for job in of_row], of_row[0].cfg)
        told = f"not averaged, different {found[0]}" if found else _told([values[job.folder] for job in of_row])
        print(f"  {label or 'all seeds'}: {config.objective} {told}")
        apart += found
    if study is not None:
        words = [word for word in given if not word.startswith(NO_PART_OF_RUNS)]
        runs = [] if config.hydra.sweep.dir == "runs" else ["--runs", config.hydra.sweep.dir]
        print(f"Tables, pictures and the paper beside them: {shlex.join(['panns', 'report', name, *words, *runs])}")
        return
    which = hashlib.sha256(" ".join(sorted(job.folder.name for job in jobs)).encode()).hexdigest()[:8]
    folder = Path(config.hydra.sweep.dir) / f"{config.name}-summary-{which}"  # another sweep has another
    folder.mkdir(parents=True, exist_ok=True)
    known = [] if apart else _known(values.values())
    mean, spread = (statistics.fmean(known), _sd(known)) if known else (None, None)
    listed = [{"overrides": list(j.overrides), "folder": str(j.folder), "value": values[j.folder]} for j in jobs]
    text = json.dumps({"objective": config.objective, "mean": mean, "sd": spread, "jobs": listed}, indent=2)
    (folder / "summary.json").write_text(f"{text}\n")
    told = "of different data or first weights, no mean" if apart else f"mean {_told(list(values.values()), 'jobs')}"
    print(f"{config.objective}: {told}; {folder}")
    _add_confusions([job.folder / CONFUSION for job in jobs], folder)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _told(values: list[float | None], what: str = "seeds") -> str:
    """Mean and spread of the scores that there are, and how many there are not."""
    known = _known(values)
    if not known:
        return "no value"
    parts = [f"{statistics.fmean(known):.4f}"]
    if len(known) > 1:
        parts += [f"sd {_sd(known):.4f}", f"{len(known)} {what}"]
    if len(known) < len(values):
        parts.append(f"{len(values) - len(known)} without a value")
    return ", ".join(parts)


def _sd(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _add_confusions(paths: list[Path], folder: Path) -> None:
    """Writes the sum of the jobs' confusion matrices, if all have one of the same classes."""
    tables: list[Any] = [read_confusion(path) for path in paths if path.is_file()]
    if len(tables) == len(paths) and len({tuple(names) for names, _ in tables}) == 1:
        names, total = tables[0][0], np.sum([matrix for _, matrix in tables], axis=0)
        write_confusion(names, total, folder / CONFUSION)
        confusion_matrix(names, total, folder / "confusion_matrix.png")
