"""Fixtures that several tests share."""

import csv
import importlib.util
import os
import signal
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mirror import released, server  # noqa: F401 - fixtures
from panns.data.manifest import ManifestSource
from panns.data.packing import index

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
RATE = 32000

os.environ["WANDB_MODE"] = "offline"
torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background; those started here inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real recordings, official lists and golden numbers; most tests do without it."""
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED}: it holds the real recordings and golden numbers that this test compares with")
    return SHARED


@pytest.fixture(scope="session")
def tones(tmp_path_factory) -> Path:
    """A store of 1-s clips: four tones and their mixtures, 40 to train on and 12 to validate with."""
    root = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    rows = [["path", "labels", "split"]]
    for number in range(52):
        heard = [k for k in range(4) if k == number % 4 or rng.random() < 0.2]
        wave = sum(np.sin(2 * np.pi * (400 * 2**k * (1 + 0.05 * rng.random()) * time + rng.random())) for k in heard)
        wave = 0.1 * wave + 0.01 * rng.standard_normal(RATE)
        soundfile.write(root / f"clip{number:02}.wav", wave, RATE, subtype="PCM_16")
        rows.append([f"clip{number:02}.wav", ";".join(f"tone{k}" for k in heard), "train" if number < 40 else "eval"])
    with (root / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    index(ManifestSource(root / "clips.csv"), root / "store", clip_seconds=1.0, jobs=1, show_progress=False)
    return root / "store"


@pytest.fixture(scope="session")
def reference(shared):
    """The module that makes checkpoints under released names, and has what the released code computed from them."""
    spec = importlib.util.spec_from_file_location("reference_weights", shared / "parity" / "reference_weights.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = before
    fill = module._fill

    @lru_cache(maxsize=60)  # variants share most weights
    def cached(name, shape, kind, seed):
        return fill(name, list(shape), kind, seed).astype("float32")

    module._fill = lambda name, shape, kind, seed: cached(name, tuple(shape), kind, seed)
    return module


@pytest.fixture
def no_init(monkeypatch):
    """Leaves weights as they come: for tests that load some, or look at shapes alone."""
    for name in ("kaiming_uniform_", "xavier_uniform_"):
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)
