"""Where numbers go: always a CSV that outlives interruptions, and Weights & Biases unless switched off."""

import csv
import netrc
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_only

from panns.whole_files import written_whole

HISTORY = "history.csv"


class HistoryLogger(Logger):
    """`history.csv` with columns step, name, value: one line a number, appended as it comes.

    The step is the number of optimizer steps done when the number was had. A resumed run drops the lines after the step
    it resumes from, since it will write them again.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.path = Path(folder) / HISTORY

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.parent.name

    @property
    def version(self) -> str:
        """Always the same: a run has one history."""
        return "0"

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """The configuration already lies in the run's .hydra folder."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Appends the numbers."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "name", "value"])
            writer.writerows([step, name, f"{float(value):.8g}"] for name, value in metrics.items() if name != "epoch")

    @rank_zero_only
    def rewind(self, step: int) -> None:
        """Drops what was logged after `step` by a run that was cut off."""
        if not self.path.exists():
            return
        with self.path.open(newline="") as file:
            header, *rows = [row for row in csv.reader(file) if len(row) == 3] or [["step", "name", "value"]]
        with written_whole(self.path, newline="") as file:
            csv.writer(file).writerows([header, *(row for row in rows if row[0].isdigit() and int(row[0]) <= step)])


def wandb_logger(project: str, folder: str | Path, run_id: str, **options: Any) -> WandbLogger:
    """A W&B logger: online where somebody is logged in, else offline.

    Args:
        project: W&B project.
        folder: The run's folder; W&B writes below it.
        run_id: The same for a resumed run, so that it continues the same W&B run.
        options: Passed to `wandb.init`: name, group, tags, ...
    """
    mode = os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")
    if mode == "offline":
        rank_zero_info(
            f"W&B: not logged in, so the run is kept offline. Later: wandb sync {folder}/wandb/offline-run-*"
        )
    os.environ.setdefault("WANDB_SILENT", "true")
    Path(folder).mkdir(parents=True, exist_ok=True)
    logger = WandbLogger(
        project=project,
        save_dir=str(folder),
        id=run_id,
        offline=mode == "offline",
        resume="allow",
        log_model=False,
        **options,
    )
    logger._wandb_init.pop("anonymous", None)  # Lightning hands it on even if it is not set, and W&B warns of it
    return logger


def logged_in() -> bool:
    """Whether W&B would find a key, in the environment or in .netrc; asks nobody and logs in nowhere."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except FileNotFoundError:
        return False


@contextmanager
def closed_at_end(loggers: list[Logger]) -> Iterator[None]:
    """Ends all loggers whatever happens; a W&B run that is not finished would swallow the next one of a sweep."""
    try:
        yield
    finally:
        for logger in loggers:
            logger.finalize("finished")
            if isinstance(logger, WandbLogger) and logger._experiment is not None and rank_zero_only.rank == 0:
                logger._experiment.finish()
