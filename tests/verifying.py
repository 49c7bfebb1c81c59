"""Helpers of the tests of `panns verify`: run it quietly, read what it found, damage a file."""

from pathlib import Path

import numpy as np

from panns.data.store import ClipStore
from panns.data.verification import verify

SILENT = {"jobs": 1, "show_progress": False}


def check(root: Path, **options):
    return verify(root, **(SILENT | options))


def found(result) -> dict[str, int]:
    return {what: count for what, count in result.counts.items() if count}


def damaged(result) -> dict[str, str]:
    return {result.store.id[row].decode(): what for row, (what, _) in result.damaged.items()}


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 16]))


def ids_in(root: Path, file: int) -> set[str]:
    whole = ClipStore.open_as_it_is(root)
    return {whole.id[row].decode() for row in np.flatnonzero(whole.file == file)}
