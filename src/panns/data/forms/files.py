"""Which files were meant: the paths given, or those of a kind in the folders given."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
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
        folders[:] = sorted(name for name in folders if not _leads_back(root, name))
        for name in sorted(names):
            if name.lower().endswith(endings):
                yield Path(root, name)


def _leads_back(root: str, name: str) -> bool:
    """Whether a folder is a link to one that it lies in."""
    path = Path(root, name)
    return path.is_symlink() and Path(root).resolve().is_relative_to(path.resolve())


class AudioPlaces:
    """Where the audio files are that manifests name.

    Args:
        folder: where the audio is now, if it has moved.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def find(self, path: str, manifest: Path) -> Path | None:
        """The audio file that a manifest names, if it is there.

        In the folder given: the path as it is, or without its first parts, or the only file of its name in or below
        the folder. Where there is none, and without a folder: as written, from beside the manifest on.
        """
        parts = Path(path.lstrip("/")).parts
        tails = () if self.folder is None else (Path(self.folder, *parts[n:]) for n in range(len(parts)))
        found = next((place for place in tails if place.is_file()), None) or self._by_name.get(Path(path).name)
        return found or next((place for place in (Path(path), Path(manifest.parent, path)) if place.is_file()), None)

    @cached_property
    def _by_name(self) -> dict[str, Path | None]:
        """None of several files of one name: which is meant is not known."""
        found: dict[str, Path | None] = {}
        for path in () if self.folder is None else walk(self.folder, ("",)):
            found[path.name] = None if path.name in found else path
        return found


def none_is_there(manifest: Path, first: str, folder: Path | None) -> SourceError:
    """What is said of a manifest none of whose files can be found."""
    if folder is None:
        return SourceError(f"{manifest}: none of its files is there, the first is {first}; --audio says where they are")
    return SourceError(
        f"{manifest}: none of its files is there, nor in or below {folder}; the first is {first}. Give the folder that "
        "holds files of these names, or leave this manifest out"
    )
