"""A run is its configuration: the same scientific choices have the same folder, and are not done twice."""

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from panns.training.checkpoints import LAST
from panns.whole_files import written_whole

SCIENCE = (
    "model",
    "checkpoint",
    "data",
    "sampler",
    "augmentation",
    "optimizer",
    "scheduler",
    "task",
    "trainer",
    "callbacks",
    "objective",
    "seed",
    "deterministic",
)
MACHINE = {  # how and where a run is computed and told, not what
    "task": ("compile",),
    "data": (
        "store",
        "root",
        "prepare",
        "num_threads",
        "num_workers",
        "max_damaged_clips",
        "cache",
        "cache_gb",
        "hint",
    ),
    "callbacks": ("progress", "throughput", "drawn_classes", "damaged_clips", "last", "pruning"),
    "trainer": (
        "accelerator",
        "devices",
        "num_nodes",
        "strategy",
        "log_every_n_steps",
        "enable_progress_bar",
        "profiler",
        "benchmark",
    ),
}
# A key that a later version adds: the value with which it changes nothing. A run with it keeps the name it always had.
LATER: dict[str, Any] = {"task.lr_batch_size": None, "task.freeze": None, "model.head.classifier_layers": 1}
STARTS = ("auto", "never")  # values of `resume` that name no checkpoint
RESULTS = "metrics.json"
FORMER = ".hydra.former"  # what Hydra has left of a run that is to be moved aside, before it writes anew
LOCK = ".lock"


class RunError(ValueError):
    """The run cannot start in its folder."""


class RunBusyError(RunError):
    """Another process works in the run's folder."""


def science(cfg: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that decides the result, as plain containers, interpolations as they are written."""
    plain: Any = OmegaConf.to_container(cfg, resolve=False) if isinstance(cfg, DictConfig) else deepcopy(dict(cfg))
    kept = {key: plain[key] for key in SCIENCE if plain.get(key) is not None}
    if plain.get("resume") not in (None, *STARTS):
        kept["resume"] = plain["resume"]  # the checkpoint that the run goes on from
    for key, names in MACHINE.items():
        kept[key] = {name: value for name, value in (kept.get(key) or {}).items() if name not in names}
    for key, before in LATER.items():
        *path, name = key.split(".")
        node: Any = kept
        for part in path:
            node = node.get(part) or {}
        if name in node and node[name] == before:
            del node[name]
    return kept


def different(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """-> keys of nested containers, joined by dots, whose values differ, with both values; None for none."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*before, *now]):
        there, here = before.get(key), now.get(key)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            found |= {f"{key}.{name}": values for name, values in different(there, here).items()}
        elif there != here:
            found[key] = there, here
    return found


def told(found: Mapping[str, tuple[Any, Any]], most: int = 4) -> str:
    """What `different` found, in words; how many more there are if they are more than `most`."""
    words = [f"{key} {_value(there)} there, {_value(here)} here" for key, (there, here) in found.items()]
    return "; ".join(words[:most]) + (f"; and {len(words) - most} more" if len(words) > most else "")


def _value(value: Any) -> str:
    return "left out" if value is None else "a group of its own" if isinstance(value, Mapping) else str(value)


def config_hash(cfg: DictConfig, without: Collection[str] = ()) -> str:
    """-> 8 hexadecimal digits of `science(cfg)`, by which a run is known.

    Args:
        cfg: A composed configuration.
        without: Keys of the top level to leave out: ("seed",) gives all repetitions of a run one name.
    """
    kept = {key: value for key, value in science(cfg).items() if key not in without}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:8]


def register_resolvers() -> None:
    """`${run_hash:}` for the folder names in conf/train.yaml; called once, before Hydra composes."""
    OmegaConf.register_new_resolver("run_hash", lambda *, _root_: config_hash(_root_), replace=True)


def read_results(folder: Path) -> dict[str, Any]:
    """The content of metrics.json of a finished run.

    Raises:
        RunError: it is damaged.
    """
    path = folder / RESULTS
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(results, dict):
            raise ValueError("not what a run writes")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read ({error}): remove it, and the same command scores the run anew from its checkpoint."
        ) from error
    return results


