"""Tables IV to XVIII of the paper, from `assets/tables.csv`."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

RUN_TO_RUN = 0.005  # mAP: three runs of one recipe by the authors, on AudioSet, lay this far apart


class NotPublishedError(ValueError):
    """The paper has no such row."""


@dataclass(frozen=True)
class Entry:
    """One row of a table; None where nothing was published.

    Attributes:
        table: Its number, such as "XI".
        row: What it is called there, such as "CNN14".
        run: Key of the row that stands for the same training run: its own, or that of Table XI.
        mAP: Mean average precision on AudioSet's evaluation set (Tables IV to XII); mAUC and d_prime likewise.
        accuracy: Of the tasks of Tables XIII to XVIII but XV, which has mAP_at_3.
        parameters: Table XII's; released parameters that are never used are among them.
        multi_adds: Table XII's for a 10-s clip, in 1e9.
        iteration: At which the numbers were read.
        note: What else one must know.
    """

    table: str
    row: str
    run: str
    mAP: float | None
    mAUC: float | None
    d_prime: float | None
    accuracy: float | None
    mAP_at_3: float | None
    parameters: int | None
    multi_adds: float | None
    iteration: int | None
    note: str

    @property
    def key(self) -> str:
        """ "TABLE/ROW", by which the row is found."""
        return f"{self.table}/{self.row}"


def entry(key: str) -> Entry:
    """The row with a key such as "XI/CNN14".

    Raises:
        NotPublishedError: there is none; the message names those of the table.
    """
    if key not in tables():
        table = key.partition("/")[0]
        near = [known for known, one in tables().items() if one.table == table]
        known = ", ".join(map(repr, near)) or f"{table!r} is none of {', '.join(dict.fromkeys(_table_numbers()))}"
        raise NotPublishedError(f"The paper's tables have no row {key!r} (TABLE/ROW): {known}.")
    return tables()[key]


@cache
def tables() -> dict[str, Entry]:
    """All rows by key, in the paper's order."""
    read = [_read(row) for row in rows_of("tables.csv")]
    by_key = {one.key: one for one in read}
    return {one.key: replace(by_key[one.run], table=one.table, row=one.row, note=one.note) for one in read}


def rows_of(asset: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV of this package, its comments left out."""
    text = (resources.files("panns.published") / "assets" / asset).read_text(encoding="utf-8")
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))


def _table_numbers() -> list[str]:
    return [one.table for one in tables().values()]


def _read(row: dict[str, str]) -> Entry:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    def whole(name: str) -> int | None:
        return int(row[name]) if row[name] else None

    return Entry(
        table=row["table"],
        row=row["row"],
        run=row["same_as"] or f"{row['table']}/{row['row']}",
        mAP=number("mAP"),
        mAUC=number("mAUC"),
        d_prime=number("d_prime"),
        accuracy=number("accuracy"),
        mAP_at_3=number("mAP_at_3"),
        parameters=whole("parameters"),
        multi_adds=number("multi_adds"),
        iteration=whole("iteration"),
        note=row["note"],
    )
