"""Facts about AudioSet that travel with the package; each file under `assets/` names its source."""

import csv
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from panns.data.labels import audioset_classes


class SplitSize(NamedTuple):
    """Clips of a split: in the official list, and those that the authors of PANNs could download (table and README)."""

    official: int
    panns: int


SPLIT_SIZES = {
    "balanced_train": SplitSize(22_160, 20_550),
    "unbalanced_train": SplitSize(2_041_789, 1_913_637),
    "eval": SplitSize(20_371, 18_887),
}
ID_LISTS = {"dcase2017_task4": "dcase2017_task4_ids.txt"}  # name: file


def ancestors() -> dict[str, tuple[str, ...]]:
    """Mids above each class in AudioSet's ontology, at any distance and among the 527 classes alone."""
    rows = csv.DictReader(_lines("audioset_ancestors.csv"))
    above = {row["mid"]: tuple(row["ancestors"].split()) for row in rows}
    return {label.mid: above.get(label.mid, ()) for label in audioset_classes()}


def clips_per_class() -> dict[str, NDArray[np.int64]]:
    """Clips of each class, (527,): official `eval` and `balanced_train`, and `panns_train`, the copy of PANNs."""
    rows = list(csv.DictReader(_lines("audioset_clips_per_class.csv")))
    return {name: np.array([int(row[name]) for row in rows]) for name in ("eval", "balanced_train", "panns_train")}


def id_list(name: str) -> list[str]:
    """The clip ids of one of `ID_LISTS`."""
    return _lines(ID_LISTS[name])


def _lines(asset: str) -> list[str]:
    text = (resources.files("panns.data") / "assets" / asset).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]
