"""Audio files as a network wants them."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from panns.data.clip_audio import LeftOut, open_audio
from panns.data.codecs import soundfile_says


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
        with open_audio(str(path)) as file:
            samples, rate, frames = file.read(dtype="float32", always_2d=True), file.samplerate, file.frames
    except LeftOut as error:
        raise AudioError(f"{path}: not readable as audio ({error.detail})") from error
    except soundfile.SoundFileError as error:
        raise AudioError(f"{path}: not readable as audio ({soundfile_says(error)})") from error
    if len(samples) < frames:
        raise AudioError(f"{path}: truncated or damaged: {len(samples)} of {frames} samples could be read")
    mono = samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError(f"{path}: holds NaN or infinite samples; export it again")
    return mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate, quality="HQ")
