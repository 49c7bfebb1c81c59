"""crc32 of clips whose index has none: they were indexed without being read, and the first verification reads them.

Kept beside the index, which stays as it is: the fingerprints of runs that were made meanwhile depend on it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from panns.data.hashing import file_sha256
from panns.whole_files import written_whole

Crc32 = npt.NDArray[np.uint32]
PLACE = ("id", "file", "offset", "nbytes")  # columns that say which bytes are meant


def crc32_file(root: Path, index_sums: Mapping[str, str]) -> Path:
    """Where they are kept for this very index, given the checksums of its columns."""
    which = "".join(index_sums[f"index/{name}.npy"] for name in PLACE)
    return root / f"crc32-{hashlib.sha256(which.encode()).hexdigest()[:12]}.npy"


def map_crc32(root: Path, num_clips: int) -> Crc32 | None:
    """crc32 of each clip, memory-mapped -> (N,), 0 where none is known; None where none are kept for this index."""
    if next(root.glob("crc32-*.npy"), None) is None:
        return None
    path = crc32_file(root, {name: file_sha256(root / name) for name in map("index/{}.npy".format, PLACE)})
    kept = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)) if path.exists() else None
    return kept if kept is not None and len(kept) == num_clips else None


def read_crc32(path: Path, num_clips: int) -> Crc32:
    """crc32 of each clip -> (N,), 0 where none is known."""
    if not path.exists():
        return np.zeros(num_clips, dtype=np.uint32)
    return np.asarray(np.load(path, allow_pickle=False), dtype=np.uint32)


def num_unread(root: Path, crc32: Crc32) -> int:
    """Clips of which neither the index, whose crc32 are given (N,), nor a verification knows what was read."""
    kept = map_crc32(root, len(crc32)) if (crc32 == 0).any() else None
    return int(np.count_nonzero(crc32 == 0 if kept is None else (crc32 == 0) & (kept == 0)))


def write_crc32(path: Path, crc32: Crc32) -> None:
    """Replace the file, in one step, and remove that of another index; nothing is kept where nothing is known."""
    forget_crc32(path.parent, path)
    if not crc32.any():
        return
    with written_whole(path, "wb") as file:
        np.save(file, crc32, allow_pickle=False)


def forget_crc32(root: Path, but: Path | None = None) -> None:
    """Remove what is kept for any index, or for any but one."""
    for former in root.glob("crc32-*.npy"):
        if former != but:
            former.unlink()
