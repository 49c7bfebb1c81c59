"""A folder of audio files, one a clip: PANNs' wavs, Kaggle's, what downloaders leave."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from panns.data.audioset import Entry
from panns.data.clip_audio import OTHER_SUFFIXES
from panns.data.forms.files import walk
from panns.data.importers import SourceError
from panns.data.labels import audioset_classes
from panns.data.report import ImportReport

READ_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64")
AUDIO_SUFFIXES = READ_SUFFIXES + OTHER_SUFFIXES


@dataclass(frozen=True)
class AudioFolder:
    """Audio files named after their clips, in a folder and all folders below it.

    Args:
        folder: where they are.
        by_label: the files lie in folders named after a class, as audioset-download leaves them: in that of one of
            their labels, or one copy in that of each.
    """

    folder: Path
    by_label: bool = False

    @property
    def paths(self) -> list[Path]:
        """The folder."""
        return [Path(self.folder)]

    def entries(self, report: ImportReport) -> Iterator[Entry]:
        """Every audio file."""
        if not Path(self.folder).is_dir():
            raise SourceError(f"{self.folder}: no such folder; --audio names the folder that holds the audio files")
        mids = {label.name: label.mid for label in audioset_classes()} if self.by_label else {}
        for path in walk(Path(self.folder), AUDIO_SUFFIXES):
            mid = mids.get(path.parent.name)
            yield Entry((path.stem,), str(path), mids=None if mid is None else (mid,), all_mids=False)
