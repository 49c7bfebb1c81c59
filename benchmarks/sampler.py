"""Start-up, draws and memory of the data module at AudioSet's size: 2,063,839 clips to train on, 2.5 labels each.

Run with `make bench-sampler`. The store is generated (see audioset_index.py): its index is real, its shards are holes.
"""

import argparse
import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from audioset_index import LABELS_PER_CLIP, SPLITS, write_store
from machine import descendants, describe, drop_cache, fresh, mapped_mib, own_mib, peak_mib, pss_mib, reset_peak
from sampler_promises import invariants

from panns.data.datamodule import AudioSetDataModule
from panns.data.plans import DRAWS_AT_ONCE, TrainPlan
from panns.data.samplers import AlternateSampler, BalancedSampler, UniformSampler, WeightedSampler

NUM_WORKERS = 8
NUM_DRAWS = 300_000


def data_module(root: Path, **options: Any) -> AudioSetDataModule:
    """Return `data=audioset_full augmentation=mixup` on this store."""
    options = {"clips_per_epoch": 64_000, "batch_size": 32, "draws_per_example": 2} | options
    return AudioSetDataModule(root, ["eval"], **options)


def choose(root: Path) -> float:
    """Return the seconds that `data=audioset_full_holdout data.fraction=0.1` takes to open the store and choose."""
    chosen: dict[str, Any] = {"holdout": 0.01, "holdout_splits": ["unbalanced_train"], "holdout_min_per_class": 10}
    began = time.perf_counter()
    AudioSetDataModule(root, [], test_splits=["eval"], clips_per_epoch=64_000, fraction=0.1, **chosen)
    return time.perf_counter() - began


def start(root: Path) -> list[tuple[str, float, float, float]]:
    """Do what train.py does before its first batch -> step, seconds, added memory after it and at its peak (MiB)."""
    torch.set_num_threads(1)
    before, rows = pss_mib(root), []

    @contextmanager
    def step(name: str) -> Iterator[None]:
        reset_peak()
        low, began = peak_mib() - (pss_mib(root) - before), time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        rows.append((name, seconds, pss_mib(root) - before, peak_mib() - low))

    with step("open the store"):
        data = data_module(root)
    with step("clips per class"):
        assert data.train_class_counts.any()
    with step("fingerprint"):
        assert data.fingerprint
    with step("loader and sampler"):
        loader = data.train_dataloader()
    with step("first 100 batches planned"):
        for number in range(100):
            loader.plan.batch(number)
    return rows


def draws_per_second(root: Path, kind: type, world_size: int) -> tuple[float, float]:
    """Return draws/s of one rank when warm: as its loader asks, and the sampler asked batch by batch."""
    data = data_module(root, sampler=kind)
    whole = data.train_dataloader().plan
    plan = TrainPlan(whole.rows, whole.sampler, 32 // world_size, 2, 2000, rank=0, world_size=world_size)
    batch = 64 // world_size
    steps = NUM_DRAWS // batch

    def rate(work: Any, count: int) -> float:
        began = time.perf_counter()
        for number in range(steps, steps + count):
            work(number)
        return count * batch / (time.perf_counter() - began)

    for number in range(steps):
        plan.batch(number)
    few = min(2000, steps)
    return rate(plan.batch, steps), rate(lambda n: plan.sampler.take(n * 64 + plan._offsets), few)


def memory(root: Path, how: str) -> tuple[float, float, float]:
    """Return the memory (PSS, MiB) of a process that loads batches, its own and what it maps, and of its workers."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "This DataLoader will create")  # more workers than cores: as it is meant here
    if how != "threads":
        multiprocessing.set_start_method(how, force=True)
    workers = 0 if how == "threads" else NUM_WORKERS
    data = data_module(root, batch_size=4, num_workers=workers)
    assert data.fingerprint
    batches = iter(data.train_dataloader())
    for _ in islice(batches, 40 * NUM_WORKERS):
        pass
    processes = descendants()
    assert len(processes) >= workers
    return own_mib(), mapped_mib(root), sum(pss_mib(root, pid) for pid in processes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keeps the generated stores here and uses them again")
    parser.add_argument("--times", type=float, default=1.0, help="AudioSet's size: 10 makes 21 million clips")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure(arguments.folder or Path(temporary), arguments.times)


def measure(folder: Path, times: float) -> None:
    """Print all tables."""
    print(describe("torch", "numpy", "scipy"))
    big, small = folder / f"{times:g}", folder / "small"
    for root, part in ((big, times), (small, 0.001)):
        if not (root / "meta.json").exists():
            write_store(root, part)
    index = list((big / "index").iterdir())
    nbytes, clips = sum(path.stat().st_size for path in index), round(times * sum(SPLITS.values()))
    print(
        f"index: {clips:,} clips, {LABELS_PER_CLIP} labels a clip, {nbytes / 1e6:,.0f} MB on disk, "
        f"{nbytes / clips:.1f} bytes a clip\n"
    )
    print_start(big, index)
    print_draws(big)
    print("| balanced sampling | held in |\n|---|---|")
    for what, how_much in fresh(invariants, big).items():
        print(f"| {what} | {how_much} |")
    print()
    print_memory(big, small)


def print_start(root: Path, index: list[Path]) -> None:
    """Seconds and memory of each step, index on the disk and in the page cache."""
    drop_cache(index)
    cold = fresh(start, root)
    warm = [fresh(start, root) for _ in range(3)]
    print("| start-up | s, index on disk | s, index cached | MiB after | MiB at peak |")
    print("|---|---|---|---|---|")
    for steps in zip(cold, *warm, strict=True):
        name, seconds, after, peak = steps[0][0], min(s[1] for s in steps[1:]), steps[1][2], max(s[3] for s in steps)
        print(f"| {name} | {steps[0][1]:.2f} | {seconds:.2f} | {after:.0f} | {peak:.0f} |")
    best = min(sum(step[1] for step in run) for run in warm)
    print(f"| **all** | {sum(step[1] for step in cold):.2f} | {best:.2f} | | |")
    seconds = min(fresh(choose, root) for _ in range(3))
    print(f"\nwith 1 % held out and a tenth of the others, opening the store takes {seconds:.2f} s\n")


def print_draws(root: Path) -> None:
    """Draws per second of every sampler, on one rank and on one of eight."""
    print(f"| draws/s of one rank | as the loader asks ({DRAWS_AT_ONCE} at once) | asked batch by batch |")
    print("|---|---|---|")
    for kind in (BalancedSampler, AlternateSampler, WeightedSampler, UniformSampler):
        for world_size in (1, 8):
            ours, one_by_one = fresh(draws_per_second, root, kind, world_size)
            print(f"| {kind.__name__}, rank 0 of {world_size} | {ours:,.0f} | {one_by_one:,.0f} |")
    print()


def print_memory(big: Path, small: Path) -> None:
    """Memory with the index of all clips, less the memory with that of a thousandth."""
    print(f"| index memory (PSS, MiB) | main process, its own | its share of the index | {NUM_WORKERS} workers | all |")
    print("|---|---|---|---|---|")
    for how in ("threads", "fork", "spawn"):
        more = [
            of_all - of_few for of_all, of_few in zip(fresh(memory, big, how), fresh(memory, small, how), strict=True)
        ]
        print(f"| {how} | {' | '.join(f'{mib:.0f}' for mib in [*more, sum(more)])} |")


if __name__ == "__main__":
    main()
