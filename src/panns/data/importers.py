"""Where clips come from: each source says which files there are, with their labels, splits and cuts.

A source is a small dataclass, see `Source`. What cannot become a clip is noted in the report, never dropped unseen.
"""

import csv
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from panns.data.labels import ClassLabel, audioset_classes, class_index, read_classes, read_lines
from panns.data.report import ImportReport


class SourceError(ValueError):
    """A source that cannot be imported as it is; the message names the file and the remedy."""


class Clip(NamedTuple):
    """One clip to import. `cut` is (start, end) in seconds within the file; end None is the end of the file."""

    id: str
    path: str
    split: int
    labels: tuple[int, ...]
    start_ms: int = 0
    cut: tuple[float, float | None] | None = None


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
    def audio(self) -> Path:
        """The folder that holds the audio."""

    def clips(self, report: ImportReport) -> list[Clip]:
        """The clips to import; everything else goes into the report."""


class ClipList:
    """Clips as they are collected: knows the ids already taken and the class list."""

    def __init__(self, classes: Iterable[ClassLabel], report: ImportReport) -> None:
        self.clips: list[Clip] = []
        self._classes, self._report = class_index(classes), report
        self._taken: dict[str, str] = {}

    def is_new(self, clip_id: str, path: str) -> bool:
        """Take the id for this path, or note a duplicate."""
        if clip_id in self._taken:
            self._report.add("duplicate", clip_id, path, f"first seen as {self._taken[clip_id]}")
            return False
        self._taken[clip_id] = path
        return True

    def add(self, clip: Clip, labels: Sequence[str]) -> None:
        """Add a clip with labels given by mid or by name."""
        known = sorted({self._classes[label] for label in labels if label in self._classes})
        unknown = sorted({label for label in labels if label not in self._classes})
        detail = f"not in the class list: {'; '.join(unknown)}" if unknown else "no label given"
        if not known:
            self._report.add("no_label", clip.id, clip.path, detail)
            return
        if unknown:
            self._report.add("unknown_label", clip.id, clip.path, detail)
        self.clips.append(clip._replace(labels=tuple(known)))


@dataclass(frozen=True)
class ManifestSource:
    """One's own data: a CSV with columns `path,labels` and any of `start,end` (seconds), `fold` or `split`.

    Labels are separated by `;`, or by `,` within quotes. Paths are relative to `audio`, or to the manifest's folder.

    Args:
        manifest: the CSV.
        class_list: file with the classes (see `labels.read_classes`), or "audioset"; default: all in the data, sorted.
        audio_folder: folder that the paths start from.
        name: name of the store.
    """

    manifest: Path
    class_list: Path | str | None = None
    audio_folder: Path | None = None
    name: str = "own"
    single_label: bool = False
    clip_seconds: float = 10.0

    COLUMNS = ("path", "labels", "start", "end", "fold", "split")

    @property
    def audio(self) -> Path:
        """The folder that paths start from."""
        return Path(self.audio_folder or self.manifest.parent)

    @property
    def lists(self) -> list[Path]:
        """The manifest, and the class list where it is a file."""
        own = self.class_list is not None and self.class_list != "audioset"
        return [self.manifest, Path(str(self.class_list))] if own else [self.manifest]

    @cached_property
    def classes(self) -> list[ClassLabel]:
        """The class list given, or all labels in the data, sorted."""
        if self.class_list is not None:
            return audioset_classes() if self.class_list == "audioset" else read_classes(self.class_list)
        names = sorted({label for row in self._rows for label in split_labels(row["labels"], ())})
        if not names:
            raise SourceError(f"{self.manifest}: no row has a label; fill the column `labels`")
        return [ClassLabel(name, name) for name in names]

    @cached_property
    def splits(self) -> list[str]:
        """Splits in the data, sorted: column `split`, or fold 1 -> `fold1`; `train` where there is neither."""
        return sorted({self._split(row) for row in self._rows})

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        rows = list(read_rows(self.manifest, required=("path", "labels")))
        if "fold" in rows[0] and "split" in rows[0]:
            raise SourceError(f"{self.manifest}: columns `fold` and `split` both name the split; keep one")
        return rows

    def _split(self, row: dict[str, str]) -> str:
        if "fold" in row:
            return f"fold{row['fold']}"
        return row.get("split", "train")

    def clips(self, report: ImportReport) -> list[Clip]:
        """Rows whose file is there and whose labels are known."""
        clips, names = ClipList(self.classes, report), class_index(self.classes)
        for column in sorted(set(self._rows[0]) - {*self.COLUMNS, LINE}):
            report.add("ignored_column", "", self.manifest, f"{column}: read are {', '.join(self.COLUMNS)}")
        for row in self._rows:
            path = os.path.normpath(self.audio / row["path"])
            cut = self._cut(row)
            clip_id = self._clip_id(path) + (f"_{round(cut[0] * 1000)}" if cut else "")
            if not Path(path).is_file():
                report.add("missing", clip_id, path)
            elif clips.is_new(clip_id, path):
                start_ms = round(cut[0] * 1000) if cut else 0
                split = self.splits.index(self._split(row))
                clips.add(Clip(clip_id, path, split, (), start_ms, cut), split_labels(row["labels"], names))
        return clips.clips

    def _clip_id(self, path: str) -> str:
        """The path from the audio folder on, without its extension; a file outside keeps its whole path."""
        folder = os.path.normpath(self.audio)
        inside = os.path.relpath(path, folder)
        return str(Path(path.lstrip("/") if inside.startswith("..") else inside).with_suffix(""))

    def _cut(self, row: dict[str, str]) -> tuple[float, float | None] | None:
        start, end = row.get("start", ""), row.get("end", "")
        if not start and not end:
            return None
        try:
            cut = (float(start or 0), float(end) if end else None)
        except ValueError:
            cut = (-1.0, None)
        if not (0 <= cut[0] < math.inf) or (cut[1] is not None and not cut[0] < cut[1] < math.inf):
            raise SourceError(
                f"{self.manifest}, line {row[LINE]}: start {start!r} and end {end!r} must be seconds, 0 <= start < end"
            )
        return cut


