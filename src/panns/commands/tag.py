"""`panns tag`: what is heard in audio files, by a model trained here or by one that was released."""

import argparse
import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from panns.audio import AudioError, read_mono
from panns.commands.numbers import seconds, whole
from panns.models import AudioTagger, fold_batch_norms
from panns.names import unknown
from panns.trained import load
from panns.weights.catalog import RELEASED
from panns.zoo import create_model, list_models


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, files, and how much is printed."""
    parser.add_argument(
        "model", help="checkpoint of train.py, such as runs/.../checkpoints/best.ckpt, or cnn14, ...: released weights"
    )
    parser.add_argument("files", type=Path, nargs="+", help="audio in any format soundfile reads, at any rate")
    parser.add_argument(
        "--top", type=whole(1), default=5, metavar="N", help="classes shown per file (default: %(default)s)"
    )
    parser.add_argument(
        "--window", type=seconds, default=10.0, metavar="S", help="seconds heard at once (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the highest classes of each file; a file that cannot be heard is named, and the others are gone on with."""
    model = fold_batch_norms(_model(args.model))
    if model.short_clips == "refuse":  # a choice for training: here every file is heard
        model.short_clips = "zeros"
    window, unheard = round(args.window * model.sample_rate), 0
    if window < model.min_samples:
        needed = model.min_samples / model.sample_rate
        raise ValueError(f"--window {args.window:g}: this model needs {needed:.3g} s at least to hear anything")
    for path in args.files:
        try:
            waveform = read_mono(path, model.sample_rate)
        except AudioError as error:
            print(f"panns tag: {error}", file=sys.stderr)
            unheard += 1
            continue
        scores = tag(model, waveform, window)
        print(f"{path} ({about(model, waveform)})")
        for k in np.argsort(-scores)[: args.top]:
            print(f"  {scores[k]:.3f}  {model.classes[k]}")
    if unheard and len(args.files) > 1:
        print(f"panns tag: {unheard} of {len(args.files)} files could not be heard, see above", file=sys.stderr)
    return 2 if unheard else 0


def about(model: AudioTagger, waveform: NDArray[np.float32]) -> str:
    """What must be known about a file to judge its scores: its length, and why they may mean nothing."""
    facts = [f"{len(waveform) / model.sample_rate:.1f} s"]
    if len(waveform) < model.min_samples:
        how = "filled up with silence" if model.short_clips == "zeros" else "repeated"
        facts[0] = f"{len(waveform) / model.sample_rate:.3g} s"
        facts.append(f"{how} to the {model.min_samples / model.sample_rate:.3g} s that the model needs")
    if not waveform.any():
        facts.append("silent: every sample is zero")
    return ", ".join(facts)


def _model(name: str) -> AudioTagger:
    """A released model by its name, or what a checkpoint holds."""
    if name in list_models():
        return create_model(name, checkpoint=RELEASED)
    if not (Path(name).exists() or Path(name).suffix or os.sep in name):
        raise ValueError(unknown("checkpoint or model", name, list_models()))
    return load(name)


@torch.inference_mode()
def tag(model: AudioTagger, waveform: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """(L,) in [-1, 1] -> (K,) probabilities, each the highest over windows of `window` samples.

    A rest shorter than half a window is heard together with the window before it, and what is shorter than the model
    takes as `model.short_clips` says.
    """
    edges = [*range(0, max(len(waveform) - window // 2, 1), window), len(waveform)]
    scores = []
    for start, end in pairwise(edges):
        scores.append(model.probabilities(torch.from_numpy(waveform[start:end])[None])[0])
    return torch.stack(scores).amax(0).numpy()
