"""The engine of `pack` and `index`.

It runs one function on all cores, a unit of clips at a time, writes down each finished clip in a journal, and ends with
the index. A store without meta.json is unfinished: the same call goes on where it stopped, and the result is that of an
uninterrupted run, byte for byte.
"""

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import lru_cache
from importlib.metadata import version
from itertools import chain, groupby
from pathlib import Path

import numpy as np

from panns.data.clip_audio import Outcome
from panns.data.codecs import CODECS
from panns.data.importers import Clip, Source
from panns.data.index import IndexWriter
from panns.data.journal import Journal, Record, differences
from panns.data.parts import Part, list_hash
from panns.data.progress import track, waiting
from panns.data.report import ImportReport, read_report
from panns.data.shards import ShardWriter
from panns.data.store import ClipStore
from panns.data.store_files import FORMAT
from panns.data.workers import ITEMS_AHEAD, num_cores, ordered_map

UNITS_AHEAD = 2  # a worker: a unit may be a hundred clips


class PackError(ValueError):
    """An import that cannot start, or had to stop; what is done stays."""


def import_clips(
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
    """Run the work on all clips of a source, or on a part of them, and write the store.

    Args:
        plan: what decides the bytes of the store; one begun by another plan is not continued.
        work: makes each unit of clips into outcomes, in a worker process.
        shards: where the payloads go; None if they stay where they are.
        refuse: looks at the clips before any work, and raises if they should not be imported.

    Raises:
        PackError: as `packing.pack`.
    """
    if part is not None:
        plan |= {"part": str(part)}
    if (out / "meta.json").exists():
        return _finished(out, plan)
    _check_free(out)
    report = ImportReport()
    with waiting(f"{plan['command']}: listing the clips", show_progress):
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
        raise _disk_error(out, error) from error
    if not report.packed and part is None:
        if shards is not None:
            shutil.rmtree(shards.folder)
        found = ", ".join(f"{count} {what}" for what, count in report.counts.items() if count)
        instead = "; `panns pack` takes them" if report.counts["needs_pack"] else ""
        raise PackError(f"{out}: not one clip to {plan['command']} ({found}); {out / 'report.csv'} names them{instead}")
    return report


def _disk_error(out: Path, error: OSError) -> PackError:
    """What to say where the disk or the folder does not take the store."""
    full, begun = error.errno in (errno.ENOSPC, errno.EDQUOT), (out / "journal.jsonl").exists()
    if not (full or begun):
        where = error.filename or out
        return PackError(f"{where}: {error.strerror or error}; choose a folder for the store that can be written")
    kept = f"finished clips are kept, {'make room' if full else 'mend that'} and run the same command again"
    return PackError(f"{out}: {error.strerror or error}; {kept}")


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
