"""Files that are there whole or not at all, whenever the process or the machine stops."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def written_whole(path: Path, mode: str = "w", **options: Any) -> Iterator[IO[Any]]:
    """Opens a file that takes the place of `path`, in one step, once the block has ended without an error.

    Args:
        path: Of the file. One process at a time may write it.
        mode: "w" or "wb".
        options: Of `Path.open`; text is UTF-8 unless they say otherwise.

    Raises:
        OSError: the disk is full or not writable; the former file is as it was.
    """
    temporary = path.with_name(f".{path.name}.part")
    if "b" not in mode:
        options = {"encoding": "utf-8"} | options
    try:
        with temporary.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
