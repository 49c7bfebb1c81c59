"""The weights that a run starts from (`checkpoint=`): known by what is in the file, as data are, not by its name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from panns.training.run import STARTS, RunError
from panns.weights.cache import locate
from panns.weights.catalog import RELEASED
from panns.weights.files import CheckpointError
from panns.weights.reading import Weights, read_weights

START = "start"  # of a run's fingerprint


def weights_to_start(source: str | Path | None) -> Weights | None:
    """Reads the weights that `checkpoint=` names for the model that is chosen; None for a fresh model.

    Raises:
        CheckpointError, DownloadError, DiskError, NotReleasedError: as `read_weights` and `locate`.
    """
    if source is None:
        return None
    preset = HydraConfig.get().runtime.choices["model"] if source == RELEASED else ""
    return read_weights(locate(source, preset))


def check_one_start(resume: str | Path, checkpoint: str | Path | None) -> None:
    """Refuses two things to start from.

    Raises:
        RunError: both are given.
    """
    if checkpoint is not None and resume not in STARTS:
        raise RunError(
            f"resume={resume} goes on from all of a checkpoint, checkpoint={checkpoint} starts from its weights alone: "
            "give one of them."
        )


def start_of(weights: Weights | None) -> dict[str, Any]:
    """What the fingerprint of a run says of the weights it starts from; empty for a fresh model."""
    return {} if weights is None else {START: {"weights": weights.hash}}


def start_now(source: str | Path | None) -> dict[str, Any]:
    """The same of what `checkpoint=` names by now, for a run that has begun and goes on without it.

    Empty where the file is gone or cannot be read, and for released files, which do not change.
    """
    if source == RELEASED:
        return {}
    try:
        return start_of(weights_to_start(source))
    except CheckpointError:
        return {}


def keep_start(before: Mapping[str, Any], now: dict[str, Any]) -> None:
    """Has the fingerprint of a run that goes on name the weights that it once started from, or none.

    Args:
        before: Fingerprint in the checkpoint that it goes on from.
        now: Its own, which is changed.
    """
    now.pop(START, None)
    now |= {START: before[START]} if START in before else {}


def check_same_start(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuses a run that started from other weights than those that are there now.

    Args:
        path: What it left: a checkpoint, or its folder.
        before: Its fingerprint.
        now: With the weights that are there.

    Raises:
        CheckpointError: both are known, and differ.
    """
    there, here = (fingerprint.get(START, {}).get("weights") for fingerprint in (before, now))
    if there and here and there != here:
        raise CheckpointError(
            f"{path} started from other weights than those that checkpoint= names now: hash {there} there, {here} "
            "here. Put the file back, start anew with resume=never, or keep both runs with another name=."
        )
