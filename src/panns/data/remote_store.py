"""A clip store at a URL: the index is copied once, clips are read as byte ranges and kept on a local disk.

Training reads clips at random. Fetching the shard around each would move a thousand times the bytes before the first
batch is there; a clip of 10 s is one request of 60 to 640 kB, and those of a batch are made at the same time.
"""

import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np
from filelock import FileLock

from panns.cache_folder import cache_dir
from panns.data.hashing import content_hash
from panns.data.index import COLUMNS, load_columns
from panns.data.nearby import NearbyClips
from panns.data.quarantine import QUARANTINE
from panns.data.remote import Range, RemoteError, RemoteFolder
from panns.data.store import READING, ClipError, ClipStore
from panns.data.store_files import StoreError, parse_meta
from panns.whole_files import written_whole

log = logging.getLogger(__name__)


class RemoteClipStore(ClipStore):
    """`ClipStore` over a URL; what differs is where bytes come from. `root` is the local folder of its index."""

    def __init__(
        self, remote: RemoteFolder, root: Path, meta: dict, columns: dict[str, np.ndarray], max_bytes: int | None
    ) -> None:
        super().__init__(root, meta, columns)
        self.remote, self._max_bytes = remote, max_bytes
        self.nearby = NearbyClips(root, self.path, self.file, self.offset, self.nbytes, max_bytes)
        self._prefetched: dict[int, bytes] = {}

    @classmethod
    def open_url(cls, url: str, cache: str | Path | None = None, cache_gb: float | None = None) -> "RemoteClipStore":
        """Open a finished store.

        Args:
            url: of its folder.
            cache: folder on a local disk for the index and the clips; default: PANNS_CACHE, else ~/.cache/panns.
            cache_gb: that its clips may take, 0 keeps none; default: until 5 % of the disk are left.

        Raises:
            StoreError: no store there, one whose clips lie elsewhere, or no way to read it.
        """
        try:
            remote = RemoteFolder(url)
            text = _read_meta(remote)
            meta = parse_meta(text, f"{remote.url}/meta.json")
            root = _mirror(remote, meta, text, cache_folder(cache))
            store = cls(remote, root, meta, load_columns(root), None if cache_gb is None else round(cache_gb * 1e9))
            store._check_files()
        except RemoteError as error:
            raise StoreError(str(error)) from error
        except OSError as error:
            where = cache_folder(cache)
            raise StoreError(f"{where}: {error}; name a folder on a local disk with data.cache") from error
        return store

    @property
    def place(self) -> str:
        """The URL."""
        return self.remote.url

    def __reduce__(self) -> tuple:
        return _again, (self.remote, self.root, self._max_bytes), self._own_labels

    def prefetch(self, rows: np.ndarray) -> None:
        """Fetch the clips that are not here, all at the same time."""
        missing, begin = self.nearby.missing(rows), time.perf_counter()
        try:
            payloads = self.remote.read_ranges([self._range(row) for row in missing])
        except RemoteError:
            return  # the read of the clip says which it is
        finally:
            READING.seconds += time.perf_counter() - begin
        for row, payload in zip(missing, payloads, strict=True):
            self._prefetched[row] = self._kept(row, payload)

    def read(self, row: int) -> np.ndarray:
        """See `ClipStore.read`. A local copy that is not good any more is fetched again."""
        try:
            return super().read(row)
        except ClipError:
            if not self.nearby.forget(row):
                raise
            log.warning("clip %s: the copy in %s was damaged; it is fetched again", self.id[row].decode(), self.root)
            return super().read(row)

    def file_path(self, file: int) -> str:
        """URL of file number `file`."""
        return f"{self.remote.url}/{os.fsdecode(self.path[file])}"

    def _holds_samples(self, row: int) -> bool:
        return False  # they come from the server, or from its copies here

    def _payload(self, row: int) -> bytes:
        payload, begin = self._prefetched.pop(row, None), time.perf_counter()
        try:
            if payload is None:
                payload = self.nearby.get(row)
            return self._kept(row, self.remote.read_range(self._range(row))) if payload is None else payload
        except RemoteError as error:
            raise self._clip_error(row, str(error)) from error
        finally:
            READING.seconds += time.perf_counter() - begin

    def _kept(self, row: int, payload: bytes) -> bytes:
        if self.crc32[row] and self._is_indexed(row, payload):  # what was never checked could not be trusted later
            self.nearby.put(row, payload)
        return payload

    def _range(self, row: int) -> Range:
        start = int(self.offset[row])
        return Range(os.fsdecode(self.path[self.file[row]]), start, start + int(self.nbytes[row]))

    def _check_files(self) -> None:
        """What can be seen without asking for each shard: that they are there at all, and can be read in parts."""
        absolute = [path for path in self.path[:1] if path.startswith(b"/")]
        if absolute:
            raise StoreError(
                f"{self.remote.url}: its clips lie outside of it, at {os.fsdecode(absolute[0])}; make a store that "
                "holds them with `panns pack`"
            )
        for file in range(min(1, len(self.path))):
            size, wanted = self.remote.size(os.fsdecode(self.path[file])), int(self.file_bytes[file])
            if size not in (wanted, -1):  # -1: the server does not say
                raise StoreError(
                    f"{self.file_path(file)}: {size:,} bytes where the index has {wanted:,}: cut or replaced; copy the "
                    "store there again"
                )


