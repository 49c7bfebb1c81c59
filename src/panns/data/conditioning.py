"""One clip to one clip of a store, made anew: what runs in the worker processes of `pack`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from zlib_ng import zlib_ng

from panns.data import codecs
from panns.data.clip_audio import (
    Audio,
    ClipForm,
    Findings,
    LeftOut,
    Outcome,
    as_it_is,
    decode_checked,
    examine,
    open_audio,
    read_audio,
    window,
)
from panns.data.importers import Clip, ReadError


def pack_clips(form: ClipForm, clips: Sequence[Clip]) -> list[Outcome]:
    """Decode the clips of a unit, cut them, mix them to mono, resample them (soxr HQ) and encode them."""
    return [pack_clip(form, clip, audio) for clip, audio in zip(clips, read_audio(clips), strict=True)]


def pack_clip(form: ClipForm, clip: Clip, audio: Audio | ReadError) -> Outcome:
    """The same for one clip, of which `read_audio` gave the audio."""
    findings: Findings = []
    try:
        if form.codec == codecs.MP3:
            payload, samples = _copied(form, clip, audio, findings)
        else:
            payload, samples = b"", _conditioned(form, clip, audio, findings)
        examine(samples, form, findings)
    except LeftOut as error:
        return Outcome(clip.id, [(error.what, error.detail)])
    offset = 0
    if form.codec == codecs.FLAC:
        payload = codecs.encode_flac(samples, form.sample_rate)
    elif form.codec == codecs.S16LE:
        payload, offset = codecs.encode_wav(samples, form.sample_rate), codecs.WAV_HEADER_BYTES
    crc32 = zlib_ng.crc32(payload[offset:])
    return Outcome(clip.id, findings, payload, offset, len(payload) - offset, form.codec, len(samples), crc32)


def _conditioned(form: ClipForm, clip: Clip, audio: Audio | ReadError, findings: Findings) -> np.ndarray:
    with open_audio(audio) as file:
        rate = file.samplerate
        first, count = window(file, form, clip, findings)
        try:
            file.seek(first)
            waveform = file.read(count, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise LeftOut("unreadable", codecs.soundfile_says(error)) from error
    if len(waveform) != count:
        raise LeftOut("unreadable", f"truncated: {len(waveform)} of {count} samples could be read")
    if not np.isfinite(waveform).all():
        raise LeftOut("non_finite", f"{np.count_nonzero(~np.isfinite(waveform))} samples are NaN or infinite")
    if rate < form.sample_rate:
        findings.append(("upsampled", f"{rate} Hz"))
    mono = soxr.resample(waveform.mean(axis=1), rate, form.sample_rate, quality="HQ")
    return codecs.to_int16(mono[: form.clip_samples])


def _copied(form: ClipForm, clip: Clip, audio: Audio | ReadError, findings: Findings) -> tuple[bytes, np.ndarray]:
    """The clip's own bytes, and what they decode to."""
    with open_audio(audio) as file:
        first, count = window(file, form, clip, findings)
        why = as_it_is(file, form, first, count) or (file.format != "MP3" and f"{file.format}, not MP3")
        frames = file.frames
    if why:
        raise LeftOut("needs_encoding", why)
    payload = Path(audio).read_bytes() if isinstance(audio, str) else audio
    assert isinstance(payload, bytes)
    return payload, decode_checked(payload, codecs.MP3, frames)
