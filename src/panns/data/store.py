"""The clip store: one index that says where the bytes of each clip lie, and the one reader of it.

A store is a folder: `meta.json`, `index/<column>.npy` and, where the clips were packed, `shards/*.tar`. The columns are
memory-mapped and so shared by all workers; clips are read with `os.pread`, never by memory map, which would read 4 to
15 times the bytes of a random clip. Shapes: N clips, K classes, L samples of a full clip.
"""

import hashlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from zlib_ng import zlib_ng

from panns.data.codecs import S16LE, DecodeError, decode
from panns.data.first_crc32 import map_crc32
from panns.data.index import changed_columns, load_columns
from panns.data.labels import ClassLabel
from panns.data.rates import check_rate
from panns.data.store_files import OpenFile, StoreError, check_file, open_as_it_is, open_checked, read_meta

ROWS_AT_ONCE = 65536  # of columns gathered: all ids of AudioSet as Python objects would take 200 MB
MAX_OPEN_FILES = 512  # half of the usual limit of 1024 a process
MAX_FILES_CHECKED = 1000  # about that many on opening; each file is checked again when it is opened for reading


class ClipError(StoreError):
    """One clip that cannot be read."""

    def __init__(self, clip_id: str, file: Path | str, why: str) -> None:
        super().__init__(clip_id, file, why)
        self.clip_id, self.file, self.why = clip_id, file, why

    def __str__(self) -> str:
        return f"clip {self.clip_id} in {self.file}: {self.why}"


class _Reading(threading.local):
    """What this thread has waited for files so far, in seconds."""

    seconds = 0.0


READING = _Reading()


