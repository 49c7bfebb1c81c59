"""Clips to be packed in parts, and what is in the stores that come of it."""

import csv
from pathlib import Path

import numpy as np
import soundfile

from panns.data.manifest import ManifestSource
from panns.data.packing import pack
from panns.data.parts import Part
from panns.data.store import ClipStore

RATE = 8000
SOUND = {"sample_rate": RATE, "clip_seconds": 0.1, "jobs": 1, "show_progress": False}
FORM = SOUND | {"shard_mb": 0.01}  # a few clips a shard


def own_clips(folder: Path) -> ManifestSource:
    """23 clips of two splits, one no audio, one silent; one more that is listed twice and one that is missing."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    rows = ["path,labels,split"]
    for number in range(23):
        soundfile.write(folder / f"{number:02}.wav", rng.uniform(-0.5, 0.5, 800) * (number != 20), RATE)
        rows.append(f"{number:02}.wav,{'dog;cat' if number % 3 else 'cow'},{'eval' if number % 4 else 'train'}")
    (folder / "03.wav").write_text("no audio")
    (folder / "own.csv").write_text("\n".join([*rows, "00.wav,dog,train", "gone.wav,dog,train"]) + "\n")
    return ManifestSource(folder / "own.csv")


def pack_parts(source, out: Path, of: int, numbers=None, command=pack, form=FORM) -> None:
    for number in numbers or range(1, of + 1):
        command(source, out, part=Part(number, of), **form)


def content(root: Path) -> list:
    """Everything about the clips but where their bytes lie."""
    store = ClipStore.open(root)
    return [
        (
            store.id[i],
            store.splits[store.split[i]],
            store.labels(i).tolist(),
            store.read(i).tobytes(),
            store.start_ms[i],
        )
        for i in range(len(store))
    ]


def findings(root: Path) -> list:
    with (root / "report.csv").open() as file:
        return list(csv.reader(file))


def one_split(source, name: str, keep) -> ManifestSource:
    lines = source.manifest.read_text().splitlines()
    path = source.folder / f"{name}.csv"
    path.write_text("\n".join([lines[0], *filter(keep, lines[1:])]) + "\n")
    (source.folder / "classes.txt").write_text("cat\ncow\ndog\n")
    return ManifestSource(path, class_list=source.folder / "classes.txt", name=name)