def cache_folder(cache: str | Path | None) -> Path:
    """Where copies of remote stores go."""
    return Path(cache).expanduser() if cache else cache_dir()


def _again(remote: RemoteFolder, root: Path, max_bytes: int | None) -> RemoteClipStore:
    """The same in another process, without asking the server."""
    meta = parse_meta((root / "meta.json").read_bytes(), root / "meta.json")
    return RemoteClipStore(remote, root, meta, load_columns(root), max_bytes)


def _read_meta(remote: RemoteFolder) -> bytes:
    text = remote.read_if_there("meta.json")
    if text is None:
        raise StoreError(
            f"{remote.url}: no store there (no meta.json); correct the URL, or copy a store there that `panns pack` "
            "made on a disk, as it is, meta.json last"
        )
    return text


def _mirror(remote: RemoteFolder, meta: dict, text: bytes, cache: Path) -> Path:
    """The local folder with the index of this very store; copies of what was at the URL before are removed."""
    of_url = cache / content_hash(remote.url.encode())
    root = of_url / content_hash(text)
    if "index" not in meta:
        raise StoreError(f"{remote.url}: made by an older version, which kept no checksums of its index; make it anew")
    of_url.mkdir(parents=True, exist_ok=True)
    with FileLock(of_url / ".lock"):
        for old in of_url.iterdir():
            if old.is_dir() and old != root:
                log.warning("%s is another store than before; removing what was kept of that: %s", remote.url, old)
                shutil.rmtree(old)
        (root / "index").mkdir(parents=True, exist_ok=True)
        for name in COLUMNS:
            _copy_column(remote, root / "index" / f"{name}.npy", meta["index"][name])
        (of_url / "url.txt").write_text(f"{remote.url}\n", encoding="utf-8")
        _copy_quarantine(remote, root / QUARANTINE)
        (root / "meta.json").write_bytes(text)
    return root


def _copy_quarantine(remote: RemoteFolder, path: Path) -> None:
    """The one file of a store that may change, copied each time."""
    content = remote.read_if_there(path.name)
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)


def _copy_column(remote: RemoteFolder, path: Path, wanted: str) -> None:
    if path.exists():
        return
    content = remote.read(f"index/{path.name}")
    if content_hash(content) != wanted:
        raise StoreError(
            f"{remote.url}/index/{path.name}: not the file that meta.json was written with; copy the store there "
            "again, meta.json last"
        )
    with written_whole(path, "wb") as file:
        file.write(content)
