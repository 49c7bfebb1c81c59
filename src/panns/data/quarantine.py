"""The quarantine of a store: clips that are there and that no run is to use, each with the reason."""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from panns.data.store_files import StoreError
from panns.whole_files import written_whole

QUARANTINE = "quarantine.csv"
HEADER = ["id", "why"]


def read_quarantine(root: Path) -> dict[str, str]:
    """Clip id and reason of each clip in quarantine; none where there is no such list.

    Raises:
        StoreError: a list of another form: what it was meant to keep out cannot be known.
    """
    path = root / QUARANTINE
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
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


def ids_fingerprint(ids: Iterable[bytes]) -> dict[str, int | str]:
    """Number and hash of clip ids, whatever their order; no hash of none."""
    known = sorted(ids)
    return {"clips": len(known), "id_hash": hashlib.sha256(b"\n".join(known)).hexdigest()[:12] if known else ""}
