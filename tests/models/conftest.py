"""Every preset, and the numbers of the released implementation."""

import importlib.util
import sys
from functools import lru_cache

import pytest
import torch

from panns.zoo import list_models


@pytest.fixture(scope="session", params=list_models())
def preset(request) -> str:
    return request.param


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
