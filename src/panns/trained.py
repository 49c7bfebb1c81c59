"""Models trained here, rebuilt from their checkpoint alone."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from panns import models
from panns.models import AudioTagger
from panns.weights.files import CheckpointError
from panns.weights.loading import differences, load_weights
from panns.weights.reading import read_weights
from panns.zoo import list_models

TRUSTED = "panns.models"  # a checkpoint may name nothing to be called but the layers that are defined there


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
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    path = Path(path).expanduser()
    try:
        weights = read_weights(path)
    except CheckpointError as error:
        name = f' Of a released model: panns.create_model("{path}", checkpoint="released").'
        raise NotOurCheckpointError(f"{error}{name if str(path) in list_models() else ''}") from error
    if not weights.config:
        raise NotOurCheckpointError(
            f"{path} was not written by train.py: it holds {weights.source}, not how the model is built. "
            "Name the model: panns.create_model(name, checkpoint=...); `panns tag` takes released weights under their "
            "file's name, as `panns download --list` has it."
        )
    for target in _targets(weights.config):
        if not is_trusted(target):
            raise NotOurCheckpointError(
                f"{path} asks for {target!r}; only classes of {TRUSTED} are built from a checkpoint."
            )
    try:
        model: AudioTagger = instantiate({**weights.config, "num_classes": weights.num_classes})
    except InstantiationException as error:
        raise NotOurCheckpointError(
            f"{path} describes a model that cannot be built, perhaps of another version of panns: "
            f"{error.__cause__ or error}"
        ) from error
    if found := differences(weights.state, model.state_dict()):
        raise NotOurCheckpointError(
            f"{path} is damaged or of another version of panns: its weights are not those of the model that it "
            f"describes: {found}."
        )
    try:
        load_weights(model, weights)
    except CheckpointError as error:
        raise NotOurCheckpointError(str(error)) from error
    return model.eval()


def is_trusted(target: str) -> bool:
    """Whether a name is that of a network's part defined in `panns.models`, and nothing that is merely reached from
    there, as `panns.models.frontends.torch.hub.load` is."""
    package, _, name = target.rpartition(".")
    modules = {TRUSTED, *(f"{TRUSTED}.{module.name}" for module in pkgutil.iter_modules(models.__path__))}
    if package not in modules:
        return False
    found = getattr(importlib.import_module(package), name, None)
    return isinstance(found, type) and issubclass(found, nn.Module) and found.__module__ in modules


def _targets(config: Any) -> Iterator[str]:
    """All `_target_` values in a configuration, and all texts that could make one: train.py writes none."""
    if isinstance(config, str) and "${" in config:
        yield config
    if isinstance(config, Mapping):
        if "_target_" in config:
            yield str(config["_target_"])
        for value in config.values():
            yield from _targets(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _targets(value)
