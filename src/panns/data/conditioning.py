"""One audio file to one clip of a store: what runs in the worker processes of `pack` and `index`.

Every fault is an answer, not an exception: one bad file among two million must not stop the others. What the answers
mean is said in `panns.data.report`.
"""

import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from panns.data import codecs
from panns.data.importers import Clip

CLIPPED_SAMPLES = 10  # at full scale; a file normalised to its peak has one or two
PADDING_SECONDS = 0.1  # what codecs add at the end: cut without a word
LOSSY_FRAMES_TOLERANCE = 2304  # two MP3 frames: decoders differ in how much padding they drop
Findings = list[tuple[str, str]]  # (what, detail)


@dataclass(frozen=True)
class ClipForm:
    """What a store holds: sample rate in Hz, samples of a full clip, and the codec that `pack` writes."""

    sample_rate: int
    clip_samples: int
    codec: int = codecs.FLAC


class Outcome(NamedTuple):
    """What became of one clip: its findings and, unless it was left out (`nbytes` 0), where its bytes lie.

    A packed clip has `payload`, a whole file in which the indexed bytes start at `offset`; one indexed in place has
    none, and `offset` counts in the source file.
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


def pack_clip(form: ClipForm, clip: Clip) -> Outcome:
    """Decode one clip, cut it, mix it to mono, resample it (soxr HQ) and encode it."""
    findings: Findings = []
    try:
        samples = _read_conditioned(form, clip, findings)
        _examine(samples, form, findings)
    except LeftOut as error:
        return Outcome(clip.id, [(error.what, error.detail)])
    if form.codec == codecs.FLAC:
        payload, offset = codecs.encode_flac(samples, form.sample_rate), 0
    else:
        payload, offset = codecs.encode_wav(samples, form.sample_rate), codecs.WAV_HEADER_BYTES
    crc32 = zlib.crc32(payload[offset:])
    return Outcome(clip.id, findings, payload, offset, len(payload) - offset, form.codec, len(samples), crc32)


def locate_clip(form: ClipForm, clip: Clip) -> Outcome:
    """Find the byte range of one clip in its own file, and decode it once to know that it can be read."""
    findings: Findings = []
    try:
        with _open(clip.path) as file:
            first, count = _window(file, form, clip, findings)
            offset, nbytes, codec = _byte_range(file, form, clip, first, count)
            frames = file.frames
        with Path(clip.path).open("rb") as raw:
            payload = os.pread(raw.fileno(), nbytes, offset)
        samples = _decode(payload, codec, count if codec == codecs.S16LE else frames)
        _examine(samples[: form.clip_samples], form, findings)
    except LeftOut as error:
        return Outcome(clip.id, [(error.what, error.detail)])
    return Outcome(clip.id, findings, b"", offset, nbytes, codec, len(samples), zlib.crc32(payload))


def _open(path: str) -> soundfile.SoundFile:
    try:
        if Path(path).stat().st_size == 0:
            raise LeftOut("empty", "0 bytes")
        file = soundfile.SoundFile(path)
        if file.format in ("WAV", "WAVEX"):
            codecs.wav_data_range(path)  # libsndfile reads a truncated WAV without a word
    except (soundfile.SoundFileError, codecs.DecodeError, OSError) as error:
        raise LeftOut("unreadable", str(error)) from error
    except TypeError as error:  # soundfile's answer to a headerless .raw file
        raise LeftOut("unreadable", "raw samples without a header: convert them to WAV") from error
    if file.frames == 0:
        raise LeftOut("empty", "no samples")
    return file


def _window(file: soundfile.SoundFile, form: ClipForm, clip: Clip, findings: Findings) -> tuple[int, int]:
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


def _read_conditioned(form: ClipForm, clip: Clip, findings: Findings) -> np.ndarray:
    with _open(clip.path) as file:
        rate = file.samplerate
        first, count = _window(file, form, clip, findings)
        try:
            file.seek(first)
            waveform = file.read(count, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise LeftOut("unreadable", str(error)) from error
    if len(waveform) != count:
        raise LeftOut("unreadable", f"truncated: {len(waveform)} of {count} samples could be read")
    if not np.isfinite(waveform).all():
        raise LeftOut("non_finite", f"{np.count_nonzero(~np.isfinite(waveform))} samples are NaN or infinite")
    if rate < form.sample_rate:
        findings.append(("upsampled", f"{rate} Hz"))
    mono = soxr.resample(waveform.mean(axis=1), rate, form.sample_rate, quality="HQ")
    return codecs.to_int16(mono[: form.clip_samples])


def _byte_range(file: soundfile.SoundFile, form: ClipForm, clip: Clip, first: int, count: int) -> tuple[int, int, int]:
    """(offset, nbytes, codec) of the clip; LeftOut where no byte range is the clip."""
    if file.samplerate != form.sample_rate:
        raise LeftOut("needs_pack", f"{file.samplerate} Hz where the store has {form.sample_rate} Hz")
    if file.channels != 1:
        raise LeftOut("needs_pack", f"{file.channels} channels")
    codec = codecs.codec_of(file.format, file.subtype)
    if codec == codecs.S16LE:
        return codecs.wav_data_range(clip.path)[0] + 2 * first, 2 * count, codec
    if first > 0 or count < file.frames // 2:
        raise LeftOut("needs_pack", f"a part of a longer {file.format} file")
    return 0, Path(clip.path).stat().st_size, codec


def _decode(payload: bytes, codec: int, frames: int) -> np.ndarray:
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


def _examine(samples: np.ndarray, form: ClipForm, findings: Findings) -> None:
    """Note what is worth knowing about the samples of a clip."""
    if not samples.any():
        raise LeftOut("silent", f"{len(samples)} zero samples")
    if len(samples) < form.clip_samples:
        findings.append(("short", f"{len(samples) / form.sample_rate:.3f} s"))
    clipped = np.count_nonzero((samples == 32767) | (samples <= -32767))
    if clipped >= CLIPPED_SAMPLES:
        findings.append(("clipped", f"{clipped} samples at full scale"))
