"""Clips per second into the training process: this project's loader, the released one's way, and the bare decoders.

Run with `make bench-data`. All ways load the same generated clips in the same random order, by turns in one run.
Processor time is that of all threads and workers together, so that "clips/s per core" holds on a busy machine too;
ratios are taken turn by turn. `cold` means that the files were put out of the page cache before each turn
(posix_fadvise DONTNEED).
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

import torch
from clips import write_forms
from loading import AS_FLOAT, IN_WORKERS, RELEASED, Way, all_ways, parts
from machine import describe

from panns.data import ClipStore

PARTS = ("reading from the page cache", "crc32", "decoding")
Bare = dict[str, dict[str, float]]  # of each form: ms of each part


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=480, help="10-s clips to generate: 1.7 MB of disk each")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="up to that many")
    parser.add_argument("--folder", type=Path, help="keeps the generated clips here and uses them again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(describe("torch", "numpy", "miniaudio", "zlib-ng", "h5py"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "clips"
        if not (folder / "waveforms.h5").exists():
            write_forms(folder, arguments.clips)
        stores = {name: ClipStore.open(folder / name) for name in ("pcm", "flac", "mp3")}
        ways, bare = measure(folder, stores, arguments.threads, arguments.turns)
    for name, store in stores.items():
        print(f"{name}: {len(store)} clips of 10 s, {store.nbytes.mean() / 1000:.0f} kB each")
    print_rates(ways, {name: store.nbytes.mean() / 1e6 for name, store in stores.items()}, bare)
    print_parts(ways, bare)
    print_ratios(ways)


def measure(folder: Path, stores: dict[str, ClipStore], cores: int, turns: int) -> tuple[list[Way], Bare]:
    """Give every way its turns -> the ways, and the best of each part."""
    ways, bare = all_ways(folder, stores, cores), Bare()
    for turn in range(turns + 1):
        for way in ways:
            way.run()
            if turn == 0:
                way.turns.clear()  # the first fills buffers and the page cache
        for name, store in stores.items():
            for part, ms in parts(store).items():
                bare.setdefault(name, {})[part] = min(ms, bare.get(name, {}).get(part, ms))
    return ways, bare


def print_rates(ways: list[Way], megabytes: dict[str, float], bare: Bare) -> None:
    """What came per second, best turn and median, and what limited it."""
    columns = ["loading", "threads or workers", "cache", "clips/s, best (median)", "MB/s read", "CPU ms/clip"]
    columns += ["clips/s per core", "cores busy", "limit"]
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    warm = {(way.name, way.threads): way for way in ways if not way.cold}
    for way in ways:
        ms = min(way.cpu_ms)
        print(
            f"| {way.name} | {way.threads} | {'cold' if way.cold else 'warm'} "
            f"| {max(way.rates):,.0f} ({median(way.rates):,.0f}) | {max(way.rates) * megabytes[way.form]:,.0f} "
            f"| {ms:.3f} ({median(way.cpu_ms):.3f}) | {1000 / ms:,.0f} ({1000 / median(way.cpu_ms):,.0f}) "
            f"| {way.cores_busy:.2f} | {limit(way, warm[way.name, way.threads], bare[way.form])} |"
        )


def limit(way: Way, warm: Way, bare: dict[str, float]) -> str:
    """Say what a way waits for or spends most on; `warm` is the same with the files in the page cache."""
    if max(way.rates) < 0.8 * max(warm.rates):
        return "disk"
    if way.name == RELEASED:
        return "copies between processes, float conversion"
    if way.name == IN_WORKERS:
        return "copies between processes"
    if way.name == AS_FLOAT:
        return "CPU: float conversion"
    part, ms = max(bare.items(), key=lambda item: item[1])
    return f"CPU: {part} {100 * min(1, ms / min(way.cpu_ms)):.0f} %"


def print_parts(ways: list[Way], bare: Bare) -> None:
    """Where the processor time of a clip goes."""
    print(f"\n| CPU ms/clip, 1 thread, best | {' | '.join(bare)} |\n|---|{'---|' * len(bare)}")
    for part in PARTS:
        print(f"| {part}, by itself | {' | '.join(f'{bare[name].get(part, 0):.3f}' for name in bare)} |")
    whole = (min(find(ways, f"panns, {name}").cpu_ms) for name in bare)
    print(f"| the loader in all | {' | '.join(f'{ms:.3f}' for ms in whole)} |\n")


def print_ratios(ways: list[Way]) -> None:
    """Clips per core against each other, turn by turn."""
    print("| clips per core, 1 thread or worker | ratio of bests | median of turns | worst to best turn |")
    print("|---|---|---|---|")
    against = [(name, RELEASED) for name in ("panns, pcm", AS_FLOAT, IN_WORKERS)]
    for ours, theirs in (*against, *((f"panns, {form}", f"bare decoder, {form}") for form in ("flac", "mp3"))):
        mine, other = find(ways, ours).cpu_ms, find(ways, theirs).cpu_ms
        turns = [b / a for a, b in zip(mine, other, strict=True)]
        print(
            f"| {ours} / {theirs} | {min(other) / min(mine):.2f} | {median(turns):.2f} "
            f"| {min(turns):.2f} to {max(turns):.2f} |"
        )


def find(ways: list[Way], name: str) -> Way:
    """The way of this name on one thread, from the page cache."""
    return next(way for way in ways if way.name == name and way.threads == 1 and not way.cold)


if __name__ == "__main__":
    main()
