"""Puts weights that were read into a model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from panns.models import AudioTagger
from panns.models.released import ADDED, convert_released, recognise
from panns.weights.catalog import ReleasedFile, file_of, released_files
from panns.weights.files import CheckpointError
from panns.weights.reading import Weights

LEFT_OPEN = (  # keys of conf/model that change nothing of what the weights mean
    *("num_classes", "classifier_layers"),  # the classifier is matched by its classes, and by the layers there are
    *("dropout", "block_dropout"),  # of training
    *("short_clips", "_partial_"),
)


@dataclass(frozen=True)
class Loaded:
    """What became of the weights in a file.

    Attributes:
        weights: As they were read.
        classifier: What the classifier starts from, in words.
        fresh: Names of the model's weights that stay as initialised.
        dropped: Names in the file that are left out on purpose.
        changed: Keys of the model that the weights were trained with another value of, in words.
    """

    weights: Weights
    classifier: str
    fresh: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __str__(self) -> str:
        changed = f"; {', '.join(self.changed)}" if self.changed else ""
        return f"{self.weights.path} ({self.weights.source}); classifier: {self.classifier}{changed}"


def load_weights(model: AudioTagger, weights: Weights, config: Mapping[str, Any] | None = None) -> Loaded:
    """Loads weights into a model of the same architecture.

    Further layers of the model behind the embedding, which the file lacks, stay as initialised, and so does the
    classifier then. Else the classifier goes by class names where the model (`model.classes`) and the file have them:
    rows are taken in the model's order, and if the file lacks one of the classes, all of the classifier stays as
    initialised. Without names the numbers of classes have to agree. A model that has no class names takes over the
    file's with its classifier.

    Equal shapes do not make an equal model: where both are known, what the model and the file were built from is
    compared too. The head and the frontend's hop_length may differ, which the result names; of released weights, it
    names what differs from the model they were released for, the head only where the file still has its name.

    Args:
        model: With or without class names.
        weights: As read.
        config: What the model was built from, `conf/model` resolved.

    Raises:
        CheckpointError: the weights are of another model, which is named, or not all finite.
    """
    spoilt = (name for name, w in weights.state.items() if w.is_floating_point() and not w.isfinite().all())
    if (name := next(spoilt, None)) is not None:
        raise CheckpointError(f"{weights.path} holds NaN or infinite weights, in {name}: take an earlier checkpoint.")
    told: tuple[str, ...] = ()
    rows, classifier = _rows(model, weights)
    state = {name: w[rows] if name.startswith(weights.classifiers) else w for name, w in weights.state.items()}
    if weights.config is None:
        try:
            ours, report = convert_released(state, model)
        except ValueError as error:
            raise CheckpointError(f"{weights.path}: {error}{_right_model(state, config or {})}") from error
        told = _not_as_released(weights.path.name, state, config or {})
    else:
        other = dict(other_values(weights.config, config or {}))
        told = tuple(words for key, words in other.items() if _is_free(key))
        foreign = ", ".join(words for key, words in other.items() if not _is_free(key))
        ours, report = _of_same_model(state, model, weights, foreign), None
    fresh = tuple(model.load_state_dict(ours, strict=False).missing_keys)
    if not fresh and not model.classes:
        model.classes, model.exclusive = list(weights.classes), weights.exclusive
    return Loaded(weights, classifier, fresh, report.dropped if report else (), told)


def _right_model(released: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    """Which model released weights are for, if they were released for one."""
    file = file_of(recognise(released))
    if file is not None and config and not _other_than(file, config):
        return " That is this model, so the file is damaged, or something was changed in it."
    return f" The model of that name is {file.preset}." if file else ""


def _not_as_released(name: str, released: Mapping[str, Tensor], config: Mapping[str, Any]) -> tuple[str, ...]:
    """What of a model differs from the one that weights were released for, in words.

    Systems that differ in their heads alone may have weights of the same shapes: then only the name of the file, where
    it is that of a released one, says which head is meant.
    """
    named = next((file for file in released_files().values() if file.name == name), None)
    file = named or file_of(recognise(released))
    other = _other_than(file, config) if file else {}
    return tuple(words for key, words in other.items() if named or not key.startswith("head."))


def _other_than(file: ReleasedFile, config: Mapping[str, Any]) -> dict[str, str]:
    """`other_values` of a model and the one that a file was released for."""
    from panns.zoo import preset_config  # here: it is built on this

    return dict(other_values(preset_config(file.preset), config))


def _rows(model: AudioTagger, weights: Weights) -> tuple[list[int], str]:
    """-> the rows of the file's classifier that the model's starts from, in its order; none if it stays fresh."""
    every, count = list(range(weights.num_classes)), model.num_classes
    if _added(model, weights.state):
        return [], "fresh, behind further layers that are not in the file"
    if not (model.classes and weights.classes):
        if count == weights.num_classes:
            return every, f"all {count} classes"
        return [], f"fresh, as {count} classes are wanted"
    place = {name: row for row, name in enumerate(weights.classes)}
    unknown = [name for name in model.classes if name not in place]
    if unknown:
        return [], f"fresh, as {len(unknown)} of {count} classes are not in the file, such as {unknown[0]!r}"
    rows = [place[name] for name in model.classes]
    return rows, f"all {count} classes" if rows == every else f"the rows of the {count} classes wanted, by name"


def _added(model: AudioTagger, state: Mapping[str, Tensor]) -> set[str]:
    """Names of the layers behind the embedding that the model has and the file has not."""
    return {name for name in model.state_dict() if name.startswith(ADDED) and name not in state}


def _of_same_model(
    state: Mapping[str, Tensor], model: AudioTagger, weights: Weights, foreign: str
) -> dict[str, Tensor]:
    added = _added(model, state)
    wanted = {name: value for name, value in model.state_dict().items() if name not in added}
    if found := foreign or differences(state, wanted, but=weights.classifiers):
        hint = "Compose the model it was trained with (.hydra/config.yaml beside it)."
        if not weights.config:  # saved alone
            hint = "Name the model it is of, with the keys that make it so; if this is that model, the file is damaged."
        layers = {name.rpartition(".")[0] for name in state if name.startswith(ADDED)}
        if layers and not layers & {name.rpartition(".")[0] for name in wanted}:
            hint = f"It was made with head.classifier_layers={len(layers) + 1}."
        raise CheckpointError(f"{weights.path} ({weights.source}) is of another model: {found}. {hint}")
    return {name: value for name, value in state.items() if value.shape == wanted[name].shape}


def differences(saved: Mapping[str, Tensor], wanted: Mapping[str, Tensor], but: tuple[str, ...] = ()) -> str | None:
    """-> how many parameters differ between file and model, and one of them; None if they agree.

    Args:
        saved: State dict of the file.
        wanted: State dict of the model.
        but: How the names of those begin whose shape does not matter.
    """
    missing, foreign = sorted(wanted.keys() - saved.keys()), sorted(saved.keys() - wanted.keys())
    both = [name for name in sorted(saved.keys() & wanted.keys()) if not (but and name.startswith(but))]
    reshaped = [name for name in both if saved[name].shape != wanted[name].shape]
    if not (missing or foreign or reshaped):
        return None
    example = f"for example {(missing + foreign)[0]}" if missing or foreign else ""
    if reshaped:
        name = reshaped[0]
        example = f"{name} is {tuple(saved[name].shape)} there and {tuple(wanted[name].shape)} here"
    return (
        f"{len(missing)} parameters missing in it, {len(foreign)} foreign, {len(reshaped)} of another shape; {example}"
    )


def other_values(saved: Mapping[str, Any], wanted: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, str]]:
    """Keys of `conf/model` that have another value in the file, and both values in words.

    Left out are what only training or the classes decide (`LEFT_OPEN`), and keys that one of the two does not have,
    being of another version. Of a part of another class nothing but that is said.
    """
    for key in [key for key in wanted if key in saved and key not in LEFT_OPEN]:
        there, here, name = saved[key], wanted[key], f"{inside}{key}"
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            target = {"_target_": here.get("_target_")}
            yield from [*other_values(there, target, f"{name}.")] or other_values(there, here, f"{name}.")
        elif there != here:
            yield name, f"{name} is {_as_written(here)} here and {_as_written(there)} there"


def _is_free(key: str) -> bool:
    """Whether weights can be meant for a model with another value: how its frames are made and what is made of them."""
    return key.startswith("head.") or key == "frontend.hop_length"


def _as_written(value: Any) -> str:
    return "null" if value is None else str(value)