class ClipStore:
    """Clips with their labels, by row number. Made by `ClipStore.open`; safe to share between threads."""

    id: np.ndarray  # (N,) bytes
    split: np.ndarray  # (N,) position in `splits`
    file: np.ndarray  # (N,) position in `path`
    offset: np.ndarray  # (N,) bytes
    nbytes: np.ndarray  # (N,)
    codec: np.ndarray  # (N,) position in `codecs.CODECS`
    frames: np.ndarray  # (N,) samples in the payload
    start_ms: np.ndarray  # (N,) where the clip starts in its source
    crc32: np.ndarray  # (N,) of the payload; 0: the clip was indexed without being read, `panns verify` may know more
    label_ptr: np.ndarray  # (N + 1,)
    label_idx: np.ndarray  # labels of row i: label_idx[label_ptr[i]:label_ptr[i + 1]]
    path: np.ndarray  # (files,) bytes; relative to the store or absolute
    file_bytes: np.ndarray  # (files,) size when indexed

    def __init__(self, root: Path, meta: dict, columns: dict[str, np.ndarray]) -> None:
        self.root, self.meta = root, meta
        self.name: str = meta["name"]
        self.sample_rate: int = meta["sample_rate"]
        self.clip_samples = round(meta["clip_seconds"] * meta["sample_rate"])
        self.classes = [ClassLabel(mid, name) for mid, name in meta["classes"]]
        self.splits: list[str] = meta["splits"]
        self.single_label: bool = meta["single_label"]
        self.num_classes = len(self.classes)
        vars(self).update(columns)
        self._open_file = lru_cache(maxsize=MAX_OPEN_FILES)(partial(open_checked, root))
        self._own_labels: dict[str, np.ndarray] = {}
        self._first_crc32: np.ndarray | None = None  # (N,) that `panns verify` read of clips whose index has none

    @classmethod
    def open(
        cls,
        root: str | Path,
        *,
        sample_rate: int | None = None,
        num_classes: int | None = None,
        cache: str | Path | None = None,
        cache_gb: float | None = None,
    ) -> "ClipStore":
        """Open a finished store.

        Args:
            root: folder of the store, or its URL (s3://, gs://, https://, ...).
            sample_rate: what the model expects in Hz; a store at another rate is refused.
            num_classes: what the model expects; a store with another class list is refused.
            cache, cache_gb: of a URL, see `remote_store.RemoteClipStore`.

        Raises:
            StoreError: no store, an unfinished or damaged one, moved or replaced files, or not what was expected.
        """
        if is_url(root):
            from panns.data.remote_store import RemoteClipStore

            store: ClipStore = RemoteClipStore.open_url(str(root), cache, cache_gb)
        else:
            store = cls._load(Path(root))
            store._check_index()
            store._check_files()
            check_rate(store, np.arange(len(store)))
            store._open_file.cache_clear()  # a file is checked again when it is opened to train on
        store._check_expected(sample_rate, num_classes)
        return store

    @classmethod
    def open_as_it_is(cls, root: Path) -> "ClipStore":
        """Open a store in a folder, also one with missing, cut or replaced files: reading their clips shows them."""
        store = cls._load(root)
        store._open_file = lru_cache(maxsize=MAX_OPEN_FILES)(partial(open_as_it_is, root))
        return store

    @classmethod
    def _open_folder(cls, root: Path) -> "ClipStore":
        store = cls._load(root)
        store._check_files()
        return store

    @classmethod
    def _load(cls, root: Path) -> "ClipStore":
        meta = read_meta(root)
        try:
            return cls(root, meta, load_columns(root))
        except (OSError, ValueError, EOFError) as error:
            raise _damaged_index(root, str(error)) from error

    def _check_files(self) -> None:
        """Refuse files that are not those that were indexed, and look what was read of them since."""
        for file in range(0, len(self.path), max(1, len(self.path) // MAX_FILES_CHECKED)):
            check_file(self.root, self.path[file], int(self.file_bytes[file]))
        self._first_crc32 = map_crc32(self.root, len(self))

    def _check_index(self) -> None:
        """Refuse an index that is not the one meta.json names the classes of: it would train under wrong names."""
        if changed := changed_columns(self.root, self.meta):
            why = f"meta.json was not written with this {changed[0]}: one of the two is another store's, or changed"
            raise _damaged_index(self.root, why)
        if self.label_idx.size and (highest := int(self.label_idx.max())) >= self.num_classes:
            raise _damaged_index(self.root, f"class number {highest} where meta.json has {self.num_classes} classes")

    def __len__(self) -> int:
        return len(self.id)

    def __reduce__(self) -> tuple:
        return type(self)._open_folder, (self.root,), self._own_labels  # a worker process maps the columns itself

    def with_labels(self, label_ptr: np.ndarray, label_idx: np.ndarray) -> "ClipStore":
        """The same clips under other labels, which take the place of the index's columns of these names."""
        labels = {"label_ptr": label_ptr, "label_idx": label_idx}
        other = object.__new__(type(self))
        vars(other).update(vars(self) | labels, _own_labels=labels)
        return other

    @property
    def place(self) -> str:
        """Where the store is, for people."""
        return str(self.root)

    @property
    def files(self) -> list[Path | str]:
        """All files that hold clips."""
        return [self.file_path(file) for file in range(len(self.path))]

    def file_path(self, file: int) -> Path | str:
        """Where file number `file` lies, a path or a URL."""
        return self.root / os.fsdecode(self.path[file])

    def rows(self, splits: Sequence[str]) -> np.ndarray:
        """Row numbers of all clips of the named splits -> int64, in index order."""
        unknown = [split for split in splits if split not in self.splits]
        if unknown:
            raise StoreError(
                f"{self.place}: no split {', '.join(unknown)}; this store has {', '.join(self.splits)}: choose "
                "of these (data.train_splits, data.validation_splits), or make the store of the list of that name too"
            )
        return np.flatnonzero(np.isin(self.split, [self.splits.index(split) for split in splits]))

    def labels(self, row: int) -> np.ndarray:
        """Classes of one clip -> (labels,)."""
        return self.label_idx[self.label_ptr[row] : self.label_ptr[row + 1]]

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Labels as a matrix -> float32 (len(rows), K) of 0 and 1."""
        position, classes = self.labels_of(rows)
        targets = np.zeros((len(position), self.num_classes), dtype=np.float32)
        targets[np.repeat(np.arange(len(position)), position), classes] = 1.0
        return targets

    def class_counts(self, rows: np.ndarray) -> np.ndarray:
        """Clips per class -> int64 (K,)."""
        counts = np.zeros(self.num_classes, dtype=np.int64)
        for part in _parts(np.asarray(rows)):
            counts += np.bincount(self.labels_of(part)[1], minlength=self.num_classes)
        return counts

    def labels_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number of labels of each row, int64, and the labels of all rows one after the other, uint16."""
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) > ROWS_AT_ONCE:
            counts, classes = zip(*map(self.labels_of, _parts(rows)), strict=True)
            return np.concatenate(counts), np.concatenate(classes)
        first = self.label_ptr[rows]
        count = self.label_ptr[rows + 1] - first
        place = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
        return count, self.label_idx[place]

    def read_into(self, row: int, out: np.ndarray) -> int:
        """Decode one clip into int16 `out` (L,): the tail after a short clip is zero, a longer one is cut.

        Returns:
            Samples written before the zeros.

        Raises:
            ClipError: the bytes are not those that were indexed.
        """
        if self._holds_samples(row) and self.frames[row] <= len(out) and out.flags.c_contiguous:
            samples = out[: self.frames[row]]
            payload = samples.view(np.uint8)
            with self._file_of(row) as file:
                got = os.preadv(file.descriptor, [payload.data], int(self.offset[row]))
            self._check_payload(row, payload[:got])
        else:
            samples = self.read(row)[: len(out)]
            out[: len(samples)] = samples
        out[len(samples) :] = 0
        return len(samples)

    def _holds_samples(self, row: int) -> bool:
        """Whether the bytes of the clip are its samples as this machine has them: they are then read in their place."""
        return self.codec[row] == S16LE and self.nbytes[row] == 2 * self.frames[row] and sys.byteorder == "little"

    def read(self, row: int) -> np.ndarray:
        """Decode one clip -> int16 (frames,), as long as it is stored."""
        return self.decode(row, self.read_payload(row))

    def read_payload(self, row: int) -> bytes:
        """The bytes of one clip, as they were when it was indexed."""
        payload = self._payload(row)
        self._check_payload(row, payload)
        return payload

    def decode(self, row: int, payload: bytes) -> np.ndarray:
        """Samples of one clip from its bytes -> int16 (frames,)."""
        try:
            samples = decode(payload, int(self.codec[row]), self.sample_rate)
        except DecodeError as error:
            raise self._clip_error(row, str(error)) from error
        if len(samples) != self.frames[row]:
            raise self._clip_error(row, f"{len(samples)} samples where the index has {self.frames[row]}")
        return samples

    def prefetch(self, rows: np.ndarray) -> None:
        """Say which clips are read next; only a store at a URL has use for it."""

    @contextmanager
    def _file_of(self, row: int) -> Iterator[OpenFile]:
        """The open file of a clip, to read it from: the time is counted, and what fails is told of the clip."""
        number, begin = self.file[row], time.perf_counter()
        try:
            yield self._open_file(self.path[number], self.file_bytes[number])
        except StoreError as error:
            raise self._clip_error(row, str(error)) from error
        except OSError as error:  # a failing disk, or a network disk that lost the file
            raise self._clip_error(row, error.strerror or str(error)) from error
        finally:
            READING.seconds += time.perf_counter() - begin

    def read_file(self, row: int, offset: int, nbytes: int) -> bytes:
        """Bytes of the file that holds a clip, fewer where it ends before."""
        with self._file_of(row) as file:
            return os.pread(file.descriptor, nbytes, offset)

    def _payload(self, row: int) -> bytes:
        """The bytes of one clip, fewer where its file is cut."""
        return self.read_file(row, int(self.offset[row]), int(self.nbytes[row]))

    def _check_payload(self, row: int, payload: bytes | np.ndarray) -> None:
        nbytes = int(self.nbytes[row])
        if len(payload) != nbytes:
            raise self._clip_error(row, f"{len(payload)} of {nbytes} bytes could be read: the file is truncated")
        if not self._is_indexed(row, payload):
            raise self._clip_error(row, "the bytes are not those that were indexed (crc32 differs)")

    def _is_indexed(self, row: int, payload: bytes | np.ndarray) -> bool:
        """Whether these are the bytes that were indexed, as far as the index knows."""
        known = self.crc32[row] or (0 if self._first_crc32 is None else self._first_crc32[row])
        return len(payload) == self.nbytes[row] and known in (0, zlib_ng.crc32(payload))

    def fingerprint(self, rows: np.ndarray) -> dict:
        """What a run was trained or scored on: counts, and a hash over ids, labels and crc32, sorted by id."""
        rows = np.asarray(rows, dtype=np.int64)
        rows = rows[np.argsort(self.id[rows], kind="stable")]
        digest = hashlib.sha256()
        for number, part in enumerate(_parts(rows)):
            digest.update(b"\n" * (number > 0) + b"\n".join(self.id[part].tolist()))
        for part in _parts(rows):
            digest.update((self.label_ptr[part + 1] - self.label_ptr[part]).astype("<i8").data)
        for part in _parts(rows):
            digest.update(self.labels_of(part)[1].astype("<i8").data)
        for part in _parts(rows):
            digest.update(self.crc32[part].astype("<u4").data)
        class_counts = self.class_counts(rows)
        return {
            "clips": len(rows),
            "classes": int(np.count_nonzero(class_counts)),
            "labels": int(class_counts.sum()),
            "sample_rate": self.sample_rate,
            "id_hash": digest.hexdigest()[:12],
        }

    def _check_expected(self, sample_rate: int | None, num_classes: int | None) -> None:
        if sample_rate is not None and sample_rate != self.sample_rate:
            raise StoreError(
                f"{self.place}: clips at {self.sample_rate} Hz where {sample_rate} Hz are expected; choose a model of "
                f"that rate, or pack the audio again with --sample-rate {sample_rate}"
            )
        if num_classes is not None and num_classes != self.num_classes:
            raise StoreError(
                f"{self.place}: {self.num_classes} classes where {num_classes} are expected; set the number of classes "
                "of the model, or make the store with the other class list"
            )

    def _clip_error(self, row: int, why: str) -> ClipError:
        path = self.file_path(int(self.file[row]))
        return ClipError(self.id[row].decode(), path.resolve() if isinstance(path, Path) else path, why)


def is_url(root: str | Path) -> bool:
    """Whether a store is named by a URL, not by a folder."""
    return "://" in str(root)


def _damaged_index(root: Path, why: str) -> StoreError:
    return StoreError(
        f"{root}: the index is damaged ({why}); put index/ and meta.json back from one copy, or delete the folder and "
        "make it anew"
    )


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[first : first + ROWS_AT_ONCE] for first in range(0, len(rows), ROWS_AT_ONCE))
