"""A store of AudioSet's size, generated: real proportions of the classes, made-up ids, shards that are holes.

Shapes: N clips, P labels in all, K classes.
"""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panns.data.facts import clips_per_class
from panns.data.index import IndexWriter
from panns.data.labels import audioset_classes
from panns.data.store_files import FORMAT

SPLITS = {"eval": 20_371, "balanced_train": 22_160, "unbalanced_train": 2_041_679}  # the paper's 2,063,839 to train on
LABELS_PER_CLIP = 2.5
SAMPLE_RATE, CLIP_SECONDS = 32_000, 10
CLIP_BYTES = 2 * SAMPLE_RATE * CLIP_SECONDS
MEMBER_BYTES = 512 + CLIP_BYTES + 512  # tar header, WAV header and samples, padded to blocks
CLIPS_PER_SHARD = 1_600  # about 1 GB


def write_store(root: Path, part: float = 1.0) -> None:
    """Write a finished pcm store of `part` of AudioSet, silent clips that take no room: the index has 118 MB."""
    rng = np.random.default_rng(0)
    sizes = [round(count * part) for count in SPLITS.values()]
    label_ptr, label_idx = labels(rng, sum(sizes))
    letters = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", dtype="S1")
    ids = rng.choice(letters, size=(sum(sizes), 11)).view("S11")[:, 0]
    silence, rows = zlib.crc32(bytes(CLIP_BYTES)), IndexWriter()
    for row, split in enumerate(np.repeat(np.arange(len(SPLITS)), sizes).tolist()):
        shard, place = divmod(row, CLIPS_PER_SHARD)
        rows.add(
            ids[row].decode(),
            f"shards/{shard:05}.tar",
            label_idx[label_ptr[row] : label_ptr[row + 1]].tolist(),
            split=split,
            offset=place * MEMBER_BYTES + 512 + 44,
            nbytes=CLIP_BYTES,
            codec=0,
            frames=CLIP_BYTES // 2,
            start_ms=0,
            crc32=silence,
        )
    (root / "shards").mkdir(parents=True, exist_ok=True)
    for shard in range(-(-len(rows) // CLIPS_PER_SHARD)):
        with (root / f"shards/{shard:05}.tar").open("wb") as file:
            file.truncate(CLIPS_PER_SHARD * MEMBER_BYTES + 1024)
    rows.commit(root, meta())


def labels(rng: np.random.Generator, num_clips: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the labels of all clips as CSR (N + 1,), (P,): the proportions of AudioSet's classes, one label at least."""
    counts = clips_per_class()["panns_train"]
    counts = np.rint(counts * (LABELS_PER_CLIP * num_clips / counts.sum())).astype(np.int64)
    clip = np.concatenate([rng.choice(num_clips, size=count, replace=False) for count in counts])
    own = np.bincount(clip, minlength=num_clips)
    order = np.argsort(clip, kind="stable")
    last = order[np.cumsum(own) - 1][own >= 3]  # the last label of each clip that has three or more ...
    bare = np.flatnonzero(own == 0)
    clip[rng.choice(last, size=len(bare), replace=False)] = bare  # ... goes to a clip that has none
    classes = np.repeat(np.arange(len(counts)), counts)[np.argsort(clip, kind="stable")]
    return np.concatenate([[0], np.cumsum(np.bincount(clip, minlength=num_clips))]), classes


def meta() -> dict:
    """Return the meta.json of the store."""
    return {
        "format": FORMAT,
        "name": "audioset",
        "sample_rate": SAMPLE_RATE,
        "clip_seconds": CLIP_SECONDS,
        "single_label": False,
        "splits": list(SPLITS),
        "classes": [list(label) for label in audioset_classes()],
        "created": {"tool": "benchmarks/audioset_index.py"},
        "plan": {},
        "counts": {},
    }
