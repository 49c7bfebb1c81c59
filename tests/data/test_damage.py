"""Clips that cannot be read: what a loader puts in their place is a clip, with its labels, and always the same."""

import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from panns.data import ClipStore
from panns.data.batches import BatchReader
from panns.data.damage import DamageError
from panns.data.loader import ClipLoader, WorkerLoader
from panns.data.plans import EvaluationPlan, TrainPlan
from panns.data.samplers import BalancedSampler
from runs import scratch

L = 32000


@pytest.fixture
def folder(tones, tmp_path) -> Path:
    """A copy of the tones in which seven training clips are damaged."""
    shutil.copytree(tones.parent, tmp_path / "data")
    for number in range(3, 40, 6):
        scratch(tmp_path / "data" / f"clip{number:02}.wav", "flip")
    return tmp_path / "data" / "store"


def loader(folder: Path, max_damaged: int, rank=0, world_size=1, kind=ClipLoader, transform=None):
    store = ClipStore.open(folder)
    rows = store.rows(["train"])
    counts, idx = store.labels_of(rows)
    sampler = BalancedSampler(np.concatenate([[0], np.cumsum(counts)]), idx, store.num_classes, 1, 16)
    plan = TrainPlan(rows, sampler, 8 // world_size, 2, 5, rank, world_size)
    return kind(BatchReader(store, L, 1, transform), plan, max_damaged=max_damaged)


def reverse(waveform: torch.Tensor, _: int) -> torch.Tensor:
    return waveform.flip(0)


@pytest.mark.parametrize("kind", [ClipLoader, WorkerLoader])
def test_every_place_of_a_mended_batch_holds_a_clip_with_its_labels(kind, folder):
    seen = []
    mended = loader(folder, 7, kind=kind, transform=reverse)
    store = mended.reader.store
    for batch in mended:
        for place, row in enumerate(batch.row.tolist()):
            assert np.array_equal(batch.waveform[place].numpy()[::-1], store.read(row))
            assert batch.target[place].nonzero()[:, 0].tolist() == store.labels(row).tolist()
        seen += [(damaged.draw, damaged.error.clip_id, damaged.instead) for damaged in batch.damaged]
        assert [batch.row[damaged.place] for damaged in batch.damaged] == [damaged.instead for damaged in batch.damaged]
    assert len({clip for _, clip, _ in seen}) > 3
    again = [(d.draw, d.error.clip_id, d.instead) for batch in loader(folder, 7) for d in batch.damaged]
    assert again == seen
    parts = [
        (d.draw, d.error.clip_id, d.instead) for rank in (0, 1) for b in loader(folder, 7, rank, 2) for d in b.damaged
    ]
    assert sorted(parts) == sorted(seen)


def test_a_clip_counts_once_and_one_more_than_may_be_stops(folder):
    whole = loader(folder, 7)
    for _ in range(3):
        list(whole)
    assert set(whole._mender.clips) == {f"clip{number:02}" for number in range(3, 40, 6)}
    fewer = loader(folder, 6)
    with pytest.raises(
        DamageError,
        match=r"7 clips could not be read, more than data\.max_damaged_clips=6: clip.* and 2 more; the last",
    ):
        list(chain(fewer, fewer, fewer))


def test_an_evaluation_and_hopeless_data_stop(folder):
    store = ClipStore.open(folder)
    evaluation = EvaluationPlan(store.rows(["train"]), 8, 0, 1)
    with pytest.raises(DamageError, match=r"clip clip03 in .*crc32 differs.*Clips to evaluate on are never replaced"):
        list(ClipLoader(BatchReader(store, L), evaluation, max_damaged=100))
    for number in range(40):
        if number % 6 != 3:
            scratch(folder.parent / f"clip{number:02}.wav", "flip")
    with pytest.raises(DamageError, match="hardly any clip can be read; the last: clip"):
        list(loader(folder, 100))
