"""Places that are a range of bytes: clips that can be read where they lie, without the format around them."""

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from panns.data.codecs import encode_wav
from panns.data.importers import ReadError

UNIT_BYTES = 2**23  # a dozen to a hundred clips: few enough to wait for, enough that handing them over costs nothing


class Span(NamedTuple):
    """A whole audio file within a tar or zip archive.

    Attributes:
        start: first byte in the archive.
        nbytes: its length in the archive.
        name: its name there.
        deflated: compressed by zip, and so to be unpacked before anything can read it.
        crc32: of the audio file, if the archive keeps it.
    """

    start: int
    nbytes: int
    name: str
    deflated: bool = False
    crc32: int | None = None

    @property
    def offset(self) -> int | None:
        """The start, if the bytes are those of the audio file."""
        return None if self.deflated else self.start

    @property
    def unit(self) -> int:
        """Neighbours in the archive."""
        return self.start // UNIT_BYTES

    @staticmethod
    def read(path: str, places: "Sequence[Span]") -> Iterator[bytes | ReadError]:
        """The audio files, unpacked."""
        with _opened(path) as descriptor:
            for place in places:
                payload = _pread(descriptor, place.start, place.nbytes)
                if place.deflated and isinstance(payload, bytes):
                    payload = _inflate(payload)
                if place.crc32 is not None and isinstance(payload, bytes) and zlib.crc32(payload) != place.crc32:
                    payload = ReadError("the archive is damaged here (crc32 differs from the one it keeps)")
                yield payload

    def __str__(self) -> str:
        return self.name


class Samples(NamedTuple):
    """Bare 16-bit samples without a header: a row of an HDF5 data set that is stored in one piece.

    Attributes:
        start: first byte in the file.
        nbytes: two a sample.
        sample_rate: Hz.
        row: number of the row.
    """

    start: int
    nbytes: int
    sample_rate: int
    row: int

    @property
    def offset(self) -> int:
        """First byte of the samples."""
        return self.start

    @property
    def unit(self) -> int:
        """Neighbours in the file."""
        return self.start // UNIT_BYTES

    @staticmethod
    def read(path: str, places: "Sequence[Samples]") -> Iterator[bytes | ReadError]:
        """The samples as WAV files."""
        with _opened(path) as descriptor:
            for place in places:
                payload = _pread(descriptor, place.start, place.nbytes)
                yield as_wav(payload, place.sample_rate) if isinstance(payload, bytes) else payload

    def __str__(self) -> str:
        return f"row {self.row}"


def as_wav(samples: bytes, sample_rate: int) -> bytes:
    """A WAV file of bare 16-bit samples."""
    return encode_wav(np.frombuffer(samples, dtype="<i2"), sample_rate)


def read_range(path: str, start: int, nbytes: int) -> bytes:
    """A range of bytes of a file.

    Raises:
        ReadError: the file ends before.
    """
    with _opened(path) as descriptor:
        payload = _pread(descriptor, start, nbytes)
    if isinstance(payload, ReadError):
        raise payload
    return payload


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _pread(descriptor: int, start: int, nbytes: int) -> bytes | ReadError:
    payload = os.pread(descriptor, nbytes, start)
    if len(payload) < nbytes:
        return ReadError(f"truncated: {len(payload)} of {nbytes} bytes are there")
    return payload


def _inflate(payload: bytes) -> bytes | ReadError:
    try:
        return zlib.decompress(payload, -zlib.MAX_WBITS)
    except zlib.error as error:
        return ReadError(f"the archive is damaged here ({error})")
