"""One's own data, listed in a file: one clip a row."""

import math
import os
import re
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from panns.data.importers import Clip, ClipList, SourceError
from panns.data.labels import ClassLabel, audioset_classes, class_index, looks_joined, read_classes
from panns.data.report import ImportReport
from panns.data.tables import LINE, label_separator, read_ast, read_rows, split_labels


@dataclass(frozen=True)
class ManifestSource:
    """One's own data: a table with columns `path,labels` and any of `start,end` (seconds), `fold` or `split`.

    Columns are separated by commas, tabs, `;` or `|`. Labels are separated by `;` in all rows if in any of them, else
    by `,`; a cell that is the name of one class as a whole, in the class list given or without one in AudioSet's, is
    one label. The JSON that AST and its relatives train on is read too. Paths are relative to `audio_folder`, or to
    the manifest's folder.

    Args:
        manifest: the table.
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
    def audio(self) -> list[Path]:
        """The folder that paths start from."""
        return [self.folder]

    @property
    def folder(self) -> Path:
        """The same, by itself."""
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
        names = sorted({label for labels in self._labels.values() for label in labels})
        if not names:
            raise SourceError(f"{self.manifest}: no row has a label; fill the column `labels`")
        return [ClassLabel(name, name) for name in names]

    @cached_property
    def _labels(self) -> dict[str, list[str]]:
        """What each cell of the column `labels` holds."""
        cells = {row["labels"] for row in self._rows}
        separator = label_separator(cells)
        names = class_index(audioset_classes() if self.class_list is None else self.classes)
        return {cell: split_labels(cell, separator, names) for cell in cells}

    @cached_property
    def splits(self) -> list[str]:
        """Splits in the data, sorted: column `split`, or fold 1 -> `fold1`; `train` where there is neither."""
        return sorted({self._split(row) for row in self._rows})

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        if self.manifest.suffix == ".json":
            items = enumerate(read_ast(self.manifest), start=1)
            rows = [{"path": item.path, "labels": item.labels, LINE: str(number)} for number, item in items]
        else:
            rows = list(read_rows(self.manifest, required=("path", "labels")))
        if "fold" in rows[0] and "split" in rows[0]:
            raise SourceError(f"{self.manifest}: columns `fold` and `split` both name the split; keep one")
        for row in rows:
            if empty := [name for name in ("path", "fold", "split") if row.get(name) == ""]:
                raise SourceError(
                    f"{self.manifest}, {self._place(row)}: no {empty[0]} given; fill it in, or remove the row"
                )
        return rows

    def _place(self, row: dict[str, str]) -> str:
        """Where a row stands in the manifest."""
        return f"{'clip' if self.manifest.suffix == '.json' else 'line'} {row[LINE]}"

    def _split(self, row: dict[str, str]) -> str:
        if "fold" in row:
            return f"fold{re.sub(r'^fold|[.]0+$', '', row['fold'])}"  # fold1, and 1.0 as tables of numbers write it
        return row.get("split", "train")

    def clips(self, report: ImportReport) -> list[Clip]:
        """Rows whose file is there and whose labels are known."""
        clips = ClipList(self.classes, report)
        for column in sorted(set(self._rows[0]) - {*self.COLUMNS, LINE}):
            report.add("ignored_column", "", self.manifest, f"{column}: read are {', '.join(self.COLUMNS)}")
        if self.class_list is None:
            self._report_doubtful_labels(report)
        own = self.class_list != "audioset" and len(self.classes) > 1
        if own and not self.single_label and {len(of) for of in self._labels.values()} == {1}:
            report.add("one_label", "", self.manifest, f"{len(self.classes)} classes, one to each clip")
        for row in self._rows:
            path = self._path(row)
            cut = self._cut(row)
            clip_id, labels = self._clip_id(path) + self._cut_id(path, cut), self._labels[row["labels"]]
            if self.single_label and len(labels) > 1:
                raise SourceError(
                    f"{self.manifest}, {self._place(row)}: several labels, {row['labels']}, where each clip has one "
                    "(--single-label): give one, or leave --single-label out"
                )
            if why := _absent(path):
                report.add("missing", clip_id, path, why)
            elif clips.is_new(clip_id, path, labels, self._place(row)):
                start_ms = _ms(cut[0]) if cut else 0
                split = self.splits.index(self._split(row))
                clips.add(Clip(clip_id, path, split, (), start_ms, cut), labels)
        return clips.clips

    def _report_doubtful_labels(self, report: ImportReport) -> None:
        """Names what may be meant otherwise, where no class list tells."""
        names = class_index(self.classes)
        for label in sorted(names):
            if looks_joined(label, names):
                report.add("joined_label", "", self.manifest, f"{label}: separate labels with `;`")
        apart = sorted(cell for cell, labels in self._labels.items() if len(labels) > 1 and ";" not in cell)
        if apart and self.manifest.suffix != ".json":  # of AST's JSON, commas are the form
            detail = f"{len(apart)} cells, such as {apart[0]!r}; where that is one label, give --classes"
            report.add("split_label", "", self.manifest, detail)

    def _path(self, row: dict[str, str]) -> str:
        return os.path.normpath(self.folder / row["path"])

    @cached_property
    def _same_stem(self) -> set[str]:
        """Paths that are the same as another one's but for the extension."""
        by_stem: dict[str, set[str]] = {}
        for path in map(self._path, self._rows):
            by_stem.setdefault(_without_extension(path), set()).add(path)
        return {path for paths in by_stem.values() if len(paths) > 1 for path in paths}

    def _clip_id(self, path: str) -> str:
        """The path from the audio folder on, without its extension where that tells no two files apart; a file outside
        keeps its whole path."""
        folder = os.path.normpath(self.folder)
        inside = os.path.relpath(path, folder)
        name = os.path.normpath(Path(path).absolute()).lstrip("/") if inside.startswith("..") else inside
        return name if path in self._same_stem else _without_extension(name)

    @cached_property
    def _same_start(self) -> set[tuple[str, int]]:
        """Path and start of cuts that differ from another one in their end alone."""
        ends: dict[tuple[str, int], set[float | None]] = {}
        for row in self._rows:
            if cut := self._cut(row):
                ends.setdefault((self._path(row), _ms(cut[0])), set()).add(cut[1])
        return {cut for cut, of_cut in ends.items() if len(of_cut) > 1}

    def _cut_id(self, path: str, cut: tuple[float, float | None] | None) -> str:
        """What tells the cuts of a file apart: start in ms, and end where only that does."""
        if cut is None:
            return ""
        start, end = _ms(cut[0]), cut[1]
        name = f"_{start}" + (f"_{_ms(end)}" if end is not None and (path, start) in self._same_start else "")
        return f"{Path(path).suffix}{name}" if self._clip_id(path) + name in self._whole_files else name

    @cached_property
    def _whole_files(self) -> set[str]:
        """Ids of the rows that are no cuts."""
        return {self._clip_id(self._path(row)) for row in self._rows if self._cut(row) is None}

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


def _absent(path: str) -> str:
    """Why there is no such file, empty if there is."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return "" if stat.S_ISREG(mode) else "a folder" if stat.S_ISDIR(mode) else "no regular file"


def _without_extension(path: str) -> str:
    return path if Path(path).name in ("", "..") else str(Path(path).with_suffix(""))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