def check_seed(seed: int) -> None:
    """Refuses what NumPy does not take.

    Raises:
        ValueError: with the bounds.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed}: a seed is a whole number from 0 to {2**32 - 1}.")


def objective_of(results: Mapping[str, Any], objective: str) -> float | None:
    """The score that a run is judged by; None where it has none, such as a d' that is infinite."""
    value = results.get(objective)
    return None if value is None else float(value)


def is_taken(folder: Path) -> bool:
    """Whether a process works in the folder of a run."""
    if not (folder / LOCK).is_file():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True


class Run:
    """The folder of a run: its checkpoints, its lock, and whether it is already finished.

    Args:
        folder: Where everything of the run lies.
        resume: "auto" goes on from the folder's last checkpoint, or starts if there is none; "never" moves what is
            there aside and starts anew; a path starts from that checkpoint, unless there is one of the run's own.

    Raises:
        RunError: `resume` is none of these.
        RunBusyError: another process works in the folder.
    """

    OF_EACH_START = (".hydra", FORMER, LOCK, "train.log")

    def __init__(self, folder: str | Path, resume: str = "auto") -> None:
        if not isinstance(resume, str | Path):
            raise RunError(f"resume={resume}: give auto, never, or a checkpoint.")
        self.folder = Path(folder)
        self.checkpoints = self.folder / "checkpoints"
        self.resume = resume
        self._lock: FileLock | None = None
        self._started: int | None = None
        if rank_zero_only.rank == 0:
            self._take()

    def _take(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise RunBusyError(
                f"Another process is working in {self.folder}: this configuration is already running. "
                "Wait for it, or change something (another seed, say)."
            ) from None
        if self.resume == "never" and (self.checkpoints.exists() or (self.folder / RESULTS).exists()):
            self._move_aside()
        self._started = self._configured()

    def _move_aside(self) -> None:
        old = self.folder / datetime.now().strftime("before-%Y-%m-%d_%H-%M-%S")
        old.mkdir()
        if (self.folder / FORMER).is_dir():
            (self.folder / FORMER).rename(old / ".hydra")
        for path in self.folder.iterdir():
            if not path.name.startswith(("before-", ".hydra", ".lock")) and path.suffix != ".log":
                path.rename(old / path.name)

    def results(self) -> dict[str, Any] | None:
        """-> metrics.json of a finished run, else None."""
        return read_results(self.folder) if (self.folder / RESULTS).is_file() else None

    def checkpoint(self) -> Path | None:
        """-> the checkpoint to go on from, as yet unread; None to start."""
        last = self.checkpoints / LAST
        if last.is_file() or self.resume in STARTS:
            return last if last.is_file() else None
        return Path(self.resume)

    def finish(self, results: Mapping[str, Any]) -> None:
        """Writes metrics.json, whole or not at all."""
        text = json.dumps(results, indent=2, allow_nan=False)
        with written_whole(self.folder / RESULTS) as file:
            file.write(f"{text}\n")

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets another process have the folder; removes it first if the run came to nothing."""
        if self._lock is not None:
            if self._came_to_nothing():
                shutil.rmtree(self.folder)
            self._lock.release()

    def _came_to_nothing(self) -> bool:
        """Whether the folder holds only what each start writes, and no other process has started here meanwhile."""
        here, rewritten = Path.cwd(), self._configured() != self._started
        if rewritten or self._started is None or self.folder.resolve() in (here, *here.parents):
            return False
        return all(
            path.relative_to(self.folder).parts[0] in self.OF_EACH_START
            for path in self.folder.rglob("*")
            if path.is_symlink() or not path.is_dir()
        )

    def _configured(self) -> int | None:
        """-> when Hydra last wrote the configuration here, None if never."""
        path = self.folder / ".hydra" / "config.yaml"
        return path.stat().st_mtime_ns if path.is_file() else None
