"""What a run shows and logs while it goes on: bar or lines, clips per second, the classes really drawn."""

import sys
import time
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, TQDMProgressBar

from panns.data.batches import Batch


class Throughput(Callback):
    """Logs train/clips_per_second: training examples of all devices, validation time left out.

    And train/waiting, the part of that time in which this process waited for clips.

    Attributes:
        seconds: Of the whole training so far, validations among them, and what came before the checkpoint that it
            went on from.
    """

    def __init__(self) -> None:
        self._clips, self._since, self._waited = 0, 0.0, 0.0
        self._before, self.seconds = 0.0, 0.0
        self._started: float | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock of a run that goes on in mid-epoch, and that of the whole run."""
        now = self._started = time.perf_counter()
        self._restart(trainer, now)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self._restart(trainer, time.perf_counter())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Counts, and logs every `log_every_n_steps` steps and at the end of the epoch."""
        self._clips += len(batch) // pl_module.augmentation.draws_per_example * trainer.world_size
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if last or (batch_idx + 1) % trainer.log_every_n_steps == 0:
            now = time.perf_counter()
            waited = trainer.train_dataloader.starvation.waited - self._waited
            pl_module.log("train/clips_per_second", self._clips / (now - self._since), prog_bar=True)
            pl_module.log("train/waiting", min(waited / (now - self._since), 1.0))
            self._restart(trainer, now)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stops the clock of the run."""
        self._count()

    def state_dict(self) -> dict[str, Any]:
        """Seconds so far, for the checkpoint."""
        self._count()
        return {"seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on counting."""
        self._before = self.seconds = state["seconds"]

    def _count(self) -> None:
        if self._started is not None:
            self.seconds = self._before + time.perf_counter() - self._started

    def _restart(self, trainer: pl.Trainer, now: float) -> None:
        self._clips, self._since, self._waited = 0, now, trainer.train_dataloader.starvation.waited


class DrawnClasses(Callback):
    """Counts how often each class was really drawn by this process, for the pictures and for `drawn_classes.csv`."""

    def __init__(self) -> None:
        self.counts: np.ndarray | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Adds the labels of the batch's clips."""
        drawn = trainer.datamodule.store.class_counts(batch.row.numpy())
        self.counts = drawn if self.counts is None else self.counts + drawn

    def state_dict(self) -> dict[str, Any]:
        """Counts so far, for the checkpoint."""
        return {"counts": None if self.counts is None else self.counts.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on counting."""
        self.counts = None if state["counts"] is None else np.array(state["counts"])


class Bar(TQDMProgressBar):
    """A bar on a terminal with loss, clips/s and the last mAP; elsewhere (a log file) one line a validation."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=1 if sys.stderr.isatty() else 0)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Short names, no version number."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        short = {"train/loss": "loss", "train/clips_per_second": "clips/s"}
        return {
            short.get(name, name): value for name, value in metrics.items() if not name.endswith(("_step", "_epoch"))
        }

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The line."""
        super().on_validation_end(trainer, pl_module)
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        seen = trainer.callback_metrics
        parts = [f"step {trainer.global_step}"]
        for name, form in (
            ("train/loss", ".4f"),
            ("val/loss", ".4f"),
            ("val/mAP", ".4f"),
            ("val/accuracy", ".4f"),
            ("train/clips_per_second", ".1f"),
        ):
            if name in seen:
                parts.append(f"{name} {float(seen[name]):{form}}")
        self.print(" | ".join(parts)) if sys.stderr.isatty() else print(" | ".join(parts), flush=True)
