"""`panns tag`: what is heard in audio files, by a model trained here or by one that was released."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from panns.audio import AudioError, read_mono
from panns.commands.numbers import seconds, whole
from panns.models import AudioTagger, fold_batch_norms
from panns.names import unknown
from panns.trained import load
from panns.weights.catalog import RELEASED, released_files
from panns.zoo import create_model, list_models

FAR_BEYOND = 2.0  # of full scale: not what decoders of MP3 add, but another scale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, files, and how much is printed."""
    parser.add_argument(
        "model",
        help="checkpoint of train.py, such as runs/.../checkpoints/best.ckpt; or released weights: cnn14, ..., or "
        "their file under its name, such as Cnn14_mAP=0.431.pth",
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
            heard = tag(model, read_mono(path, model.sample_rate), window)
            if not np.isfinite(heard.scores).all():
                raise AudioError(f"{path}: too far beyond full scale, {heard.peak:.3g} times; export it again")
        except AudioError as error:
            print(f"panns tag: {error}", file=sys.stderr)
            unheard += 1
            continue
        print(f"{path} ({about(model, heard)})")
        for k in np.argsort(-heard.scores)[: args.top]:
            print(f"  {heard.scores[k]:.3f}  {model.classes[k]}")
    if unheard and len(args.files) > 1:
        print(f"panns tag: {unheard} of {len(args.files)} files could not be heard, see above", file=sys.stderr)
    return 2 if unheard else 0


class Heard(NamedTuple):
    """What a model heard in a recording.

    Attributes:
        scores: (K,) probabilities, each the highest over windows.
        samples: How many, at the model's rate.
        peak: The largest of them, of full scale.
    """

    scores: NDArray[np.float32]
    samples: int
    peak: float


def about(model: AudioTagger, heard: Heard) -> str:
    """What must be known about a file to judge its scores: its length, and why they may mean nothing."""
    length = heard.samples / model.sample_rate
    facts = [f"{length:.1f} s"]
    if heard.samples < model.min_samples:
        how = "filled up with silence" if model.short_clips == "zeros" else "repeated"
        facts = [f"{length:.3g} s", f"{how} to the {model.min_samples / model.sample_rate:.3g} s that the model needs"]
    if heard.peak == 0:
        facts.append("silent: every sample is zero")
    if heard.peak > FAR_BEYOND:
        facts.append(f"beyond full scale: samples to {heard.peak:.3g} where 1 is the most")
    return ", ".join(facts)


def _model(name: str) -> AudioTagger:
    """A released model by its name or that of its file, or what a checkpoint holds."""
    if name in list_models():
        return create_model(name, checkpoint=RELEASED)
    if (path := Path(name)).name in (of_file := {file.name: file.preset for file in released_files().values()}):
        return create_model(of_file[path.name], checkpoint=path)
    if not (Path(name).exists() or Path(name).suffix or os.sep in name):
        raise ValueError(unknown("checkpoint or model", name, list_models()))
    return load(name)


@torch.inference_mode()
def tag(model: AudioTagger, pieces: Iterable[NDArray[np.float32]], window: int) -> Heard:
    """Pieces (n,) in [-1, 1] of one recording -> what the model hears in windows of `window` samples.

    What is shorter than the model takes is filled up as `model.short_clips` says.
    """
    scores, samples, peak = np.zeros(len(model.classes), np.float32), 0, 0.0
    for part in windows(pieces, window):
        scores = np.maximum(scores, model.probabilities(torch.from_numpy(part)[None])[0].numpy())
        samples, peak = samples + len(part), max(peak, float(np.abs(part).max(initial=0)))
    return Heard(scores, samples, peak)


def windows(pieces: Iterable[NDArray[np.float32]], window: int) -> Iterator[NDArray[np.float32]]:
    """Pieces (n,) of one recording -> windows (window,); a rest of half of one or less goes to the one before."""
    held: list[NDArray[np.float32]] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) <= window + window // 2:
            continue
        rest = np.concatenate(held)
        while len(rest) > window + window // 2:
            yield rest[:window]
            rest = rest[window:]
        held = [rest]
    yield np.concatenate(held)
