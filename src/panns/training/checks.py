"""What can be known before a training begins, so that it does not show after hours."""

from collections.abc import Sequence

import pytorch_lightning as pl

from panns.data import AudioSetDataModule
from panns.names import did_you_mean
from panns.training.task import TaggingTask


def check_choices(
    task: TaggingTask, data: AudioSetDataModule, objective: str, callbacks: Sequence[pl.Callback]
) -> None:
    """Refuses scores that validation will not have, and a loss that the labels are not made for.

    Args:
        task: To be trained.
        data: Its clips.
        objective: The score by which the best weights are chosen.
        callbacks: Those with a `monitor` follow a score too.

    Raises:
        ValueError: one does not fit.
    """
    goals = [f"val/{name}" for name in task.metrics.goals]
    _check_score("objective", objective, goals)
    for callback in callbacks:
        if str(monitor := getattr(callback, "monitor", None)).startswith("val/"):
            _check_score(f"monitor of {type(callback).__name__}", str(monitor), ["val/loss", *goals])
    clips, labels = len(data.train_rows), int(data.train_class_counts.sum())
    if task.model.exclusive and labels != clips:
        raise ValueError(
            f"task.loss=cross_entropy is for clips of exactly one class, and {clips:,} training clips have "
            f"{labels:,} labels: take task.loss=bce."
        )


def _check_score(key: str, name: str, choices: Sequence[str]) -> None:
    if name not in choices:
        hint = did_you_mean(name, choices)
        raise ValueError(f"{key}={name}: there is no such score.{hint} Choices: {', '.join(choices)}.")
