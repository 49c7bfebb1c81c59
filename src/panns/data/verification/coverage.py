"""What a store has of what there is: clips per split and class, against the official lists and PANNs' own copy.

Shapes: N clips, K classes, L listed clips.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from panns.data import facts
from panns.data.labels import audioset_classes, read_segments, split_name
from panns.data.report import Finding
from panns.data.store import ClipStore
from panns.data.store_files import StoreError

Counts = npt.NDArray[np.int64]
MAX_NAMED = 5


@dataclass(frozen=True)
class Listed:
    """A segment list: L clips with their labels by number, those of clip i at `label_idx[label_ptr[i]:...]`.

    Attributes:
        id: (L,) bytes, ascending.
        foreign: mids that are no classes of the store, and are left out.
    """

    path: Path
    split: str
    id: npt.NDArray[np.bytes_]
    start_ms: Counts
    label_ptr: Counts
    label_idx: Counts
    foreign: list[str]

    @cached_property
    def clip_of_label(self) -> Counts:
        """(P,) number of the clip that each label belongs to."""
        return np.repeat(np.arange(len(self.id)), np.diff(self.label_ptr))


@dataclass(frozen=True)
class Coverage:
    """Clips of one split, or of all splits to train on, and how many there could be.

    Attributes:
        official: in the list, None where that is not known.
        panns: that the authors of PANNs had; None for other data.
        per_class: (K,) clips of the store.
        reference: (K,) of `reference_name`; None without one.
    """

    name: str
    clips: int
    official: int | None
    panns: int | None
    per_class: Counts
    reference: Counts | None = None
    reference_name: str = ""


def read_list(store: ClipStore, path: Path) -> Listed:
    """One of the lists that a store was made from.

    Raises:
        StoreError: the list of a split that the store does not have.
        LabelError: no segment list.
    """
    split, segments = split_name(path), sorted(read_segments(path))
    if split not in store.splits:
        raise StoreError(
            f"{path} is by its name the list of the split {split}, which {store.root} does not have: it has "
            f"{', '.join(store.splits)}; a list is named after its split, as {store.splits[0]}_segments.csv."
        )
    position = {label.mid: number for number, label in enumerate(store.classes)}
    labels = [sorted({position[mid] for mid in segment.mids if mid in position}) for segment in segments]
    foreign = {mid for segment in segments for mid in segment.mids} - position.keys()
    return Listed(
        path,
        split,
        np.array([segment.id.encode() for segment in segments]),
        np.array([round(segment.start * 1000) for segment in segments]),
        np.cumsum([0, *map(len, labels)]),
        np.array([label for of_clip in labels for label in of_clip], dtype=np.int64),
        sorted(foreign),
    )


def coverages(store: ClipStore, whole: npt.NDArray[np.bool_], lists: Sequence[Listed]) -> list[Coverage]:
    """Coverage by each split, and by AudioSet's two training splits together.

    Args:
        whole: (N,) clips to count.
    """
    listed = {one.split: one for one in lists}
    known, per_class = is_audioset(store), facts.clips_per_class()
    result = []
    for split in store.splits:
        rows = store.rows([split])
        rows = rows[whole[rows]]
        size = facts.SPLIT_SIZES[split] if known else None
        official = len(listed[split].id) if split in listed else size.official if size else None
        counts = store.class_counts(rows)
        reference, name = None, "official list"
        if split in listed:
            reference = np.bincount(listed[split].label_idx, minlength=store.num_classes)
            name = listed[split].path.name
        elif known:
            reference = per_class.get(split)
        panns = size.panns if size else None
        result.append(Coverage(split, len(rows), official, panns, counts, reference, name))
    train = [one for one in result if one.name in ("balanced_train", "unbalanced_train")]
    if known and len(train) == 2:
        clips, counts = sum(one.clips for one in train), train[0].per_class + train[1].per_class
        official, panns = sum(one.official or 0 for one in train), sum(one.panns or 0 for one in train)
        result.append(Coverage("train", clips, official, panns, counts, per_class["panns_train"], "PANNs' copy"))
    return result


def is_audioset(store: ClipStore) -> bool:
    """Whether classes and splits are AudioSet's own."""
    return set(store.splits) <= set(facts.SPLIT_SIZES) and store.classes == audioset_classes()


def disagreements(store: ClipStore, listed: Listed, usable: npt.NDArray[np.bool_]) -> Iterator[Finding]:
    """Where the store and the list that one of its splits was made from are not the same.

    Args:
        usable: (N,) rows whose labels can be read.
    """
    rows = store.rows([listed.split])
    place = np.minimum(np.searchsorted(listed.id, store.id[rows]), len(listed.id) - 1)
    there = listed.id[place] == store.id[rows]
    for row in rows[~there]:
        yield Finding(store.id[row].decode(), "", "not_listed", f"not in {listed.path.name}")
    for clip in np.delete(np.arange(len(listed.id)), place[there]):
        yield Finding(listed.id[clip].decode(), "", "absent", f"listed in {listed.path.name}")
    rows, place = rows[there & usable[rows]], place[there & usable[rows]]
    for i in np.flatnonzero(np.abs(store.start_ms[rows] - listed.start_ms[place]) > 1):
        words = f"{store.start_ms[rows[i]] / 1000:g} s where the list has {listed.start_ms[place[i]] / 1000:g} s"
        yield Finding(store.id[rows[i]].decode(), "", "other_start", words)
    for i in np.flatnonzero(np.isin(place, _relabelled(store, listed, rows, place))):
        own, clip = _names(store, store.labels(int(rows[i]))), place[i]
        given = _names(store, listed.label_idx[listed.label_ptr[clip] : listed.label_ptr[clip + 1]])
        yield Finding(store.id[rows[i]].decode(), "", "other_labels", f"{own} where the list has {given}")
    if listed.foreign:
        named = ", ".join(listed.foreign[:MAX_NAMED]) + (", ..." if len(listed.foreign) > MAX_NAMED else "")
        yield Finding("", str(listed.path), "foreign_label", f"{len(listed.foreign)} classes: {named}")


def _relabelled(store: ClipStore, listed: Listed, rows: Counts, place: Counts) -> Counts:
    """Listed clips, by number, that the store has under other labels."""
    counts, classes = store.labels_of(rows)
    ours = np.repeat(place, counts) * store.num_classes + classes
    compared = np.isin(listed.clip_of_label, place)
    theirs = listed.clip_of_label[compared] * store.num_classes + listed.label_idx[compared]
    return np.setxor1d(np.sort(ours), theirs, assume_unique=True) // store.num_classes


def _names(store: ClipStore, classes: np.ndarray) -> str:
    return "; ".join(store.classes[k].name for k in classes) or "none"
