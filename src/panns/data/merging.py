"""One store of several: their indexes are joined, their shards stay where they are and as they are.

`merge_parts` joins the parts that `pack` or `index` made of one clip list into the store that an undivided import
gives: the same clips in the same order. `merge` joins finished stores of one form, as of splits that were packed apart.
Either can be stopped at any time and run again.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain, groupby
from pathlib import Path

import numpy as np
from filelock import FileLock

from panns.data.first_crc32 import crc32_file, forget_crc32, map_crc32, write_crc32
from panns.data.index import CLIP_COLUMNS, COLUMNS, load_columns, write_index
from panns.data.journal import differences
from panns.data.parts import Part, find_parts, part_folder
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.report import Finding, ImportReport, read_report
from panns.data.selection import is_listed
from panns.data.store import ClipStore
from panns.data.store_files import CHECKSUM, FORMAT
from panns.data.verification.checksums import CHECKSUMS, index_checksums
from panns.data.verification.repairing import DROPPED, read_dropped

SAME = ("sample_rate", "clip_seconds", "single_label", "classes")  # what stores must have in common
OWN = {"index", "index.tmp", ".meta.json.part", "report.csv", "quarantine.csv"}  # what a stopped merge leaves
MAX_SHOWN = 5  # names in a message


class MergeError(ValueError):
    """Stores that do not make one; the message says which, and what to do."""


def merge_parts(store: str | Path) -> ImportReport:
    """Make the store of all its parts.

    Raises:
        MergeError: parts are missing, unfinished, or of different clip lists or settings; or a repair would be undone.
        StoreError: a part's files are not there or not whole.
    """
    store = Path(store)
    _check_not_repaired(store)
    folders = _all_parts(store)
    parts = [ClipStore.open(folder) for folder in folders]
    plans = [{key: value for key, value in part.meta["plan"].items() if key != "part"} for part in parts]
    for folder, plan in zip(folders, plans, strict=True):
        if plan != plans[0]:
            raise MergeError(f"{folder}: made otherwise than the first part ({differences(plans[0], plan)}); {_ANEW}")
    lists = Counter(part.meta["clip_list"] for part in parts)
    usual = lists.most_common(1)[0][0]
    if others := [part.root for part in parts if part.meta["clip_list"] != usual]:
        raise MergeError(
            f"{_names(others)}: made of another list of clips than the other parts, as files came or went meanwhile; "
            f"{_ANEW}"
        )
    return _merge(parts, store, plans[0], str(parts[0].meta["name"]))


_ANEW = "delete its folder and run its command again"


def merge(stores: Sequence[str | Path], out: str | Path, name: str | None = None) -> ImportReport:
    """Make a store `out` of finished stores that differ in their clips alone.

    Args:
        stores: their folders.
        out: folder of the new store, which refers to the files of the others: keep them.
        name: of the new store; default: the name of its folder.

    Raises:
        MergeError: another rate, clip length or class list, or a clip that is in two stores; or a repair would be
            undone.
        StoreError: no store, or files that are not there or not whole.
    """
    out = Path(out)
    _check_not_repaired(out)
    opened = [ClipStore.open(store) for store in stores]
    for store in opened[1:]:
        if unlike := [key for key in SAME if store.meta[key] != opened[0].meta[key]]:
            raise MergeError(
                f"{store.root}: differs from {opened[0].root} in {', '.join(unlike)}; pack both with the same settings"
            )
    plan = {"command": "merge", "stores": [store.meta["plan"] for store in opened]}
    return _merge(opened, out, plan, name or out.resolve().name)


def _all_parts(store: Path) -> list[Path]:
    """Folders of all n parts, in order."""
    found = find_parts(store)
    if not found:
        raise MergeError(f"{store}: holds no parts; make them with `panns pack ... --part k/n --out {store}`")
    if len(numbers := sorted({part.of for part, _ in found})) > 1:
        raise MergeError(
            f"{store}: holds parts of {' and of '.join(map(str, numbers))}; delete those that are not meant"
        )
    of = numbers[0]
    folders = [part_folder(store, Part(number, of)) for number in range(1, of + 1)]
    undone = [number for number, folder in enumerate(folders, start=1) if not (folder / "meta.json").exists()]
    if undone:
        raise MergeError(
            f"{store}: part {_ranges(undone)} of {of} is not finished; run its command (again): it goes on where it "
            "stopped"
        )
    return folders


def _ranges(numbers: Sequence[int]) -> str:
    """[1, 2, 3, 7] -> "1-3, 7"."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _names(paths: Sequence[Path]) -> str:
    rest = len(paths) - MAX_SHOWN
    return ", ".join(map(str, paths[:MAX_SHOWN])) + (f" and {rest} more" if rest > 0 else "")


