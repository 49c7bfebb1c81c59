"""The ways of loading that `benchmarks/data.py` compares: all give the same clips in the same random order.

Shapes: B clips, L samples.
"""

import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import released_loading
import torch
from machine import drop_cache
from zlib_ng import zlib_ng

from panns.data import ClipStore
from panns.data.batches import BatchReader
from panns.data.codecs import S16LE, decode
from panns.data.loader import ClipLoader, WorkerLoader
from panns.data.plans import TrainPlan
from panns.data.samplers import UniformSampler
from panns.training.task import FULL_SCALE

BATCH = 32
PASSES = {"pcm": 20, "flac": 2, "mp3": 10}  # over the clips in a warm turn: about 1,000 clips or more
RELEASED = "released way, HDF5"
AS_FLOAT, IN_WORKERS = "panns, pcm, as float32", "panns, pcm, worker processes"


@dataclass
class Way:
    """One way of loading, and what its turns took.

    Attributes:
        batches: Makes the batches of one turn anew, things with a length each.
        form: "pcm", "flac" or "mp3".
        files: What it reads.
        threads: Or workers.
        turns: (clips, seconds, processor seconds) of each.
    """

    name: str
    batches: Callable[[], Iterable[Any]]
    form: str
    files: list[Path | str]
    threads: int = 1
    cold: bool = False
    turns: list[tuple[int, float, float]] = field(default_factory=list)

    def run(self) -> None:
        """Load all batches of one turn."""
        if self.cold:
            drop_cache(Path(file) for file in self.files)
        clips, began, cpu = 0, time.perf_counter(), cpu_seconds()
        for batch in self.batches():
            clips += len(batch)
        self.turns.append((clips, time.perf_counter() - began, cpu_seconds() - cpu))

    @property
    def rates(self) -> list[float]:
        """Clips per second of each turn."""
        return [clips / seconds for clips, seconds, _ in self.turns]

    @property
    def cpu_ms(self) -> list[float]:
        """Processor time of a clip in each turn."""
        return [1000 * cpu / clips for clips, _, cpu in self.turns]

    @property
    def cores_busy(self) -> float:
        """In the fastest turn."""
        return min((seconds, cpu / seconds) for _, seconds, cpu in self.turns)[1]


def cpu_seconds() -> float:
    """Return the processor time of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def plan(store: ClipStore, passes: int = 1) -> TrainPlan:
    """Return batches of clips in random order, each clip once a pass."""
    rows = store.rows(store.splits)
    counts, labels = store.labels_of(rows)
    sampler = UniformSampler(np.concatenate([[0], np.cumsum(counts)]), labels, store.num_classes, 0, BATCH)
    return TrainPlan(rows, sampler, BATCH, 1, passes * len(rows) // BATCH, rank=0, world_size=1)


def panns(
    store: ClipStore, threads: int, passes: int, kind: type[ClipLoader] = ClipLoader, scaled: bool = False
) -> Callable[[], Iterator[torch.Tensor]]:
    """Return what yields the waveforms of one epoch, int16, or scaled here to float32 as the task does on the device.

    The loader stays, as in training: its buffers are new memory in the first turn alone.
    """
    loader = kind(BatchReader(store, store.clip_samples), plan(store, passes), threads, threads + 2)

    def epoch() -> Iterator[torch.Tensor]:
        for batch in loader:
            yield batch.waveform.float().div_(FULL_SCALE) if scaled else batch.waveform
            del batch

    return epoch


def released(file: Path, store: ClipStore, workers: int) -> Iterator[torch.Tensor]:
    """Yield waveforms of the same rows in the same order."""
    order = plan(store)
    return released_loading.batches(file, [order.batch(n)[0].tolist() for n in range(order.num_batches)], workers)


def bare_decoder(store: ClipStore, passes: int) -> Callable[[], Iterator[list[Any]]]:
    """Return what decodes the same clips in the same order, their bytes in memory, and keeps none."""
    payloads = [store.read_payload(row) for row in range(len(store))]

    def epoch() -> Iterator[list[Any]]:
        order = plan(store, passes)
        for number in range(order.num_batches):
            for row in order.batch(number)[0].tolist():
                yield [decode(payloads[row], int(store.codec[row]))]

    return epoch


def all_ways(folder: Path, stores: dict[str, ClipStore], cores: int) -> list[Way]:
    """Return every way on every number of threads, and on all cores from the disk."""
    hdf5, pcm = folder / "waveforms.h5", stores["pcm"]
    ways = []
    for cold in (False, True):
        for threads in range(1, cores + 1):
            ways.append(Way(RELEASED, partial(released, hdf5, pcm, threads), "pcm", [hdf5], threads, cold))
            for name, store in stores.items():
                if name == "mp3" and cold:
                    continue  # 64 clips are too few to say anything of a disk
                load = panns(store, threads, 1 if cold else PASSES[name])
                ways.append(Way(f"panns, {name}", load, name, store.files, threads, cold))
                if name != "pcm" and threads == 1 and not cold:
                    ways.append(Way(f"bare decoder, {name}", bare_decoder(store, PASSES[name]), name, []))
            if not cold:
                for name, options in ((AS_FLOAT, {"scaled": True}), (IN_WORKERS, {"kind": WorkerLoader})):
                    load = panns(pcm, threads, PASSES["flac"], **options)
                    ways.append(Way(name, load, "pcm", pcm.files, threads))
    return ways


def parts(store: ClipStore) -> dict[str, float]:
    """Return the processor time of what a clip needs, done barely by itself over all clips: ms per clip."""
    order = plan(store)
    rows = np.concatenate([order.batch(number)[0] for number in range(order.num_batches)]).tolist()
    waveform = np.zeros((BATCH, store.clip_samples), np.int16)
    descriptors = [os.open(path, os.O_RDONLY) for path in store.files]
    where = [(descriptors[store.file[row]], int(store.nbytes[row]), int(store.offset[row])) for row in rows]
    codec = int(store.codec[rows[0]])
    payloads = [os.pread(*one) for one in where]

    def each(work: Callable[[int], Any]) -> float:
        began = time.thread_time()
        for i in range(len(rows)):
            work(i)
        return (time.thread_time() - began) / len(rows) * 1000

    if codec == S16LE:
        read = each(lambda i: os.preadv(where[i][0], [waveform[i % BATCH]], where[i][2]))
    else:
        read = each(lambda i: os.pread(*where[i]))
    found = {"reading from the page cache": read, "crc32": each(lambda i: zlib_ng.crc32(payloads[i]))}
    if codec != S16LE:
        found["decoding"] = each(lambda i: decode(payloads[i], codec))
    for descriptor in descriptors:
        os.close(descriptor)
    return found
