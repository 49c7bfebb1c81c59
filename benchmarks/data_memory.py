"""Memory, open files and processes of the loaders over 100,000 batches in epochs of 2,000: all should stay as they are.

Run with `make bench-data-memory`. The clips are short (50 ms), so that it takes minutes; what a batch leaves behind, if
it does, is a matter of batches, not of bytes.
"""

import argparse
import gc
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import soundfile
import torch
from clips import SAMPLE_RATE, manifest, waveform
from machine import descendants, describe, fresh, rss_mib

from panns.data.datamodule import AudioSetDataModule
from panns.data.packing import pack

CLIP_SECONDS, NUM_CLIPS, BATCH, EPOCH = 0.05, 2000, 32, 2000
CASES = {  # what is loaded, and by how many threads or workers
    "pcm, 2 threads": ("pcm", {"num_threads": 2}),
    "flac, 2 threads": ("flac", {"num_threads": 2}),
    "pcm, 2 workers": ("pcm", {"num_workers": 2}),
}


def write_stores(folder: Path) -> None:
    """Write the same short clips as "pcm" and as "flac"."""
    (folder / "wav").mkdir(parents=True)
    for number in range(NUM_CLIPS):
        clip = waveform(number, round(SAMPLE_RATE * CLIP_SECONDS))
        soundfile.write(folder / f"wav/{number:05}.wav", clip, SAMPLE_RATE)
    for codec in ("pcm", "flac"):
        source = manifest(folder / "wav")
        pack(source, folder / codec, codec=codec, clip_seconds=CLIP_SECONDS, jobs=1, show_progress=False)


def endure(root: Path, options: dict[str, int], num_batches: int) -> list[tuple[int, float, float, int, int]]:
    """Load that many batches -> at eleven places: batch, MiB here, MiB in children, open files, processes."""
    torch.set_num_threads(1)
    logging.getLogger("panns").setLevel(logging.ERROR)  # that nothing computes, and so waits for clips, is meant
    data = AudioSetDataModule(root, ["eval"], EPOCH * BATCH, batch_size=BATCH, **options)
    loader = data.train_dataloader()
    rows = []
    for number, batch in enumerate(epochs(loader)):
        del batch
        if number % (num_batches // 10) == 100:  # 100: when the buffers are all there
            gc.collect()
            processes = descendants()
            inside = sum(rss_mib(pid) for pid in processes)
            rows.append((number, rss_mib(), inside, len(list(Path("/proc/self/fd").iterdir())), 1 + len(processes)))
        if number == num_batches + 100:
            return rows
    raise AssertionError("epochs end")


def epochs(loader: Iterator) -> Iterator:
    """Yield the batches of epoch after epoch."""
    while True:
        yield from loader


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=100_000)
    num_batches = parser.parse_args().batches
    print(describe("torch", "numpy", "miniaudio"))
    print(f"{num_batches:,} batches of {BATCH} clips, epochs of {EPOCH:,} batches\n")
    print("| loader | batch | main process MiB | workers MiB | open files | processes |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        write_stores(Path(temporary))
        for name, (codec, options) in CASES.items():
            rows = fresh(endure, Path(temporary) / codec, options, num_batches)
            for number, here, inside, files, processes in (rows[0], rows[1], rows[len(rows) // 2], rows[-1]):
                print(f"| {name} | {number:,} | {here:.1f} | {inside:.1f} | {files} | {processes} |", flush=True)


if __name__ == "__main__":
    main()
