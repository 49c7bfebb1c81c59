"""One clip to one clip of a store: what runs in the worker processes of `index`, which leaves clips where they lie.

A clip is decoded once to know that it can be read. Only bare samples, which have no code to be damaged, may be taken
on trust; the check of one in so many then shows whether the rows are what they are taken for.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from zlib_ng import zlib_ng

from panns.data import codecs
from panns.data.clip_audio import (
    PADDING_SECONDS,
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
    short,
    window,
)
from panns.data.importers import Clip, ReadError
from panns.data.places import Samples, read_range


def locate_clips(form: ClipForm, clips: Sequence[Clip]) -> list[Outcome]:
    """Find the byte ranges of the clips of a unit."""
    return [_outcome(form, clip, audio) for clip, audio in zip(clips, _audio(clips), strict=True)]


def _audio(clips: Sequence[Clip]) -> Iterable[Audio | ReadError]:
    return [b""] * len(clips) if isinstance(clips[0].place, Samples) else read_audio(clips)  # samples need no header


def _outcome(form: ClipForm, clip: Clip, audio: Audio | ReadError) -> Outcome:
    findings: Findings = []
    try:
        if isinstance(clip.place, Samples):
            return _locate_samples(form, clip, clip.place, findings)
        return _locate_file(form, clip, audio, findings)
    except LeftOut as error:
        return Outcome(clip.id, [(error.what, error.detail)])


def _locate_file(form: ClipForm, clip: Clip, audio: Audio | ReadError, findings: Findings) -> Outcome:
    """The clip as a range of its own audio file, which may lie in an archive."""
    start = 0 if clip.place is None else clip.place.offset
    if start is None:
        raise LeftOut("needs_pack", "compressed or cut into chunks by the file around it")
    with open_audio(audio) as file:
        first, count = window(file, form, clip, findings)
        if why := as_it_is(file, form, first, count):
            raise LeftOut("needs_pack", why)
        codec, frames = codecs.codec_of(file.format, file.subtype), file.frames
    assert not isinstance(audio, ReadError)  # else it had not opened
    nbytes = len(audio) if isinstance(audio, bytes) else Path(clip.path).stat().st_size
    if codec == codecs.S16LE:
        start, nbytes, frames = start + codecs.wav_data_range(audio)[0] + 2 * first, 2 * count, count
    payload = _read(clip, start, nbytes)
    samples = decode_checked(payload, codec, frames)
    examine(samples, form, findings)
    return Outcome(clip.id, findings, b"", start, nbytes, codec, len(samples), zlib_ng.crc32(payload))


def _locate_samples(form: ClipForm, clip: Clip, place: Samples, findings: Findings) -> Outcome:
    """The clip as a range of bare samples, read if it is its turn."""
    if place.sample_rate != form.sample_rate:
        raise LeftOut("needs_pack", f"{place.sample_rate} Hz where the store has {form.sample_rate} Hz")
    frames = place.nbytes // 2
    if frames > form.clip_samples + PADDING_SECONDS * form.sample_rate:
        findings.append(("long", f"{frames / form.sample_rate:.3f} s"))
    frames, crc32 = min(frames, form.clip_samples), 0
    if place.row % form.check_every == 0:
        payload = _read(clip, place.start, 2 * frames)
        examine(codecs.decode(payload, codecs.S16LE), form, findings)
        crc32 = zlib_ng.crc32(payload)
    elif frames < form.clip_samples:
        findings.append(short(frames, form))
    return Outcome(clip.id, findings, b"", place.start, 2 * frames, codecs.S16LE, frames, crc32)


def _read(clip: Clip, start: int, nbytes: int) -> bytes:
    """Exactly what the store will read."""
    try:
        return read_range(clip.path, start, nbytes)
    except (ReadError, OSError) as error:
        raise LeftOut("unreadable", str(error)) from error
