"""Models trained here, rebuilt from their checkpoint alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from panns.models import AudioTagger

TRUSTED = "panns.models."  # a checkpoint may name nothing else to be called


class NotOurCheckpointError(ValueError):
    """The file is no checkpoint that `train.py` wrote, or one that asks for code outside panns.models."""


def load(path: str | Path) -> AudioTagger:
    """Rebuilds a model from a checkpoint of `train.py`: architecture, sample rate, weights and class names are inside.

    Nothing in the file is executed: it is read with weights_only=True and may only name classes of `panns.models`.

    Returns:
        The model in evaluation mode, with `model.classes`, the display names in output order, and `model.exclusive`.

    Raises:
        NotOurCheckpointError: no such file, a damaged one, one of another origin.
    """
    from hydra.utils import instantiate

    checkpoint = _read(Path(path))
    about = checkpoint["hyper_parameters"]
    config, classes = about["model"], about["classes"]
    for target in _targets(config):
        if not target.startswith(TRUSTED):
            raise NotOurCheckpointError(
                f"{path} asks for {target!r}; only classes of {TRUSTED[:-1]} are built from a checkpoint."
            )
    model: AudioTagger = instantiate({**config, "num_classes": len(classes)})
    weights = {
        name.removeprefix("model."): w for name, w in checkpoint["state_dict"].items() if name.startswith("model.")
    }
    model.load_state_dict(weights)
    model.classes, model.exclusive = classes, about["exclusive"]
    return model.eval()


def _read(path: Path) -> dict[str, Any]:
    from panns.training.checkpoints import CheckpointError, load_checkpoint

    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError as error:
        raise NotOurCheckpointError(str(error)) from error
    if not isinstance(checkpoint, dict) or not {"hyper_parameters", "state_dict"} <= checkpoint.keys():
        raise NotOurCheckpointError(
            f"{path} was not written by train.py; released checkpoints: create_model(name, checkpoint=...)."
        )
    return checkpoint


def _targets(config: Any) -> Iterator[str]:
    """All `_target_` values in a configuration."""
    if isinstance(config, Mapping):
        if "_target_" in config:
            yield str(config["_target_"])
        for value in config.values():
            yield from _targets(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _targets(value)
