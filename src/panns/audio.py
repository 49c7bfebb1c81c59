"""Audio files as a network wants them."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray


class AudioError(ValueError):
    """A file holds no usable audio."""


def read_mono(path: str | Path, sample_rate: int) -> NDArray[np.float32]:
    """Read a whole file, average its channels and resample it (soxr HQ) -> (L,) float32.

    Raises:
        AudioError: no such file, nothing that soundfile reads, no samples, or samples that are not finite.
    """
    if not Path(path).is_file():
        raise AudioError(f"{path}: no such file")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: not readable as audio ({error.error_string})") from error
    mono = samples.mean(axis=1)
    if not len(mono):
        raise AudioError(f"{path}: holds no samples")
    if not np.isfinite(mono).all():
        raise AudioError(f"{path}: holds NaN or infinite samples; export it again")
    return mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate, quality="HQ")
