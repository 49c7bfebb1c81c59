"""`pack` and `index`: from a source of clips to a store.

Both run one function on all cores, a unit of clips at a time, write down each finished clip in a journal, and end with
the same index.
`pack` writes the clips anew into tar shards; `index` leaves them where they are. A store without meta.json is
unfinished: the same call goes on where it stopped, and the result is that of an uninterrupted run, byte for byte.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from functools import lru_cache, partial
from importlib.metadata import version
from itertools import chain, groupby
from pathlib import Path

import numpy as np

from panns.data.codecs import CODECS
from panns.data.conditioning import ClipForm, Outcome, pack_clips, source_rates
from panns.data.importers import Clip, Source
from panns.data.index import IndexWriter
from panns.data.journal import Journal, Record, differences
from panns.data.locating import locate_clips
from panns.data.parts import Part, list_hash
from panns.data.progress import track
from panns.data.report import ImportReport, read_report
from panns.data.shards import ShardWriter
from panns.data.store import FORMAT, ClipStore
from panns.data.workers import ITEMS_AHEAD, num_cores, ordered_map

MAX_SPLITS, MAX_CLASSES = 256, 65536  # what the columns of the index can number
PACK_CODECS = {"flac": "flac", "pcm": "s16le", "mp3": "mp3"}
UNITS_AHEAD = 2  # a worker: a unit may be a hundred clips
CHECKS = {"all": 1, "sample": 100}  # of bare samples in place one clip in so many is read


class PackError(ValueError):
    """An import that cannot start, or had to stop; what is done stays."""


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
    return _import(source, folder, plan, partial(pack_clips, form), shards, jobs, part, show_progress, refuse)


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
    return _import(source, folder, plan, partial(locate_clips, form), None, jobs, part, show_progress)


def _form(source: Source, sample_rate: int, clip_seconds: float | None, codec: int = 0) -> ClipForm:
    seconds = source.clip_seconds if clip_seconds is None else clip_seconds
    if sample_rate < 1 or round(seconds * sample_rate) < 1:
        raise PackError(f"sample rate {sample_rate} Hz and clip length {seconds} s must be above 0")
    return ClipForm(sample_rate, round(seconds * sample_rate), codec)


def _plan(command: str, source: Source, form: ClipForm) -> dict:
    """What decides the bytes of the store: a journal or a store of another plan is not continued."""
    for path in source.lists:
        if not path.is_file():
            raise PackError(f"{path}: no such file; check the path")
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


def _import(
    source: Source,
    out: Path,
    plan: dict,
    work: Callable[[Sequence[Clip]], list[Outcome]],
    shards: ShardWriter | None,
    jobs: int | None,
    part: Part | None,
    show_progress: bool,
    refuse: Callable[[Sequence[Clip]], None] | None = None,
) -> ImportReport:
    if part is not None:
        plan |= {"part": str(part)}
    if (out / "meta.json").exists():
        return _finished(out, plan)
    _check_free(out)
    report = ImportReport()
    clips: Sequence[Clip] = source.clips(report)
    if refuse is not None:
        refuse(clips)
    meta = _meta(source, plan)
    if part is not None:
        meta["clip_list"], clips = list_hash([clip.id for clip in clips]), part.take(clips)
        if part.number > 1:
            report = ImportReport()  # what the list itself shows is said once, by the first part
    try:
        out.mkdir(parents=True, exist_ok=True)
        with closing(Journal(out / "journal.jsonl", plan)) as journal:
            _process(clips, journal, work, shards, jobs or num_cores(), show_progress)
            _finish(out, meta, clips, journal.records, report, shards)
        journal.path.unlink()
    except OSError as error:
        raise PackError(
            f"{out}: {error.strerror or error}; finished clips are kept, make room and run the same command again"
        ) from error
    if not report.packed and part is None:
        if shards is not None:
            shutil.rmtree(shards.folder)
        found = ", ".join(f"{count} {what}" for what, count in report.counts.items() if count)
        raise PackError(f"{out}: not one clip to {plan['command']} ({found}); {out / 'report.csv'} names them")
    return report


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


def units(clips: Sequence[Clip]) -> list[list[Clip]]:
    """The clips in their order, those that are read together in one list."""
    return [list(unit) for _, unit in groupby(clips, key=_unit)]


def _unit(clip: Clip) -> tuple[str, int]:
    return (clip.id, 0) if clip.place is None else (clip.path, clip.place.unit)


def _process(
    clips: Sequence[Clip],
    journal: Journal,
    work: Callable[[Sequence[Clip]], list[Outcome]],
    shards: ShardWriter | None,
    jobs: int,
    show_progress: bool,
) -> None:
    """Do what the journal does not have yet."""
    if shards is not None:
        _resume(shards, journal)
    done = {record.clip_id for record in journal.records}
    todo = [clip for clip in clips if clip.id not in done]
    todo_units = units(todo)
    ahead = ITEMS_AHEAD if len(todo_units) == len(todo) else UNITS_AHEAD
    try:
        with closing(ordered_map(work, todo_units, jobs, ahead)) as results:
            outcomes = chain.from_iterable(results)
            for outcome in track(outcomes, len(clips), len(clips) - len(todo), journal.plan["command"], show_progress):
                journal.append(_keep(outcome, shards))
        if shards is not None:
            shards.close()
    except BrokenProcessPool as error:
        raise PackError(
            f"{journal.path.parent}: a worker process died, perhaps for want of memory; run the same command again, "
            "with fewer --jobs"
        ) from error
    finally:
        if shards is not None:
            shards.abandon()


def _finished(out: Path, plan: dict) -> ImportReport:
    store = ClipStore.open(out)
    if store.meta["plan"] != plan:
        raise PackError(
            f"{out}: holds a finished store made otherwise ({differences(store.meta['plan'], plan)}); choose another "
            "folder, or delete this one"
        )
    (out / "journal.jsonl").unlink(missing_ok=True)  # of a run that stopped in its very last step
    report = read_report(out / "report.csv")
    report.packed, report.unchecked = len(store), int(np.count_nonzero(store.crc32 == 0))
    return report


def _check_free(out: Path) -> None:
    """Refuse a folder that holds something else."""
    if (out / "parts").is_dir():
        raise PackError(f"{out}: is being made in parts; run the others with --part, then `panns merge {out}`")
    if out.is_dir() and not (out / "journal.jsonl").exists() and {path.name for path in out.iterdir()} - {"report.csv"}:
        raise PackError(f"{out}: holds other files and no store; choose a new folder")


def _resume(shards: ShardWriter, journal: Journal) -> None:
    """Go on behind the last clip that is both in the journal and wholly on the disk."""
    sizes: dict[int, int] = {}
    for number, record in enumerate(journal.records):
        if record.shard not in sizes:
            path = shards.path(record.shard)
            sizes[record.shard] = path.stat().st_size if path.exists() else 0
        if record.end > sizes[record.shard]:  # a power cut can keep the journal and lose the shard's last bytes
            journal.keep(number)
            break
    last = max((record[2:4] for record in journal.records), default=(0, 0))
    shards.resume(*last)


def _keep(outcome: Outcome, shards: ShardWriter | None) -> Record:
    """Write the clip where it belongs -> its line in the journal."""
    clip_id, findings, payload, offset, nbytes, codec, frames, crc32 = outcome
    if not nbytes:
        return Record(clip_id, findings)
    if shards is None:
        return Record(clip_id, findings, 0, 0, offset, nbytes, codec, frames, crc32)
    suffix = "wav" if CODECS[codec] == "s16le" else CODECS[codec]
    name = f"{clip_id.replace('.', '_')}.{suffix}"  # WebDataset takes what follows the first dot for the extension
    shard, start = shards.write(name, payload)
    return Record(clip_id, findings, shard, shards.size, start + offset, nbytes, codec, frames, crc32)


def _finish(
    out: Path,
    meta: dict,
    clips: Sequence[Clip],
    records: Sequence[Record],
    report: ImportReport,
    shards: ShardWriter | None,
) -> None:
    """Write report, index and meta.json, the latter last."""
    rows, by_id = IndexWriter(), {record.clip_id: record for record in records}
    for clip in clips:
        record = by_id[clip.id]
        for what, detail in record.findings:
            report.add(what, clip.id, clip.where, detail)
        if record.nbytes:
            path = _path_in_place(clip.path, out) if shards is None else f"shards/{shards.path(record.shard).name}"
            columns = {name: getattr(record, name) for name in ("offset", "nbytes", "codec", "frames", "crc32")}
            rows.add(clip.id, path, clip.labels, split=clip.split, start_ms=clip.start_ms, **columns)
    report.packed, report.unchecked = len(rows), sum(record.nbytes > 0 and not record.crc32 for record in records)
    report.write(out / "report.csv")
    if rows or "part" in meta["plan"]:
        rows.commit(out, meta | {"counts": report.counts})


@lru_cache(maxsize=1)  # thousands of clips in a row lie in one file
def _path_in_place(path: str, out: Path) -> str:
    """Relative where the file lies beside or below the store, so that both can be moved; else absolute."""
    real, root = Path(path).resolve(), out.resolve()
    return os.path.relpath(real, root) if real.is_relative_to(root.parent) else str(real)


def _meta(source: Source, plan: dict) -> dict:
    return {
        "format": FORMAT,
        "name": source.name,
        "sample_rate": plan["sample_rate"],
        "clip_seconds": plan["clip_seconds"],
        "single_label": source.single_label,
        "splits": source.splits,
        "classes": [list(label) for label in source.classes],
        "created": {"tool": "panns", "version": version("panns")},
        "plan": plan,
    }
