"""Audio files as a network wants them."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from panns.data.codecs import DecodeError, wav_data_range


class AudioError(ValueError):
    """A file holds no usable audio."""


def read_mono(path: str | Path, sample_rate: int) -> NDArray[np.float32]:
    """Read a whole file, average its channels and resample it (soxr HQ) -> (L,) float32.

    Raises:
        AudioError: no such file, nothing that soundfile reads, a WAV file that ends before its header says, no samples,
            or samples that are not finite.
    """
    if not Path(path).is_file():
        raise AudioError(f"{path}: {'a folder: name the files in it' if Path(path).is_dir() else 'no such file'}")
    try:
        with soundfile.SoundFile(path) as file:
            if file.format in ("WAV", "WAVEX"):
                wav_data_range(path)  # libsndfile reads a truncated WAV without a word
            samples, rate = file.read(dtype="float32", always_2d=True), file.samplerate
            frames = file.frames
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: not readable as audio ({error.error_string})") from error
    except DecodeError as error:
        raise AudioError(f"{path}: {error}") from error
    except TypeError as error:  # soundfile's answer to a headerless .raw file
        raise AudioError(f"{path}: raw samples without a header; convert them to WAV") from error
    if len(samples) < frames:
        raise AudioError(f"{path}: truncated or damaged: {len(samples)} of {frames} samples could be read")
    mono = samples.mean(axis=1)
    if not len(mono):
        raise AudioError(f"{path}: holds no samples")
    if not np.isfinite(mono).all():
        raise AudioError(f"{path}: holds NaN or infinite samples; export it again")
    return mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate, quality="HQ")
