"""Runs of two steps through train.py, one for each row of a list of choices; on several ranks as a script:

torchrun --nproc-per-node 2 tests/combining.py ROWS.json FOLDER
"""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from models.narrow_models import NARROW
from panns.data.audioset import AudioSetSource
from panns.data.demo.generate import generate
from panns.data.forms.folder import AudioFolder
from panns.data.labels import read_segments, write_segments
from panns.data.packing import index
from runs import ROOT, config


class Row(NamedTuple):
    """A choice of each group, as on the command line."""

    model: str
    data: str
    augmentation: str
    trainer: str

    def __str__(self) -> str:
        return "-".join(self)


def make_data(folder: Path) -> None:
    """A store of clips of the demo set in the splits of AudioSet, and a folder in the layout of ESC-50."""
    generate(folder / "demo", num_train=24, num_eval=4, jobs=1)
    train = read_segments(folder / "demo" / "train_segments.csv")
    write_segments(folder / "balanced_train_segments.csv", train[:8])
    write_segments(folder / "unbalanced_train_segments.csv", train[8:])
    write_segments(folder / "eval_segments.csv", read_segments(folder / "demo" / "eval_segments.csv"))
    lists = [folder / f"{split}_segments.csv" for split in ("balanced_train", "unbalanced_train", "eval")]
    index(AudioSetSource(lists, AudioFolder(folder / "demo" / "audio")), folder / "store", jobs=1, show_progress=False)

    (folder / "esc50" / "audio").mkdir(parents=True)
    (folder / "esc50" / "meta").mkdir()
    rows, noise = [["filename", "fold", "target", "category"]], np.random.default_rng(0)
    for number in range(15):
        fold, target = number // 5 + 1, number % 5
        rows.append([f"{fold}-{number}-A-{target}.wav", fold, target, f"class{target}"])
        soundfile.write(folder / "esc50" / "audio" / rows[-1][0], 0.1 * noise.standard_normal(64000), 32000)
    with (folder / "esc50" / "meta" / "esc50.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def overrides(row: Row, data: Path, full_size: bool) -> list[str]:
    """Of a run of two steps on the CPU: a narrow network on clips of 2 s, or the whole one on those of 10 s."""
    of_data = {
        "esc50": (f"data.root={data / 'esc50'}", f"data.store={data / 'esc50-store'}"),
        "audioset_full_holdout": (f"data.store={data / 'store'}", "data.holdout=0.5"),
        "demo": (f"data.store={data / 'store'}", "data.prepare=null"),
        "store": (f"data.store={data / 'store'}", "data.validation_splits=[eval]"),
    }
    narrow = next(changes for start, changes in NARROW.items() if row.model.startswith(start))
    small = [*(f"model.{key}={value}".replace(" ", "") for key, value in narrow.items()), "data.clip_seconds=2"]
    return [
        *(f"{group}={name}" for group, name in row._asdict().items()),
        *(() if full_size else small),
        *of_data.get(row.data, (f"data.store={data / 'store'}",)),
        *("data.batch_size=4", "data.clips_per_epoch=8", "data.max_epochs=1"),
        *("trainer.accelerator=cpu", "trainer.num_nodes=1", "logger=csv", "callbacks.best=null"),
    ]


def two_steps(row: Row, data: Path, folder: Path, devices: int = 1, full_size: bool = False) -> None:
    """Trains and scores as `train.py` does, and looks at what is left."""
    from train import train

    value = train(config(*overrides(row, data, full_size), f"trainer.devices={devices}", f"run_dir={folder}"))
    results = json.loads((folder / "metrics.json").read_text())
    assert results["step"] == 2, results
    held_out = row.data == "audioset_full_holdout"  # as many as came out, and eval is tested
    assert results["test/num_clips" if held_out else "val/num_clips"] == (5 if row.data == "esc50" else 4), results
    assert 0 < results["val/mAP"] == value <= 1, results


def main(rows: str, folder: str) -> None:
    """All rows one after the other, as one of the ranks that torchrun started."""
    for row in (Row(*row) for row in json.loads(Path(rows).read_text())):
        print(row, flush=True)
        two_steps(row, Path(folder), Path(folder) / "runs" / str(row), devices=2)


def covers_all_pairs(rows: Sequence[Row], choices: dict[str, list[str]], groups: Sequence[str]) -> bool:
    """Whether each choice of one of these groups stands beside each of another one somewhere."""
    pairs = ((one, other) for number, one in enumerate(groups) for other in groups[number + 1 :])
    return all(
        {(getattr(row, one), getattr(row, other)) for row in rows}
        == {(first, second) for first in choices[one] for second in choices[other]}
        for one, other in pairs
    )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(*sys.argv[1:])
