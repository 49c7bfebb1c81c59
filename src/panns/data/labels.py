"""Class lists and segment lists: the forms in which AudioSet names its classes, clips and labels."""

import csv
from collections.abc import Container, Iterable
from importlib import resources
from pathlib import Path
from sys import intern
from typing import NamedTuple

SEGMENTS_SUFFIX = "_segments"
JOINING = ("|", "/", "+", "&", ":", ",")  # what people put between labels where `;` belongs


class LabelError(ValueError):
    """A class list or segment list cannot be read."""


class ClassLabel(NamedTuple):
    """One class: its identifier in AudioSet's ontology (own classes: the name again) and the name people read."""

    mid: str
    name: str


class Segment(NamedTuple):
    """One row of an official segment list: `start` and `end` in seconds within the video `id`."""

    id: str
    start: float
    end: float
    mids: tuple[str, ...]


def audioset_classes() -> list[ClassLabel]:
    """The 527 classes of AudioSet in the official order."""
    source = resources.files("panns.data") / "assets" / "audioset_classes.csv"
    with resources.as_file(source) as path:
        return read_classes(path)


def read_classes(path: str | Path) -> list[ClassLabel]:
    """Read a class list: AudioSet's form (`index,mid,display_name`) or one name a line.

    Raises:
        LabelError: no classes, a class twice, or an index out of order.
    """
    lines = [line for line in read_lines(path) if line.strip() and not line.startswith("#")]
    if lines and lines[0].replace(" ", "").startswith("index,mid,display_name"):
        rows = list(csv.reader(lines[1:], skipinitialspace=True))
        for number, row in enumerate(rows):
            if len(row) != 3 or row[0] != str(number):
                raise LabelError(f"{path}: class row {number + 1} should read '{number},mid,\"name\"', found {row}")
        classes = [ClassLabel(mid, name) for _, mid, name in rows]
    else:
        classes = [ClassLabel(line.strip(), line.strip()) for line in lines]
    if not classes:
        raise LabelError(f"{path}: no classes in this file; write one class name a line")
    seen: set[str] = set()
    for label in classes:
        if label.mid in seen:
            raise LabelError(f"{path}: class {label.mid!r} stands there twice; remove one")
        seen.add(label.mid)
    return classes


def class_index(classes: Iterable[ClassLabel]) -> dict[str, int]:
    """Position of each class by its mid and by its name (a mid wins where both are the same word)."""
    by_name: dict[str, int] = {}
    by_mid: dict[str, int] = {}
    for number, label in enumerate(classes):
        by_name.setdefault(label.name, number)
        by_mid[label.mid] = number
    return by_name | by_mid


def read_segments(path: str | Path) -> list[Segment]:
    """Read an official segment list: comment lines with `#`, then `id, start, end, "mid,mid"`.

    Raises:
        LabelError: the file is empty or a row is of another form; names file and line.
    """
    segments = []
    lines, label_sets = read_lines(path), dict[str, tuple[str, ...]]()  # 2 million clips share 0.6 million sets
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        row = next(csv.reader([line], skipinitialspace=True))
        try:
            clip_id, start, end, mids = row
            if mids not in label_sets:
                label_sets[mids] = tuple(intern(mid.strip()) for mid in mids.split(",") if mid.strip())
            segment = Segment(clip_id, float(start), float(end), label_sets[mids])
        except ValueError as error:
            raise LabelError(
                f'{path}, line {number}: expected `id, start, end, "mid,mid"`, found {line[:80]!r}; '
                "for a list of your own use `csv` in place of `audioset`"
            ) from error
        segments.append(segment)
    if not segments:
        found = "only comments" if any(line.strip() for line in lines) else "an empty file"
        raise LabelError(f'{path}: {found}, no segments; expected lines `id, start, end, "mid,mid"`')
    return segments


def write_segments(path: str | Path, rows: Iterable[Segment]) -> None:
    """Write a segment list in the official form: 3 comment lines, then one row a clip."""
    rows = list(rows)
    mids = [mid for row in rows for mid in row.mids]
    lines = [
        f"# Segments csv: {Path(path).name}",
        f"# num_ytids={len({row.id for row in rows})}, num_segs={len(rows)}, "
        f"num_unique_labels={len(set(mids))}, num_positive_labels={len(mids)}",
        "# YTID, start_seconds, end_seconds, positive_labels",
    ]
    lines += [f'{row.id}, {row.start:.3f}, {row.end:.3f}, "{",".join(row.mids)}"' for row in rows]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def split_name(path: str | Path) -> str:
    """Name of the split that a segment list holds: `eval_segments.csv` -> `eval`."""
    return Path(path).stem.removesuffix(SEGMENTS_SUFFIX)


def looks_joined(label: str, known: Container[str]) -> bool:
    """Whether a label looks like several, joined by something else than the `;` that separates them."""
    for mark in JOINING:
        parts = [part.strip() for part in label.split(mark)]
        if len(parts) > 1 and all(parts) and (mark == "|" or all(part in known for part in parts)):
            return True
    return False


def read_lines(path: str | Path) -> list[str]:
    """Lines of a UTF-8 text file, whatever its line ends, without a byte order mark.

    Raises:
        LabelError: no such file, or no text.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise LabelError(f"{path}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise LabelError(f"{path}: a folder where a text file is expected; name the file") from error
    except UnicodeDecodeError as error:
        raise LabelError(
            f"{path}: not a text file in UTF-8 ({error}); name the list itself, not audio, or save it as UTF-8"
        ) from error
    return text.removesuffix("\n").split("\n")
