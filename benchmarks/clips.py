"""Generated 10-s clips in each form that is loaded: tar shards of WAV and of FLAC, loose MP3 files, a PANNs HDF5 file.

Shapes: N clips, L samples, K classes.
"""

import csv
import shutil
from pathlib import Path

import h5py
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from panns.data.manifest import ManifestSource
from panns.data.packing import index, pack

SAMPLE_RATE, CLIP_SECONDS, NUM_CLASSES = 32_000, 10, 527
MP3_CLIPS = 64  # its encoder takes 0.1 s a clip


def waveform(number: int, samples: int) -> NDArray[np.int16]:
    """Return clip `number`: a gliding tone in coloured noise, which FLAC brings to about half, as it does AudioSet."""
    rng = np.random.default_rng(number)
    time = np.arange(samples) / SAMPLE_RATE
    tone = 4000 * np.sin(2 * np.pi * (200 + 50 * number % 1000 + 30 * time) * time)
    return (tone + lfilter([1], [1, -0.95], rng.normal(0, 60, samples))).astype(np.int16)


def write_forms(folder: Path, num_clips: int) -> None:
    """Write "pcm", "flac" and "mp3" stores and "waveforms.h5" into `folder`."""
    (folder / "wav").mkdir(parents=True)
    (folder / "loose").mkdir()
    for number in range(num_clips):
        clip = waveform(number, round(SAMPLE_RATE * CLIP_SECONDS))
        soundfile.write(folder / f"wav/{number:05}.wav", clip, SAMPLE_RATE)
        if number < MP3_CLIPS:
            soundfile.write(folder / f"loose/{number:05}.mp3", clip, SAMPLE_RATE)
    for codec in ("pcm", "flac"):
        pack(manifest(folder / "wav"), folder / codec, codec=codec, clip_seconds=CLIP_SECONDS, show_progress=False)
    index(manifest(folder / "loose"), folder / "mp3", clip_seconds=CLIP_SECONDS, show_progress=False)
    _write_hdf5(folder, num_clips)
    shutil.rmtree(folder / "wav")


def manifest(audio: Path) -> ManifestSource:
    """Write clips.csv beside the audio files of a folder -> the source that it is."""
    files = sorted(path for path in audio.iterdir() if path.suffix in (".wav", ".mp3"))
    with (audio / "clips.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "labels", "split"])
        for number, path in enumerate(files):
            rows.writerow([path.name, f"class{number % 31}", "train" if number % 10 else "eval"])
    return ManifestSource(audio / "clips.csv")


def _write_hdf5(folder: Path, num_clips: int) -> None:
    """The released pack_waveforms_to_hdf5: int16 clips in one contiguous data set."""
    with h5py.File(folder / "waveforms.h5", "w") as file:
        file.create_dataset("audio_name", shape=(num_clips,), dtype="S20")
        file.create_dataset("waveform", shape=(num_clips, round(SAMPLE_RATE * CLIP_SECONDS)), dtype=np.int16)
        file.create_dataset("target", shape=(num_clips, NUM_CLASSES), dtype=bool)
        file.attrs.create("sample_rate", data=SAMPLE_RATE, dtype=np.int32)
        for number in range(num_clips):
            file["audio_name"][number] = f"Y{number:011}.wav".encode()
            file["waveform"][number] = soundfile.read(folder / f"wav/{number:05}.wav", dtype="int16")[0]
            file["target"][number, number % 31] = True
