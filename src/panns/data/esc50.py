"""The ESC-50 layout."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from panns.data.importers import Clip, ClipList, SourceError
from panns.data.labels import ClassLabel
from panns.data.report import ImportReport
from panns.data.tables import read_rows


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
    def audio(self) -> list[Path]:
        """The folder that holds the audio."""
        return [Path(self.root) / "audio"]

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
            path, clip_id = str(Path(self.root, "audio", row["filename"])), Path(row["filename"]).stem
            if not Path(path).is_file():
                report.add("missing", clip_id, path)
            elif clips.is_new(clip_id, path):
                clips.add(Clip(clip_id, path, self.splits.index(f"fold{row['fold']}"), ()), [row["category"]])
        return clips.clips
