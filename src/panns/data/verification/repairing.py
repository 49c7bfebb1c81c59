"""`repair`: a store of what is whole. What is dropped stays in a folder of its own."""

import csv
import json
import os
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np

from panns.data.first_crc32 import crc32_file, write_crc32
from panns.data.index import CLIP_COLUMNS, COLUMNS, write_index
from panns.data.quarantine import QUARANTINE, write_quarantine
from panns.data.store import ClipStore
from panns.data.store_files import StoreError
from panns.data.verification.checksums import CHECKSUMS, INDEX_CHANGED, index_checksums, read_checksums, write_checksums
from panns.data.verification.result import Verification
from panns.data.verification.writing import is_writable

PENDING = ".repairing"  # names the folder with the former index while the index is exchanged
KEPT = ("meta.json", QUARANTINE, CHECKSUMS)
DROPPED = "dropped.csv"


def repair(result: Verification) -> tuple[Path, int]:
    """Write the index anew without the damaged clips and with the files as they are now.

    No audio is touched. The former index, its quarantine and checksums, and a list of the clips that were dropped go
    into the folder `before-repair-<time>` of the store.

    Returns:
        That folder, and how many clips were dropped.

    Raises:
        StoreError: no clip is whole, or the index itself is not what it was.
    """
    store, keep = result.store, result.whole
    if result.index_changed:
        raise StoreError(f"{result.index_changed[0]}: {INDEX_CHANGED}; what it says of the clips cannot be relied on")
    if not keep.any():
        raise StoreError(f"{store.root}: not one clip is whole: nothing to keep; make the store anew")
    aside = _set_aside(result)
    columns, dropped = _kept_columns(result), int((~keep).sum())
    gone = {*store.id[~keep].tolist()} - {*columns["id"].tolist()}
    meta = json.loads((store.root / "meta.json").read_text(encoding="utf-8"))
    meta["repairs"] = [*meta.get("repairs", []), {"dropped": dropped, "before": aside.name}]
    (store.root / PENDING).write_text(aside.name, encoding="utf-8")
    write_index(store.root, columns, meta)
    write_quarantine(store.root, {i: why for i, why in result.quarantine.items() if i.encode() not in gone})
    now = index_checksums(store.root)
    write_crc32(crc32_file(store.root, now), np.where(store.crc32 == 0, result.crc32, 0)[keep])
    _renew_checksums(result, now, {os.fsdecode(path) for path in columns["path"]})
    (store.root / PENDING).unlink()
    ClipStore.open(store.root)
    return aside, dropped


def recover(root: Path) -> None:
    """Undo a repair that was stopped while it exchanged the index: the store is as it was before.

    Raises:
        StoreError: the store cannot be written.
    """
    pending = root / PENDING
    if not pending.exists():
        return
    if not is_writable(root):
        raise StoreError(f"{root}: a repair was stopped halfway; make the folder writable and run the same again")
    aside = root / pending.read_text(encoding="utf-8")
    (root / "meta.json").unlink(missing_ok=True)
    shutil.rmtree(root / "index", ignore_errors=True)
    shutil.copytree(aside / "index", root / "index")
    for name in (QUARANTINE, CHECKSUMS, "meta.json"):  # meta.json last: with it there is a store
        if (aside / name).exists():
            shutil.copy2(aside / name, root / name)
    pending.unlink()


def _set_aside(result: Verification) -> Path:
    """Copy what will be written anew -> the folder of the copies, there wholly or not at all."""
    root, temporary = result.store.root, result.store.root / ".before-repair.part"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    shutil.copytree(root / "index", temporary / "index")
    for name in KEPT:
        if (root / name).exists():
            shutil.copy2(root / name, temporary / name)
    _write_dropped(result, temporary / DROPPED)
    aside = root / datetime.now().strftime("before-repair-%Y-%m-%d_%H-%M-%S-%f")
    os.sync()
    temporary.rename(aside)
    return aside


def _write_dropped(result: Verification, path: Path) -> None:
    """One row a clip that goes: all that the index knows of it, and why."""
    store = result.store
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "split", "labels", "start_ms", "path", "offset", "nbytes", "crc32", "what", "detail"])
        for row, fault in sorted(result.damaged.items()):
            split = store.splits[store.split[row]] if store.split[row] < len(store.splits) else ""
            labels = ";".join(store.classes[k].mid for k in store.labels(row) if k < store.num_classes)
            numbers = [int(getattr(store, name)[row]) for name in ("start_ms", "offset", "nbytes", "crc32")]
            where = [numbers[0], result.path(row), *numbers[1:]]
            writer.writerow([store.id[row].decode(), split, labels, *where, *fault])


def read_dropped(path: Path) -> list[dict[str, str]]:
    """The rows of such a list."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def _kept_columns(result: Verification) -> dict[str, np.ndarray]:
    """The columns of the clips that are whole, and of their files."""
    store, rows = result.store, np.flatnonzero(result.whole)
    columns = {name: getattr(store, name)[rows] for name in (*CLIP_COLUMNS, "id")}
    files, number = np.unique(columns["file"], return_inverse=True)
    counts, labels = store.labels_of(rows)
    columns["file"] = number.astype(CLIP_COLUMNS["file"])
    columns["label_ptr"] = np.concatenate([[0], np.cumsum(counts)]).astype(store.label_ptr.dtype)
    columns["label_idx"] = labels.astype(store.label_idx.dtype)
    columns["path"] = store.path[files]
    columns["file_bytes"] = result.states.nbytes[files].astype(store.file_bytes.dtype)
    assert set(columns) == set(COLUMNS)
    return columns


def _renew_checksums(result: Verification, now: dict[str, str], paths: set[str]) -> None:
    """Checksums of the new index, of the files that are as they were, and of those accepted as they are now."""
    root = result.store.root
    suspect = {os.fsdecode(path) for path in result.store.path[result.suspect_files]}
    sums = {name: checksum for name, checksum in read_checksums(root).items() if name not in suspect}
    hashed = {name: checksum for name, checksum in result.hashed.items() if checksum}
    kept = {name: checksum for name, checksum in (sums | hashed).items() if name in paths}
    write_checksums(root, kept | now)
