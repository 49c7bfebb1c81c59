"""Command-line overrides that cannot be meant: refused with the names there are and the kind of value expected."""

import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict
from yaml import YAMLError

from panns.config_keys import unknown_key, wrong_kind
from panns.names import did_you_mean
from panns.training.flags import given_overrides, unknown_flags

MODE = "hydra.mode"
NEEDED = ("model", "data", "sampler", "augmentation", "optimizer", "scheduler", "callbacks", "trainer")
DECIDED = {"model.num_classes": "the data set's class list decides it; leave it out"}  # keys for those without data

SPACES = "A value with spaces needs quotes that reach Hydra, as in \"KEY='two words'\"."
VALUES = (
    "KEY=VALUE has a number, a word, a list as [a,b], or with -m several values as a,b; a text with other signs needs "
    "quotes that reach Hydra, as in \"KEY='a (b)'\"."
)


def check_overrides(arguments: list[str], config_dir: Path, single_run: bool = False) -> None:
    """Exits with one clear line if an override names a key or a choice that does not exist, or has a value of another
    kind than the key takes.

    Hydra refuses only the first two, at length and without the nearest spelling.

    Args:
        arguments: the command line; what is no override is passed over.
        config_dir: conf/.
        single_run: no flag asks for several runs: an override of several values is refused too, unless a choice, such
            as that of a study, makes it several runs.
    """
    if flags := unknown_flags(arguments):
        sys.exit(_no_flag(flags[0], config_dir))
    words = given_overrides(arguments)
    if any(word.startswith("=") or not word for word in words):
        sys.exit("A word without a key: what a run is made of is set by KEY=VALUE.")
    if bare := [word for word in words if not (word.startswith("~") or "=" in word)]:
        sys.exit(f"{bare[0]}: a key and no value: write {bare[0]}=VALUE. {SPACES}")
    overrides = [_parsed(word) for word in words]
    sweeps = [override.input_line for override in overrides if override.is_sweep_override()]
    with hydra.initialize_config_dir(str(config_dir.resolve()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        choices = [override for override in overrides if loader.get_group_options(_group(override))]
        _exit_at_first(unknown_choice(override, loader) for override in choices)
        try:
            words = [_one(override, loader) for override in choices]
            words += [str(override.input_line) for override in overrides if override.key_or_group == MODE]
            cfg = hydra.compose("train", words, return_hydra_config=True)
        except HydraException as error:
            sys.exit(_not_together(choices) or str(error))
        except (YAMLError, UnicodeDecodeError) as error:
            sys.exit(f"{' '.join(words)}: {' '.join(str(error).split())}")
        single_run = single_run and OmegaConf.select(cfg, MODE) != RunMode.MULTIRUN
        of_hydra = [o for o in overrides if o not in choices and o.type == OverrideType.CHANGE and _root(o) == "hydra"]
        _exit_at_first(unknown_key(cfg, o.key_or_group) for o in of_hydra)
        with open_dict(cfg):
            del cfg["hydra"]
        _exit_at_first(_left_away(o, loader) for o in overrides if o.type == OverrideType.DEL)
        _exit_at_first(_no_name(str(value)) for o in overrides if o.key_or_group == "name" for value in _values(o))
        keys = [o for o in overrides if o not in choices and o.type != OverrideType.DEL and _root(o) != "hydra"]
        _exit_at_first(unknown_key(cfg, o.key_or_group) for o in keys if o.type == OverrideType.CHANGE)
        _exit_at_first(_added_for_nothing(cfg, o) for o in keys if o.type in (OverrideType.ADD, OverrideType.FORCE_ADD))
        _exit_at_first(f"{o.input_line}: {DECIDED[o.key_or_group]}." for o in keys if o.key_or_group in DECIDED)
        _exit_at_first(
            wrong_kind(cfg, o.key_or_group, value, loader.get_group_options) for o in keys for value in _values(o)
        )
    GlobalHydra.instance().clear()
    if sweeps and single_run:
        sys.exit(f"{sweeps[0]}: several values are several runs; add -m to train them all.")


def unknown_choice(override: Override, loader: ConfigLoader) -> str | None:
    """-> what to say about a choice, or one of a sweep, that its group does not have; None if all is well."""
    group, given = _group(override), _values(override)
    there = loader.get_group_options(group)
    if isinstance(pattern := override.value(), Glob) and not pattern.filter(there):
        return f"{override.input_line}: no choice is of that name. Choices: {', '.join(there)}."
    for name in (name for value in given for name in (value if isinstance(value, list) else [value])):
        if name is None and override.type != OverrideType.DEL:
            return f"{group}=null: a choice is left away by ~{group}. Choices: {', '.join(there)}."
        if name is not None and str(name) not in there:
            hint = did_you_mean(str(name), there, before=f"{group}=")
            return f"There is no {group}={name}.{hint} Choices: {', '.join(there)}."
    return None


def _not_together(choices: list[Override]) -> str | None:
    """-> what to say about the first list of choices, where they cannot be put together; None without one."""
    for group, value in ((_group(override), override.value()) for override in choices):
        if isinstance(value, list):
            names = ",".join(map(str, value))
            return f"{group}=[{names}] puts these into one, where they differ; -m {group}={names} makes a run of each."
    return None


def _added_for_nothing(cfg: Any, override: Override) -> str | None:
    """-> what to say about a new key at the top, which no part of a run would read; None if it lies within a part."""
    if override.type == OverrideType.ADD and unknown_key(cfg, override.key_or_group) is None:
        return f"{override.input_line}: the key is there already; leave the + out."
    if (root := _root(override)) in cfg:
        return None
    hint = did_you_mean(root, [str(key) for key in cfg])
    return f"{override.input_line}: nothing reads a key {root!r}.{hint} New keys go within the parts, as +trainer.KEY."


def _left_away(override: Override, loader: ConfigLoader) -> str | None:
    """-> what to say about a group that is left away and that no run can do without; None if all is well."""
    if (group := _group(override)) not in NEEDED:
        return None
    return f"~{group}: no run can do without it; choose {group}=NAME: {', '.join(loader.get_group_options(group))}."


def _no_name(name: str) -> str | None:
    """-> what to say about a name that cannot be the beginning of a folder's; None if it can."""
    return f"name={name}: a folder is named so: not empty, and without a /." if not name or "/" in name else None


def _exit_at_first(messages: Any) -> None:
    for message in messages:
        if message is not None:
            sys.exit(message)


def _no_flag(flag: str, config_dir: Path) -> str:
    """-> what to say about a flag that there is not, perhaps meant for a key."""
    name = flag.lstrip("-").partition("=")[0].replace("-", "_")
    with hydra.initialize_config_dir(str(config_dir.resolve()), version_base="1.3"):
        there = unknown_key(hydra.compose("train"), name) or f"Write {name}=VALUE."
    return f"{flag}: there is no such flag; what a run is made of is set by KEY=VALUE, without dashes. {there}"


def _parsed(word: str) -> Override:
    """An override; exits where it is not written as one, which Hydra would tell in the words of a parser."""
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException as error:
        key, _, value = word.partition("=")
        if "=" in value and not value.startswith(("'", '"', "[", "{")):  # as the names of the released files
            sys.exit(f"A value with = in it needs quotes that reach Hydra: \"{key}='{value}'\"")
        sys.exit(f"{word}: this cannot be read ({str(error).splitlines()[0]}). {VALUES}")


def _group(override: Override) -> str:
    return str(override.key_or_group).split("@")[0]


def _root(override: Override) -> str:
    return str(override.key_or_group).split(".")[0]


def _values(override: Override) -> list[Any]:
    """The value, or all those of a sweep over named ones; none of a range, which Hydra makes itself."""
    if not override.is_sweep_override():
        return [override.value()]
    sweep = override.value()
    return [Override._convert_value(value) for value in sweep.list] if isinstance(sweep, ChoiceSweep) else []


def _one(override: Override, loader: ConfigLoader) -> str:
    """A choice of a sweep stands for all of them."""
    if not override.is_sweep_override():
        return str(override.input_line)
    sweep = override.value()
    names = sweep.filter(loader.get_group_options(_group(override))) if isinstance(sweep, Glob) else _values(override)
    return f"{override.get_key_element()}={names[0]}"
