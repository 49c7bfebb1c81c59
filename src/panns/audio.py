"""Audio files as a network wants them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from panns.data.clip_audio import LeftOut, open_audio
from panns.data.codecs import soundfile_says

BLOCK_SECONDS = 10.0  # of a file that are held in memory at once
Samples = NDArray[np.float32]


class AudioError(ValueError):
    """A file holds no usable audio."""


def read_mono(path: str | Path, sample_rate: int) -> Iterator[Samples]:
    """Read a file, average its channels and resample it (soxr HQ) -> pieces (n,) that follow each other.

    Raises:
        AudioError: no such file, nothing that soundfile reads, a WAV file that ends before its header says, no samples,
            or samples that are not finite; perhaps only after some pieces.
    """
    if not Path(path).is_file():
        raise AudioError(f"{path}: {'a folder: name the files in it' if Path(path).is_dir() else 'no such file'}")
    try:
        with open_audio(str(path)) as file:
            pieces, given = _mono(path, file), 0
            for piece in pieces if file.samplerate == sample_rate else _resampled(pieces, file.samplerate, sample_rate):
                given += len(piece)
                yield piece
        if not given:
            raise AudioError(f"{path}: too short: not one sample at {sample_rate} Hz")
    except LeftOut as error:
        raise AudioError(f"{path}: not readable as audio ({error.detail})") from error
    except soundfile.SoundFileError as error:
        raise AudioError(f"{path}: not readable as audio ({soundfile_says(error)})") from error


def _mono(path: str | Path, file: soundfile.SoundFile) -> Iterator[Samples]:
    """The mean of the channels, at the rate of the file."""
    block, read = max(round(BLOCK_SECONDS * file.samplerate), 1), 0
    while len(samples := file.read(block, dtype="float32", always_2d=True)):
        read += len(samples)
        with np.errstate(invalid="ignore"):  # of infinite samples, which are told below
            mono: Samples = samples.mean(axis=1)
        if not np.isfinite(mono).all():
            raise AudioError(f"{path}: holds NaN or infinite samples; export it again")
        yield mono
    if read < file.frames:
        raise AudioError(f"{path}: truncated or damaged: {read} of {file.frames} samples could be read")


def _resampled(pieces: Iterator[Samples], from_rate: int, to_rate: int) -> Iterator[Samples]:
    stream = soxr.ResampleStream(from_rate, to_rate, num_channels=1, dtype="float32", quality="HQ")
    for piece in pieces:
        yield stream.resample_chunk(piece)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