def _merge(stores: Sequence[ClipStore], out: Path, plan: dict, name: str) -> ImportReport:
    report = ImportReport()
    for store in stores:
        report.findings += read_report(store.root / "report.csv").findings
        report.findings += chain.from_iterable(_dropped(store, repair) for repair in _own_repairs(store.meta))
        report.packed += len(store)
        report.unchecked += int(np.count_nonzero(store.crc32 == 0))
    if not report.packed:
        raise MergeError(f"{out}: none of the {len(stores)} parts has a clip; {stores[0].root / 'report.csv'} says why")
    splits = list(dict.fromkeys(split for store in stores for split in store.splits))
    meta = {key: stores[0].meta[key] for key in SAME}
    meta |= {"format": FORMAT, "name": name, "splits": splits, "plan": plan, "counts": report.counts}
    meta["created"] = {"tool": "panns", "version": version("panns")}
    if repairs := _repairs(stores, out):
        meta["repairs"] = repairs
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{out}.lock"):
        _check_free(out, plan)
        columns = _join(stores, out, splits)
        if not _is_there(out, columns, meta):
            report.write(out / "report.csv")
            _join_quarantines(stores, out, columns["id"])
            _forget_checksums(out)
            write_index(out, columns, meta)
            _join_first_crc32(stores, out)
    return report


def _forget_checksums(out: Path) -> None:
    """Those that `panns verify` kept are of the store that an earlier merge made; its next run keeps new ones."""
    (out / CHECKSUMS).unlink(missing_ok=True)
    forget_crc32(out)


def _join_first_crc32(stores: Sequence[ClipStore], out: Path) -> None:
    """What verifications of the stores have read of clips whose index has no crc32 holds for the new one too."""
    read = [map_crc32(store.root, len(store)) for store in stores]
    if any(crc32 is not None for crc32 in read):
        unread = [np.zeros(len(store), dtype=np.uint32) for store in stores]
        joined = [none if crc32 is None else crc32 for crc32, none in zip(read, unread, strict=True)]
        write_crc32(crc32_file(out, index_checksums(out)), np.concatenate(joined))


def _join_quarantines(stores: Sequence[ClipStore], out: Path, ids: np.ndarray) -> None:
    """What must not be used in one of the stores must not be used in the new one; what is in none is forgotten."""
    entries = read_quarantine(out)
    for store in stores:
        entries |= read_quarantine(store.root)
    known = set(ids[is_listed(ids, entries)].tolist())
    write_quarantine(out, {clip_id: why for clip_id, why in entries.items() if clip_id.encode() in known})


def _own_repairs(meta: dict) -> list[dict]:
    """Repairs of a store itself; those of stores that it was merged of name a folder elsewhere."""
    return [repair for repair in meta.get("repairs", []) if "/" not in repair["before"]]


def _repairs(stores: Sequence[ClipStore], out: Path) -> list[dict]:
    """All repairs of the stores, as the new store names their folders."""
    return [
        repair | {"before": _seen_from(out, store, [repair["before"]])[0]}
        for store in stores
        for repair in store.meta.get("repairs", [])
    ]


def _dropped(store: ClipStore, repair: dict) -> list[Finding]:
    """The clips that a repair dropped; they count even where their names are lost."""
    path = store.root / repair["before"] / DROPPED
    if not path.exists():
        return [Finding("", str(path), "dropped", "the list of their names is not there")] * repair["dropped"]
    return [
        Finding(clip["id"], clip["path"], "dropped", f"{clip['what']}: {clip['detail']}") for clip in read_dropped(path)
    ]


