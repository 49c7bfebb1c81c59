"""The files of a store's folder: meta.json, and opening those that hold the clips."""

import json
import os
from pathlib import Path

from panns.data.hashing import meta_hash

FORMAT = 1
NOT_THERE = (FileNotFoundError, NotADirectoryError)  # all other errors say nothing of whether a file is there
CHECKSUM = "checksum"  # of all else in meta.json
PUT_BACK = "put it back from a copy, or make the store anew"
NEEDED = {  # keys of meta.json, and whether a value can be theirs
    "name": lambda value: isinstance(value, str),
    "sample_rate": lambda value: type(value) is int and value > 0,
    "clip_seconds": lambda value: type(value) in (int, float) and value > 0,
    "classes": lambda value: isinstance(value, list) and all(isinstance(label, list) for label in value),
    "splits": lambda value: isinstance(value, list) and all(isinstance(split, str) for split in value),
    "single_label": lambda value: isinstance(value, bool),
}


class StoreError(ValueError):
    """A store that cannot be used as it is; the message names the path and the remedy."""


class AccessError(ValueError):
    """A file that may be there and cannot be looked at or opened: nothing can be said of the clips in it."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> "AccessError":
        """What the system said of a path."""
        return cls(
            f"{path}: {error.strerror or error}; that says nothing of its clips, so nothing was judged or dropped: "
            "give access to the file, or mend its disk, and run the same command again"
        )


class OpenFile:
    """A file descriptor that lives as long as a reader holds it: dropping it from a cache hurts no other thread.

    Args:
        path: the file.
        flags: as `os.open` takes them.
    """

    def __init__(self, path: Path, flags: int = os.O_RDONLY) -> None:
        self.descriptor = os.open(path, flags, 0o644)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


def read_meta(root: Path) -> dict:
    """The store's meta.json, of a format that this version reads."""
    path = root / "meta.json"
    if not root.is_dir():
        raise StoreError(f"{root}: no such folder; make it with `panns pack` or `panns index`, or correct the path")
    try:
        return parse_meta(path.read_bytes(), path)
    except FileNotFoundError as error:
        raise StoreError(
            f"{root}: no finished store (meta.json is missing); an interrupted `panns pack`, `panns index` or `panns "
            "verify --repair` goes on when the same command is run again"
        ) from error


def parse_meta(text: bytes, path: Path | str) -> dict:
    """Content of a meta.json, of a format that this version reads."""
    try:
        meta = json.loads(text)
    except ValueError as error:
        advice = "the server sends something else for it, a login page perhaps: look at it in a browser"
        advice = advice if "://" in str(path) else "delete the folder and make the store anew"
        raise StoreError(f"{path}: not valid JSON ({error}); {advice}") from error
    if not isinstance(meta, dict):
        raise StoreError(f"{path}: not the meta.json of a store; {PUT_BACK}")
    if meta.get("format") != FORMAT:
        raise StoreError(
            f"{path}: store format {meta.get('format')} where this version reads {FORMAT}; update panns, or make the "
            "store anew"
        )
    written = meta.pop(CHECKSUM, None)  # older stores have none
    for key, fits in NEEDED.items():
        if not fits(meta.get(key)):
            raise StoreError(f"{path}: {key} cannot be {meta.get(key)!r}; {PUT_BACK}")
    if written not in (None, meta_hash(meta)):
        raise StoreError(
            f"{path}: not as it was written; {PUT_BACK} (changed on purpose: delete its line {CHECKSUM!r})"
        )
    return dict(meta)


def check_file(root: Path, path: bytes, nbytes: int) -> None:
    """Refuse a store with a file that is not there or not the size it was."""
    full = root / os.fsdecode(path)
    if fault := _fault(full, nbytes):
        raise StoreError(
            f"{root}: {full.resolve()} {fault}; put the old file back, or `panns verify {root} --repair` keeps what is "
            "whole"
        )


def _fault(full: Path, nbytes: int) -> str | None:
    """What is wrong with a file."""
    try:
        size = full.stat().st_size
    except NOT_THERE as error:
        return f"is not there ({error.strerror})"
    except OSError as error:
        raise StoreError(
            f"{full}: {error.strerror}: give access to the file, or mend its disk, and try again"
        ) from error
    return None if size == nbytes else f"has {size} bytes where the index has {nbytes}: cut or replaced"


def open_checked(root: Path, path: bytes, nbytes: int) -> OpenFile:
    """A file to read clips from, refused unless it is the size that it was when indexed."""
    full = root / os.fsdecode(path)
    if fault := _fault(full, nbytes):
        raise StoreError(f"the file {fault}")
    return OpenFile(full)


def open_as_it_is(root: Path, path: bytes, nbytes: int) -> OpenFile:
    """A file to read clips from, of whatever size.

    Raises:
        AccessError: it cannot be opened for another reason than that it is not there.
    """
    full = root / os.fsdecode(path)
    try:
        return OpenFile(full)
    except NOT_THERE:
        raise
    except OSError as error:
        raise AccessError.of(full, error) from error
