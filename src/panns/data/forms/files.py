"""Which files were meant: the paths given, or those of a kind in the folders given."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from panns.data.importers import SourceError


def find_files(given: Iterable[Path], suffixes: Sequence[str]) -> list[Path]:
    """Files as given, and all files with one of the suffixes in or below the folders given, each once.

    Raises:
        SourceError: a path that is not there, or a folder without such a file.
    """
    found: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            inside = list(walk(path, suffixes))
            if not inside:
                raise SourceError(f"{path}: no {' or '.join(suffixes)} file in this folder; check the path")
            found |= dict.fromkeys(inside)
        elif path.is_file():
            found[path] = None
        else:
            raise SourceError(f"{path}: no such file or folder; check the path")
    return list(found)


def walk(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """All files with one of the suffixes in or below a folder, always in the same order."""
    endings = tuple(suffixes)
    for root, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(endings):
                yield Path(root, name)


def find_audio(path: str, manifest: Path, folder: Path | None) -> Path | None:
    """The audio file that a manifest names, if it is there.

    Args:
        manifest: beside which relative paths start.
        folder: where the audio is now, if it has moved: the path is taken from there, as it is or by file name.
    """
    places = [Path(path), Path(manifest.parent, path)]
    if folder is not None:
        places = [Path(folder, path.lstrip("/")), Path(folder, Path(path).name)]
    return next((place for place in places if place.is_file()), None)
