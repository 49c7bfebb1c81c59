"""mAP, mAUC and d-prime at the size of AudioSet's evaluation set: these metrics against scikit-learn's two calls.

Run with `make bench-metrics`. Both score the same clips by turns, in one thread; the best of the rounds counts. Memory
is the peak beyond what the process had before, the given scores not included.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from machine import describe, fresh, peak_mib, reset_peak, rss_mib
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from panns.training.metrics import TaggingMetrics, d_prime

NUM_CLIPS, NUM_CLASSES, LABELS_PER_CLIP, BATCH, ROUNDS = 20_371, 527, 2.54, 256, 3
WITHOUT_POSITIVES = 7
KINDS: dict[str, Callable[[NDArray], NDArray]] = {
    "float32, hardly a tie": lambda scores: scores.astype(np.float32),
    "float16, many ties": lambda scores: scores.astype(np.float16).astype(np.float32),
    "100 values, mostly ties": lambda scores: np.round(scores, 2).astype(np.float32),
}


def compare(kind: str) -> dict[str, float]:
    """Score with both -> seconds of each, peak of ours in MiB, and the largest differences."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    targets = rng.random((NUM_CLIPS, NUM_CLASSES)) < LABELS_PER_CLIP / NUM_CLASSES
    targets[:, :WITHOUT_POSITIVES] = False
    scores = KINDS[kind](1 / (1 + np.exp(-rng.normal(size=targets.shape) - 2 * targets)))
    index, ours_in, truth = torch.arange(NUM_CLIPS), torch.from_numpy(scores), torch.from_numpy(targets)

    def ours() -> dict[str, Any]:
        metrics = TaggingMetrics(NUM_CLASSES)
        for part in torch.split(index, BATCH):
            metrics.update(part, ours_in[part], truth[part])
        return metrics.compute()

    def theirs() -> tuple[NDArray, NDArray]:
        ap = average_precision_score(targets, scores, average=None)
        return ap, roc_auc_score(targets, scores, average=None)

    warnings.filterwarnings("ignore", module="sklearn")  # of the classes without positives
    (mine, seconds, memory), (other, their_seconds, _) = timed(ours), timed(theirs)
    for _ in range(ROUNDS - 1):
        seconds, their_seconds = min(seconds, timed(ours)[1]), min(their_seconds, timed(theirs)[1])
    with_positives = slice(WITHOUT_POSITIVES, None)
    ap, auc = (values[with_positives] for values in other)
    difference = np.abs(np.stack([mine["per_class_ap"], mine["per_class_auc"]])[:, with_positives] - (ap, auc)).max()
    assert mine["num_classes_scored"] == NUM_CLASSES - WITHOUT_POSITIVES
    scored = np.array([mine["mAP"], mine["mAUC"], mine["d_prime"]])
    of_all = np.abs(scored - (ap.mean(), auc.mean(), d_prime(auc.mean()))).max()
    return {"ours": seconds, "theirs": their_seconds, "memory": memory, "class": difference, "mean": of_all}


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result of a call, its seconds and the memory it added at its peak (MiB)."""
    reset_peak()
    before, began = rss_mib(), time.perf_counter()
    result = work()
    return result, time.perf_counter() - began, peak_mib() - before


def main() -> None:
    """Measure and print."""
    print(describe("torch", "numpy", "scikit-learn"))
    print(
        f"{NUM_CLIPS:,} clips x {NUM_CLASSES} classes, {WITHOUT_POSITIVES} of them without positives; AP and AUC of "
        f"every class, collecting batches of {BATCH} included\n"
    )
    print("| scores | panns, s | scikit-learn, s | ratio | panns, MiB | largest difference of a class | of a mean |")
    print("|---|---|---|---|---|---|---|")
    for kind in KINDS:
        r = fresh(compare, kind)
        print(
            f"| {kind} | {r['ours']:.2f} | {r['theirs']:.2f} | {r['theirs'] / r['ours']:.1f} | {r['memory']:.0f} "
            f"| {r['class']:.1e} | {r['mean']:.1e} |"
        )


if __name__ == "__main__":
    main()
