"""Hugging Face's `agkphysics/AudioSet`: Parquet files with FLAC of the original rate (48 or 44.1 kHz, 24 bits).

Columns (from the card): `video_id` string, `audio` {bytes, path}, `labels` and `human_labels` lists of mids. A row
group is compressed as a whole, so it is the unit that one process reads, once, from its first row to its last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from panns.data.audioset import Entry
from panns.data.forms.files import find_files
from panns.data.importers import ReadError, SourceError
from panns.data.report import ImportReport

READ_BYTES = 2**20  # at a time, so that memory holds a row group twice (its page, its values) and not three times
BATCH_ROWS = 8


class ParquetRow(NamedTuple):
    """A row of a Parquet file.

    Attributes:
        group: number of the row group.
        row: number of the row within it.
    """

    group: int
    row: int

    @property
    def offset(self) -> None:
        """None: a row is no range of bytes."""

    @property
    def unit(self) -> int:
        """The row group."""
        return self.group

    @staticmethod
    def read(path: str, places: "Sequence[ParquetRow]") -> Iterator[bytes | ReadError]:
        """The audio file of each row, in one pass over the row group."""
        wanted, last, row = {place.row for place in places}, places[-1].row, 0
        try:
            with pq.ParquetFile(path, buffer_size=READ_BYTES, pre_buffer=False) as file:
                batches = file.iter_batches(BATCH_ROWS, [places[0].group], ["audio.bytes"], use_threads=False)
                for batch in batches:
                    for audio in batch.column("audio").field("bytes"):
                        if row in wanted:
                            yield audio.as_py() or ReadError("a row without audio")
                        row += 1
                    if row > last:
                        return
        except pa.ArrowException as error:
            raise ReadError(f"damaged: {error}") from error

    def __str__(self) -> str:
        return f"row group {self.group}, row {self.row}"


@dataclass(frozen=True)
class HuggingFaceParquet:
    """Parquet files of the Hugging Face data set.

    Args:
        given: the files, or folders searched for them.
    """

    given: Sequence[Path]

    @cached_property
    def paths(self) -> list[Path]:
        """The Parquet files."""
        return find_files(self.given, (".parquet",))

    def entries(self, report: ImportReport) -> Iterator[Entry]:
        """Every row; the audio is not read for it."""
        for path in self.paths:
            try:
                with pq.ParquetFile(path, buffer_size=READ_BYTES, pre_buffer=False) as file:
                    yield from _entries(path, file)
            except (pa.ArrowException, OSError) as error:
                report.add("damaged_file", "", path, str(error).splitlines()[0])


def _entries(path: Path, file: pq.ParquetFile) -> Iterator[Entry]:
    columns = ["video_id", "audio.path", "labels"]
    there = {column.path.split(".list")[0] for column in (file.schema.column(i) for i in range(len(file.schema)))}
    if missing := {*columns, "audio.bytes"} - there:
        raise SourceError(
            f"{path}: no column {', '.join(sorted(missing))}; it has {', '.join(sorted(there))}. Give the "
            "Parquet files of agkphysics/AudioSet"
        )
    for group in range(file.num_row_groups):
        for row, found in enumerate(file.read_row_group(group, columns, use_threads=False).to_pylist()):
            audio = (found["audio"] or {}).get("path") or ""
            names = dict.fromkeys(name for name in (found["video_id"], PurePosixPath(audio).stem) if name)
            yield Entry(tuple(names) or ("",), str(path), ParquetRow(group, row), tuple(found["labels"] or ()))
