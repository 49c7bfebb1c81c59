"""Stores that need no command of their own: made when training first asks for them, by the commands a user would type.

A store that is there is checked against its source and kept.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from panns.data.audioset import AudioSetSource
from panns.data.demo.generate import generate
from panns.data.esc50 import Esc50Source
from panns.data.forms.folder import AudioFolder
from panns.data.packing import index, pack
from panns.data.store import ClipStore
from panns.data.store_files import StoreError


def open_or_prepare(root: Path, prepare: Callable[[Path], Any] | None, hint: str = "") -> ClipStore:
    """Opens a store, after making it if it is not there and can be made. Other processes wait for the one that makes
    it.

    Raises:
        StoreError: there is no store and no way to make it from here.
    """
    if prepare is not None:
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{root}.lock"):
            prepare(root)  # keeps a finished store, and refuses one that was made from something else
    if hint and not (root / "meta.json").exists():
        raise StoreError(f"There is no store at {root.absolute()}.\n{hint}")
    return ClipStore.open(root)


def make_demo(store: Path, root: str | Path) -> None:
    """Generates the demo set in `root` and indexes it in place."""
    if not _is_finished(store):
        _panns("demo", "--out", root, "--store", store)
    else:
        generate(Path(root))
        index(demo_source(Path(root)), store)


def demo_source(root: Path) -> AudioSetSource:
    """The demo set as `index` takes it."""
    segments = [root / "train_segments.csv", root / "eval_segments.csv"]
    return AudioSetSource(segments, AudioFolder(root / "audio"), name="demo")


def make_esc50(store: Path, root: str | Path) -> None:
    """Packs the ESC-50 layout at `root`: 5-s clips at 32 kHz."""
    if not _is_finished(store):
        _panns("pack", "esc50", "--root", root, "--out", store)
    else:
        pack(Esc50Source(Path(root)), store)


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
