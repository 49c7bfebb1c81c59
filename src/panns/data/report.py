"""What became of every clip of an import, in counts and by name."""

import csv
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Column, Table

LEFT_OUT = {
    "missing": "listed, but there is no such file",
    "unreadable": "no audio that soundfile reads, or a truncated file",
    "empty": "no samples",
    "silent": "every sample is zero: no audio to learn from",
    "constant": "every sample has the same value: no audio to learn from",
    "non_finite": "holds NaN or infinite samples",
    "duplicate": "its id is taken by an earlier clip or file, the only one that is read",
    "no_label": "none of its labels is in the class list",
    "needs_pack": "cannot be read where it lies: use `panns pack`",
    "needs_encoding": "no mono MP3 of the store's rate to copy: use --codec flac or pcm",
    "unlisted": "an audio file of no listed clip",
    "empty_row": "a row without a name, of a file missing when the pack was made: its clip counts as missing too",
    "damaged_file": "a file of many clips that cannot be read, or not to its end: its clips are missing",
    "dropped": "taken out by `panns verify --repair`, which keeps a list of them",
}
KEPT = {
    "short": "shorter than a clip: stored at its true length, the reader adds zeros",
    "long": "longer than a clip by more than 0.1 s: only its first seconds are stored",
    "clipped": "10 samples or more at full scale",
    "upsampled": "source rate below the store's: nothing above half the source rate",
    "label_differs": "has other labels in its source: those of the official list are stored",
    "unknown_label": "a label is not in the class list: the others are kept",
    "joined_label": "a label that looks like several and is taken for one: separate labels with `;`",
    "split_label": "cells taken apart at their commas, as none has a `;` and there is no class list to tell",
    "one_label": "no clip has several labels: --single-label makes them one class of many, scored by accuracy",
    "ignored_column": "a column of the manifest that is not read",
}
KINDS = LEFT_OUT | KEPT
OF_ALL = {"one_label", "split_label", "ignored_column"}  # these are of the whole list, and no number of clips
UNCHECKED = {"unchecked": "never read, so without a checksum: `panns verify --all` reads them"}


class Finding(NamedTuple):
    """One thing worth knowing about one clip; `what` is one of `KINDS`."""

    clip_id: str
    path: str
    what: str
    detail: str


class ImportReport:
    """Findings of one import.

    Attributes:
        packed: clips in the store.
        unchecked: those of them that nobody has read yet.
    """

    def __init__(self) -> None:
        self.packed = self.unchecked = 0
        self.findings: list[Finding] = []

    def add(self, what: str, clip_id: str, path: str | Path = "", detail: str = "") -> None:
        """Note one finding; `what` is one of `KINDS`."""
        if what not in KINDS:
            raise ValueError(f"unknown finding {what!r}; one of {', '.join(KINDS)}")
        self.findings.append(Finding(clip_id, str(path), what, detail))

    @property
    def counts(self) -> dict[str, int]:
        """Clips in the store, then findings by kind, zeros included."""
        found = Counter(finding.what for finding in self.findings)
        return {"packed": self.packed, "unchecked": self.unchecked} | {what: found[what] for what in KINDS}

    def write(self, path: Path) -> None:
        """Write one row a finding: `id,path,what,detail`, by kind, then by id."""
        order = {what: number for number, what in enumerate(KINDS)}
        with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["id", "path", "what", "detail"])
            writer.writerows(sorted(self.findings, key=partial(_position, order)))


def _position(order: dict[str, int], finding: Finding) -> tuple[int, Finding]:
    return order[finding.what], finding


def read_report(path: Path) -> ImportReport:
    """The report that `ImportReport.write` wrote; `packed` and `unchecked` are not in it."""
    report = ImportReport()
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        report.findings = [Finding(*row) for row in list(csv.reader(file))[1:]]
    return report


def print_counts(counts: dict[str, int], console: Console | None = None) -> None:
    """Print the counts of a report as a table: what is left out and what is kept with something to know, if any is."""
    table = Table("", Column("clips", justify="right"), "what it means", box=None)
    table.add_row("packed", f"{counts['packed']:,}", "clips in the store")
    for title, kinds in (("left out", LEFT_OUT), ("in the store, but", UNCHECKED | KEPT)):
        found = {what: count for what in kinds if (count := counts.get(what, 0))}
        clips = sum(count for what, count in found.items() if what not in OF_ALL)
        table.add_row(title, f"{clips:,}", "in all" if found else "none")
        for what, count in found.items():
            table.add_row(f"  {what.replace('_', ' ')}", "" if what in OF_ALL else f"{count:,}", kinds[what])
    (console or Console()).print(table)
