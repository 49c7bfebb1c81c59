"""AudioSet as people hold it: the official segment lists, and the audio in any of the `forms`.

Names follow the tools that made them (`Y<id>.wav`, `<id>.flac`, `<id>_30.000.flac`, `<id>_30000.flac`,
`<id>_30.0-40.0.wav`, `<id>_30000_40000.flac`). One id in seven holds `_`, so a name is never split into id and time:
what could be an id is looked up among the listed ones.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from panns.data.importers import Clip, ClipList, Place, where
from panns.data.labels import ClassLabel, Segment, audioset_classes, read_segments, split_name
from panns.data.report import ImportReport

_START = re.compile(r"(.+)_(\d+(?:\.\d+)?)")
_START_END = re.compile(r"(.+)_(\d+(?:\.\d+)?)[-_]\d+(?:\.\d+)?")


class Entry(NamedTuple):
    """One clip of a holding: an audio file cut out of its video already, or a part of one.

    Attributes:
        names: what may say which clip it is, the best first: file names without extension, ids.
        path: the file, or the one that holds it.
        place: where in that.
        mids: its labels by the holding, None if that has none. They are compared, never used.
        all_mids: whether `mids` are all of its labels, or one of them.
        cut: (start, end) in seconds within its audio; None for all of it.
    """

    names: tuple[str, ...]
    path: str
    place: Place | None = None
    mids: tuple[str, ...] | None = None
    all_mids: bool = True
    cut: tuple[float, float | None] | None = None

    @property
    def where(self) -> str:
        """Path and place, for people."""
        return where(self.path, self.place)


class Holding(Protocol):
    """The audio of AudioSet in one form."""

    @property
    def paths(self) -> list[Path]:
        """The folder of audio files, or the files that hold many clips each."""

    def entries(self, report: ImportReport) -> Iterator[Entry]:
        """All audio files there are, always in the same order; what is damaged goes into the report."""


@dataclass(frozen=True)
class AudioSetSource:
    """Official segment lists, from which the labels come, and the audio in one form.

    Args:
        segments: `eval_segments.csv` and so on; each list is one split, named after its file.
        holding: where the audio is.
    """

    segments: Sequence[Path]
    holding: Holding
    name: str = "audioset"
    single_label: bool = False
    clip_seconds: float = 10.0

    @property
    def audio(self) -> list[Path]:
        """What holds the audio."""
        return self.holding.paths

    @property
    def lists(self) -> list[Path]:
        """The segment lists."""
        return [Path(path) for path in self.segments]

    @cached_property
    def classes(self) -> list[ClassLabel]:
        """The 527 classes in the official order."""
        return audioset_classes()

    @property
    def splits(self) -> list[str]:
        """One split a list: `eval`, `balanced_train`, `unbalanced_train`."""
        return list(dict.fromkeys(split_name(path) for path in self.segments))

    def clips(self, report: ImportReport) -> list[Clip]:
        """Listed clips whose audio is there and whose labels are known, in the order of the files that hold them."""
        clips = ClipList(self.classes, report)
        listed: dict[str, tuple[int, Segment]] = {}
        for path in self.lists:
            split = self.splits.index(split_name(path))
            for segment in read_segments(path):
                if clips.is_new(segment.id, str(path)):
                    listed[segment.id] = (split, segment)
        found = match_entries(
            self.holding.entries(report), {key: segment for key, (_, segment) in listed.items()}, report
        )
        loose = all(entry.place is None for entry in found.values())
        for clip_id in listed if loose else found:
            if clip_id in found:
                split, segment = listed[clip_id]
                entry, start_ms = found[clip_id], round(segment.start * 1000)
                clips.add(Clip(clip_id, entry.path, split, (), start_ms, entry.cut, entry.place), segment.mids)
        for clip_id in listed:
            if clip_id not in found:
                report.add("missing", clip_id)
        return clips.clips


def match_entries(entries: Iterator[Entry], listed: Mapping[str, Segment], report: ImportReport) -> dict[str, Entry]:
    """The entry of each clip, in the order of the entries.

    Args:
        listed: the clips, by id.
        report: receives second files of a clip (`duplicate`), files of no clip (`unlisted`) and other labels
            (`label_differs`).
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        clip_id, start = match_names(entry.names, listed)
        if clip_id is None:
            report.add("unlisted", entry.names[0], entry.where, "no listed clip of this name")
        elif start is not None and not _same_time(start, listed[clip_id].start):
            detail = f"starts at {start:g}, the list says {listed[clip_id].start:g} s"
            report.add("unlisted", clip_id, entry.where, detail)
        elif clip_id in found:
            report.add("duplicate", clip_id, entry.where, f"first seen as {found[clip_id].where}")
        else:
            found[clip_id] = entry
            _compare_labels(clip_id, entry, listed[clip_id].mids, report)
    return found


def match_names(names: Sequence[str], listed: Mapping[str, object]) -> tuple[str | None, float | None]:
    """Id of the listed clip that the first fitting name stands for, and the start that this name gives."""
    for name in names:
        clip_id, start = match_stem(name, listed)
        if clip_id is not None:
            return clip_id, start
    return None, None


def match_stem(stem: str, listed: Mapping[str, object]) -> tuple[str | None, float | None]:
    """Id of the listed clip that a file name without extension stands for, and the start that the name gives."""
    if (clip_id := _listed_as(stem, listed)) is not None:
        return clip_id, None
    for pattern in (_START, _START_END):
        match = pattern.fullmatch(stem)
        if match and (clip_id := _listed_as(match[1], listed)) is not None:
            return clip_id, float(match[2])
    return None, None


def _listed_as(name: str, listed: Mapping[str, object]) -> str | None:
    """The id that a name is, or is with PANNs' `Y` before it."""
    if name in listed:
        return name
    return name[1:] if name.startswith("Y") and name[1:] in listed else None


def _same_time(value: float, seconds: float) -> bool:
    """Whether a number in a file name is this time, in seconds or in milliseconds."""
    return abs(value - seconds) < 1e-3 or abs(value - seconds * 1000) < 1


def _compare_labels(clip_id: str, entry: Entry, official: Sequence[str], report: ImportReport) -> None:
    if entry.mids is None:
        return
    own, listed = set(entry.mids), set(official)
    if own != listed if entry.all_mids else not own <= listed:
        detail = f"{'; '.join(sorted(own)) or 'none'} there, {'; '.join(sorted(listed))} in the list"
        report.add("label_differs", clip_id, entry.where, detail)
