"""What a run says at its end: how good the model is, and where everything is that it wrote."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from panns.training.confusion import CONFUSION
from panns.training.loggers import HISTORY

SHOWN = ("mAP", "mAUC", "d_prime", "accuracy")
FILES = {  # what is in them: patterns in the run's folder
    "scores": ("metrics.json",),
    "per class": ("per_class.csv",),
    "per clip": ("*_scores.npz",),
    "drawn": ("drawn_classes.csv",),
    "confusion": (CONFUSION,),
    "damaged": ("damaged_clips*.csv",),
    "history": (HISTORY,),
    "pictures": ("*.png",),
    "examples": ("examples",),
    "checkpoint": ("checkpoints/best.ckpt", "checkpoints/last.ckpt"),
    "choices": (".hydra/config.yaml",),
}


def conclude(
    folder: Path, results: Mapping[str, Any], scores: Mapping[str, Mapping[str, Any]], best: Path | None
) -> None:
    """Prints scores, what of them could not be had and why, and the files.

    Args:
        folder: Of the run; metrics.json is written to it last.
        results: The content of metrics.json.
        scores: What `TaggingMetrics` computed, by role: "val" and, where other clips are tested, "test".
        best: The checkpoint that was scored, None for the last weights.
    """
    weights = "best checkpoint" if best else "last weights" if results["step"] else "weights as they came"
    print()
    for role, note in (("val", weights), ("test", f"test; the same {weights}")):
        if role in scores:
            own = scores[role]
            shown = (f"{name} {own[name]:.4f}" for name in SHOWN if name in own and math.isfinite(own[name]))
            counts = f"{own['num_clips']} clips, {own['num_classes_scored']} classes with positives"
            print("  ".join([*shown, f"({note}; {counts})"]))
            for line in _unscored(own):
                print(f"  {line}")
    if (damaged := results["damaged_clips"])["clips"]:
        counts = f"{damaged['clips']:,}, in {damaged['draws']:,} draws"
        print(f"Training clips that could not be read and were replaced: {counts}")
    print_files(folder)


def print_files(folder: Path) -> None:
    """Says what lies in a run's folder, as seen from the working folder if it is below that."""
    shown_folder = folder if (near := os.path.relpath(folder)).startswith("..") else Path(near)
    for what, patterns in FILES.items():
        names = [str(path.relative_to(folder)) for pattern in patterns for path in sorted(folder.glob(pattern))]
        if what == "scores" or names:
            print(f"  {what:<11}{shown_folder}/{', '.join(names or patterns)}")


def _unscored(scores: Mapping[str, Any]) -> Iterator[str]:
    """Why a score is missing, or leaves classes out that another one has."""
    of_class = zip(scores["per_class_ap"].tolist(), scores["per_class_auc"].tolist(), strict=True)
    everywhere = sum(not math.isnan(ap) and math.isnan(auc) for ap, auc in of_class)
    if everywhere == scores["num_classes_scored"]:
        yield "no mAUC and no d_prime: every class scored is in all clips, and a ROC curve needs clips without it too"
    elif everywhere:
        some = f"{everywhere} of {scores['num_classes_scored']} classes"
        yield f"mAUC and d_prime leave out {some}: one that is in all clips has no ROC curve"
    elif math.isinf(scores["d_prime"]):
        yield "no d_prime: it is infinite, as every class is told apart without a fault"
