"""What a verification leaves to read: a summary, the findings by name, counts of each class, and a picture."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from panns.data.quarantine import told
from panns.data.verification.checksums import CHECKSUMS
from panns.data.verification.coverage import Coverage
from panns.data.verification.kinds import DAMAGED_CLIP, DAMAGED_FILE, LEAK, NOTED
from panns.data.verification.picture import class_coverage
from panns.data.verification.result import Verification

WIDTH = 140


def write_report(result: Verification, out: Path, repairing: bool = False) -> None:
    """Write report.txt, findings.csv, classes.csv and class_coverage.png into a folder.

    Args:
        result: of `verify`.
        out: the folder.
        repairing: what is damaged is dropped next: nothing is said of the quarantine.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / "report.txt").open("w", encoding="utf-8", errors="surrogateescape") as file:
        print_report(result, Console(file=file, width=WIDTH), repairing)
    with (out / "findings.csv").open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "path", "what", "detail"])
        writer.writerows(result.all_findings)
    with (out / "classes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(_class_rows(result))
    class_coverage([label.name for label in result.store.classes], result.coverages, out / "class_coverage.png")


def print_report(result: Verification, console: Console, repairing: bool = False) -> None:
    """Print what was checked and found, in counts; `repairing` as in `write_report`."""
    store = result.store
    classes = f"{store.num_classes} classes"
    console.print(f"{store.root}: {store.name}, {len(store):,} clips in {len(store.path):,} files, {classes}")
    read = int(result.checked.sum())
    how = "all" if read == len(store) else f"a sample of {read / len(store):.2%}; --all checks each"
    hashed = f"{len(result.hashed):,} files hashed" if result.hashed else "no file hashed"
    console.print(f"checked {read:,} clips ({how}), {hashed}\n", highlight=False)
    console.print(_coverage_table(result.coverages))
    console.print()
    console.print(_findings_table(result.counts))
    console.print()
    if unread := int(np.count_nonzero(result.crc32 == 0)):
        console.print(f"{unread:,} clips were indexed without being read: --all reads them and keeps a crc32 of each")
    if not repairing and (quarantine := told(store.root, store.id)):
        console.print(quarantine, highlight=False)
    where = "" if result.everything else " in what was checked"
    console.print("damage was found" if not result.is_whole else f"no damage{where}")
    kept = f"checksums: {store.root / CHECKSUMS}"
    unkept = f"{store.root}: read-only, so checksums and quarantine could not be kept there"
    console.print(kept if result.writable else unkept, highlight=False)


def _coverage_table(coverages: Sequence[Coverage]) -> Table:
    table = Table("split", Column("clips", justify="right"), box=None)
    totals = {"listed": [one.official for one in coverages], "PANNs had": [one.panns for one in coverages]}
    known = {name: values for name, values in totals.items() if any(values)}
    for name in known:
        table.add_column(name, justify="right")
        table.add_column("", justify="right")
    table.add_column("classes", justify="right")
    for i, one in enumerate(coverages):
        numbers = [text for values in known.values() for text in _share(one.clips, values[i])]
        possible = f" of {np.count_nonzero(one.reference)}" if one.reference is not None else ""
        table.add_row(one.name, f"{one.clips:,}", *numbers, f"{np.count_nonzero(one.per_class)}{possible}")
    return table


def _share(clips: int, total: int | None) -> tuple[str, str]:
    return (f"{total:,}", f"{100 * clips / total:.1f} %") if total else ("", "")


def _findings_table(counts: Mapping[str, int]) -> Table:
    table = Table("", Column("found", justify="right"), "what it means", box=None)
    for title, kinds in (
        ("damaged clips", DAMAGED_CLIP),
        ("damaged files", DAMAGED_FILE),
        ("twice", LEAK),
        ("worth knowing", NOTED),
    ):
        table.add_row(f"{title}:")
        for what, meaning in kinds.items():
            style = "dim" if not counts[what] else "" if kinds is NOTED else "bold red"
            table.add_row(f"  {what.replace('_', ' ')}", f"{counts[what]:,}", meaning, style=style)
    return table


def _class_rows(result: Verification) -> Iterable[list[object]]:
    """One row a class: its clips in each split, and what there could be."""
    known = [one for one in result.coverages if one.reference is not None]
    header = [*(one.name for one in result.coverages), *(f"{one.name} in {one.reference_name}" for one in known)]
    yield ["index", "mid", "class", *header]
    for k, label in enumerate(result.store.classes):
        ours = [int(one.per_class[k]) for one in result.coverages]
        could_be = [int(one.reference[k]) for one in known if one.reference is not None]
        yield [k, label.mid, label.name, *ours, *could_be]
