"""Fetches a file over HTTP: goes on where it was cut, checks it, and puts it in place only when it is whole."""

import errno
import hashlib
import math
import os
import re
import shutil
import time
from collections.abc import Callable
from datetime import datetime, timezone
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from importlib.metadata import version
from io import FileIO
from pathlib import Path
from socket import EAI_AGAIN, gaierror
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from panns.weights.catalog import MIRROR
from panns.weights.progress import Transfer

CHUNK = 1 << 18
TIMEOUT_SECONDS = 30.0  # without a byte
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between attempts that brought less than the following
ENOUGH = 1 << 18  # bytes
LONGEST_WAIT = 600.0  # a server that asks for more is left alone
TRANSIENT = (408, 425, 429)  # and all of 5xx


class DownloadError(ValueError):
    """A file could not be fetched."""


class DiskError(ValueError):
    """A file cannot be written where it should lie."""


class _Cut(Exception):
    """An attempt ended early; another one may get further."""

    def __init__(self, why: str, retry_after: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


def download(
    url: str,
    target: Path,
    md5: str | None = None,
    size: int | None = None,
    check: Callable[[Path], None] = lambda path: None,
) -> None:
    """Fetches `url` into `target` by way of `target`.part, where what came stays if it is interrupted.

    Args:
        url: http or https; redirects are followed.
        target: Whole or absent. One process at a time may work on it.
        md5: Hexadecimal; None takes the server's word, where its ETag is an md5.
        size: Bytes; None for what the server says.
        check: Looks into a file whose md5 nobody knows, and raises a ValueError where it is another one.

    Raises:
        DownloadError: the file is not there, is another one or damaged, or the server is down.
        DiskError: the disk is full or the folder cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    with Transfer(target.name) as transfer:
        while True:
            resumed = part.exists()
            told = _complete(url, part, size, transfer)
            if (wrong := _wrong(part, md5 or told, check)) is None:
                break
            part.unlink()
            if not resumed:
                raise DownloadError(f"What came from {url} is damaged or another file: {wrong}")
            transfer.say("damaged: what lay there from before is dropped, and all of it fetched anew")
        if (md5 or told) is None:
            transfer.say("its md5 is not known here, so only its content was looked at")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)


def _wrong(part: Path, md5: str | None, check: Callable[[Path], None]) -> str | None:
    """-> what is wrong with a file by its md5 where that is known, else by its content; None if all is well."""
    if md5 is not None:
        found = md5_of(part)
        return None if found == md5 else f"its md5 is {found}, not {md5}."
    try:
        check(part)
    except ValueError as error:
        return str(error)
    return None


def md5_of(path: Path) -> str:
    """-> the MD5 of a file, hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _complete(url: str, part: Path, size: int | None, transfer: Transfer) -> str | None:
    """Tries until all of the file is in `part` -> its md5 by the server, if it says so."""
    waits, furthest = iter(WAITS), _size(part)
    while True:
        try:
            return _attempt(url, part, size, transfer)
        except _Cut as cut:
            if (size_now := _size(part)) >= furthest + ENOUGH:  # a server may send the same part again and again
                waits, furthest = iter(WAITS), size_now
            pause = max(next(waits, math.inf), cut.retry_after)
            if pause > LONGEST_WAIT:
                there = f": it goes on after the {_size(part):,} bytes that are there" if _size(part) else ""
                raise DownloadError(f"{url}: {cut}. Run it again later{there}.") from cut
            transfer.say(f"{cut}; goes on in {pause:.0f} s")
            time.sleep(pause)


def _attempt(url: str, part: Path, size: int | None, transfer: Transfer) -> str | None:
    """One request for what is missing in `part`."""
    have = _size(part)
    if size is not None and have > size:
        part.unlink()
        have = 0
    if have == size:
        return None
    headers = {"User-Agent": f"panns/{version('panns')}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS) as response:
            start, total = _extent(response.status, response.headers, have)
            if None not in (size, total) and total != size:
                raise DownloadError(f"{url} has {total:,} bytes, the released file {size:,}: it is another file.")
            _check_space(part, (total or size or 0) - start)
            with _opened(part, start) as file:
                while chunk := response.read1(CHUNK):
                    _write(file, chunk, part)
                    transfer.show(file.tell(), total or size)
            if _size(part) < (total or size or 0):
                raise _Cut(f"the connection was cut at {_size(part):,} of {total or size:,} bytes")
            return _md5_tag(response.headers)
    except HTTPError as error:
        _explain(url, error, part)
        return None
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, gaierror) and not (reason.errno == EAI_AGAIN and have):  # in the midst, it may come back
            mirror = f"correct {MIRROR}, or " if os.environ.get(MIRROR) else ""
            host = f"the host {urlsplit(url).hostname} is not found ({reason.strerror})"
            raise DownloadError(f"{url}: {host}; {mirror}see to the network.") from error
        raise _Cut(f"the connection failed ({getattr(reason, 'strerror', None) or repr(reason)})") from error


def _extent(status: int, headers: Message, have: int) -> tuple[int, int | None]:
    """-> where in the file the answer starts, and how long the file is; a server may ignore what was asked for."""
    length = headers.get("Content-Length")
    if status != 206:
        return 0, int(length) if length and length.isdigit() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range") or "")
    if match is None or int(match[1]) > have:
        raise _Cut("the server answered with another part of the file than it was asked for")
    return int(match[1]), int(match[2]) if match[2] != "*" else None


def _opened(part: Path, start: int) -> FileIO:
    """The file, cut off at `start`; unbuffered, so that what came is there whatever happens next."""
    try:
        file = FileIO(part, "r+" if start else "w")
        file.truncate(start)
        file.seek(start)
    except OSError as error:
        raise disk_error(part, error) from error
    return file


def _write(file: FileIO, chunk: bytes, part: Path) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise disk_error(part, error) from error


def _explain(url: str, error: HTTPError, part: Path) -> None:
    """Raises what a status that is no success means; returns if the file was whole already."""
    if error.code == 416:  # asked for what lies behind the end: what is there is whole, or of another file
        if error.headers.get("Content-Range") == f"bytes */{_size(part)}":
            return
        part.unlink()
        raise _Cut("what lay there from before is no part of this file") from error
    if error.code in TRANSIENT or error.code >= 500:
        wait = _retry_after(error.headers)
        asked = f" and asks to come back in {wait:.0f} s" if wait else ""
        raise _Cut(f"the server says {error.code} {error.reason}{asked}", wait) from error
    raise DownloadError(f"{url} cannot be had: the server says {error.code} {error.reason}.") from error


def _retry_after(headers: Message) -> float:
    """-> seconds that the server asks to wait, given as such or as a date; 0 if it does not."""
    text = headers.get("Retry-After") or ""
    if text.strip().isdigit():
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _md5_tag(headers: Message) -> str | None:
    match = re.fullmatch(r'(?:W/)?"?md5:([0-9a-f]{32})"?', headers.get("ETag") or "")
    return match[1] if match else None


def _check_space(part: Path, missing: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise disk_error(part, OSError(errno.ENOSPC, f"{missing:,} bytes more are needed, {free:,} are free"))


def disk_error(path: Path, error: OSError) -> DiskError:
    """What to say when the disk is full or the folder not ours."""
    return DiskError(
        f"{path} cannot be written: {error.strerror}. What came so far stays. Make room or set PANNS_CACHE to another "
        "folder (move what is there to go on with it), and run it again."
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
