"""The runs of a folder, as far as they got: known by the hash of their configuration, not by the name of the folder."""

import csv
import json
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from panns.training.loggers import HISTORY
from panns.training.pictures import read_history
from panns.training.run import MACHINE, RESULTS, config_hash, science

CONFIG = Path(".hydra") / "config.yaml"
ERROR = "error.txt"  # what a job of a sweep leaves that failed: `cause` is the line that says why
FINISHED, UNFINISHED, FAILED = "finished", "unfinished", "failed"
CLASS_AP, AP = "per_class.csv", {"val": "ap", "test": "test_ap"}  # of each class: the columns by the role
GROUPS = ("fingerprint", "damaged_clips", "model", "versions")  # of metrics.json
NUMBERS = ("step", "seconds")  # of metrics.json, beside the scores
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
        class_ap: Reads the AP of each class by its name, of the clips that its scores are of; empty where the run did
            not keep it.
        folder: Where it lies on disk; None for one that was read from W&B.
        error: Why it failed.
        science: What its name stands for; empty for one that was read from W&B.
        question: Of the study that it was made for; empty where it was made for none.
    """

    name: str
    seed: int
    status: str
    place: str
    batch_size: int
    results: Mapping[str, Any]
    history: Callable[[], dict[str, Curve]] = field(compare=False)
    class_ap: Callable[[], dict[str, float]] = field(default=dict, compare=False)
    folder: Path | None = None
    error: str = ""
    science: Mapping[str, Any] = field(default_factory=dict, compare=False)
    question: str = ""

    @property
    def role(self) -> str:
        """Which clips its scores are of: "test" where they are others than those that chose the checkpoint."""
        return _role(self.results)

    def score(self, metric: str) -> float | None:
        """A score of a finished run, such as "mAP"; None where it has none."""
        value = self.results.get(f"{self.role}/{metric}")
        return None if value is None else float(value)

    @property
    def scores_file(self) -> Path | None:
        """The scores of the clips that `score` is of; None where the run did not keep them."""
        path = self.folder / f"{self.role}_scores.npz" if self.folder else None
        return path if path is not None and path.is_file() else None


def find_runs(folder: Path) -> tuple[list[FoundRun], list[str]]:
    """All runs directly below a folder, and what is wrong with those that cannot be read.

    A run whose curves or classes alone cannot be read is there without them.

    Raises:
        RunsError: there is no such folder.
    """
    if not folder.is_dir():
        raise RunsError(f"There is no folder {folder} to look for runs in; name another one with --runs.")
    runs, unread = [], []
    for path in sorted(folder.glob(f"*/{CONFIG}")):
        try:
            run, wrong = _readable(read_run(path.parents[1]))
        except RunsError as error:
            unread.append(str(error))
        else:
            runs.append(run)
            unread += wrong
    return runs, unread


def read_run(folder: Path) -> FoundRun:
    """The run of a folder.

    Raises:
        RunsError: its configuration or results cannot be read.
    """
    cfg = _config(folder / CONFIG)
    results, error = _results(folder / RESULTS), cause(folder / ERROR)
    return FoundRun(
        name=config_hash(cfg),
        seed=int(cfg.seed),
        status=FINISHED if results else FAILED if error else UNFINISHED,
        place=str(folder),
        batch_size=int(cfg.data.batch_size),
        results=results,
        history=partial(_table, folder / HISTORY, read_history),
        class_ap=partial(_table, folder / CLASS_AP, partial(_class_ap, column=AP[_role(results)])),
        folder=folder,
        error=error,
        science=science(cfg),
        question=str(OmegaConf.select(cfg, "study.question") or ""),
    )


def cause(path: Path) -> str:
    """The line that says why a job failed, of what it left: train.py's own, which further ones may follow, or the last.

    Empty where there is nothing.
    """
    lines = path.read_text(errors="replace").strip().splitlines() if path.is_file() else []
    own = [line for line in lines if line.startswith("train.py: ")]
    return (own or lines or [""])[-1]


def _readable(run: FoundRun) -> tuple[FoundRun, list[str]]:
    """A run without those of its tables that cannot be read, and what is wrong with these."""
    wrong: list[str] = []
    return replace(run, history=_kept(run.history, wrong), class_ap=_kept(run.class_ap, wrong)), wrong


def _kept(read: Callable[[], dict[str, Any]], wrong: list[str]) -> Callable[[], dict[str, Any]]:
    """What reads a table; where it cannot be read, what gives an empty one, and a line more in `wrong`."""
    try:
        read()
    except RunsError as error:
        wrong.append(str(error))
        return dict
    return read


def _config(path: Path) -> DictConfig:
    try:
        cfg = OmegaConf.load(path)
        ours = isinstance(cfg, DictConfig) and _of_train_py(cfg)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise RunsError(f"{path} is no configuration of a run ({error}); remove the run's folder.") from error
    if not isinstance(cfg, DictConfig) or not ours:
        raise RunsError(f"{path} is no configuration of train.py; take its folder out of {path.parents[2]}.")
    return cfg


def _of_train_py(cfg: DictConfig) -> bool:
    """Whether a configuration has what runs are known by, in the form that train.py gives it."""
    groups = ("model", "model.head", *MACHINE)
    return (
        isinstance(cfg.get("seed"), int)
        and all(isinstance(OmegaConf.select(cfg, group), DictConfig | None) for group in groups)
        and isinstance(OmegaConf.select(cfg, "data.batch_size"), int)
    )


def _results(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        results = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunsError(f"{path} cannot be read ({error}); remove it and start the run again.") from error
    if wrong := misfit(results):
        raise RunsError(f"{path} is not what train.py writes ({wrong}); remove it and start the run again.")
    return results


def misfit(results: Any) -> str:
    """What is not as it must be in the content of metrics.json; empty where all is."""
    if not isinstance(results, dict) or not results:
        return "it holds no scores"
    for key, value in results.items():
        if key.startswith(("val/", "test/")) and not _is_number(value):
            return f"{key} is {value!r}, no number"
        if key in NUMBERS and value is not None and not _is_number(value):
            return f"{key} is {value!r}, no number"
        if key in GROUPS and not isinstance(value, dict):
            return f"{key} is {value!r}, no group of values"
    for role, facts in results.get("fingerprint", {}).items():
        if not isinstance(facts, dict) or not all(isinstance(fact, Hashable) for fact in facts.values()):
            return f"fingerprint.{role} is {facts!r}, no group of values"
    numbers = results.get("model", {}).items()
    return next((f"model.{key} is {value!r}, no number" for key, value in numbers if not _is_number(value)), "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _role(results: Mapping[str, Any]) -> str:
    return "test" if any(key.startswith("test/") for key in results) else "val"


def _table(path: Path, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """A CSV of a run; empty where it is not there.

    Raises:
        RunsError: it cannot be read.
    """
    try:
        return read(path) if path.is_file() else {}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        told = f"no column {error}" if isinstance(error, KeyError) else str(error)
        raise RunsError(f"{path} cannot be read ({told}); remove it, and the report does without.") from error


def _class_ap(path: Path, column: str) -> dict[str, float]:
    with path.open(newline="") as file:
        return {row["class"]: float(row[column]) for row in csv.DictReader(file)}
