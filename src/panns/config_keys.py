"""Keys of the configuration: which there are, and what kind of value each takes."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import hydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from panns import models
from panns.names import did_you_mean

OTHER_KINDS = {  # keys whose value may also be of another kind than the default, by what Lightning takes
    "trainer.devices": lambda value: isinstance(value, list) or value == "auto",
    "trainer.deterministic": lambda value: value == "warn",
    "deterministic": lambda value: value == "warn",
}
GIVEN = ("in_channels", "in_features", "num_classes", "sample_rate")  # what parts of a model get from each other
OTHER_NAMES = {  # what a key is called elsewhere
    "global_batch": "batch_size",
    "global_batch_size": "batch_size",
    "learning_rate": "lr",
    "epochs": "max_epochs",
    "steps": "max_steps",
    "gpus": "devices",
    "nodes": "num_nodes",
    "workers": "num_workers",
    "window_size": "n_fft",
    "hop_size": "hop_length",
    "mel_bins": "n_mels",
    "fmin": "f_min",
    "fmax": "f_max",
}


def unknown_key(cfg: DictConfig, key: str) -> str | None:
    """-> what to say about a key that is not in `cfg`, None if it is."""
    node: Any = cfg
    path = ""
    for part in key.split("."):
        valid = [str(k) for k in node if not str(k).startswith("_")] if OmegaConf.is_dict(node) else []
        if part not in valid and not (OmegaConf.is_list(node) and part.isdigit()):
            hint = did_you_mean(part, valid, before=f"{path}." if path else "")
            name = key.rpartition(".")[2]
            if there := sorted(_keys_named(cfg, OTHER_NAMES.get(name, name))):
                hint = f" Did you mean {' or '.join(there)}?"
            where = f"{path} has" if path else "The configuration has"
            return f"There is no key {key!r}.{hint} {where} the keys: {', '.join(sorted(valid)) or 'none'}."
        node = node._get_node(part)  # as written: an interpolation is not followed
        path = f"{path}.{part}" if path else part
        if not OmegaConf.is_config(node):
            node = OmegaConf.create({})
    return None


def _keys_named(node: DictConfig, name: str, path: str = "") -> Iterator[str]:
    """Dotted keys that end in a name; interpolations are not followed."""
    for key in (str(key) for key in node if not str(key).startswith("_")):
        child = node._get_node(key)
        if key == name:
            yield f"{path}{key}"
        if isinstance(child, DictConfig) and not (child._is_none() or child._is_interpolation()):
            yield from _keys_named(child, name, f"{path}{key}.")


def wrong_kind(cfg: DictConfig, key: str, value: Any, choices: Callable[[str], Sequence[str]]) -> str | None:
    """-> what to say about a value of another kind than its key takes: that of the default in `cfg`.

    Where the default is null, it is what the class that gets the value says, if it wants a number. None if all is well,
    if the value refers to another key, or if nothing tells: `???` and text.

    Args:
        cfg: The configuration with its defaults.
        key: Dotted.
        value: As given.
        choices: -> the names in a group of choices, none if there is no such group.
    """
    try:
        default = OmegaConf.select(cfg, key)
    except OmegaConfBaseException:  # refers to what is only known in a run
        return None
    if "${" in str(value) or OTHER_KINDS.get(key, lambda _: False)(value) or (value is None and default is None):
        return None
    given = f"{key}={_as_typed(value)}"
    if OmegaConf.is_dict(default):
        there = choices(group := key.replace(".", "/"))
        instead = f"write {group}=NAME with one of {', '.join(there)}" if there else f"write {key}.KEY=VALUE"
        return None if value is None or isinstance(value, dict) else f"{given}: {key} has keys of its own; {instead}."
    kind = _number_wanted(cfg, key) if default is None else list if OmegaConf.is_list(default) else type(default)
    for of_kind, expected, fits in (
        (bool, "true or false", isinstance(value, bool)),
        (int, "a whole number", type(value) is int),
        (float, "a number", type(value) in (int, float)),
        (list, "a list", isinstance(value, list)),
    ):
        if kind is of_kind and not fits:
            example = "or null" if default is None else f"such as {_as_typed(default)}"
            return f"{given}: {expected} is wanted there, {example}."
    if isinstance(value, list) and OmegaConf.is_list(default) and not _alike(value, list(default)):
        return f"{given}: numbers of another kind are wanted there, such as {_as_typed(default)}."
    return None


def _alike(value: list[Any], default: list[Any]) -> bool:
    """Whether a list holds whole numbers alone where its default does, and numbers where that holds numbers."""
    kinds = {type(item) for item in default}
    if not kinds or not kinds <= {int, float}:
        return True
    return all(type(item) in ((int,) if kinds == {int} else (int, float)) for item in value)


def not_taken(error: BaseException) -> str | None:
    """-> what to say where a class is given a key that it does not take, as after a preset's part is exchanged."""
    found = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if found is None:
        return None
    known = getattr(models, found[1], None)
    takes = inspect.signature(known).parameters if inspect.isclass(known) else ()
    if found[2] in GIVEN:
        return f"{found[1]} takes no {found[2]}, which a part of a model is given: add it to its parameters"
    return (
        f"{found[1]} takes no {found[2]}.{did_you_mean(found[2], takes)} Leave it out where you set it; where a preset "
        f"or the experiment sets it, ~KEY takes it away (of a model: ~model.PART.{found[2]}, PART being frontend, "
        "backbone or head), or another preset has the part it is of"
    )


def _number_wanted(cfg: DictConfig, key: str) -> type | None:
    """int or float where the parameter that a key sets takes these alone, beside None."""
    group, _, name = key.rpartition(".")
    target = OmegaConf.select(cfg, f"{group}._target_") if group else None
    if target is None:
        return None
    parameter = inspect.signature(hydra.utils.get_object(target)).parameters.get(name)
    if parameter is None:
        return None
    kinds = {*(get_args(parameter.annotation) or [parameter.annotation])} - {type(None)}
    return (int if kinds == {int} else float) if kinds and kinds <= {int, float} else None


def _as_typed(value: Any) -> str:
    """A value as one writes it on the command line."""
    if OmegaConf.is_list(value) or isinstance(value, list):
        return f"[{','.join(map(_as_typed, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
