"""The folder for copies of what lies elsewhere: released weights, clips of stores at a URL."""

import os
from pathlib import Path

CACHE = "PANNS_CACHE"  # environment variable: the folder


def cache_dir() -> Path:
    """$PANNS_CACHE, else $XDG_CACHE_HOME/panns, else ~/.cache/panns."""
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "panns"
