"""SHA256SUMS of a store: the checksum of each part of its index and of each file that holds several clips.

The form is that of `sha256sum`, so that `cd STORE && sha256sum --check SHA256SUMS` checks it too. A loose file of one
clip has its crc32 in the index and no line here.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from panns.data.hashing import file_sha256
from panns.data.index import COLUMNS
from panns.data.store_files import StoreError
from panns.whole_files import written_whole

CHECKSUMS = "SHA256SUMS"
INDEX_FILES = ("meta.json", *(f"index/{name}.npy" for name in COLUMNS))
INDEX_CHANGED = (
    "not as it was written: put it back from a copy, or make the store anew (meta.json that was changed on purpose: "
    f"delete its line in {CHECKSUMS})"
)
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def read_checksums(root: Path) -> dict[str, str]:
    """Checksum of each file, by its path as the index has it; none where none are recorded yet.

    Raises:
        StoreError: a line of another form.
    """
    path = root / CHECKSUMS
    if not path.exists():
        return {}
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[:-1], start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise StoreError(f"{path}, line {number}: no checksum; delete the file and run `panns verify --all` again")
        sums[match[2]] = match[1]
    return sums


def write_checksums(root: Path, sums: Mapping[str, str]) -> None:
    """Replace the file, in one step."""
    path = root / CHECKSUMS
    text = "".join(f"{checksum}  {name}\n" for name, checksum in sorted(sums.items()))
    with written_whole(path, errors="surrogateescape") as file:
        file.write(text)


def index_checksums(root: Path) -> dict[str, str]:
    """Checksums of meta.json and of the columns of the index, as they are now."""
    return {name: file_sha256(root / name) for name in INDEX_FILES}
