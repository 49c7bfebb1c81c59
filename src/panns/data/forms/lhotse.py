"""Manifests of lhotse, as icefall's AudioSet recipe leaves them: JSON lines, one recording, supervision or cut a line.

Fields (lhotse 1.33): a recording has `id`, `sources` [{`type`, `channels`, `source`}], `duration` (s), `channel_ids`
and `transforms`; a supervision `recording_id` and `custom`, with icefall's `audio_event`, class numbers as "0;451"; a
cut `start`, `duration`, `channel`, its `recording` and its `supervisions`. Icefall takes ids apart at `_`, so that of
the audio file is looked up first.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from panns.data.audioset import Entry
from panns.data.forms.files import AudioPlaces, find_files, none_is_there
from panns.data.importers import ReadError, SourceError
from panns.data.labels import audioset_classes
from panns.data.report import ImportReport

SUFFIXES = (".jsonl", ".jsonl.gz")
SUPERVISION, CUT, RECORDING = "supervision", "cut", "recording"
KINDS = {"recording_id": SUPERVISION, "tracks": CUT, "start": CUT, "sources": RECORDING}  # by the first key it has
SAME_SECONDS = 0.001
Item = dict[str, Any]
Mids = tuple[str, ...] | None


@dataclass(frozen=True)
class LhotseManifests:
    """Audio files that lhotse's recordings or cuts name.

    Args:
        given: manifests of cuts, or of recordings and supervisions, or folders searched for them.
        folder: where the audio is now, if it has moved; see `AudioPlaces`.
    """

    given: Sequence[Path]
    folder: Path | None = None

    @cached_property
    def manifests(self) -> list[Path]:
        """The manifests."""
        return find_files(self.given, SUFFIXES)

    @property
    def paths(self) -> list[Path]:
        """The same: their paths say where the audio is."""
        return self.manifests + ([] if self.folder is None else [Path(self.folder)])

    def entries(self, report: ImportReport) -> Iterator[Entry]:
        """Every cut whose audio is there, then every recording that no cut is of."""
        by_kind: dict[str, list[Path]] = {kind: [] for kind in KINDS.values()}
        for path in self.manifests:
            by_kind[_kind(path)].append(path)
        labels = _labels(item for _, item in _items(by_kind[SUPERVISION], report))
        cut: set[str] = set()
        first, found, places = "", False, AudioPlaces(self.folder)
        for path, item in _items([*by_kind[CUT], *by_kind[RECORDING]], report):
            recording: Item = item if "sources" in item else item.get("recording") or {}
            if recording is item and item.get("id") in cut:
                continue
            try:
                source, entry = _source(item, recording), _entry(item, recording, labels)
            except (ReadError, KeyError, TypeError, AttributeError) as error:
                detail = str(error) if isinstance(error, ReadError) else f"not as lhotse writes it: {error!r}"
                report.add("unreadable", str(item.get("id", "")), path, detail)
                continue
            cut.add(recording["id"])
            audio, first = places.find(source, path), first or source
            if audio is not None:
                found = True
                yield entry._replace(names=tuple(dict.fromkeys([audio.stem, *entry.names])), path=str(audio))
        if not found:
            raise none_is_there(self.manifests[0], first or "not named", self.folder)


def _kind(path: Path) -> str:
    """What a manifest lists, by its first line."""
    first = next((item for _, item in _items([path], ImportReport())), {})
    kind = next((kind for key, kind in KINDS.items() if key in first), None)
    if kind is None:
        raise SourceError(f"{path}: not a lhotse manifest of recordings, supervisions or cuts; leave it out")
    return kind


def _items(paths: Sequence[Path], report: ImportReport) -> Iterator[tuple[Path, Item]]:
    """The lines of manifests, as far as they can be read."""
    for path in paths:
        lines = 0
        try:
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding="utf-8") as file:
                for line in file:
                    item = json.loads(line)
                    if not isinstance(item, dict):
                        raise ReadError("no JSON object")
                    yield path, item
                    lines += 1
        except (OSError, EOFError, zlib.error, ValueError) as error:  # a ReadError is one
            report.add("damaged_file", "", path, f"{error}; {lines} lines before that are used")


def _source(item: Item, recording: Item) -> str:
    """The audio file of a recording or a cut.

    Raises:
        ReadError: no file has this audio as it is.
    """
    if not recording:
        raise ReadError("a cut without a recording: mixed, padded, or of features alone")
    sources = recording["sources"]
    if len(sources) != 1 or sources[0]["type"] != "file":
        kinds = ", ".join(source["type"] for source in sources) or "none"
        raise ReadError(f"its audio is not one file but: {kinds}")
    changes = [change["name"] for change in recording.get("transforms") or () if change["name"] != "Resample"]
    if changes:
        raise ReadError(f"changed by {', '.join(changes)}: give the manifests from before that")
    channels, every = item.get("channel", recording["channel_ids"]), recording["channel_ids"]
    if {*(channels if isinstance(channels, list) else [channels])} != {*every}:
        raise ReadError(f"channel {channels} of {every}: a clip is all channels, mixed to mono")
    return str(sources[0]["source"])


def _entry(item: Item, recording: Item, labels: Mapping[str, Mids]) -> Entry:
    """The clip of a cut or a recording, its labels from the cut, or from the supervisions by themselves."""
    start, seconds = float(item.get("start", 0)), float(item["duration"])
    whole = start < SAME_SECONDS and seconds > float(recording["duration"]) - SAME_SECONDS
    own = _labels(item.get("supervisions") or ()) or labels
    names = str(recording["id"]), str(item["id"])
    return Entry(names, "", mids=own.get(names[0]), cut=None if whole else (start, start + seconds))


def _labels(supervisions: Iterable[Item]) -> dict[str, Mids]:
    """Labels of each recording, by its id, from icefall's class numbers; None where it has others or none."""
    mids, found = _class_numbers(), dict[str, Mids]()
    for supervision in supervisions:
        recording, custom = str(supervision.get("recording_id")), supervision.get("custom")
        numbers = str(custom.get("audio_event") if isinstance(custom, dict) else None).split(";")
        known, before = all(number in mids for number in numbers), found.get(recording, ())
        found[recording] = None if before is None or not known else (*before, *(mids[number] for number in numbers))
    return found


@cache
def _class_numbers() -> dict[str, str]:
    return {str(number): label.mid for number, label in enumerate(audioset_classes())}
