"""What a run shows and logs while it goes on: bar or lines, clips per second, the classes really drawn."""

import sys
import time
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
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
    """Counts how often each class was really drawn, for the pictures and for `drawn_classes.csv`.

    Attributes:
        counts: (K,) by all devices, once the training has ended; None where nothing was drawn.
    """

    def __init__(self) -> None:
        self.counts: np.ndarray | None = None
        self._before: np.ndarray | None = None  # of all devices, up to the checkpoint that is gone on from
        self._own: np.ndarray | None = None  # of this device since
        self._trainer: pl.Trainer | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Knows now with whom it counts."""
        self._trainer = trainer

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Adds the labels of the batch's clips."""
        drawn = trainer.datamodule.store.class_counts(batch.row.numpy())
        self._own = drawn if self._own is None else self._own + drawn

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Adds up what the devices have."""
        self.counts = self._total()

    def state_dict(self) -> dict[str, Any]:
        """Counts so far of all devices, for the checkpoint, which all of them make together."""
        total = self._total()
        return {"counts": None if total is None else total.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on counting."""
        self.counts = self._before = None if state["counts"] is None else np.array(state["counts"])

    def _total(self) -> np.ndarray | None:
        if self._own is None or self._trainer is None:
            return self._before
        strategy = self._trainer.strategy
        own = torch.as_tensor(self._own, device=strategy.root_device)
        drawn = strategy.reduce(own, reduce_op="sum").cpu().numpy()
        return drawn if self._before is None else self._before + drawn


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
