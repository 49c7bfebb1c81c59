"""AudioSet as people hold it: the official segment lists, and a folder of audio files named after the clips.

File names follow the tools that made them (`Y<id>.wav`, `<id>.flac`, `<id>_30.000.flac`, `<id>_30000.flac`,
`<id>_30.0-40.0.wav`, `<id>_30000_40000.flac`). One id in seven holds `_`, so a name is never split into id and time:
what could be an id is looked up among the listed ones.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from panns.data.importers import Clip, ClipList, SourceError
from panns.data.labels import ClassLabel, Segment, audioset_classes, read_segments, split_name
from panns.data.report import ImportReport

READ_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64")
OTHER_SUFFIXES = (".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma")  # unreadable to soundfile, which is not missing
_START = re.compile(r"(.+)_(\d+(?:\.\d+)?)")
_START_END = re.compile(r"(.+)_(\d+(?:\.\d+)?)[-_]\d+(?:\.\d+)?")


@dataclass(frozen=True)
class AudioSetSource:
    """Official segment lists and a folder of audio, each file one clip already cut out of its video.

    Args:
        segments: `eval_segments.csv` and so on; each list is one split, named after its file.
        audio: folder searched with all folders below it.
    """

    segments: Sequence[Path]
    audio: Path
    name: str = "audioset"
    single_label: bool = False
    clip_seconds: float = 10.0

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
        """Listed clips whose file is there and whose labels are known."""
        clips = ClipList(self.classes, report)
        listed: dict[str, tuple[int, Segment]] = {}
        for path in self.lists:
            for segment in read_segments(path):
                if clips.is_new(segment.id, str(path)):
                    listed[segment.id] = (self.splits.index(split_name(path)), segment)
        starts = {clip_id: segment.start for clip_id, (_, segment) in listed.items()}
        found = find_audio(Path(self.audio), starts, report)
        for clip_id, (split, segment) in listed.items():
            if clip_id in found:
                clips.add(Clip(clip_id, found[clip_id], split, (), round(segment.start * 1000)), segment.mids)
            else:
                report.add("missing", clip_id)
        return clips.clips


def find_audio(folder: Path, starts: Mapping[str, float], report: ImportReport) -> dict[str, str]:
    """Path of the audio file of each clip, over all folders below `folder`.

    Args:
        starts: start in seconds of each listed clip.
        report: receives second files of a clip (`duplicate`) and files of no clip (`unlisted`).
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; --audio names the folder that holds the audio files")
    found: dict[str, str] = {}
    for path in _audio_files(folder):
        stem = path.stem
        clip_id, start = match_stem(stem, starts)
        if clip_id is None:
            report.add("unlisted", stem, path, "no listed clip of this name")
        elif start is not None and not _same_time(start, starts[clip_id]):
            report.add("unlisted", clip_id, path, f"starts at {start:g}, the list says {starts[clip_id]:g} s")
        elif clip_id in found:
            report.add("duplicate", clip_id, path, f"first seen as {found[clip_id]}")
        else:
            found[clip_id] = str(path)
    return found


def match_stem(stem: str, listed: Mapping[str, object]) -> tuple[str | None, float | None]:
    """Id of the listed clip that a file name without extension stands for, and the start that the name gives."""
    candidates: list[tuple[str, float | None]] = [(stem, None)]
    for pattern in (_START, _START_END):
        if match := pattern.fullmatch(stem):
            candidates.append((match[1], float(match[2])))
    for name, start in candidates:
        for clip_id in (name, name[1:] if name.startswith("Y") else name):
            if clip_id in listed:
                return clip_id, start
    return None, None


def _same_time(value: float, seconds: float) -> bool:
    """Whether a number in a file name is this time, in seconds or in milliseconds."""
    return abs(value - seconds) < 1e-3 or abs(value - seconds * 1000) < 1


def _audio_files(folder: Path) -> Iterator[Path]:
    """All audio files below a folder, always in the same order."""
    for root, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if path.suffix.lower() in READ_SUFFIXES + OTHER_SUFFIXES:
                yield path
