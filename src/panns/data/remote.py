"""Files below a URL (s3://, gs://, https://, memory://, ...) by fsspec: whole, or a byte range, patiently.

A network has bad moments, and a run of days meets them all: each request is tried again for about a minute, then the
error says what was asked of whom. Nothing here is specific to clips.
"""

import logging
import os
import random
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import fsspec

DELAYS = (0.5, 1, 2, 4, 8, 16, 30)  # seconds between tries
PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
RETRIED_STATUS = (408, 425, 429)  # of the answers 4xx of HTTP, those that mean "later"

log = logging.getLogger(__name__)


class RemoteError(ValueError):
    """What a URL did not give; the message names it and the remedy."""


class Range(NamedTuple):
    """Bytes `start` to `stop` of a file, given by its path below the URL."""

    path: str
    start: int
    stop: int


class RemoteFolder:
    """The files below a URL. Safe to share between threads, and to carry over into forked or spawned processes.

    Args:
        url: as fsspec takes it, with its credentials where fsspec looks for them.

    Raises:
        RemoteError: no such protocol, or its package is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opened: tuple[int, Any, str] | None = None
        self._open()

    def __reduce__(self) -> tuple:
        return type(self), (self.url,)

    def read(self, path: str) -> bytes:
        """A whole file."""
        return self._patiently(path, lambda files, full: files.cat_file(full))

    def read_if_there(self, path: str) -> bytes | None:
        """A whole file, None if there is none."""
        try:
            return self.read(path)
        except RemoteError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def read_range(self, wanted: Range) -> bytes:
        """Bytes of a file, fewer where it ends before."""
        data = self._patiently(
            wanted.path, lambda files, full: files.cat_file(full, start=wanted.start, end=wanted.stop)
        )
        if len(data) > wanted.stop - wanted.start:
            raise RemoteError(
                f"{self._full(wanted.path)}: the server sent {len(data):,} bytes where {wanted.stop - wanted.start:,} "
                "were asked for; it must support range requests: take another server, or copy the store to a disk"
            )
        return data

    def read_ranges(self, wanted: Sequence[Range]) -> list[bytes]:
        """Several ranges, at the same time where the protocol allows; those that fail are tried again one by one."""
        files, _ = self._open()
        paths = [self._full(one.path) for one in wanted]
        answers = files.cat_ranges(paths, [one.start for one in wanted], [one.stop for one in wanted])
        whole = (
            isinstance(answer, bytes) and len(answer) == one.stop - one.start
            for answer, one in zip(answers, wanted, strict=True)
        )
        return [
            bytes(answer) if good else self.read_range(one)
            for answer, good, one in zip(answers, whole, wanted, strict=True)
        ]

    def size(self, path: str) -> int:
        """Bytes of a file.

        Raises:
            RemoteError: there is no such file, or it cannot be read in parts.
        """
        info = self._patiently(path, lambda files, full: files.info(full))
        if info.get("partial") is False:
            raise RemoteError(
                f"{self._full(path)}: the server allows no range requests (Accept-Ranges: none); take another server, "
                "or copy the store to a disk"
            )
        return int(info["size"] if info.get("size") is not None else -1)

    def _open(self) -> tuple[Any, str]:
        """The file system of this process, and the root in it: fsspec's connections do not survive a fork."""
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                files, root = fsspec.core.url_to_fs(self.url)
            except (ImportError, ValueError) as error:
                raise RemoteError(f"{self.url}: {error}") from error
            self._opened = (os.getpid(), files, root.rstrip("/"))
        return self._opened[1:]

    def _full(self, path: str) -> str:
        root = self._open()[1]
        while path.startswith("../"):  # of files indexed in place beside the store
            root, path = root.rpartition("/")[0], path[3:]
        return f"{root}/{path}"

    def _patiently(self, path: str, request: Any) -> Any:
        files, full = self._open()[0], self._full(path)
        for delay in (*DELAYS, None):
            try:
                return request(files, full)
            except PERMANENT as error:
                raise RemoteError(f"{full}: {_words(error)}; check the URL and the rights to it") from error
            except Exception as error:
                if delay is None or _is_refusal(error):
                    raise RemoteError(
                        f"{full}: {_words(error)}; check the network and the server, then run the same command again"
                    ) from error
                log.warning("%s: %s; trying again in about %g s", full, _words(error), delay)
                time.sleep(delay * random.uniform(0.8, 1.2))  # so that many workers do not all come back at once
        raise AssertionError("unreachable")


def _is_refusal(error: Exception) -> bool:
    status = getattr(error, "status", None)
    return isinstance(status, int) and 400 <= status < 500 and status not in RETRIED_STATUS


def _words(error: Exception) -> str:
    kind, text = type(error).__name__, str(error).strip().partition("\n")[0]
    return f"{kind} ({text})" if text else kind