def _is_there(out: Path, columns: dict[str, np.ndarray], meta: dict) -> bool:
    """Whether an earlier merge made the same: a store that may be in use is not written again."""
    if {key: value for key, value in (_meta(out) or {}).items() if key not in ("index", CHECKSUM)} != meta:
        return False
    try:
        there = load_columns(out)
    except (OSError, ValueError, EOFError):
        return False
    return all(np.array_equal(there[name], columns[name]) for name in COLUMNS)


def _meta(out: Path) -> dict | None:
    """What meta.json holds, None without one."""
    path = out / "meta.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _check_not_repaired(out: Path) -> None:
    """Refuse to bring back what `panns verify --repair` has dropped."""
    if repairs := _own_repairs(_meta(out) or {}):
        dropped = sum(repair["dropped"] for repair in repairs)
        raise MergeError(
            f"{out}: is a finished store that was repaired, and merging again would bring back the {dropped} damaged "
            f"clips that were dropped (see {out / repairs[-1]['before']}); use it as it is, or say --out NEW to merge "
            "into another folder"
        )


def _check_free(out: Path, plan: dict) -> None:
    """Refuse a folder that holds something else than the parts, or what an earlier merge of the same left."""
    if (meta := _meta(out)) is not None:
        if meta["plan"] != plan:
            was = differences(meta["plan"], plan)
            raise MergeError(f"{out}: holds a finished store made otherwise ({was}); choose another folder")
    elif not (out / "parts").exists() and (foreign := {path.name for path in out.iterdir()} - OWN):
        raise MergeError(f"{out}: holds {min(foreign)} and no store; choose a new folder")


def _join(stores: Sequence[ClipStore], out: Path, splits: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns of all stores one after the other."""
    columns = {key: np.concatenate([getattr(store, key) for store in stores]) for key in COLUMNS}
    _check_new(columns["id"], stores)
    paths = [path for store in stores for path in _paths(store, out)]
    number = {path: i for i, path in enumerate(dict.fromkeys(paths))}
    columns["path"] = np.array([os.fsencode(path) for path in number], dtype=np.bytes_)
    sizes = dict(zip(paths, columns["file_bytes"].tolist(), strict=True))
    columns["file_bytes"] = np.array([sizes[path] for path in number], dtype=np.int64)
    files = np.array([number[path] for path in paths], dtype=CLIP_COLUMNS["file"])
    first = np.cumsum([0, *(len(store.path) for store in stores)])
    columns["file"] = np.concatenate([files[store.file + first[i]] for i, store in enumerate(stores)])
    place = [np.array([splits.index(split) for split in store.splits], dtype="u1") for store in stores]
    columns["split"] = np.concatenate([place[i][store.split] for i, store in enumerate(stores)])
    labels = np.cumsum([0, *(len(store.label_idx) for store in stores)])
    ends = [store.label_ptr[1:] + labels[i] for i, store in enumerate(stores)]
    columns["label_ptr"] = np.concatenate([[0], *ends])
    return columns


def _check_new(ids: np.ndarray, stores: Sequence[ClipStore]) -> None:
    """Refuse an id that is in two of the stores."""
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if not len(twice):
        return
    ends = np.cumsum([len(store) for store in stores])
    one, other = (stores[np.searchsorted(ends, order[twice[0] + k], side="right")].root for k in (0, 1))
    raise MergeError(
        f"{len(twice)} clips are in two stores, as {ids[order[twice[0]]].decode()} in {one} and in {other}; take the "
        "doubled clips out of one of the lists and pack it again"
    )


def _paths(store: ClipStore, out: Path) -> list[str]:
    """The store's files as the new store names them."""
    return _seen_from(out, store, [os.fsdecode(path) for path in store.path])


def _seen_from(out: Path, store: ClipStore, paths: Sequence[str]) -> list[str]:
    """Paths of a store as the new store names them: relative where they lie beside or below it, else absolute."""
    root, base = out.resolve(), store.root.resolve()
    inside = str(root.parent).rstrip("/") + "/"
    full = [os.path.normpath(path if path.startswith("/") else f"{base}/{path}") for path in paths]
    return [os.path.relpath(path, root) if path.startswith(inside) else path for path in full]
