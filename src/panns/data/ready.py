"""Stores that need no command of their own: made when training first asks for them, by the commands a user would type.

A store that is there is checked against its source and kept.
"""

import subprocess
import sys
from pathlib import Path

from panns.data.audioset import AudioSetSource
from panns.data.demo.generate import generate
from panns.data.importers import Esc50Source
from panns.data.packing import index, pack
from panns.data.store import StoreError


def make_demo(store: Path) -> None:
    """Generates the demo set in the parent of `store` and indexes it there, in place."""
    root = store.parent
    if not _is_finished(store):
        _panns("demo", "--out", root)
    generate(root)
    index(AudioSetSource([root / "train_segments.csv", root / "eval_segments.csv"], root / "audio", name="demo"), store)


def make_esc50(root: Path, store: Path) -> None:
    """Packs the ESC-50 layout at `root`: 5-s clips at 32 kHz."""
    if not _is_finished(store):
        _panns("pack", "esc50", "--root", root, "--out", store)
    pack(Esc50Source(root), store)


def _is_finished(store: Path) -> bool:
    return (store / "meta.json").exists()


def _panns(*arguments: str | Path) -> None:
    """Runs a command in a process of its own, whose workers then need not import what training needs.

    Raises:
        StoreError: the command failed, and said why.
    """
    command = [sys.executable, "-m", "panns.cli", *map(str, arguments)]
    if subprocess.run(command, check=False).returncode:
        raise StoreError(f"`panns {' '.join(command[3:])}` failed, see above; the data cannot be made ready without it")
