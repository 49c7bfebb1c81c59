"""Folders on the command line that are written to."""

from argparse import ArgumentTypeError
from pathlib import Path


def local_folder(text: str) -> Path:
    """The `type` of an option that names a folder to write to; a URL, which a path would take for one, is refused."""
    if "://" in text:
        raise ArgumentTypeError(f"{text}: give a folder on a disk; what lies in it can be copied to a URL afterwards")
    return Path(text)
