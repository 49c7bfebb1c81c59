"""An import split over machines: part k of n is a store of its own, of the k-th stretch of the source's clip list.

All parts of a store are given the same `--out` and write below it, each into `parts/<k>-of-<n>`, so none waits for
another. `panns.data.merging` joins them.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class PartError(ValueError):
    """A part that cannot be made as asked."""


@dataclass(frozen=True)
class Part:
    """Part `number` (from 1) of `of`."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Read "3/64".

        Raises:
            PartError: no such part.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        part = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if not 1 <= part.number <= part.of:
            raise PartError(f"part {text!r}: say k/n with k from 1 to n, such as 3/64")
        return part

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def take(self, items: Sequence[T]) -> Sequence[T]:
        """Its stretch of the items: stretches, so that neighbours in a container file stay together."""
        return items[(self.number - 1) * len(items) // self.of : self.number * len(items) // self.of]

    def folder(self, store: Path) -> Path:
        """Where it lies, in a store that has room for it.

        Raises:
            PartError: the folder holds an import that is not split, or one split into another number of parts.
        """
        others = sorted({other.of for other, _ in find_parts(store)} - {self.of})
        if others:
            raise PartError(
                f"{store}: is being made in {others[0]} parts, not in {self.of}; keep to that number, or delete "
                f"{store / 'parts'}"
            )
        found = {path.name for path in store.iterdir()} if store.is_dir() else set()
        if found and ("parts" not in found or "journal.jsonl" in found):
            raise PartError(f"{store}: holds {min(found - {'parts'})} and is no store in parts; choose a new folder")
        return part_folder(store, self)


def part_folder(store: Path, part: Part) -> Path:
    """Where a part of a store lies."""
    return store / "parts" / f"{part.number:0{len(str(part.of))}}-of-{part.of}"


def find_parts(store: Path) -> list[tuple[Part, Path]]:
    """All parts that were begun, with their folders, in order."""
    found = []
    for folder in (store / "parts").glob("*-of-*"):
        if match := re.fullmatch(r"(\d+)-of-(\d+)", folder.name):
            found.append((Part(int(match[1]), int(match[2])), folder))
    return sorted(found, key=lambda pair: (pair[0].of, pair[0].number))


def list_hash(ids: Sequence[str]) -> str:
    """Names a clip list: parts of different lists do not make a store."""
    return hashlib.sha256("\n".join(ids).encode("utf-8", "surrogateescape")).hexdigest()[:12]
