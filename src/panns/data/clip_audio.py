"""What `pack` and `index` do alike with a clip in their worker processes: open its audio, and judge it.

Every fault is an answer, not an exception: one bad file among two million must not stop the others. What the answers
mean is said in `panns.data.report`.
"""

import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from panns.data import codecs
from panns.data.importers import Clip, ReadError

CLIPPED_SAMPLES = 10  # at full scale; a file normalised to its peak has one or two
CLIPS_TRIED = 9
PADDING_SECONDS = 0.1  # what codecs add at the end: cut without a word
LOSSY_FRAMES_TOLERANCE = 2304  # two MP3 frames: decoders differ in how much padding they drop
OTHER_SUFFIXES = (".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma")  # unreadable to soundfile, which is not missing
Findings = list[tuple[str, str]]  # (what, detail)
Audio = str | bytes  # an audio file: its path, or all its bytes


@dataclass(frozen=True)
class ClipForm:
    """What a store holds.

    Attributes:
        sample_rate: Hz.
        clip_samples: of a full clip.
        codec: what `pack` writes; MP3 is not encoded but copied.
        check_every: `index` reads one in so many clips of bare samples; it reads all others.
    """

    sample_rate: int
    clip_samples: int
    codec: int = codecs.FLAC
    check_every: int = 1


class Outcome(NamedTuple):
    """What became of one clip: its findings and, unless it was left out (`nbytes` 0), where its bytes lie.

    A packed clip has `payload`, a whole file in which the indexed bytes start at `offset`; one indexed in place has
    none, and `offset` counts in the source file. `crc32` 0: nobody has read the clip.
    """

    clip_id: str
    findings: Findings
    payload: bytes = b""
    offset: int = 0
    nbytes: int = 0
    codec: int = 0
    frames: int = 0
    crc32: int = 0


class LeftOut(Exception):
    """The clip cannot be used; `what` is a kind of finding."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(what, detail)
        self.what, self.detail = what, detail


def read_audio(clips: Sequence[Clip]) -> Iterator[Audio | ReadError]:
    """The audio file of each clip of a unit, or what is wrong with it; a file of its own is not read but named."""
    place = clips[0].place
    if place is None:
        yield from (clip.path for clip in clips)
        return
    done, fault = 0, ReadError("no more clips in the file")
    try:
        for audio in place.read(clips[0].path, [clip.place for clip in clips]):
            yield audio
            done += 1
    except (ReadError, OSError) as error:
        fault = ReadError(str(error))
    yield from [fault] * (len(clips) - done)


def source_rates(clips: Sequence[Clip]) -> list[tuple[Clip, int]]:
    """Some clips from all over the list with the sample rates of their audio in Hz; unreadable ones are passed over."""
    found = []
    for clip in clips[:: max(1, len(clips) // CLIPS_TRIED)]:
        try:
            with open_audio(next(read_audio([clip]))) as file:
                found.append((clip, file.samplerate))
        except LeftOut:
            continue
    return found


def open_audio(audio: Audio | ReadError) -> soundfile.SoundFile:
    """Open an audio file of any form that soundfile reads.

    Raises:
        LeftOut: it cannot be read, or holds no samples.
    """
    try:
        if isinstance(audio, ReadError):
            raise audio
        if not (Path(audio).stat().st_size if isinstance(audio, str) else audio):
            raise LeftOut("empty", "0 bytes")
        file = soundfile.SoundFile(os.fsencode(audio) if isinstance(audio, str) else io.BytesIO(audio))
        if file.format in ("WAV", "WAVEX"):
            codecs.wav_data_range(audio)  # libsndfile reads truncated files of these forms without a word
        elif file.format == "OGG":
            codecs.check_ogg_end(audio)
        else:
            codecs.check_header_length(audio, file.format)
    except soundfile.SoundFileError as error:
        foreign = isinstance(audio, str) and Path(audio).suffix.lower() in OTHER_SUFFIXES
        remedy = " Convert it first: ffmpeg -i IN OUT.flac" if foreign else ""
        raise LeftOut("unreadable", f"{codecs.soundfile_says(error)}{remedy}") from error
    except (codecs.DecodeError, ReadError, OSError) as error:
        raise LeftOut("unreadable", str(error)) from error
    except TypeError as error:  # soundfile's answer to a headerless .raw file
        raise LeftOut("unreadable", "raw samples without a header: convert them to WAV") from error
    if file.frames == 0:
        raise LeftOut("empty", "no samples")
    return file


def window(file: soundfile.SoundFile, form: ClipForm, clip: Clip, findings: Findings) -> tuple[int, int]:
    """First frame and number of frames of the clip in its file, at the rate of the file."""
    start, end = clip.cut or (0.0, None)
    first = round(start * file.samplerate)
    last = file.frames if end is None else min(round(end * file.samplerate), file.frames)
    if first >= last:
        raise LeftOut("empty", f"from {start:g} s on: the file ends at {file.frames / file.samplerate:g} s")
    wanted = math.ceil(form.clip_samples * file.samplerate / form.sample_rate)
    if last - first > wanted + PADDING_SECONDS * file.samplerate:
        findings.append(("long", f"{(last - first) / file.samplerate:.3f} s"))
    return first, min(last - first, wanted)


def as_it_is(file: soundfile.SoundFile, form: ClipForm, first: int, count: int) -> str:
    """Why the bytes of an audio file cannot be the clip; "" if they can."""
    if file.samplerate != form.sample_rate:
        return f"{file.samplerate} Hz where the store has {form.sample_rate} Hz"
    if file.channels != 1:
        return f"{file.channels} channels"
    if codecs.codec_of(file.format, file.subtype) != codecs.S16LE and (first > 0 or count < file.frames // 2):
        return f"a part of a longer {file.format} file"
    return ""


def decode_checked(payload: bytes, codec: int, frames: int) -> np.ndarray:
    """Decode what shall be stored as the store will -> int16 (frames,).

    Raises:
        LeftOut: damaged, or not of the length that its header gives.
    """
    try:
        samples = codecs.decode(payload, codec)
    except codecs.NonFiniteError as error:
        raise LeftOut("non_finite", str(error)) from error
    except codecs.DecodeError as error:
        raise LeftOut("unreadable", str(error)) from error
    tolerance = LOSSY_FRAMES_TOLERANCE if codec in (codecs.MP3, codecs.VORBIS) else 0
    if abs(len(samples) - frames) > tolerance:
        raise LeftOut("unreadable", f"truncated or damaged: {len(samples)} of {frames} samples could be read")
    return samples


def short(frames: int, form: ClipForm) -> tuple[str, str]:
    """What is said of a clip with fewer frames than the form's."""
    return "short", f"{frames / form.sample_rate:.3f} s"


def examine(samples: np.ndarray, form: ClipForm, findings: Findings) -> None:
    """Note what is worth knowing about the samples of a clip, as the reader will see them."""
    samples = samples[: form.clip_samples]
    if samples.min() == samples.max():
        same = int(samples[0])
        raise LeftOut(
            "constant" if same else "silent", f"{len(samples)} {f'samples of {same}' if same else 'zero samples'}"
        )
    if len(samples) < form.clip_samples:
        findings.append(short(len(samples), form))
    clipped = codecs.num_clipped(samples)
    if clipped >= CLIPPED_SAMPLES:
        findings.append(("clipped", f"{clipped} samples at full scale"))
