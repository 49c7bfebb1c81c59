"""What is left of a run when it is over: scores, tables and pictures in its folder, and tables in W&B."""

import csv
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from panns.data import AudioSetDataModule
from panns.models.complexity import Size
from panns.training import pictures
from panns.training.conclude import conclude
from panns.training.confusion import CONFUSION, write_confusion
from panns.training.damage import damaged_clips
from panns.training.loggers import HISTORY
from panns.training.media import log_media
from panns.training.progress import DrawnClasses, Throughput
from panns.training.provenance import device_name, versions
from panns.training.run import Run
from panns.training.scores import write_scores
from panns.training.task import TaggingTask


def report(run: Run, trainer: pl.Trainer, task: TaggingTask, data: AudioSetDataModule, size: Size) -> dict[str, Any]:
    """Scores the best checkpoint and writes what a reader of the run wants to see.

    Returns:
        The content of metrics.json: the best checkpoint's scores under val/..., and under test/... where other clips
        are tested than those that chose it; the last weights' under last/val/...; and what they were measured with.
    """
    best, loggers = best_checkpoint(trainer, run.checkpoints), trainer.loggers
    last = last_scores(run, trainer, task, data)
    if last:
        trainer.loggers = []  # the best weights' score belongs to no step of the learning curve
    scores = {"val": last}
    if best is not None or not last:
        trainer.validate(task, datamodule=data, ckpt_path=best, verbose=False)
        scores["val"] = {**task.scores}
    trainer.loggers = []
    if data.roles.tested_apart:
        trainer.test(task, datamodule=data, ckpt_path=best, verbose=False)
        scores["test"] = {**task.scores}
    results = {
        **{f"{role}/{name}": value for role, of_role in scores.items() for name, value in numbers(of_role).items()},
        **{f"last/val/{name}": value for name, value in numbers(last).items()},
        "step": trainer.global_step,
        "best_checkpoint": str(best.relative_to(run.folder)) if best else None,
        "fingerprint": task.hparams["fingerprint"],
        "damaged_clips": damaged_clips(run.folder),
        "model": asdict(size),
        "seconds": next((c.seconds for c in trainer.callbacks if isinstance(c, Throughput)), None),
        "device": device_name(trainer),
        "versions": versions(),
    }
    if rank_zero_only.rank == 0:
        for role, of_role in scores.items():
            write_scores(run.folder / f"{role}_scores.npz", of_role, data.evaluation_store)
        rows = per_class(scores, data)
        write_table(rows, run.folder / "per_class.csv")
        draw(run.folder, scores, rows, task, trainer)
        if "test" in scores:
            log_test(loggers, results, trainer.global_step)
        log_media(loggers, run.folder, results, rows, scores["val"], data)
        conclude(run.folder, results, scores, best)
    return results


def last_scores(run: Run, trainer: pl.Trainer, task: TaggingTask, data: AudioSetDataModule) -> dict[str, Any]:
    """The validation's scores of the last weights; none of a network that was not trained.

    A run that was killed after its last step has no memory of them, so that they are measured again. The learning curve
    gets them only if it has not got them yet.
    """
    if task.scores or not trainer.global_step:
        return {**task.scores}
    loggers = trainer.loggers
    if is_validated(run.folder / HISTORY, trainer.global_step):
        trainer.loggers = []
    trainer.validate(task, datamodule=data, verbose=False)
    trainer.loggers = loggers
    return {**task.scores}


def is_validated(history: Path, step: int) -> bool:
    """Whether the learning curve has a validation at a step."""
    curves = pictures.read_history(history) if history.is_file() else {}
    return any(name.startswith("val/") and step in steps for name, (steps, _) in curves.items())


def log_test(loggers: list[Logger], results: dict[str, Any], step: int) -> None:
    """Hands the test scores, measured once, to the loggers."""
    test = {name: value for name, value in results.items() if name.startswith("test/")}
    for logger in loggers:
        logger.log_metrics(test, step=step)


def best_checkpoint(trainer: pl.Trainer, folder: Path) -> Path | None:
    """-> the file that the `best` callback kept in the folder of the run's checkpoints, None before its first
    validation."""
    for callback in trainer.checkpoint_callbacks:
        path = Path(getattr(callback, "best_model_path", "") or "/")
        if path.is_file() and path.resolve().parent == folder.resolve():
            return path
    return None


def numbers(scores: dict[str, Any]) -> dict[str, float]:
    """The scalar scores; one that cannot be had (no class of that kind has positives) or is infinite is left out."""
    known = {name: float(value) for name, value in scores.items() if isinstance(value, int | float)}
    return {name: value for name, value in known.items() if math.isfinite(value)}


def per_class(scores: dict[str, dict[str, Any]], data: AudioSetDataModule) -> list[dict[str, Any]]:
    """One row a class: name, training clips, and AP, AUC and clips in validation, and in the test where it is apart.

    NaN where there are no clips.
    """
    store, train = data.evaluation_store, data.train_class_counts
    columns: dict[str, Any] = {"class": data.classes, "mid": [label.mid for label in store.classes]}
    for role, prefix, rows in (("val", "", data.validation_rows), ("test", "test_", data.test_rows)):
        if role in scores:
            columns[f"{prefix}ap"] = scores[role]["per_class_ap"].tolist()
            columns[f"{prefix}auc"] = scores[role]["per_class_auc"].tolist()
            columns[f"{'validation' if role == 'val' else role}_clips"] = store.class_counts(rows).tolist()
    columns["train_clips"] = train.tolist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def write_table(rows: list[dict[str, Any]], path: Path) -> None:
    """Rows of equal keys -> CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def draw(
    folder: Path, scores: dict[str, dict[str, Any]], rows: list[dict[str, Any]], task: TaggingTask, trainer: pl.Trainer
) -> None:
    """Learning curve if there is one, AP of each class scored, classes drawn, confusion matrix of single labels."""
    if trainer.global_step and (folder / HISTORY).is_file():
        pictures.learning_curve(folder / HISTORY, folder / "learning_curve.png")
    names, counts = task.classes, np.array([row["train_clips"] for row in rows])
    for role, ap, clips, name in (
        ("val", "ap", "validation_clips", "per_class_ap.png"),
        ("test", "test_ap", "test_clips", "test_per_class_ap.png"),
    ):
        if role in scores:
            shown = [row for row in rows if row[clips]]
            column, counted = ("train_clips", "training clips") if counts.any() else (clips, "clips scored")
            labels, of_class = [row["class"] for row in shown], [row[column] for row in shown]
            pictures.per_class_ap(labels, [row[ap] for row in shown], of_class, folder / name, counted)
    drawn = next((c.counts for c in trainer.callbacks if isinstance(c, DrawnClasses)), None)
    if drawn is not None:
        table = [
            {"class": name, "train_clips": int(n), "drawn": int(d)}
            for name, n, d in zip(names, counts, drawn, strict=True)
        ]
        write_table(table, folder / "drawn_classes.csv")
        there = np.flatnonzero(counts)
        pictures.class_histogram([names[k] for k in there], drawn[there], folder / "drawn_classes.png")
    if "confusion" in scores["val"]:
        matrix = scores["val"]["confusion"]
        write_confusion(names, matrix, folder / CONFUSION)
        pictures.confusion_matrix(names, matrix, folder / "confusion_matrix.png")
