"""mAP and AUC at the size of AudioSet's evaluation set: this project's metrics against scikit-learn's two calls.

Run with `make bench-metrics`. Prints seconds, their ratio, our peak of added memory and the largest difference.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from panns.training.metrics import TaggingMetrics

NUM_CLIPS, NUM_CLASSES, LABELS_PER_CLIP, BATCH = 20371, 527, 2.54, 256


def resident_mib() -> float:
    """Return this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def measure(work: Callable[[], Any], repeats: int = 3) -> tuple[float, float, Any]:
    """Return the best seconds of some runs, the peak of the memory they added (MiB), and the result."""
    best, peak, before, done = float("inf"), 0.0, resident_mib(), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, resident_mib() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    done.set()
    watcher.join()
    return best, peak, result


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    targets = rng.random((NUM_CLIPS, NUM_CLASSES)) < LABELS_PER_CLIP / NUM_CLASSES
    logits = rng.normal(size=targets.shape) + 2 * targets
    scores = (1 / (1 + np.exp(-logits))).astype(np.float16).astype(np.float32)  # half precision has many ties
    index, ours_in, truth = torch.arange(NUM_CLIPS), torch.from_numpy(scores), torch.from_numpy(targets)

    def ours() -> dict[str, Any]:
        metrics = TaggingMetrics(NUM_CLASSES)
        for part in torch.split(index, BATCH):
            metrics.update(part, ours_in[part], truth[part])
        return metrics.compute()

    def theirs() -> tuple[np.ndarray, np.ndarray]:
        ap = average_precision_score(targets, scores, average=None)
        return ap, roc_auc_score(targets, scores, average=None)

    seconds, memory, result = measure(ours)
    their_seconds, _, (ap, auc) = measure(theirs)
    difference = max(
        np.abs(result["per_class_ap"].numpy() - ap).max(), np.abs(result["per_class_auc"].numpy() - auc).max()
    )
    print(f"{NUM_CLIPS} clips x {NUM_CLASSES} classes, one thread, AP and AUC of every class")
    print(f"panns        {seconds:6.2f} s  {memory:5.0f} MiB  (collecting batches of {BATCH} included)")
    print(f"scikit-learn {their_seconds:6.2f} s")
    print(f"ratio {their_seconds / seconds:.1f}, largest difference of a class {difference:.1e}")


if __name__ == "__main__":
    main()
