"""Where copies go: one folder for weights and for clips of stores at a URL."""

from pathlib import Path

import pytest

from panns.cache_folder import cache_dir
from panns.data.remote_store import cache_folder


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"PANNS_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/panns"),
        ({"XDG_CACHE_HOME": "relative, so to be ignored"}, "/home/x/.cache/panns"),
        ({"XDG_CACHE_HOME": "", "PANNS_CACHE": ""}, "/home/x/.cache/panns"),
        ({"PANNS_CACHE": "~/weights"}, "/home/x/weights"),
    ],
)
def test_folder(env, folder, monkeypatch):
    for name in ("PANNS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/x"} | env).items():
        monkeypatch.setenv(name, value)
    assert cache_dir() == cache_folder(None) == Path(folder)
    assert cache_folder("~/clips") == Path(env.get("HOME", "/home/x")) / "clips"