@dataclass(frozen=True)
class Esc50Source:
    """The ESC-50 layout: `meta/esc50.csv` and `audio/`; one label a clip, five folds.

    Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015. The classes are the categories
    present, in the order of their target numbers, so ESC-10 in the same layout has 10.
    """

    root: Path
    name: str = "esc50"
    single_label: bool = True
    clip_seconds: float = 5.0

    @property
    def audio(self) -> Path:
        """The folder that holds the audio."""
        return Path(self.root) / "audio"

    @property
    def lists(self) -> list[Path]:
        """The one metadata file."""
        return [Path(self.root) / "meta" / "esc50.csv"]

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        return list(read_rows(self.lists[0], required=("filename", "fold", "target", "category")))

    @cached_property
    def classes(self) -> list[ClassLabel]:
        """Categories present, by target number."""
        targets = {(row["target"], row["category"]) for row in self._rows}
        if len({target for target, _ in targets}) < len(targets) or not all(t.isdecimal() for t, _ in targets):
            raise SourceError(f"{self.lists[0]}: each category needs one target, a number of its own; correct the file")
        return [ClassLabel(category, category) for _, category in sorted(targets, key=lambda pair: int(pair[0]))]

    @cached_property
    def splits(self) -> list[str]:
        """`fold1` to `fold5`."""
        return sorted({f"fold{row['fold']}" for row in self._rows})

    def clips(self, report: ImportReport) -> list[Clip]:
        """Rows whose file is there."""
        clips = ClipList(self.classes, report)
        for row in self._rows:
            path, clip_id = str(self.audio / row["filename"]), Path(row["filename"]).stem
            if not Path(path).is_file():
                report.add("missing", clip_id, path)
            elif clips.is_new(clip_id, path):
                clips.add(Clip(clip_id, path, self.splits.index(f"fold{row['fold']}"), ()), [row["category"]])
        return clips.clips


LINE = "line number"  # key under which a row keeps where it stands


def read_rows(path: Path, required: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows of a CSV with a header, by column name, each with its line number under `LINE`.

    Raises:
        SourceError: no rows, a column missing, or a row with more or fewer fields than the header.
    """
    reader = csv.reader(read_lines(path), skipinitialspace=True)
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in required if name not in header]
    if missing:
        raise SourceError(
            f"{path}: the first line must name the columns, with {', '.join(required)} among them; "
            f"found {','.join(header)!r}"
        )
    empty = True
    for fields in reader:
        if not fields:
            continue
        if len(fields) != len(header):
            raise SourceError(
                f"{path}, line {reader.line_num}: {len(fields)} fields where the header has {len(header)}; put a field "
                "that holds commas in double quotes"
            )
        empty = False
        yield dict(zip(header, (field.strip() for field in fields), strict=True)) | {LINE: str(reader.line_num)}
    if empty:
        raise SourceError(f"{path}: no rows below the header; list one clip a line")


def split_labels(cell: str, known: Iterable[str]) -> list[str]:
    """Labels of one cell: a known name as it stands, else separated by `;`, else by `,`."""
    if cell in known:
        return [cell]
    return [label.strip() for label in cell.split(";" if ";" in cell else ",") if label.strip()]
