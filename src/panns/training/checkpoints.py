"""Checkpoints, whole or absent: written on a schedule, after each epoch, and when the run is told to stop."""

import os
import shutil
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint

from panns.data import StoreError
from panns.training.loggers import HistoryLogger
from panns.training.stops import STOP_SIGNALS, Stops
from panns.weights.files import load_checkpoint
from panns.whole_files import written_whole

LAST = "last.ckpt"
NEARLY_NONE = 2**20  # bytes left on a disk: torch.save says of a full one that some position is unexpected


class Interrupted(SystemExit):
    """The run was told to stop and has saved its state; exits with 128 + signal number, as the shell expects."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signum = signum


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes to a temporary name beside the target, flushes to disk, renames; loads with weights_only=True."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any | None = None
    ) -> None:
        """Replaces `path` in one step: a killed process or a full disk leaves the former file as it was.

        Raises:
            OSError: the disk is full or not writable; the message names the file.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with written_whole(target, "wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
            why = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
            if shutil.disk_usage(target.parent).free < NEARLY_NONE:
                why = "the disk is full"
            raise OSError(
                f"Could not write the checkpoint {target} ({why}); the one before it is untouched. Make room and run "
                "the same command again: it goes on from that."
            ) from error

    def load_checkpoint(
        self, path: str | os.PathLike, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Reads a checkpoint of this project; nothing in it is executed."""
        return load_checkpoint(Path(path))


class SaveLast(Checkpoint):
    """Keeps `last.ckpt`: what a run goes on from.

    Saved every `every_n_steps` optimizer steps, after each epoch's validation, and on SIGTERM or SIGINT, after which
    the process exits. A second request exits at once. Under DDP the ranks agree on stopping every
    `trainer.log_every_n_steps` steps.
    """

    def __init__(self, folder: str | Path, every_n_steps: int = 1000) -> None:
        if every_n_steps < 1:
            raise ValueError(f"callbacks.last.every_n_steps={every_n_steps}: 1 or more is wanted.")
        self.path, self.every_n_steps = Path(folder) / LAST, every_n_steps
        self._stops, self._stopping = Stops(), False
        self._saved_step = 0
        self._former: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes over the signals, and lets the loggers drop what they know of steps that will now be done again."""
        self._saved_step = trainer.global_step
        for logger in trainer.loggers:
            if isinstance(logger, HistoryLogger):
                logger.rewind(trainer.global_step)
        for signum in STOP_SIGNALS:
            self._former[signum] = signal.signal(signum, self._on_signal)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves between optimizer steps; the last batch of an epoch is left to `on_train_epoch_end`."""
        loop = trainer.fit_loop.epoch_loop
        if loop._should_accumulate() or loop.batch_progress.is_last_batch:
            return
        self._stopping = self._agreed_to_stop(trainer)
        if self._stopping or trainer.global_step % self.every_n_steps == 0:
            self._save(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Exits, now that the loggers have the numbers of the step that was saved."""
        if self._stopping:
            self._exit(trainer, f"saved {self.path} at step {trainer.global_step}")

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """Does not wait for the end of a validation: its epoch's training is repeated from the last checkpoint.

        Unless there is none yet: then it is written behind the validation.
        """
        if self._stops.signals and trainer.world_size == 1 and self.path.exists():
            self._exit(trainer, f"{self.path} stands")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves after the validation, so that a resumed run neither repeats nor skips it."""
        self._save(trainer)
        if self._agreed_to_stop(trainer, always=True):
            self._exit(trainer, f"saved {self.path} at step {trainer.global_step}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Gives the signals back to Lightning, which then gives them back in its turn."""
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Saves where the next clips could not be had, which leaves the model as it was; gives the signals back."""
        self._restore()
        if not isinstance(exception, StoreError) or not trainer.training or trainer.world_size > 1:
            return  # several ranks are not at the same step then: what the schedule saved stands
        if trainer.fit_loop.epoch_loop._should_accumulate() or trainer.global_step == self._saved_step:
            return
        self._save(trainer)
        print(f"Saved {self.path} at step {trainer.global_step}; the same command goes on from there.", flush=True)

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved_step = trainer.global_step

    def _restore(self) -> None:
        for signum, handler in self._former.items():
            signal.signal(signum, handler)
        self._former = {}

    def _on_signal(self, signum: int, _: FrameType | None) -> None:
        if not self._stops.add(signum):
            return
        if len(self._stops.signals) > 1:
            raise Interrupted(signum)
        print(f"\n{signal.Signals(signum).name}: saving after this step; once more to stop without saving.", flush=True)

    def _agreed_to_stop(self, trainer: pl.Trainer, always: bool = False) -> bool:
        if trainer.world_size == 1:
            return bool(self._stops.signals)
        if not always and trainer.global_step % trainer.log_every_n_steps:
            return False
        return trainer.strategy.reduce_boolean_decision(bool(self._stops.signals), all=False)

    def _exit(self, trainer: pl.Trainer, what: str) -> None:
        if trainer.is_global_zero:
            print(f"Stopped: {what}. The same command goes on from there.", flush=True)
        raise Interrupted(next(iter(self._stops.signals), signal.SIGTERM))
