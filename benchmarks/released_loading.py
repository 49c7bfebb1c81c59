"""The released way of loading, restated: `AudioSetDataset` and `collate_fn` of its data_generator.py.

Each clip opens the HDF5 file anew and is turned into float32 in the worker; a batch is an array of arrays, which comes
to the training process through a pipe; there it becomes a tensor, as `move_data_to_device` does it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray


class AudioSetDataset:
    """Clips of HDF5 files, by a meta dictionary that says where."""

    def __getitem__(self, meta: dict[str, Any]) -> dict[str, Any]:
        with h5py.File(meta["hdf5_path"], "r") as file:
            audio_name = file["audio_name"][meta["index_in_hdf5"]].decode()
            waveform = int16_to_float32(file["waveform"][meta["index_in_hdf5"]])
            target = file["target"][meta["index_in_hdf5"]].astype(np.float32)
        return {"audio_name": audio_name, "waveform": waveform, "target": target}


def int16_to_float32(x: NDArray[np.int16]) -> NDArray[np.float32]:
    """Scale to [-1, 1]."""
    return (x / 32767.0).astype(np.float32)


def collate_fn(clips: list[dict[str, Any]]) -> dict[str, NDArray]:
    """Stack the clips of a batch."""
    return {key: np.array([clip[key] for clip in clips]) for key in clips[0]}


def batches(file: Path, order: list[list[int]], num_workers: int) -> Iterator[torch.Tensor]:
    """Yield the waveforms (B, L) float32 of each batch of row numbers, as the training loop gets them."""
    metas = [[{"hdf5_path": file, "index_in_hdf5": row} for row in batch] for batch in order]
    loader = torch.utils.data.DataLoader(
        dataset=AudioSetDataset(), batch_sampler=metas, collate_fn=collate_fn, num_workers=num_workers
    )
    for batch in loader:
        torch.Tensor(batch["target"])
        yield torch.Tensor(batch["waveform"])
