"""What the tests of packing share: small sources, and a short way to make a store of them."""

import filecmp
from pathlib import Path

import numpy as np

from panns.data.manifest import ManifestSource
from panns.data.report import ImportReport
from panns.data.store import ClipStore

RATE, SECONDS, LENGTH = 16000, 1.0, 16000


def noise(frames: int, seed: int = 0, channels: int = 1) -> np.ndarray:
    waveform = np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels))
    return waveform[:, 0] if channels == 1 else waveform


def tone(frequency: float, rate: int, seconds: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def source_of(folder: Path, *rows: str, header: str = "path,labels") -> ManifestSource:
    """A manifest of these rows, or of all WAV files in the folder."""
    rows = rows or tuple(f"{path.name},dog" for path in sorted(folder.glob("*.wav")))
    (folder / "own.csv").write_text("\n".join([header, *rows]) + "\n")
    return ManifestSource(folder / "own.csv")


def make(command, source, out: Path, **options) -> tuple[ClipStore, ImportReport]:
    options = {"sample_rate": RATE, "clip_seconds": SECONDS, "jobs": 1, "show_progress": False} | options
    report = command(source, out, **options)
    return ClipStore.open(out), report


def kinds(report: ImportReport) -> dict[str, int]:
    return {what: count for what, count in report.counts.items() if count}


def same_folders(one: Path, other: Path) -> bool:
    names = sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file())
    others = sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file())
    return names == others and filecmp.cmpfiles(one, other, names, shallow=False)[1:] == ([], [])
