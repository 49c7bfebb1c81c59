"""AST's JSON manifests: `{"data": [{"wav": path, "labels": "/m/..,/m/.."}]}`, 16 kHz FLAC named `<id>_<start>.flac`.

PSLA, SSAST, CAV-MAE and others use the same form.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from panns.data.audioset import Entry
from panns.data.forms.files import AudioPlaces, none_is_there
from panns.data.report import ImportReport
from panns.data.tables import read_ast


@dataclass(frozen=True)
class AstManifests:
    """Audio files that AST manifests list.

    Args:
        manifests: the JSON files.
        folder: where the audio is now, if it has moved; see `AudioPlaces`.
    """

    manifests: Sequence[Path]
    folder: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """The manifests: their paths say where the audio is."""
        return [Path(path) for path in self.manifests] + ([] if self.folder is None else [Path(self.folder)])

    def entries(self, report: ImportReport) -> Iterator[Entry]:
        """Every file that is there; one that is not is reported as missing with its clip."""
        places = AudioPlaces(self.folder)
        for manifest in map(Path, self.manifests):
            found, items = False, read_ast(manifest)
            for item in items:
                if (path := places.find(item.path, manifest)) is not None:
                    found = True
                    mids = tuple(mid.strip() for mid in item.labels.split(",") if mid.strip())
                    yield Entry((path.stem,), str(path), mids=mids)
            if not found:
                raise none_is_there(manifest, items[0].path, self.folder)
