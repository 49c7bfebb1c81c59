"""Stores that need no command of their own: made when training first asks for them, by the commands a user would type.

A store that is there is checked against its source and kept.
"""

import subprocess
import sys
from pathlib import Path

from panns.data.audioset import AudioSetSource
from panns.data.demo.generate import generate
from panns.data.esc50 import Esc50Source
from panns.data.forms.folder import AudioFolder
from panns.data.packing import index, pack
from panns.data.store_files import StoreError


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
