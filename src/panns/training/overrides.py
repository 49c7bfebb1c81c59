"""Command-line overrides that name nothing: refused with the names there are."""

import difflib
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf


def check_overrides(arguments: list[str], config_dir: Path, config_name: str = "train") -> None:
    """Exits with one clear message if an override names a key or a choice that does not exist.

    Hydra refuses it too, but shows neither the valid keys of that place nor the nearest spelling.
    """
    words = [word for word in arguments if not word.startswith("-") and "=" in word]
    try:
        overrides = [OverridesParser.create().parse_override(word) for word in words]
    except HydraException:
        _check_quotes(words)
        return  # a matter of syntax, which Hydra explains well
    config_dir = config_dir.resolve()
    with hydra.initialize_config_dir(str(config_dir), version_base="1.3"):
        groups = {
            o.key_or_group.split("@")[0] for o in overrides if (config_dir / o.key_or_group.split("@")[0]).is_dir()
        }
        choices = [_one(o) for o in overrides if o.key_or_group.split("@")[0] in groups]
        try:
            cfg = hydra.compose(config_name, choices)
        except HydraException as error:
            sys.exit(str(error))
    GlobalHydra.instance().clear()
    for override in overrides:
        key = override.key_or_group
        if key.split("@")[0] in groups or override.type is not OverrideType.CHANGE or key.split(".")[0] == "hydra":
            continue
        if (message := unknown_key(cfg, key)) is not None:
            sys.exit(message)


def unknown_key(cfg: DictConfig, key: str) -> str | None:
    """-> what to say about a key that is not in `cfg`, None if it is."""
    node: Any = cfg
    path = ""
    for part in key.split("."):
        valid = [str(k) for k in node if not str(k).startswith("_")] if OmegaConf.is_dict(node) else []
        if part not in valid and not (OmegaConf.is_list(node) and part.isdigit()):
            near = difflib.get_close_matches(part, valid, n=1)
            hint = f" Did you mean {'.'.join(filter(None, [path, near[0]]))}?" if near else ""
            where = f"{path} has" if path else "The configuration has"
            return f"There is no key {key!r}.{hint} {where} the keys: {', '.join(sorted(valid)) or 'none'}."
        node = node._get_node(part)  # as written: an interpolation is not followed
        path = f"{path}.{part}" if path else part
        if not OmegaConf.is_config(node):
            node = OmegaConf.create({})
    return None


def _check_quotes(words: list[str]) -> None:
    """Exits where a value holds `=`, as the names of the released files do: Hydra would only say that it stumbles."""
    for word in words:
        key, _, value = word.partition("=")
        if "=" in value and not value.startswith(("'", '"', "[", "{")):
            sys.exit(f"A value with = in it needs quotes that reach Hydra: \"{key}='{value}'\"")


def _one(override: Override) -> str:
    """A choice of a sweep stands for all of them."""
    if override.value_type in (ValueType.CHOICE_SWEEP, ValueType.SIMPLE_CHOICE_SWEEP):
        first = next(iter(override.sweep_string_iterator()))
        return f"{override.get_key_element()}={first}"
    return str(override.input_line)
