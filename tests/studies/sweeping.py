"""Sweeps as a user starts them, on the tones."""

import os
import subprocess
import sys
import time
from pathlib import Path

from runs import ROOT, SMALL, start_train

FAST = [word for word in SMALL if not word.startswith("model.frontend")]


def sweep(folder: Path, store: Path, *overrides: str) -> subprocess.Popen:
    """`python train.py -m ...` on the tones, as a process group of its own."""
    words = [sys.executable, str(ROOT / "train.py"), "-m", *FAST, f"data.store={store}", *overrides]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = (folder / "said.txt").open("a")
    return subprocess.Popen(words, cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True)


def finish(folder: Path, store: Path, *overrides: str) -> tuple[int, str]:
    """The same, waited for: exit code and what it said."""
    done = start_train(["-m", *FAST, f"data.store={store}", *overrides], folder, timeout=600)
    return done.returncode, done.stdout + done.stderr


def wait_for_new_checkpoint(runs: Path, process: subprocess.Popen) -> None:
    """Until a run that is not finished has written a checkpoint, or the sweep is over."""
    since, deadline = time.time(), time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if any(path.stat().st_mtime > since for path in runs.glob("*/checkpoints/last.ckpt")):
            return
        time.sleep(0.05)


def jobs_of(parent: int) -> list[int]:
    """The processes that a process started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in children.split()]
