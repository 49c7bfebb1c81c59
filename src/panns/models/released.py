"""Turns the weights that the authors of PANNs released (Zenodo 3987831) into those of this package's models."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from panns.models.frontends import LogMel
from panns.models.released_names import (
    BACKBONES,
    CONSTANTS,
    FRONTENDS,
    HEADS,
    MEL_FILTERS,
    NOT_RELEASED,
    SIGNATURES,
    Rule,
)
from panns.models.tagger import AudioTagger

CLASSIFIERS = ("head.classifier.", "head.attention.")
ADDED = (
    "head.hidden."  # layers for new classes, which a file need not have: they stay as initialised, as their classifier
)


@dataclass(frozen=True)
class ReleasedReport:
    """What became of a released checkpoint.

    Attributes:
        source: The released class it was recognised as.
        dropped: Released names left out on purpose: front-end constants and parameters that the released code never
            uses.
        fresh: Our names left as initialised, because the file has another number of classes.
    """

    source: str
    dropped: tuple[str, ...]
    fresh: tuple[str, ...]


def recognise(state: Mapping[str, Tensor]) -> str:
    """Released state dict -> the released class it belongs to, or NOT_RELEASED."""
    for name, keys in SIGNATURES:
        if all(key in state and shape in (None, tuple(state[key].shape)) for key, shape in keys.items()):
            return name
    return NOT_RELEASED


def convert_released(state: Mapping[str, Tensor], model: AudioTagger) -> tuple[dict[str, Tensor], ReleasedReport]:
    """Released state dict -> state dict of the model, and what was left out.

    Where the number of classes differs, or the model has further layers in front of it, the classifier is left out.

    Raises:
        ValueError: If a released name is unknown to the model, or one of the model's is missing or has another shape.
    """
    source = recognise(state)
    _check_mel_filters(state, model, source)
    targets = model.state_dict()
    rules = _rules(model)
    weights: dict[str, Tensor] = {}
    added = [name for name in targets if name.startswith(ADDED)]
    dropped, fresh = [], added.copy()
    for name, value in state.items():
        ours = _rename(name, rules, source)
        if ours is None:
            dropped.append(name)
        elif ours not in targets:
            raise ValueError(f"these are the weights of {source}: this model has no place for {name}.")
        elif ours.startswith(CLASSIFIERS) and (added or value.shape[0] != targets[ours].shape[0]):
            fresh.append(ours)
        else:
            weights[ours] = _fitted(name, value, targets[ours], source)
    missing = targets.keys() - weights.keys() - set(fresh)
    if missing:
        raise ValueError(
            f"these are the weights of {source}: they lack {len(missing)} of this model's, such as {min(missing)}."
        )
    return weights, ReleasedReport(source, tuple(dropped), tuple(fresh))


def _rules(model: AudioTagger) -> tuple[Rule, ...]:
    try:
        return CONSTANTS + FRONTENDS[type(model.frontend)] + BACKBONES[type(model.backbone)] + HEADS[type(model.head)]
    except KeyError as error:
        raise ValueError(f"no released weights fit a model with {error.args[0].__name__}.") from None


def _rename(name: str, rules: tuple[Rule, ...], source: str) -> str | None:
    for pattern, ours in rules:
        match = re.fullmatch(pattern, name)
        if match:
            groups = [int(group) - 1 if group.isdigit() else group for group in match.groups()]
            return None if ours is None else ours.format(*groups)
    raise ValueError(f"these are the weights of {source}: this model has no place for {name}.")


def _fitted(name: str, value: Tensor, target: Tensor, source: str) -> Tensor:
    """The value in the target's shape; 1 x 1 convolutions and linear layers are taken for each other."""
    if [n for n in value.shape if n > 1] != [n for n in target.shape if n > 1]:
        raise ValueError(
            f"these are the weights of {source}: {name} is {tuple(value.shape)}, the model needs {tuple(target.shape)}."
        )
    return value.reshape(target.shape)


def _check_mel_filters(state: Mapping[str, Tensor], model: AudioTagger, source: str) -> None:
    """The mel matrix is not loaded, but its shape tells weights for another sample rate, which fit otherwise."""
    logmel = next((module for module in model.modules() if isinstance(module, LogMel)), None)
    if logmel is None or MEL_FILTERS not in state:
        return
    theirs, ours = tuple(state[MEL_FILTERS].shape), tuple(logmel.mel_filters.T.shape)
    if theirs != ours:
        raise ValueError(
            f"these are the weights of {source}, for mel filters of {theirs} (FFT bins, mel bins), here {ours}: "
            "set sample_rate, frontend.n_fft and frontend.n_mels accordingly."
        )
