"""What is left of a run when it is over: scores, tables and pictures in its folder, and tables in W&B."""

import csv
import math
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from panns.data import AudioSetDataModule
from panns.training import pictures
from panns.training.loggers import HISTORY
from panns.training.media import log_media
from panns.training.progress import DrawnClasses
from panns.training.run import Run
from panns.training.sweep import CONFUSION, write_confusion
from panns.training.task import TaggingTask

PACKAGES = ("panns", "torch", "torchaudio", "pytorch-lightning", "numpy")


def report(run: Run, trainer: pl.Trainer, task: TaggingTask, data: AudioSetDataModule) -> dict[str, Any]:
    """Scores the best checkpoint and writes what a reader of the run wants to see.

    Returns:
        The content of metrics.json: the best checkpoint's scores under val/..., the last weights' under last/val/...,
        and what they were measured with.
    """
    scored = {**task.scores}
    last = numbers(scored)
    best = best_checkpoint(trainer)
    loggers, trainer.loggers = (
        trainer.loggers,
        [],
    )  # the score of the best weights belongs to no step of the learning curve
    if best is not None or not scored:
        trainer.validate(task, datamodule=data, ckpt_path=best, verbose=False)
        scored = {**task.scores}
    results = {
        **{f"val/{name}": value for name, value in numbers(scored).items()},
        **{f"last/val/{name}": value for name, value in last.items()},
        "step": trainer.global_step,
        "best_checkpoint": str(best.relative_to(run.folder)) if best else None,
        "fingerprint": data.fingerprint(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    if rank_zero_only.rank == 0:
        rows = per_class(scored, data)
        write_table(rows, run.folder / "per_class.csv")
        draw(run.folder, scored, rows, task, trainer)
        log_media(loggers, run.folder, rows, task, data)
        tell(run.folder, results, best)
    return results


def best_checkpoint(trainer: pl.Trainer) -> Path | None:
    """-> the file that the `best` callback kept, None before the first validation."""
    for callback in trainer.checkpoint_callbacks:
        path = Path(getattr(callback, "best_model_path", "") or "/")
        if path.is_file():
            return path
    return None


def numbers(scores: dict[str, Any]) -> dict[str, float]:
    """The scalar scores; one that cannot be had (no class of that kind has positives) is left out."""
    known = {name: float(value) for name, value in scores.items() if isinstance(value, int | float)}
    return {name: value for name, value in known.items() if not math.isnan(value)}


def per_class(scores: dict[str, Any], data: AudioSetDataModule) -> list[dict[str, Any]]:
    """One row a class: name, AP, AUC, training clips, validation clips; NaN where there are no validation clips."""
    train, validation = data.train_class_counts, data.store.class_counts(data.validation_rows)
    return [
        {
            "class": label.name,
            "mid": label.mid,
            "ap": float(scores["per_class_ap"][k]),
            "auc": float(scores["per_class_auc"][k]),
            "train_clips": int(train[k]),
            "validation_clips": int(validation[k]),
        }
        for k, label in enumerate(data.store.classes)
    ]


def write_table(rows: list[dict[str, Any]], path: Path) -> None:
    """Rows of equal keys -> CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def draw(
    folder: Path, scores: dict[str, Any], rows: list[dict[str, Any]], task: TaggingTask, trainer: pl.Trainer
) -> None:
    """Learning curve, AP of each class scored, classes drawn, and the confusion matrix of single labels."""
    pictures.learning_curve(folder / HISTORY, folder / "learning_curve.png")
    names, counts = task.classes, np.array([row["train_clips"] for row in rows])
    scored = [row for row in rows if row["validation_clips"]]
    ap, clips = [row["ap"] for row in scored], [row["train_clips"] for row in scored]
    pictures.per_class_ap([row["class"] for row in scored], ap, clips, folder / "per_class_ap.png")
    drawn = next((c.counts for c in trainer.callbacks if isinstance(c, DrawnClasses)), None)
    if drawn is not None:
        table = [
            {"class": name, "train_clips": int(n), "drawn": int(d)}
            for name, n, d in zip(names, counts, drawn, strict=True)
        ]
        write_table(table, folder / "drawn_classes.csv")
        there = np.flatnonzero(counts)
        pictures.class_histogram([names[k] for k in there], drawn[there], folder / "drawn_classes.png")
    if "confusion" in scores:
        matrix = scores["confusion"].numpy()
        write_confusion(names, matrix, folder / CONFUSION)
        pictures.confusion_matrix(names, matrix, folder / "confusion_matrix.png")


def tell(folder: Path, results: dict[str, Any], best: Path | None) -> None:
    """Says where everything is."""
    val = {name.removeprefix("val/"): value for name, value in results.items() if name.startswith("val/")}
    shown = "  ".join(f"{name} {val[name]:.4f}" for name in ("mAP", "mAUC", "d_prime", "accuracy") if name in val)
    print(
        f"\n{shown}  ({'best checkpoint' if best else 'last weights'}; {val['num_clips']:.0f} clips, "
        f"{val['num_classes_scored']:.0f} classes with positives)"
    )
    for what, name in (
        ("scores", "metrics.json"),
        ("per class", "per_class.csv"),
        ("history", HISTORY),
        ("pictures", "learning_curve.png, per_class_ap.png" + (", confusion_matrix.png" if "accuracy" in val else "")),
        ("checkpoint", str(best.relative_to(folder)) if best else "checkpoints/last.ckpt"),
    ):
        print(f"  {what:<11}{folder}/{name}")
