"""`pack` and `index`: from a source of clips to a store.

`pack` writes the clips anew into tar shards; `index` leaves them where they are.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from panns.data.clip_audio import ClipForm, source_rates
from panns.data.codecs import CODECS
from panns.data.conditioning import pack_clips
from panns.data.importers import Clip, Source
from panns.data.importing import PackError, import_clips
from panns.data.locating import locate_clips
from panns.data.parts import Part
from panns.data.report import ImportReport
from panns.data.shards import ShardWriter

MAX_SPLITS, MAX_CLASSES = 256, 65536  # what the columns of the index can number
MAX_SAMPLES = 2**31 - 1  # of a clip, as the index counts them
PACK_CODECS = {"flac": "flac", "pcm": "s16le", "mp3": "mp3"}
CHECKS = {"all": 1, "sample": 100}  # of bare samples in place one clip in so many is read


def pack(
    source: Source,
    out: str | Path,
    *,
    sample_rate: int = 32000,
    clip_seconds: float | None = None,
    codec: str = "flac",
    jobs: int | None = None,
    shard_mb: float = 1024,
    part: Part | None = None,
    allow_upsampling: bool = False,
    show_progress: bool = True,
) -> ImportReport:
    """Decode, mix to mono, resample and pack all clips of a source.

    Args:
        source: `AudioSetSource`, `ManifestSource` or `Esc50Source`.
        out: folder of the store; one that holds the unfinished result of the same call is continued.
        sample_rate: of the store, in Hz.
        clip_seconds: longer clips are cut to it; default: the usual length of the source.
        codec: "flac" (lossless, about half the size), "pcm" (WAV, fastest to read), or "mp3": mono MP3 files of the
            store's rate are copied as they are, all others left out.
        jobs: processes; default: all cores.
        shard_mb: size of a shard in MiB.
        part: pack this part of the clips alone, into a folder of its own below `out`; `merging.merge_parts` joins them.
        allow_upsampling: also if most of the audio has a lower rate than the store; a single such clip is always
            packed, and reported.

    Raises:
        PackError: settings that do not fit, no clip at all, or a full disk.
    """
    if codec not in PACK_CODECS:
        raise PackError(f"codec {codec!r}: clips are packed as {' or '.join(PACK_CODECS)}")
    form = _form(source, sample_rate, clip_seconds, CODECS.index(PACK_CODECS[codec]))
    plan = _plan("pack", source, form) | {"codec": codec, "shard_mb": shard_mb}
    folder = part.folder(Path(out)) if part else Path(out)
    shards = ShardWriter(folder / "shards", round(shard_mb * 2**20))
    refuse = None if allow_upsampling else partial(_refuse_upsampling, sample_rate)
    return import_clips(source, folder, plan, partial(pack_clips, form), shards, jobs, part, show_progress, refuse)


def index(
    source: Source,
    out: str | Path,
    *,
    sample_rate: int = 32000,
    clip_seconds: float | None = None,
    check: str = "all",
    jobs: int | None = None,
    part: Part | None = None,
    show_progress: bool = True,
) -> ImportReport:
    """Make a store that reads the clips where they lie: mono audio at `sample_rate`. Arguments as in `pack`.

    Args:
        check: "all" reads and decodes every clip and keeps its checksum. "sample" does so with one row in 100 of HDF5
            packs, whose rows cannot but be samples; the rest is counted as unchecked.
    """
    form = replace(_form(source, sample_rate, clip_seconds), check_every=CHECKS[check])
    plan = _plan("index", source, form) | ({} if check == "all" else {"check": check})
    folder = part.folder(Path(out)) if part else Path(out)
    return import_clips(source, folder, plan, partial(locate_clips, form), None, jobs, part, show_progress)


def _form(source: Source, sample_rate: int, clip_seconds: float | None, codec: int = 0) -> ClipForm:
    seconds = source.clip_seconds if clip_seconds is None else clip_seconds
    if sample_rate < 1 or round(seconds * sample_rate) < 1:
        raise PackError(f"sample rate {sample_rate} Hz and clip length {seconds} s must be above 0")
    if seconds * sample_rate > MAX_SAMPLES:
        raise PackError(
            f"clip length {seconds:g} s at {sample_rate} Hz: a clip has {MAX_SAMPLES:,} samples at most; give start "
            "and end of each clip, or a shorter --clip-seconds"
        )
    return ClipForm(sample_rate, round(seconds * sample_rate), codec)


def _plan(command: str, source: Source, form: ClipForm) -> dict:
    """What decides the bytes of the store: a journal or a store of another plan is not continued."""
    for path in source.lists:
        if not path.is_file():
            raise PackError(f"{path}: {'a folder, no file' if path.is_dir() else 'no such file'}; check the path")
    if len(source.splits) > MAX_SPLITS or len(source.classes) > MAX_CLASSES:
        raise PackError(
            f"{source.lists[0]}: {len(source.splits)} splits and {len(source.classes)} classes, where a store has at "
            f"most {MAX_SPLITS} and {MAX_CLASSES}; is the right column in its place?"
        )
    return {
        "command": command,
        "source": type(source).__name__,
        "name": source.name,
        "lists": [[path.name, _hash(path.read_bytes())] for path in source.lists],
        "classes": _hash(repr([tuple(label) for label in source.classes]).encode()),
        "single_label": source.single_label,
        "sample_rate": form.sample_rate,
        "clip_seconds": form.clip_samples / form.sample_rate,
    } | _audio(source, in_place=command == "index")


def _audio(source: Source, in_place: bool) -> dict[str, str]:
    """Files of many clips by name and size; where they lie only if the store will read them there."""
    files = [path for path in source.audio if path.is_file()]
    if not files:
        return {"audio": ", ".join(str(path.resolve()) for path in source.audio)} if in_place else {}
    sizes = [(str(path.resolve()) if in_place else path.name, path.stat().st_size) for path in files]
    nbytes = sum(size for _, size in sizes)
    return {"audio": f"{len(files)} files of {nbytes:,} bytes, {_hash(repr(sorted(sizes)).encode())}"}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _refuse_upsampling(sample_rate: int, clips: Sequence[Clip]) -> None:
    """A set of a lower rate is made into one of a higher rate only by intent: half of its spectrum would be empty."""
    rates = source_rates(clips)
    lower = [(clip, rate) for clip, rate in rates if rate < sample_rate]
    if 2 * len(lower) > len(rates):
        clip, rate = lower[0]
        raise PackError(
            f"{clip.where}: {rate} Hz, as most of {len(rates)} clips tried, where the store is to have "
            f"{sample_rate} Hz; make it at their rate with --sample-rate {rate}, or add --allow-upsampling"
        )
