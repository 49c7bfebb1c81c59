"""`verify`: is every clip of a store what it was, and is the store what there is to have?"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from panns.data.draws import uniform
from panns.data.first_crc32 import crc32_file, read_crc32, write_crc32
from panns.data.progress import track
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.rates import check_rate
from panns.data.report import Finding
from panns.data.selection import is_listed
from panns.data.store import ClipStore, is_url
from panns.data.store_files import StoreError
from panns.data.verification.checksums import INDEX_CHANGED, index_checksums, read_checksums, write_checksums
from panns.data.verification.clips import Answer, ClipChecker, tasks_of
from panns.data.verification.coverage import Listed, coverages, disagreements, read_list
from panns.data.verification.duplicates import same_audio, same_ids
from panns.data.verification.files import MISSING, bad_rows, file_findings, look_at_files
from panns.data.verification.kinds import DAMAGED_CLIP
from panns.data.verification.ledger import Ledger
from panns.data.verification.repairing import recover
from panns.data.verification.result import Mask, Rows, Verification
from panns.data.verification.writing import check_writable, is_writable
from panns.data.workers import num_cores, ordered_map


def verify(
    root: str | Path,
    *,
    lists: Sequence[str | Path] = (),
    sample: int = 1000,
    everything: bool = False,
    seed: int = 0,
    out: str | Path | None = None,
    jobs: int | None = None,
    show_progress: bool = True,
) -> Verification:
    """Check a store, put its damaged clips in quarantine, and record checksums where there are none.

    A file that is not of its size or that a damaged clip was found in is checked wholly, and so is what is in
    quarantine: what is whole again comes out.

    Args:
        root: folder of the store; one with missing or cut files is checked too.
        lists: segment lists that the store was made from, to compare labels and coverage with.
        sample: clips to read, spread over all files; of each file one at least, if there are no more files than that.
        everything: read all clips, and hash all files. An interrupted check goes on where it stopped.
        seed: another one is another sample.
        out: folder where the check keeps what it needs to go on; default: the folder `verify` of the store. With one
            elsewhere a store that cannot be written is checked too; quarantine and checksums stay as they are then.
        jobs: processes; default: all cores.

    Raises:
        StoreError: no store, one whose index cannot be read, or no folder to write to.
        AccessError: a file that may be there cannot be looked at or opened; nothing is put in quarantine then.
    """
    if is_url(root):
        raise StoreError(f"{root}: verify checks a store in a folder; run it where that lies, before it is copied")
    root, out = Path(root), Path(out or Path(root) / "verify")
    recover(root)
    store = ClipStore.open_as_it_is(root)
    listed, previous = [read_list(store, Path(path)) for path in lists], read_quarantine(root)
    check_writable(root, out)
    recorded, now = read_checksums(root), index_checksums(root)
    first_crc32 = crc32_file(root, now)
    result = Verification(store, look_at_files(store, show_progress), everything, is_writable(root))
    np.copyto(result.crc32, read_crc32(first_crc32, len(store)), where=store.crc32 == 0)
    identity = hashlib.sha256(repr(now).encode() + result.crc32.tobytes()).hexdigest()
    usable = _usable(result)
    check = partial(_check, result, ClipChecker(root, identity, first_crc32), jobs or num_cores(), show_progress)
    check(_first_choice(result, np.flatnonzero(usable), previous, sample, seed), out / "round1.jsonl")
    check(_rest_of_damaged_files(result, np.flatnonzero(usable & ~result.checked)), out / "round2.jsonl")
    _compare(result, usable, listed)
    _keep_first_read(result, first_crc32)
    _keep_checksums(result, recorded, now)
    _keep_quarantine(result, previous)
    for path in out.glob("round*.jsonl"):
        path.unlink()
    return result


def _usable(result: Verification) -> Mask:
    """Note what files and rows of the index say without a clip being read -> (N,) clips that can be read.

    Raises:
        StoreError: no file is there, or the store's rate is not that of its audio.
    """
    store = result.store
    if (result.states.nbytes == MISSING).all():
        raise StoreError(
            f"{store.root}: none of its {len(store.path):,} files is there, as {store.file_path(0)}; is the disk in "
            "place?"
        )
    result.findings += file_findings(store, result.states)
    for row, words in bad_rows(store).items():
        result.note(row, "bad_row", words)
    check_rate(store, np.flatnonzero(result.whole))
    return result.whole


def _compare(result: Verification, usable: Mask, listed: Sequence[Listed]) -> None:
    """Clips with each other, and with the lists."""
    store = result.store
    for row, what, words in (
        *same_ids(store, np.flatnonzero(usable)),
        *same_audio(store, np.flatnonzero(result.whole), result.crc32),
    ):
        result.note(row, what, words)
    for one in listed:
        result.findings += disagreements(store, one, usable)
    result.coverages = coverages(store, result.whole, listed)


def _first_choice(result: Verification, rows: Rows, quarantine: dict[str, str], sample: int, seed: int) -> Rows:
    """Clips to read first: all, or a sample spread over all files, and those in quarantine."""
    if result.everything or sample >= len(rows):
        return rows
    store = result.store
    order = rows[np.lexsort((store.offset[rows], store.file[rows]))]
    edges = np.arange(sample + 1) * len(rows) // max(sample, 1)  # of as many stretches as clips are wanted
    within = uniform(seed, "verify", np.arange(sample))[:, 0] * np.diff(edges)
    spread = order[edges[:-1] + within.astype(np.int64)]
    chosen = np.zeros(len(store), dtype=bool)
    chosen[spread] = True
    chosen[rows[is_listed(store.id[rows], quarantine)]] = True
    if len(store.path) <= sample:
        seen = np.bincount(store.file[chosen], minlength=len(store.path)) > 0
        chosen[order[np.flatnonzero(~seen[store.file[order]] & _is_first(store.file[order]))]] = True
    return np.flatnonzero(chosen)


def _is_first(sorted_values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where a value comes up for the first time."""
    return np.append(True, sorted_values[1:] != sorted_values[:-1])[: len(sorted_values)]


