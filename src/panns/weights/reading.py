"""What a checkpoint file holds for a model, whoever wrote it: decided by its content, not by its name."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from panns.data.labels import audioset_classes
from panns.models.released import CLASSIFIERS as OUR_CLASSIFIERS
from panns.models.released import recognise
from panns.models.released_names import CLASSIFIERS as RELEASED_CLASSIFIERS
from panns.models.released_names import NOT_RELEASED
from panns.weights.catalog import RELEASED, released_files
from panns.weights.files import CheckpointError, load_checkpoint

CONTAINERS = ("model", "state_dict", "model_state_dict", "net")  # where files keep their state dict, if not bare
FEW = 5  # of the entries of a file that is something else are named
ROUNDED = (torch.float16, torch.bfloat16)
WRAPPERS = ("module.", "model.", "base.", "_orig_mod.", "net.")  # before every name: DataParallel, Lightning, ...


@dataclass(frozen=True)
class Weights:
    """What was read from a checkpoint.

    Attributes:
        path: The file.
        source: What it is, in words.
        state: The weights, under the released names or under ours.
        classifiers: How the names of what has one row a class begin.
        num_classes: How many rows.
        classes: Display names of these rows; empty where they are not known.
        exclusive: Whether the classes exclude each other (softmax).
        config: How to build the model: of `train.py`'s checkpoints, which hold it; None of others.
    """

    path: Path
    source: str
    state: Mapping[str, Tensor]
    classifiers: tuple[str, ...]
    num_classes: int
    classes: list[str] = field(default_factory=list)
    exclusive: bool = False
    config: Mapping[str, Any] | None = None

    @cached_property
    def hash(self) -> str:
        """12 hexadecimal digits of names, shapes and values: of equal weights, whatever else their files hold."""
        digest = hashlib.sha256()
        for name, weight in sorted(self.state.items()):
            digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
            digest.update(weight.detach().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()[:12]


def read_weights(path: Path) -> Weights:
    """Reads the weights that a model can start from.

    Args:
        path: A file that the authors released, one under the same names (a state dict, bare or within one of
            `CONTAINERS`, as saved by DataParallel or panns_transfer_to_gtzan), or a checkpoint of `train.py`.

    Raises:
        CheckpointError: the file is none of these; says what it is.
    """
    _check_exists(path)
    content = load_checkpoint(path)
    if is_trained(content):
        return _trained(path, content)
    return _released(path, content)


def is_trained(content: Any) -> bool:
    """Whether this is a checkpoint of `train.py`."""
    about = content.get("hyper_parameters") if isinstance(content, Mapping) else None
    if not isinstance(about, Mapping) or not {"model", "classes", "exclusive"} <= about.keys():
        return False
    model, classes = about["model"], about["classes"]
    described = isinstance(model, Mapping) and bool(model) and isinstance(classes, list | tuple)
    return described and _is_state(content.get("state_dict"))


def _is_state(content: Any) -> bool:
    """Whether this is names and tensors."""
    if not isinstance(content, Mapping):
        return False
    return all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())


def _trained(path: Path, content: Mapping[str, Any]) -> Weights:
    about, classes = content["hyper_parameters"], list(content["hyper_parameters"]["classes"])
    weights = content["state_dict"]
    state = {name.removeprefix("model."): w for name, w in weights.items() if name.startswith("model.")}
    _check_kinds(path, state)
    _check_rows(path, state, OUR_CLASSIFIERS, len(classes))
    source = f"checkpoint of train.py, {len(classes)} classes"
    exclusive, config = bool(about["exclusive"]), about["model"]
    return Weights(path, source, state, OUR_CLASSIFIERS, len(classes), classes, exclusive, config)


def _rows(state: Mapping[str, Tensor], classifiers: tuple[str, ...]) -> int | None:
    """-> number of classes, None without a classifier."""
    return next((_length(value) for name, value in state.items() if name.startswith(classifiers)), None)


def _length(value: Tensor) -> int:
    return value.shape[0] if value.dim() else 0


def _check_rows(path: Path, state: Mapping[str, Tensor], classifiers: tuple[str, ...], classes: int) -> None:
    rows = {name: _length(value) for name, value in state.items() if name.startswith(classifiers)}
    if {*rows.values()} != {classes}:
        found = ", ".join(f"{name} has {count}" for name, count in rows.items()) or "it has no classifier"
        raise CheckpointError(f"{path} is damaged: of {classes} classes, {found}.")


def _released(path: Path, content: Any) -> Weights:
    state = _state_dict(path, content)
    transferred = "fc_transfer.weight" in state  # Transfer_Cnn14: a new classifier on Cnn14, with log-softmax
    if transferred:
        state = {
            name.removeprefix("base.").replace("fc_transfer.", "fc_audioset."): value
            for name, value in state.items()
            if not name.startswith("base.fc_audioset.")
        }
    if ours := _rows(state, OUR_CLASSIFIERS):
        _check_rows(path, state, OUR_CLASSIFIERS, ours)
        return Weights(path, f"weights of a model of panns, {ours} classes", state, OUR_CLASSIFIERS, ours, config={})
    name, rows = recognise(state), _rows(state, RELEASED_CLASSIFIERS)
    if name == NOT_RELEASED or rows is None:
        lack = "without a classifier" if name != NOT_RELEASED else f"such as {min(state)}"
        raise CheckpointError(f"{path} holds {len(state)} tensors of {name}, {lack}.")
    audioset = [label.name for label in audioset_classes()]
    classes = audioset if rows == len(audioset) and not transferred else []
    _check_rows(path, state, RELEASED_CLASSIFIERS, rows)
    kept = sorted({str(w.dtype).removeprefix("torch.") for w in state.values() if w.dtype in ROUNDED})
    source = f"released weights of {name}, {rows} classes{f', rounded to {kept[0]}' if kept else ''}"
    return Weights(path, source, state, RELEASED_CLASSIFIERS, rows, classes, transferred)


def _state_dict(path: Path, content: Any) -> dict[str, Tensor]:
    """The state dict in a file, without what wrappers put before the names."""
    if isinstance(content, Mapping):
        content = next((content[key] for key in CONTAINERS if isinstance(content.get(key), Mapping)), content)
    if not _is_state(content):
        inside = list(map(str, content)) if isinstance(content, Mapping) else [type(content).__name__]
        found = f"{', '.join(inside[:FEW])}{f' and {len(inside) - FEW} more' if len(inside) > FEW else ''}"
        names = ", ".join(CONTAINERS)
        raise CheckpointError(
            f"{path} holds no weights but {found or 'nothing'}: save model.state_dict(), bare or as one of {names}."
        )
    if not content:
        raise CheckpointError(f"{path} holds an empty state dict.")
    state = dict(content)
    while prefix := next((word for word in WRAPPERS if all(name.startswith(word) for name in state)), None):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    _check_kinds(path, state)
    return state


def _check_kinds(path: Path, state: Mapping[str, Tensor]) -> None:
    for name, value in state.items():
        whole = name.endswith("num_batches_tracked")
        if value.layout != torch.strided or value.is_meta or not (value.is_floating_point() or whole):
            kind = "meta" if value.is_meta else value.dtype if value.layout == torch.strided else value.layout
            raise CheckpointError(
                f"{path} holds {name} as {str(kind).removeprefix('torch.')}: no weights to start from."
            )


def _check_exists(path: Path) -> None:
    names = {file.name: file.preset for file in released_files().values()}
    if not path.exists() and path.name in names:
        raise CheckpointError(
            f"There is no file {path}; `panns download {names[path.name]}` and checkpoint={RELEASED} fetch it."
        )
