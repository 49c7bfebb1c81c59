"""The index of a store on disk: its columns, one writer, one loader, and the commit that makes a store a store."""

import json
import os
import shutil
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from panns.data.hashing import file_hash, meta_hash
from panns.data.store_files import CHECKSUM
from panns.whole_files import written_whole

CLIP_COLUMNS = {  # one row a clip
    "split": "u1",  # position in meta["splits"]
    "file": "u4",  # position in `path`
    "offset": "i8",  # of the payload in the file, bytes
    "nbytes": "i8",
    "codec": "u1",  # position in codecs.CODECS
    "frames": "i4",  # samples in the payload
    "start_ms": "i4",  # where the clip starts in its source
    "crc32": "u4",  # of the payload; 0: unknown
}
LABEL_COLUMNS = {"label_ptr": "i8", "label_idx": "u2"}  # labels of row i: label_idx[label_ptr[i]:label_ptr[i + 1]]
TEXT_COLUMNS = ("id", "path")  # one row a clip; one row a file, relative to the store or absolute
FILE_COLUMNS = {"file_bytes": "i8"}  # size of each file when indexed
COLUMNS = (*CLIP_COLUMNS, *LABEL_COLUMNS, *TEXT_COLUMNS, *FILE_COLUMNS)


class IndexWriter:
    """Collects the rows of an index: about 150 bytes a clip, so that 2 million clips need no database."""

    def __init__(self) -> None:
        self._columns = {name: array("q") for name in (*CLIP_COLUMNS, *LABEL_COLUMNS)}
        self._columns["label_ptr"].append(0)
        self._ids: list[bytes] = []
        self._files: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, clip_id: str, path: str, labels: Sequence[int], **columns: int) -> None:
        """Add one clip; `columns` are those of `CLIP_COLUMNS` but `file`."""
        self._ids.append(clip_id.encode())
        columns["file"] = self._files.setdefault(path, len(self._files))
        for name in CLIP_COLUMNS:
            self._columns[name].append(columns[name])
        self._columns["label_idx"].extend(labels)
        self._columns["label_ptr"].append(len(self._columns["label_idx"]))

    def commit(self, root: Path, meta: dict) -> None:
        """Write what was added, see `write_index`."""
        columns = {n: np.array(self._columns[n], dtype=dtype) for n, dtype in (CLIP_COLUMNS | LABEL_COLUMNS).items()}
        columns["id"] = np.array(self._ids, dtype=np.bytes_)
        columns["path"] = np.array([os.fsencode(path) for path in self._files], dtype=np.bytes_)
        sizes = [(root / path).stat().st_size for path in self._files]
        columns["file_bytes"] = np.array(sizes, dtype=FILE_COLUMNS["file_bytes"])
        write_index(root, columns, meta)


def write_index(root: Path, columns: dict[str, np.ndarray], meta: dict) -> None:
    """Write index and meta.json so that a store is there wholly or not at all, whenever the machine stops."""
    temporary = root / "index.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    hashes = {}
    for name in COLUMNS:
        path = temporary / f"{name}.npy"
        with path.open("wb") as file:
            np.save(file, columns[name], allow_pickle=False)
            _flush(file)
        hashes[name] = file_hash(path)
    meta = {key: value for key, value in meta.items() if key != CHECKSUM} | {"index": hashes}
    meta[CHECKSUM] = meta_hash(meta)
    (root / "meta.json").unlink(missing_ok=True)  # without it, there is no store while the index is exchanged
    shutil.rmtree(root / "index", ignore_errors=True)
    temporary.rename(root / "index")
    with written_whole(root / "meta.json") as file:
        file.write(json.dumps(meta, indent=1, ensure_ascii=False) + "\n")


def _flush(file: IO) -> None:
    file.flush()
    os.fsync(file.fileno())


def load_columns(root: Path) -> dict[str, np.ndarray]:
    """All columns, memory-mapped.

    Raises:
        ValueError, EOFError, OSError: a column is missing, damaged, or not as long as the others.
    """
    # asarray: a plain view, reading one number from np.memmap itself is 10 times as slow
    columns = {name: np.asarray(np.load(root / "index" / f"{name}.npy", mmap_mode="r")) for name in COLUMNS}
    clips, files = len(columns["id"]), len(columns["path"])
    lengths = dict.fromkeys(CLIP_COLUMNS, clips) | {"label_ptr": clips + 1, "file_bytes": files}
    for name, length in lengths.items():
        if len(columns[name]) != length:
            raise ValueError(f"column {name} has {len(columns[name])} rows, not {length}")
    if columns["label_ptr"][-1] != len(columns["label_idx"]):
        raise ValueError(f"column label_idx has {len(columns['label_idx'])} rows, not {columns['label_ptr'][-1]}")
    return columns


def changed_columns(root: Path, meta: dict) -> list[str]:
    """Files of the index that are not those that meta.json was written with; an older version kept no hashes."""
    return [
        f"index/{name}.npy"
        for name, written in meta.get("index", {}).items()
        if file_hash(root / "index" / f"{name}.npy") != written
    ]
