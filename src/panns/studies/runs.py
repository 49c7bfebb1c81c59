"""The runs of a folder, as far as they got: known by the hash of their configuration, not by the name of the folder."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from panns.training.loggers import HISTORY
from panns.training.pictures import read_history
from panns.training.run import RESULTS, config_hash, science

CONFIG = Path(".hydra") / "config.yaml"
ERROR = "error.txt"  # what a job of a sweep leaves that failed: its last line says why
FINISHED, UNFINISHED, FAILED = "finished", "unfinished", "failed"
Curve = tuple[NDArray[np.int64], NDArray[np.float64]]


class RunsError(ValueError):
    """Runs cannot be looked for, or one cannot be read."""


@dataclass(frozen=True)
class FoundRun:
    """One run, on disk or in W&B.

    Attributes:
        name: Hash of its configuration, 8 hexadecimal digits.
        seed: Of the configuration.
        status: FINISHED, UNFINISHED or FAILED.
        place: Its folder, or its URL.
        batch_size: Training examples per step.
        results: What metrics.json holds; empty unless finished.
        history: Reads its curves: name -> steps (S,) and values (S,).
        folder: Where it lies on disk; None for one that was read from W&B.
        error: Why it failed.
        science: What its name stands for; empty for one that was read from W&B.
    """

    name: str
    seed: int
    status: str
    place: str
    batch_size: int
    results: Mapping[str, Any]
    history: Callable[[], dict[str, Curve]] = field(compare=False)
    folder: Path | None = None
    error: str = ""
    science: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def role(self) -> str:
        """Which clips its scores are of: "test" where they are others than those that chose the checkpoint."""
        return "test" if any(key.startswith("test/") for key in self.results) else "val"

    def score(self, metric: str) -> float | None:
        """A score of a finished run, such as "mAP"; None where it has none."""
        value = self.results.get(f"{self.role}/{metric}")
        return None if value is None else float(value)

    @property
    def scores_file(self) -> Path | None:
        """The scores of the clips that `score` is of; None where the run did not keep them."""
        return self._kept(f"{self.role}_scores.npz")

    def class_ap(self) -> dict[str, float]:
        """AP of each class by its name, of the same clips; empty where the run did not keep it."""
        path, column = self._kept("per_class.csv"), "test_ap" if self.role == "test" else "ap"
        if path is None:
            return {}
        with path.open(newline="") as file:
            return {row["class"]: float(row[column]) for row in csv.DictReader(file)}

    def _kept(self, name: str) -> Path | None:
        """A file of the run, None where it is not there."""
        path = self.folder / name if self.folder else None
        return path if path is not None and path.is_file() else None


def find_runs(folder: Path) -> tuple[list[FoundRun], list[str]]:
    """All runs directly below a folder, and what is wrong with those that cannot be read.

    Raises:
        RunsError: there is no such folder.
    """
    if not folder.is_dir():
        raise RunsError(f"There is no folder {folder} to look for runs in; name another one with --runs.")
    runs, unread = [], []
    for path in sorted(folder.glob(f"*/{CONFIG}")):
        try:
            runs.append(read_run(path.parents[1]))
        except RunsError as error:
            unread.append(str(error))
    return runs, unread


def read_run(folder: Path) -> FoundRun:
    """The run of a folder.

    Raises:
        RunsError: its configuration or results cannot be read.
    """
    cfg = _config(folder / CONFIG)
    results, error = _results(folder / RESULTS), _error(folder / ERROR)
    return FoundRun(
        name=config_hash(cfg),
        seed=int(cfg.seed),
        status=FINISHED if results else FAILED if error else UNFINISHED,
        place=str(folder),
        batch_size=int(cfg.data.batch_size),
        results=results,
        history=lambda: read_history(folder / HISTORY) if (folder / HISTORY).is_file() else {},
        folder=folder,
        error=error,
        science=science(cfg),
    )


def _config(path: Path) -> DictConfig:
    try:
        cfg = OmegaConf.load(path)
    except (OSError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise RunsError(f"{path} is no configuration of a run ({error}); remove the run's folder.") from error
    if not isinstance(cfg, DictConfig) or "seed" not in cfg or "data" not in cfg:
        raise RunsError(f"{path} is no configuration of train.py; take its folder out of {path.parents[2]}.")
    return cfg


def _results(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise RunsError(f"{path} cannot be read ({error}); remove it and start the run again.") from error


def _error(path: Path) -> str:
    """The last line of what a failed job left; empty where there is nothing."""
    return path.read_text(errors="replace").strip().rpartition("\n")[2] if path.is_file() else ""
