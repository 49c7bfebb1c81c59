"""Whether a check has where to write, found out before it reads for hours, and what to say of a disk that is full."""

import errno
import os
from pathlib import Path

from panns.data.store_files import StoreError

FULL = (errno.ENOSPC, errno.EDQUOT)


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder: it may be another's, or on a disk that is mounted to be read only."""
    return os.access(folder, os.W_OK | os.X_OK)


def check_writable(root: Path, out: Path) -> None:
    """Make the folder of the report.

    Raises:
        StoreError: it cannot be made or written.
        OSError: the disk is full.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise _not_writable(root, out, error.strerror or str(error)) from error
    if not is_writable(out):
        raise _not_writable(root, out, "cannot be written")


def _not_writable(root: Path, out: Path, why: str) -> StoreError:
    if is_writable(root):
        return StoreError(f"{out}: {why}; name another folder for the report with --out")
    return StoreError(
        f"{out}: {why}, as the store is read-only; say --out DIR with a folder elsewhere for a report alone, or make "
        f"{root} writable to keep checksums and quarantine too"
    )


def disk_full(root: Path, out: Path, error: OSError) -> StoreError:
    """What to say where a check had no room to write."""
    where = root if out.is_relative_to(root) else f"{root} or {out}"
    return StoreError(
        f"{where}: {error.strerror}; what was checked is kept, make room and run the same command again: it goes on"
    )
