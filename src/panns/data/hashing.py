"""Hashes of files, by which a copy of another time or place is known."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DIGITS = 16  # of the hashes in meta.json
HASH_BLOCK = 2**22  # bytes read at once


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes; empty if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(HASH_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """What meta.json says of a file of the index; empty if it cannot be read."""
    return file_sha256(path)[:DIGITS]


def meta_hash(meta: Mapping[str, Any]) -> str:
    """What meta.json says of its own content."""
    return content_hash(json.dumps(meta, sort_keys=True).encode())


def content_hash(content: bytes) -> str:
    """`file_hash` of a file with this content."""
    return hashlib.sha256(content).hexdigest()[:DIGITS]
