"""PANNs: audio tagging on AudioSet with PyTorch Lightning and Hydra."""

from importlib import import_module
from typing import Any

_HOMES = {"create_model": "panns.zoo", "list_models": "panns.zoo", "load": "panns.trained"}
__all__ = ["create_model", "list_models", "load"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is first asked for: `import panns.data` stays light."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
