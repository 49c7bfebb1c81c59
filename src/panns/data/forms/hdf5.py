"""PANNs' packs of waveforms and PaSST's (EfficientAT's) packs of MP3 files, both HDF5.

PANNs (`utils/dataset.py`): `audio_name` S20 (`Y<id>.wav`), `waveform` int16 (N, 320000), `target` bool (N, 527),
attribute `sample_rate`. Rows of files that were missing are kept, with an empty name. Samples were made by
`trunc(x * 32767)`; read as 1/32768 they are 0.0003 dB softer.

PaSST: `audio_name` S20 (`Y<id>.mp3`, in the unbalanced part `NN/Y<id>.mp3`), `mp3` bytes of each, `target` uint8
(N, 66) of packed bits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import h5py
import numpy as np

from panns.data.audioset import Entry
from panns.data.forms.files import find_files
from panns.data.importers import Place, ReadError, SourceError
from panns.data.labels import audioset_classes
from panns.data.places import Samples, as_wav
from panns.data.report import ImportReport

SUFFIXES = (".h5", ".hdf5", ".hdf")
UNIT_ROWS, BLOCK_ROWS = 64, 10_000
WAVEFORM, MP3 = "waveform", "mp3"


class Row(NamedTuple):
    """A row of an HDF5 data set of which no range of bytes is the clip.

    Attributes:
        dataset: name of the data set.
        row: number of the row.
        sample_rate: Hz of bare samples; 0 where a row is an audio file.
    """

    dataset: str
    row: int
    sample_rate: int = 0

    @property
    def offset(self) -> None:
        """None: only the HDF5 library finds it."""

    @property
    def unit(self) -> int:
        """Neighbours: a chunk of the data set may hold several rows, and is unpacked once."""
        return self.row // UNIT_ROWS

    @staticmethod
    def read(path: str, places: "Sequence[Row]") -> Iterator[bytes | ReadError]:
        """The audio file of each row, all read at once; one by one if that fails, so that only bad ones are lost."""
        first, last = places[0].row, places[-1].row
        with h5py.File(path, "r", locking=False) as file:
            dataset = file[places[0].dataset]
            try:
                block = dataset[first : last + 1]
            except OSError:
                block = None
            for place in places:
                try:
                    value = dataset[place.row] if block is None else block[place.row - first]
                    yield _audio_file(value, place.sample_rate)
                except OSError as error:
                    yield ReadError(str(error))

    def __str__(self) -> str:
        return f"row {self.row}"


def _audio_file(value: np.ndarray, sample_rate: int) -> bytes:
    return as_wav(value.astype("<i2").tobytes(), sample_rate) if sample_rate else bytes(value.tobytes())


@dataclass(frozen=True)
class Hdf5Packs:
    """Packs of waveforms, which can be read where they lie if stored in one piece as PANNs does, or of MP3 files.

    Args:
        given: packs, or folders searched for them.
        dataset: WAVEFORM or MP3.
    """

    given: Sequence[Path]
    dataset: str

    @cached_property
    def paths(self) -> list[Path]:
        """The packs."""
        return find_files(self.given, SUFFIXES)

    def entries(self, report: ImportReport) -> Iterator[Entry]:
        """Every row with a name, and every one without as a finding."""
        for path in self.paths:
            try:
                with h5py.File(path, "r", locking=False) as file:
                    yield from self._rows(path, file, report)
            except (OSError, ReadError) as error:
                report.add("damaged_file", "", path, str(error))

    def _rows(self, path: Path, file: h5py.File, report: ImportReport) -> Iterator[Entry]:
        if missing := {"audio_name", "target", self.dataset} - set(file):
            raise SourceError(
                f"{path}: no data set {', '.join(sorted(missing))}; it holds {', '.join(file) or 'nothing'}. Give the "
                f"packs whose rows have `{self.dataset}`"
            )
        names, target = file["audio_name"], file["target"]
        if not len(names) == len(target) == len(file[self.dataset]):
            raise ReadError(f"{len(names)} names, {len(target)} targets, {len(file[self.dataset])} of {self.dataset}")
        place = _samples_at(path, file) if self.dataset == WAVEFORM else partial(Row, self.dataset)
        for first in range(0, len(names), BLOCK_ROWS):
            block = slice(first, first + BLOCK_ROWS)
            for row, (name, mids) in enumerate(zip(names[block], _mids(target[block]), strict=True), start=first):
                stem = PurePosixPath(bytes(name).decode(errors="replace")).stem
                if name:
                    yield Entry((stem,), str(path), place(row), mids)
                else:
                    report.add("empty_row", "", f"{path}, row {row}")


def _samples_at(path: Path, file: h5py.File) -> Callable[[int], Place]:
    """Where each row of waveforms lies."""
    dataset, sample_rate = file[WAVEFORM], int(file.attrs.get("sample_rate", 0))
    if dataset.dtype.kind != "i" or dataset.dtype.itemsize != 2 or dataset.ndim != 2:
        raise SourceError(
            f"{path}: `waveform` holds {dataset.ndim}-D {dataset.dtype} where PANNs' packs hold 2-D int16"
        )
    if sample_rate < 1:
        raise SourceError(
            f"{path}: no attribute `sample_rate`; add it: h5py.File(..., 'a').attrs['sample_rate'] = 32000"
        )
    start = dataset.id.get_offset()  # None if in chunks, in other files, or not written yet
    if start is None or dataset.dtype != np.dtype("<i2"):
        return partial(Row, WAVEFORM, sample_rate=sample_rate)
    nbytes = 2 * dataset.shape[1]
    if start + len(dataset) * nbytes > path.stat().st_size:
        raise ReadError(f"cut off: {len(dataset)} rows end at byte {start + len(dataset) * nbytes:,}")
    return lambda row: Samples(start + row * nbytes, nbytes, sample_rate, row)


def _mids(target: np.ndarray) -> list[tuple[str, ...]] | list[None]:
    """Labels of each row, from flags or from packed bits; None where they are not those of AudioSet's classes."""
    classes = [label.mid for label in audioset_classes()]
    if target.ndim == 2 and target.shape[1] == -(-len(classes) // 8) and target.dtype == np.uint8:
        target = np.unpackbits(target, axis=1, count=len(classes))
    if target.ndim != 2 or target.shape[1] != len(classes):
        return [None] * len(target)
    mids: list[list[str]] = [[] for _ in target]
    for row, number in zip(*np.nonzero(target), strict=True):
        mids[row].append(classes[number])
    return [tuple(found) for found in mids]
