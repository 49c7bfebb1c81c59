"""What a study asks for: rows, each a choice of overrides, and seeds; and the jobs that follow from it.

A study is an experiment (`conf/experiment/NAME.yaml`) that chooses a `study` (`conf/study/`): the rows of a table of
the paper. `python train.py -m experiment=NAME` trains them, `panns report experiments/NAME` gathers them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from panns.training.run import register_resolvers
from panns.zoo import config_dir

ROW_KEYS = {"set", "x", "paper"}


class StudyError(ValueError):
    """A study that is not there, or not written as it must be."""


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        label: its name.
        overrides: what it sets, as on the command line.
        x: where it stands on the study's axis; None without one.
        paper: key of the published row that it repeats; None where the paper has none.
    """

    label: str
    overrides: tuple[str, ...]
    x: float | None = None
    paper: str | None = None


@dataclass(frozen=True)
class Job:
    """One training: a row with one seed.

    Attributes:
        row: the row.
        seed: the seed.
        cfg: the whole composed configuration.
    """

    row: Row
    seed: int
    cfg: DictConfig


@dataclass(frozen=True)
class Study:
    """A composed study.

    Attributes:
        name: of the experiment.
        question: what it asks.
        reference: label of the row that the others are compared with; None: no comparison.
        x: name of the axis that the rows stand on; None: they are names.
        seeds: that it is asked with.
        rows: by label, in the table's order.
        overrides: further ones, for all rows.
    """

    name: str
    question: str
    reference: str | None
    x: str | None
    seeds: tuple[int, ...]
    rows: dict[str, Row]
    overrides: tuple[str, ...] = ()

    def jobs(self) -> list[Job]:
        """All of them composed, row by row within each seed. Takes a fraction of a second each."""
        return [
            Job(row, seed, compose_experiment(self.name, (*self.overrides, *row.overrides, f"seed={seed}")))
            for seed in self.seeds
            for row in self.rows.values()
        ]


def load_study(name: str, overrides: Sequence[str] = ()) -> Study:
    """A study by the name of its experiment.

    Args:
        name: `NAME` of conf/experiment/NAME.yaml.
        overrides: for all of its rows, as they were given to train.py; `seed=` takes the place of the study's seeds.

    Raises:
        StudyError: there is no such experiment, it is no study, it is not written as one, or an override does not fit.
    """
    folder = config_dir() / "experiment"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise StudyError(f"There is no experiment {name!r} in {folder}: choose one of {', '.join(known)}.")
    of_seeds = [word for word in overrides if word.startswith("seed=")]
    try:
        seeds = [seed for word in of_seeds[-1:] for seed in _seeds(word)]
        overrides = [word for word in overrides if word not in of_seeds]
        cfg = compose_experiment(name, overrides)
    except (HydraException, ValueError) as error:
        raise StudyError(
            f"{name} cannot be composed with {' '.join(overrides)}: {str(error).splitlines()[0]}"
        ) from error
    study = parse_study(name, cfg, tuple(overrides))
    if study is None:
        raise StudyError(f"The experiment {name} is a single run, not a study: its configuration chooses no `study`.")
    check_not_varied(study, overrides)
    return replace(study, seeds=tuple(seeds)) if seeds else study


def parse_study(name: str, cfg: DictConfig, overrides: tuple[str, ...] = ()) -> Study | None:
    """The study of a composed configuration, None if it chooses none.

    Raises:
        StudyError: naming the key that is wrong.
    """
    if cfg.get("study") is None:
        return None
    plain: Any = OmegaConf.to_container(cfg.study, resolve=True)
    rows = {label: _row(name, label, values) for label, values in (plain["rows"] or {}).items() if values is not None}
    for key, values in (("rows", rows), ("seeds", plain["seeds"])):
        if not values:
            raise StudyError(f"study.{key} of {name} is empty: there is nothing to train.")
    if plain.get("table", "") is None:  # of a data set that the paper does not have
        rows = {label: replace(row, paper=None) for label, row in rows.items()}
    if plain["reference"] is not None and plain["reference"] not in rows:
        raise StudyError(f"study.reference of {name} is {plain['reference']!r}, none of its rows: {', '.join(rows)}.")
    question, reference, x, seeds = (plain[key] for key in ("question", "reference", "x", "seeds"))
    return Study(name, question, reference, x, tuple(seeds), rows, overrides)


def compose_experiment(name: str, overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration that `train.py experiment=NAME` with these overrides would run with."""
    register_resolvers()
    if GlobalHydra.instance().is_initialized():
        return compose("train", overrides=[f"experiment={name}", *overrides])
    with initialize_config_dir(str(config_dir().absolute()), version_base="1.3"):
        return compose("train", overrides=[f"experiment={name}", *overrides])


def check_not_varied(study: Study, words: Sequence[str]) -> None:
    """Refuses overrides, for all rows, of what the rows of a study vary: a row would not be what it is called.

    Raises:
        StudyError: naming the override, and a row that sets its key.
    """
    for word in words:
        key = key_of(word)
        row = next((row for row in study.rows.values() if key in map(key_of, row.overrides)), None)
        if row is not None:
            raise StudyError(
                f"{word} sets for all rows of {study.name} what they vary (row {row.label!r} has "
                f"{next(one for one in row.overrides if key_of(one) == key)}): leave it out, choose rows with row=, or "
                "run it without experiment=."
            )


def key_of(word: str) -> str:
    """The key of an override, whether it is set, added or removed."""
    return word.lstrip("+~").partition("=")[0]


def quoted(value: str) -> str:
    """A text as Hydra's command line wants it."""
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", value) + "'"


def _seeds(word: str) -> list[int]:
    """Those of `seed=1` or `seed=1,2,3`."""
    override = OverridesParser.create().parse_override(word)
    values = override.sweep_string_iterator() if override.is_sweep_override() else [override.get_value_element_as_str()]
    return [int(value) for value in values]


def _row(name: str, label: str, values: dict[str, Any]) -> Row:
    """One row as it is written in a study's file."""
    if unknown := set(values) - ROW_KEYS:
        keys = ", ".join(sorted(ROW_KEYS))
        raise StudyError(f"study.rows.{label} of {name} has the key {sorted(unknown)[0]!r}; a row has: {keys}.")
    return Row(label, tuple(values.get("set") or ()), values.get("x"), values.get("paper"))
