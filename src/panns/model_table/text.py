"""The table in words: aligned for a terminal, or as Markdown between two markers of a file."""

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from panns.model_table.rows import Row
from panns.whole_files import written_whole

START, END = "<!-- model-table -->", "<!-- /model-table -->"
UNUSED = "†"  # marks parameters without those that the released class has and never uses
LEFT = ("model", "source")  # columns of words; the others hold numbers


class ModelTableError(ValueError):
    """A file has no place for the table."""


# Heading, width in a terminal, and what stands in a row; the first column is as wide as the longest name.
COLUMNS: tuple[tuple[str, int, Callable[[Row], str]], ...] = (
    ("model", 0, lambda row: row.name),
    ("mAP", 5, lambda row: _score(row)[0]),
    ("source", 10, lambda row: _score(row)[1]),
    ("parameters", 12, lambda row: f"{row.parameters:,}{UNUSED if row.unused else ''}"),
    ("multi-adds", 10, lambda row: f"{row.multi_adds / 1e9:.3f} G"),
    ("MACs", 8, lambda row: f"{row.macs / 1e9:.3f} G"),
    ("min samples", 11, lambda row: f"{row.min_samples:,}"),
    ("min s", 6, lambda row: _seconds(row.min_samples / row.sample_rate)),
    ("Hz", 6, lambda row: f"{row.sample_rate:,}"),
    ("clips/s", 7, lambda row: "-" if row.clips_per_second is None else f"{row.clips_per_second:.2f}"),
)
TITLES = [title for title, _, _ in COLUMNS]


def heading(names: Sequence[str]) -> str:
    """The heading in a terminal of a table with these models."""
    return _line(TITLES, names)


def line(row: Row, names: Sequence[str]) -> str:
    """One of its rows."""
    return _line([cell(row) for _, _, cell in COLUMNS], names)


def markdown(rows: Sequence[Row]) -> str:
    """The whole table and its notes."""
    cells = [TITLES, ["---" if title in LEFT else "---:" for title in TITLES]]
    cells += [[cell(row) for _, _, cell in COLUMNS] for row in rows]
    table = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([*table, "", *(f"- {note}" for note in notes(rows))])


def notes(rows: Sequence[Row]) -> list[str]:
    """What the columns mean, how they compare with the paper, and what the speed was measured on."""
    found = [
        "mAP: on AudioSet's evaluation set, from the paper's table, or of the released checkpoint where it has none.",
        "multi-adds: for a 10-s clip as the paper counts (multiplications and additions one each, batch norms and the "
        "STFT among them). MACs: multiply-accumulates of convolutions and matrix products alone.",
        "min: the shortest clip that the model takes.",
    ]
    if compared := [row for row in rows if row.equals_table_xii is not None]:
        different = [row.name for row in compared if not row.equals_table_xii]
        found.append(
            f"Table XII has parameters and multi-adds of {len(compared)} of these models: "
            + (f"{', '.join(different)} differ from it." if different else "all are equal.")
        )
    found += [f"{UNUSED} {_unused(row)}" for row in rows if row.unused]
    if any(row.clips_per_second is not None for row in rows):
        found.append(
            f"clips/s: 10-s clips one at a time on one of {os.cpu_count()} CPU cores ({platform.machine()}), "
            f"batch norms folded, torch {torch.__version__}."
        )
    return found


def write_between_markers(text: str, path: Path) -> None:
    """Replaces what stands between START and END in a file, whole or not at all.

    Raises:
        ModelTableError: If the file does not have the two markers, once each and in this order.
    """
    before, after = around_markers(path)
    with written_whole(path) as file:
        file.write(f"{before}{START}\n{text}\n{END}{after}")


def around_markers(path: Path) -> tuple[str, str]:
    """-> what stands in front of START and behind END; raises as `write_between_markers`."""
    if not path.is_file():
        raise ModelTableError(f"{path}: there is no such file; make it with {START} and {END} where the table goes.")
    before, start, rest = path.read_text().partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in rest or END in after:
        raise ModelTableError(f"{path} has no place for the table: put {START} and {END} there, on lines of their own.")
    return before, after


def _line(cells: Sequence[str], names: Sequence[str]) -> str:
    widths = [max(map(len, ["model", *names])), *(width for _, width, _ in COLUMNS[1:])]
    padded = (
        cell.ljust(width) if title in LEFT else cell.rjust(width)
        for title, cell, width in zip(TITLES, cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _score(row: Row) -> tuple[str, str]:
    known = row.published.score if row.published else None
    return (f"{known[0]:.3f}", known[1]) if known else ("-", "-")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds >= 0.005 else "< 0.01"


def _unused(row: Row) -> str:
    assert row.published is not None
    parts = ", ".join(f"{name} {size:,}" for name, size in row.unused.items())
    return (
        f"{row.name}: the released {row.published.released_class} has {sum(row.unused.values()):,} parameters more, "
        f"which it never uses: {parts}."
    )
