"""Which presets have released weights: file names, checksums and sizes."""

import csv
import os
from dataclasses import dataclass
from functools import cache
from importlib import resources
from urllib.parse import quote

RELEASED = "released"  # in place of a file: the one that the authors released for the model
MIRROR = "PANNS_DOWNLOAD_URL"  # environment variable: where the files lie instead of at Zenodo


class NotReleasedError(ValueError):
    """No weights were released for a model."""


@dataclass(frozen=True)
class ReleasedFile:
    """One checkpoint of the release.

    Attributes:
        preset: The model it belongs to, as in `model=`.
        name: Of the file.
        record: Its Zenodo record.
        md5: Hexadecimal; None if it is not known.
        size: Bytes; None if it is not known.
    """

    preset: str
    name: str
    record: str
    md5: str | None = None
    size: int | None = None

    @property
    def page(self) -> str:
        """Where a person finds the file."""
        return f"https://zenodo.org/record/{self.record}"

    @property
    def url(self) -> str:
        """Where it is fetched from: $PANNS_DOWNLOAD_URL/<name> if that is set, else Zenodo.

        Raises:
            ValueError: the mirror is no HTTP address.
        """
        mirror = os.environ.get(MIRROR, "").rstrip("/")
        if not mirror:
            return f"{self.page}/files/{quote(self.name)}?download=1"
        if not mirror.startswith(("http://", "https://")):
            raise ValueError(f"{MIRROR}={mirror} should start with http:// or https://.")
        return f"{mirror}/{quote(self.name)}"


@cache
def released_files() -> dict[str, ReleasedFile]:
    """Preset -> its released file, in the order of the table."""
    source = resources.files("panns.weights") / "assets" / "released.csv"
    lines = [line for line in source.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {
        row["preset"]: ReleasedFile(
            row["preset"],
            row["file"],
            row["record"],
            row["md5"] or None,
            int(row["bytes"]) if row["bytes"] else None,
        )
        for row in csv.DictReader(lines)
    }


def file_of(system: str) -> ReleasedFile | None:
    """The file of a system by what `recognise` calls it, "Cnn14"; of variants of the same shapes the plain one's."""
    begin = f"{system.partition(' ')[0].lower()}_map"
    return next((file for file in released_files().values() if file.name.lower().startswith(begin)), None)


def released_file(preset: str) -> ReleasedFile:
    """The released file of a preset.

    Raises:
        NotReleasedError: it has none.
    """
    files = released_files()
    if preset not in files:
        raise NotReleasedError(f"No weights were released for {preset}, only for {', '.join(files)}.")
    return files[preset]
