"""What a report is made of, whatever it is written in: sections with text, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A place in a table; with a `link`, a path relative to the report's folder or a URL."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the columns named in `words` hold text, the others numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A picture in the report's folder, as NAME.png and NAME.svg; `about` is its caption."""

    name: str
    about: str


@dataclass(frozen=True)
class Section:
    """A part of the report. In all texts, words in `backticks` are code."""

    title: str
    text: Sequence[str] = ()
    table: Table | None = None
    notes: Sequence[str] = ()
    commands: Sequence[str] = ()
    pictures: Sequence[Picture] = field(default=())


def table(head: Sequence[str], rows: Sequence[Sequence[Cell | str]], words: Sequence[str] = ()) -> Table:
    """A table without the columns that have nothing in any row."""
    kept = [k for k in range(len(head)) if any(_text(row[k]) not in ("", "-") for row in rows)]
    return Table([head[k] for k in kept], [[row[k] for k in kept] for row in rows], frozenset(words))


def _text(cell: Cell | str) -> str:
    return cell.text if isinstance(cell, Cell) else cell
