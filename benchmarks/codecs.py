"""What each codec of `panns pack` costs: size of a clip, clips packed and clips read a second by one core.

Run with `make bench-codecs AUDIO=DIR`, DIR being a folder of recordings. They are cut into 10-s clips at 32 kHz, packed
with one process, and read back as training reads them, from memory. MP3 is what PaSST's packs hold: 48 kbit/s.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from panns.audio import AudioError, read_mono
from panns.data.forms.files import walk
from panns.data.forms.folder import READ_SUFFIXES
from panns.data.manifest import ManifestSource
from panns.data.packing import pack
from panns.data.store import ClipStore

RATE, SECONDS, AUDIOSET_CLIPS = 32000, 10, 2_084_320
MP3_48_KBIT = (320 - 48) / (320 - 32)  # libsndfile's compression level: 0 is 320 kbit/s, 1 is 32


def clips(folder: Path) -> Iterator[np.ndarray]:
    """10-s clips of all recordings, one after the other."""
    rest = np.zeros(0, dtype=np.float32)
    for path in walk(folder, READ_SUFFIXES):
        try:
            rest = np.concatenate([rest, read_mono(path, RATE)])
        except AudioError:
            continue
        while len(rest) >= RATE * SECONDS:
            yield rest[: RATE * SECONDS]
            rest = rest[RATE * SECONDS :]


def write_wav(path: Path, clip: np.ndarray) -> None:
    """A clip as it should be."""
    soundfile.write(path.with_suffix(".wav"), clip, RATE)


def write_mp3(path: Path, clip: np.ndarray) -> None:
    """A clip as PaSST has it."""
    options = {"bitrate_mode": "CONSTANT", "compression_level": MP3_48_KBIT}
    soundfile.write(path.with_suffix(".mp3"), clip, RATE, format="MP3", **options)


def write_native(path: Path, clip: np.ndarray) -> None:
    """A clip as Hugging Face has it: 48 kHz, stereo, 24 bits."""
    waveform = np.interp(np.arange(480000) * RATE / 48000, np.arange(len(clip)), clip)
    soundfile.write(path.with_suffix(".flac"), np.stack([waveform, 0.9 * waveform], axis=1), 48000, subtype="PCM_24")


def source(folder: Path, material: list[np.ndarray], write: Callable[[Path, np.ndarray], None]) -> ManifestSource:
    """The clips as files, with a manifest."""
    folder.mkdir()
    for number, clip in enumerate(material):
        write(folder / f"{number:05}", clip)
    with (folder / "clips.csv").open("w", newline="") as file:
        names = sorted(path.name for path in folder.iterdir() if path.suffix != ".csv")
        csv.writer(file).writerows([["path", "labels"], *([name, "any"] for name in names)])
    return ManifestSource(folder / "clips.csv")


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds: they count neither what else the machine does nor the disk."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(name: str, given: ManifestSource, out: Path, codec: str) -> None:
    """Pack, read, print one line."""
    packed = seconds(lambda: pack(given, out, codec=codec, jobs=1, show_progress=False))
    store = ClipStore.open(out)
    batch = np.zeros((32, RATE * SECONDS), np.int16)  # is filled again and again, as the loader does
    read = min(seconds(lambda: [store.read_into(i, batch[i % 32]) for i in range(len(store))]) for _ in range(5))
    nbytes = store.nbytes.mean()
    print(
        f"{name:34} {nbytes / 1000:7.0f} {nbytes / (2 * RATE * SECONDS):8.0%} {nbytes * AUDIOSET_CLIPS / 1e9:10,.0f} "
        f"{len(store) / packed:10,.0f} {len(store) / read:10,.0f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    args = parser.parse_args()
    material = [clip for clip, _ in zip(clips(args.audio), range(args.clips), strict=False)]
    if not material:
        raise SystemExit(f"{args.audio}: no 10 s of audio in this folder; run with AUDIO=DIR")
    print(f"{len(material)} clips of {SECONDS} s from {args.audio}, one core; AudioSet has {AUDIOSET_CLIPS:,} clips")
    print(f"{'codec, packed from':34} {'kB/clip':>7} {'of pcm':>8} {'AudioSet GB':>10} {'packed/s':>9} {'read/s':>10}")
    with tempfile.TemporaryDirectory() as folder:
        wav, mp3, native = (
            source(Path(folder, write.__name__), material, write) for write in (write_wav, write_mp3, write_native)
        )
        measure("pcm, from 32 kHz WAV", wav, Path(folder, "pcm"), "pcm")
        measure("flac, from 32 kHz WAV", wav, Path(folder, "flac"), "flac")
        measure("flac, from 48 kHz stereo 24-bit FLAC", native, Path(folder, "native"), "flac")
        measure("mp3, copied", mp3, Path(folder, "mp3"), "mp3")


if __name__ == "__main__":
    main()
