"""What balanced sampling promises, checked on many draws of a real data module: see benchmarks/sampler.py."""

from pathlib import Path

import numpy as np

from panns.data.datamodule import AudioSetDataModule
from panns.data.plans import TrainPlan

CYCLES, STEPS = 2_000, 1_000  # looked at


def invariants(root: Path) -> dict[str, str]:
    """Check what balanced sampling promises, on the draws of CYCLES cycles -> what, and how much was checked."""
    data = AudioSetDataModule(root, ["eval"], clips_per_epoch=64_000, batch_size=32, draws_per_example=2)
    whole = data.train_dataloader().plan
    store, sampler = data.store, whole.sampler
    present, cycles = np.flatnonzero(data.train_class_counts), sampler._cycles
    n = np.arange(CYCLES * len(present))
    rows, classes = whole.rows[sampler.take(n)], present[cycles.take(n)]
    by_cycle = np.sort(classes.reshape(CYCLES, -1), axis=1)
    assert (by_cycle == present).all()
    counts, labels = store.labels_of(rows)
    assert np.isin(n, np.repeat(n, counts)[labels == np.repeat(classes, counts)]).all()
    laps = 0
    for k in present:
        own, length = rows[classes == k], int(data.train_class_counts[k])
        for first in range(0, len(own), length):
            lap = own[first : first + length]
            assert len(np.unique(lap)) == len(lap)
            laps += len(lap) == length
    for world_size in (2, 8):
        ranks = [TrainPlan(whole.rows, sampler, 32 // world_size, 2, 2000, r, world_size) for r in range(world_size)]
        for step in range(STEPS):
            draws = np.concatenate([plan.batch(step)[1] for plan in ranks])
            assert (np.sort(draws) == whole.batch(step)[1]).all()  # sorted and equal: each draw is one rank's alone
            rows_of = np.concatenate([plan.batch(step)[0] for plan in ranks])
            assert (rows_of[np.argsort(draws)] == whole.batch(step)[0]).all()
    return {
        "every class once a cycle": f"{CYCLES:,} cycles of {len(present)} draws",
        "each clip drawn has the class": f"{len(n):,} draws",
        "no clip of a class twice before all of them": f"{laps} whole laps, {len(present)} begun",
        "2 and 8 ranks draw what 1 draws, none the same": f"{STEPS:,} batches",
    }