def _rest_of_damaged_files(result: Verification, rows: Rows) -> Rows:
    """Clips of files that are not of their size, or hold a clip that is damaged."""
    return rows[result.suspect_files[result.store.file[rows]]]


def _check(result: Verification, work: ClipChecker, jobs: int, show_progress: bool, rows: Rows, path: Path) -> None:
    """Read the clips, and in a check of everything hash the files that hold several."""
    store = result.store
    result.checked[rows] = True
    missing = result.states.nbytes[store.file[rows]] == MISSING
    for row in rows[missing]:
        result.note(int(row), "missing", "the file is not there")
    rows = rows[~missing]
    clips = np.bincount(store.file[rows], minlength=len(store.path))
    tasks = tasks_of(store, rows, (clips > 1) & result.everything)
    with closing(Ledger(path, work.identity + result.states.identity, tasks)) as ledger:
        for answer in ledger.answers:
            _note(result, answer)
        done = sum(answer.checked for answer in ledger.answers)
        todo = tasks[len(ledger.answers) :]
        try:
            with closing(ordered_map(work, todo, jobs)) as answers:
                for _ in track(_clip_by_clip(result, ledger, answers), len(rows), done, "verify", show_progress):
                    pass
        except BrokenProcessPool as error:
            raise StoreError(
                f"{store.root}: a worker process died, perhaps for want of memory; run the same command again, with "
                "fewer --jobs: it goes on where it stopped"
            ) from error


def _clip_by_clip(result: Verification, ledger: Ledger, answers: Iterator[Answer]) -> Iterator[int]:
    """Keep each answer -> one item for each clip of it, to be counted."""
    for answer in answers:
        ledger.append(answer)
        _note(result, answer)
        yield from range(answer.checked)


def _note(result: Verification, answer: Answer) -> None:
    for row, what, words in answer.faults:
        result.note(row, what, words)
    for row, crc32 in answer.crc32:
        result.crc32[row] = crc32
    if answer.path:
        result.hashed[answer.path] = answer.sha256


def _keep_first_read(result: Verification, path: Path) -> None:
    """Keep the crc32 of clips whose index has none.

    Of a file that holds a damaged clip only those that were known before: the others may be what took their place.
    """
    store = result.store
    before, now = read_crc32(path, len(store)), np.where(store.crc32 == 0, result.crc32, 0)
    new = np.flatnonzero((now != 0) & (before == 0))
    new = new[result.suspect_files[store.file[new]]]
    for file, clips in zip(*np.unique(store.file[new], return_counts=True), strict=True):
        words = f"{clips:,} clips were read for the first time"
        result.findings.append(Finding("", str(store.file_path(int(file))), "file_unproven", words))
    now[new] = 0
    if result.writable:
        write_crc32(path, now)


def _keep_checksums(result: Verification, recorded: dict[str, str], now: dict[str, str]) -> None:
    """Compare checksums with those recorded, and record those of whole files that have none yet."""
    store = result.store
    for name, checksum in now.items():
        written = store.meta.get("index", {}).get(Path(name).stem)  # of a column, when it was written
        if not checksum.startswith(written or recorded.get(name, checksum)):
            result.findings.append(Finding("", str(store.root / name), "index_changed", INDEX_CHANGED))
        else:
            recorded[name] = checksum
    number = {os.fsdecode(path): file for file, path in enumerate(store.path)}
    for name, checksum in result.hashed.items():
        if name in recorded and recorded[name] != checksum:
            result.findings.append(Finding("", str(store.root / name), "file_changed", "not what was recorded"))
        elif checksum and not result.suspect_files[number[name]]:
            recorded[name] = checksum
    if result.writable:
        write_checksums(store.root, recorded)


def _keep_quarantine(result: Verification, previous: dict[str, str]) -> None:
    """Write the damaged clips down; entries that are no verification's, made by hand, stay.

    An index that is not as it was written says nothing of the clips: the quarantine stays what it was, as it does where
    the store cannot be written.
    """
    if result.index_changed or not result.writable:
        result.quarantine = previous
        return
    by_hand = {clip_id: why for clip_id, why in previous.items() if why.partition(":")[0] not in DAMAGED_CLIP}
    found = {result.store.id[row].decode(): f"{what}: {words}" for row, (what, words) in result.damaged.items()}
    result.quarantine = by_hand | found
    if result.quarantine != previous:
        write_quarantine(result.store.root, result.quarantine)
