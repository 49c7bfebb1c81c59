"""The end of a sweep: mean and spread of its jobs' objectives, and their confusion matrices added up."""

import csv
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from panns.training.pictures import confusion_matrix

CONFUSION = "confusion.csv"


class SweepSummary(Callback):
    """Prints and writes `runs/<name>-summary/` once all jobs of a multirun are done."""

    def __init__(self) -> None:
        self._jobs: list[dict[str, Any]] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Remembers a job's objective, or that it failed."""
        done = job_return.status == JobStatus.COMPLETED
        folder = job_return.hydra_cfg.hydra.runtime.output_dir if job_return.hydra_cfg else ""
        overrides = list(job_return.overrides or [])
        self._jobs.append(
            {"overrides": overrides, "folder": folder, "value": job_return.return_value if done else None}
        )

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Summarises."""
        scored = [job for job in self._jobs if job["value"] is not None]
        values = [job["value"] for job in scored]
        if not values:
            return
        folder = Path(config.hydra.sweep.dir) / f"{config.name}-summary"
        folder.mkdir(parents=True, exist_ok=True)
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        summary = {"objective": config.objective, "mean": statistics.fmean(values), "sd": spread, "jobs": self._jobs}
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        for job in self._jobs:
            result = "failed" if job["value"] is None else f"{job['value']:.4f}"
            print(f"  {' '.join(job['overrides'])}: {result}  {job['folder']}")
        print(
            f"{config.objective}: mean {summary['mean']:.4f}, sd {spread:.4f}, "
            f"{len(values)} of {len(self._jobs)} jobs; {folder}"
        )
        self._add_confusions([Path(job["folder"]) / CONFUSION for job in scored], folder)

    def _add_confusions(self, paths: list[Path], folder: Path) -> None:
        tables = [read_confusion(path) for path in paths if path.is_file()]
        if len(tables) == len(paths) and len({tuple(names) for names, _ in tables}) == 1:
            names, total = tables[0][0], np.sum([matrix for _, matrix in tables], axis=0)
            write_confusion(names, total, folder / CONFUSION)
            confusion_matrix(names, total, folder / "confusion_matrix.png")


def write_confusion(names: list[str], matrix: np.ndarray, path: Path) -> None:
    """(K, K) counts, true class by row, predicted class by column."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["true \\ predicted", *names], *([name, *row] for name, row in zip(names, matrix.tolist(), strict=True))]
        )


def read_confusion(path: Path) -> tuple[list[str], np.ndarray]:
    """-> class names, (K, K) counts."""
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    return header[1:], np.array([[int(value) for value in row[1:]] for row in rows])
