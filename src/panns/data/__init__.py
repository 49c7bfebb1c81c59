"""Clips on disk to batches on the device: labels, the clip store, samplers, loader, importers, demo set."""

from typing import Any

from panns.data.store import ClipError, ClipStore
from panns.data.store_files import StoreError

__all__ = ["AudioSetDataModule", "ClipError", "ClipStore", "StoreError"]


def __getattr__(name: str) -> Any:
    """Imports the datamodule when asked for: Lightning takes seconds, which packing and its workers do without."""
    if name == "AudioSetDataModule":
        from panns.data import datamodule

        return getattr(datamodule, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
