"""The quarantine of a store: clips that are there and that no run is to use, each with the reason."""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from panns.data.selection import Ids, is_listed, names_no_clip
from panns.data.store_files import StoreError
from panns.whole_files import written_whole

QUARANTINE = "quarantine.csv"
HEADER = ["id", "why"]
SHOWN = 3


def read_quarantine(root: Path) -> dict[str, str]:
    """Clip id and reason of each clip in quarantine; none where there is no such list.

    Raises:
        StoreError: a list of another form: what it was meant to keep out cannot be known.
    """
    path = root / QUARANTINE
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"{path}: not a CSV in UTF-8 ({error}); delete it and run `panns verify {root}`") from error
    wrong = next((number for number, row in enumerate(rows, start=2) if len(row) != len(HEADER)), None)
    if header != HEADER or wrong is not None:
        raise StoreError(
            f"{path}, line {wrong or 1}: expected `id,why`; correct it, or delete the file and verify anew"
        )
    return dict(rows)


def write_quarantine(root: Path, entries: Mapping[str, str]) -> None:
    """Replace the list, in one step; an empty one is removed."""
    path = root / QUARANTINE
    if not entries:
        path.unlink(missing_ok=True)
        return
    with written_whole(path, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *sorted(entries.items())])


def told(root: Path, ids: Ids) -> str:
    """The quarantine of a store of these clips in words; empty if there is no list."""
    entries = read_quarantine(root)
    if not entries:
        return ""
    here = int(is_listed(ids, entries).sum())
    return f"{here:,} clips in quarantine, left out by every run: {root / QUARANTINE}{lines_of_no_clip(entries, ids)}"


def lines_of_no_clip(entries: Mapping[str, str], ids: Ids) -> str:
    """`; ...` about lines of a quarantine, made by hand perhaps, that keep nothing out; empty if all do."""
    if not (unknown := names_no_clip(ids, entries)):
        return ""
    shown = ", ".join(map(repr, unknown[:SHOWN])) + (", ..." if len(unknown) > SHOWN else "")
    return f"; {len(unknown):,} of its lines name no clip of the store: {shown}"


def ids_fingerprint(ids: Iterable[bytes]) -> dict[str, int | str]:
    """Number and hash of clip ids, whatever their order; no hash of none."""
    known = sorted(ids)
    return {"clips": len(known), "id_hash": hashlib.sha256(b"\n".join(known)).hexdigest()[:12] if known else ""}
