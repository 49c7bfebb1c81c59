"""Lists of clips as people write them: tables with a header, and the JSON of AST."""

import csv
import json
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from panns.data.importers import SourceError
from panns.data.labels import read_lines

LINE = "line number"  # key under which a row keeps where it stands
DELIMITERS = (",", "\t", ";", "|")


class AstItem(NamedTuple):
    """One clip of an AST manifest; labels are mids separated by commas."""

    path: str
    labels: str


def read_rows(path: Path, required: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows of a table with a header, by column name, each with its line number under `LINE`.

    Its columns are separated by the one of `DELIMITERS` that makes the required names appear in the first line.

    Raises:
        SourceError: no rows, a column missing or there twice, a row with more or fewer fields than the header, or a
            quote not closed.
    """
    lines = read_lines(path)
    if not any(line.strip() for line in lines):
        raise SourceError(f"{path}: an empty file; its first line names the columns, {', '.join(required)}, ...")
    delimiter = next((d for d in DELIMITERS if set(required) <= set(_cells(lines[0], d))), ",")
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, skipinitialspace=True)
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in required if name not in header]
    if missing:
        raise SourceError(
            f"{path}: the first line must name the columns, with {', '.join(required)} among them; found {lines[0]!r}"
        )
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise SourceError(f"{path}: two columns are named {twice[0]!r} in the first line; rename or remove one")
    empty, last = True, reader.line_num
    for fields in reader:
        first, last = last + 1, reader.line_num
        if not fields:
            continue
        if len(fields) != len(header):
            raise SourceError(
                f"{path}, line {reader.line_num}: {len(fields)} fields where the header has {len(header)}; put a field "
                f"that holds {delimiter!r} in double quotes"
            )
        row = dict(zip(header, (field.strip() for field in fields), strict=True))
        if any("\n" in row[name] for name in required):
            raise SourceError(f"{path}, lines {first} to {last}: one field; close the double quote in its line")
        empty = False
        yield row | {LINE: str(last)}
    if empty:
        raise SourceError(f"{path}: a header and no rows below it; list one clip a line")


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]


def read_ast(path: Path) -> list[AstItem]:
    """Clips of a manifest of AST, PSLA, SSAST and others: `{"data": [{"wav": path, "labels": "/m/..,/m/.."}]}`.

    Raises:
        SourceError: no such JSON, or no clips in it.
    """
    try:
        items = json.loads("\n".join(read_lines(path)))["data"]
        found = [AstItem(_text(item, "wav"), _text(item, "labels")) for item in items]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f'{path}: not of the form {{"data": [{{"wav": path, "labels": "/m/..,/m/.."}}, ...]}} '
            f"({type(error).__name__}: {error})"
        ) from error
    if not found:
        raise SourceError(f"{path}: no clips in its list `data`")
    return found


def _text(item: dict[str, Any], key: str) -> str:
    if not isinstance(item[key], str):
        raise TypeError(f"{key} is {item[key]!r}, which is no text")
    return str(item[key])


def label_separator(cells: Iterable[str]) -> str:
    """What separates the labels of all cells of one file: `;` if it stands in any of them, else `,`."""
    return ";" if any(";" in cell for cell in cells) else ","


def split_labels(cell: str, separator: str, names: Container[str]) -> list[str]:
    """Labels of one cell: the whole cell where that is one of the `names`, which may hold commas, else its parts."""
    if cell in names:
        return [cell]
    return [label.strip() for label in cell.split(separator) if label.strip()]
