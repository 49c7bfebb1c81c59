"""Stores to damage."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from panns.data.audioset import AudioSetSource
from panns.data.forms.folder import AudioFolder
from panns.data.labels import Segment, write_segments
from panns.data.packing import pack
from panns.data.store import ClipStore

RATE, SECONDS = 8000, 0.25
MIDS = ("/m/09x0r", "/m/04rlf", "/m/0bt9lr")  # Speech, Music, Dog


def segments(split: str, count: int) -> list[Segment]:
    """Clips with one or two labels; ids with the dashes that real ones have."""
    rows = []
    for number in range(count):
        mids = (MIDS[number % 3],) if number % 2 else (MIDS[number % 3], MIDS[(number + 1) % 3])
        rows.append(Segment(f"-_{split[:4]}{number:05d}", 30.0, 40.0, mids))
    return rows


@pytest.fixture(scope="session")
def lists(tmp_path_factory) -> list[Path]:
    """Segment lists of 24 training clips and 12 to evaluate with."""
    folder = tmp_path_factory.mktemp("lists")
    paths = []
    for split, count in (("balanced_train", 24), ("eval", 12)):
        paths.append(folder / f"{split}_segments.csv")
        write_segments(paths[-1], segments(split, count))
    return paths


@pytest.fixture(scope="session")
def packed(lists, tmp_path_factory) -> Path:
    """Their noise, in tar shards of about eight clips."""
    folder, rng = tmp_path_factory.mktemp("packed"), np.random.default_rng(0)
    (folder / "audio").mkdir()
    for split, count in (("balanced_train", 24), ("eval", 12)):
        for segment in segments(split, count):
            samples = rng.integers(-9000, 9000, round(RATE * SECONDS)).astype(np.int16)
            soundfile.write(folder / "audio" / f"Y{segment.id}.wav", samples, RATE)
    source = AudioSetSource(lists, AudioFolder(folder / "audio"))
    options = {"sample_rate": RATE, "clip_seconds": SECONDS, "jobs": 1, "show_progress": False}
    pack(source, folder / "store", shard_mb=0.04, **options)
    assert len(ClipStore.open(folder / "store").path) == 5
    return folder / "store"


@pytest.fixture
def store(packed, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(packed, tmp_path / "store"))
