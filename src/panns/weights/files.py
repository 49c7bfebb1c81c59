"""Reads checkpoint files without running anything that is in them."""

import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch

NUMBERS = ("bool", "uint8", "int16", "int32", "int64", "float16", "float32", "float64")
ZIP = b"PK\x03\x04"  # how a checkpoint of torch >= 1.6 begins
OTHER_FILES = {
    b"\x1f\x8b": "is packed with gzip: unpack it first",
    b"\x93numpy": "is a NumPy array, not a checkpoint",
    **dict.fromkeys((b"riff", b"flac", b"oggs", b"id3"), "is an audio file, not a checkpoint"),
}
ALONE = "save the weights alone, torch.save(model.state_dict(), path)"
PICKLE = b"\x80"
BLOCK = 1 << 20
TEXT = {*b"\t\n\r\f", *range(32, 127), *range(128, 256)}  # what UTF-8 text is made of


class CheckpointError(ValueError):
    """A checkpoint cannot be used."""


def load_checkpoint(path: Path) -> Any:
    """Reads a checkpoint to the CPU with weights_only=True: tensors, arrays of numbers, and plain containers.

    Raises:
        CheckpointError: there is no such file, it is not a checkpoint, or it is damaged.
    """
    if not path.is_file():
        what = f"{path} is a folder: name the checkpoint" if path.is_dir() else f"There is no checkpoint {path}"
        raise CheckpointError(f"{what}.")
    try:
        _check_sums(path)
        with torch.serialization.safe_globals(_arrays()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes that are no pickle make its reader stumble over anything
        raise CheckpointError(f"{path} {_what_it_is(path, error)}.") from error


def _check_sums(path: Path) -> None:
    """Reads a checkpoint through, as torch passes over the checksums that it wrote; older ones have none."""
    with path.open("rb") as file:
        if file.read(len(ZIP)) != ZIP:
            return
    with ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.CRC:  # 0: written without
                with archive.open(entry) as part:  # raises BadZipFile at its end
                    while part.read(BLOCK):
                        pass


def _arrays() -> list[Any]:
    """What NumPy arrays and numbers are rebuilt with, under old and new names: some released files have them inside."""
    rebuild, scalar = np.zeros(1).__reduce__()[0], np.float64(0).__reduce__()[0]
    names = [f"numpy.{core}.multiarray" for core in ("core", "_core")]
    functions = [(rebuild, f"{name}._reconstruct") for name in names] + [(scalar, f"{name}.scalar") for name in names]
    return [*functions, np.ndarray, np.dtype, *(type(np.dtype(name)) for name in NUMBERS)]


def _what_it_is(path: Path, error: Exception) -> str:
    """What a file is that cannot be read as a checkpoint."""
    with path.open("rb") as file:
        head = file.read(512)
    start = head.lstrip().lower()
    for kind, words in OTHER_FILES.items():
        if start.startswith(kind):
            return words
    if not start:
        return "is empty"
    if start.startswith((b"<!doctype", b"<html")):
        return "is a web page, not a checkpoint: download the file itself"
    if all(byte in TEXT for byte in start):
        return "is a text file, not a checkpoint"
    reason = re.sub(r"\s+", " ", str(error))
    if found := re.search(r"[Uu]nsupported (?:global: )?(?:GLOBAL|class) (\S+)", reason):
        return f"holds an object of Python code ({found[1]}), which is not run here: {ALONE}"
    if "TorchScript" in reason:
        return f"is a TorchScript program, which is not run here: {ALONE}"
    if head[8:10] == b'{"':  # behind the length of this header
        return "is a safetensors file: torch.save(safetensors.torch.load_file(path), 'w.pth') makes a checkpoint of it"
    if start.startswith(PICKLE) and "Unsupported operand" in reason:
        return f"is damaged, or a pickle of more than weights, which is not run here: {ALONE}"
    if ".tar format" in reason:
        return "is damaged, or a tar file, no checkpoint"
    if found := re.search(r"WeightsUnpickler error: (.{1,80}?)(?:\.? Check the documentation|$)", reason):
        reason = found[1]
    if start.startswith(ZIP.lower()) and "CRC" not in reason:
        return "is damaged or cut short, or a zip file with no checkpoint in it"
    return f"is damaged or no checkpoint ({reason.partition('. ')[0] or type(error).__name__})"
