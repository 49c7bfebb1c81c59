"""Where clips come from: each source says which clips there are, with their labels, splits, cuts and places.

A source is a small dataclass, see `Source`. What cannot become a clip is noted in the report, never dropped unseen.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from panns.data.labels import ClassLabel, class_index, looks_joined
from panns.data.report import ImportReport


class SourceError(ValueError):
    """A source that cannot be imported as it is; the message names the file and the remedy."""


class ReadError(ValueError):
    """The bytes of one clip, or of all clips of one file, cannot be read; the message says why."""


class Place(Protocol):
    """Where in a file of many clips one lies: a small value, by which a worker process reads it. See `places`."""

    @property
    def offset(self) -> int | None:
        """First byte of the clip's audio file in the file; None where no range of bytes is that audio file."""

    @property
    def unit(self) -> int:
        """Clips of one file that follow each other and have the same unit are read together, by one process."""

    @staticmethod
    def read(path: str, places: Sequence[Any]) -> Iterator[bytes | ReadError]:
        """The audio file at each place of a unit, in the order given, or what is wrong with it.

        Raises:
            ReadError, OSError: the rest of the unit cannot be read.
        """


class Clip(NamedTuple):
    """One clip to import.

    Attributes:
        path: the file that holds it, all of it unless there is a `place`.
        cut: (start, end) in seconds within its audio; end None is the end of the audio.
        place: where it lies in a file of many clips.
    """

    id: str
    path: str
    split: int
    labels: tuple[int, ...]
    start_ms: int = 0
    cut: tuple[float, float | None] | None = None
    place: Place | None = None

    @property
    def where(self) -> str:
        """Path and place, for people."""
        return where(self.path, self.place)


def where(path: str, place: Place | None) -> str:
    """Path and place, for people."""
    return path if place is None else f"{path}, {place}"


class Source(Protocol):
    """What `pack` and `index` ask of a source."""

    @property
    def name(self) -> str:
        """Name of the store."""

    @property
    def single_label(self) -> bool:
        """Whether each clip has exactly one class."""

    @property
    def clip_seconds(self) -> float:
        """Usual length of its clips, the default of `pack` and `index`."""

    @property
    def classes(self) -> list[ClassLabel]:
        """The class list, in the order of the columns of the targets."""

    @property
    def splits(self) -> list[str]:
        """Names of the splits; `Clip.split` is a position in them."""

    @property
    def lists(self) -> list[Path]:
        """The files that list the clips."""

    @property
    def audio(self) -> list[Path]:
        """What holds the audio: folders of files, or files that hold many clips each."""

    def clips(self, report: ImportReport) -> list[Clip]:
        """The clips to import; everything else goes into the report."""


class ClipList:
    """Clips as they are collected: knows the ids already taken and the class list."""

    def __init__(self, classes: Iterable[ClassLabel], report: ImportReport) -> None:
        self.clips: list[Clip] = []
        self._classes, self._report = class_index(classes), report
        self._seen: dict[tuple[str, ...], tuple[tuple[int, ...], list[str]]] = {}
        self._taken: dict[str, str] = {}  # by id, where it was first seen
        self._listed: dict[str, tuple[str, Sequence[str]]] = {}  # by id, path and labels, of those who give labels

    def is_new(self, clip_id: str, path: str, labels: Sequence[str] = (), row: str = "") -> bool:
        """Take the id for this path, or note a duplicate, with the row that lists it and the labels that it loses."""
        if clip_id in self._taken:
            detail = f"{row}: first seen as {self._taken[clip_id]}" if row else f"first seen as {self._taken[clip_id]}"
            first, known = self._listed.get(clip_id, ("", ()))
            if lost := [label for label in labels if first == path and label not in known]:
                detail += f"; not stored is {'; '.join(lost)}: list all labels of a clip in one row, separated by `;`"
            self._report.add("duplicate", clip_id, path, detail)
            return False
        self._taken[clip_id] = f"{path}, {row}" if row else path
        if labels:
            self._listed[clip_id] = path, labels
        return True

    def add(self, clip: Clip, labels: Sequence[str]) -> None:
        """Add a clip with labels given by mid or by name."""
        known, unknown = self._sort_out(tuple(labels))
        if unknown or not known:
            detail = f"not in the class list: {'; '.join(unknown)}" if unknown else "no label given"
            if any(looks_joined(label, self._classes) for label in unknown):
                detail += " (several labels are separated by `;`)"
            self._report.add("unknown_label" if known else "no_label", clip.id, clip.where, detail)
        if known:
            self.clips.append(clip._replace(labels=known))

    def _sort_out(self, labels: tuple[str, ...]) -> tuple[tuple[int, ...], list[str]]:
        """Classes of the labels that are in the list, and the others; most clips have the labels of an earlier one."""
        if labels not in self._seen:
            known = {self._classes[label] for label in labels if label in self._classes}
            self._seen[labels] = tuple(sorted(known)), sorted(set(labels) - self._classes.keys())
        return self._seen[labels]
