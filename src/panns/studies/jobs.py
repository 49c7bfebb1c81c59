"""The jobs of a sweep: from the words of the command line to configurations and folders."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, open_dict

from panns.studies.study import Row, Study, StudyError, check_not_varied, quoted
from panns.training.folders import other_configuration
from panns.training.run import check_seed, different, science, told

PLACES = ("store", "root")  # keys of `data` that say where it lies
SEED, ROW, SWEEP = "seed", "row", "sweep"


@dataclass(frozen=True, eq=False)
class SweepJob:
    """One training of a sweep.

    Attributes:
        overrides: All that makes it, as on the command line.
        label: What tells it from the others: a study's row, or what is swept; without the seed.
        seed: Of its configuration.
        folder: Of its run.
        cfg: Its configuration, Hydra's own part left out.
    """

    overrides: tuple[str, ...]
    label: str
    seed: int
    folder: Path
    cfg: DictConfig

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.label}, seed {self.seed}" if self.label else f"seed {self.seed}"


def sweep_words(study: Study | None, given: Sequence[str], loader: ConfigLoader) -> list[tuple[list[str], str]]:
    """The overrides of each job and its label, in the order in which they are to run: all rows of the first seed first.

    Args:
        study: Whose rows and seeds are swept; None: only lists are.
        given: Overrides of the command line. Of a study, `seed=` replaces its seeds and `row=` chooses among its rows.
        loader: Hydra's, which knows the choices that `model=glob(cnn*)` stands for.

    Raises:
        StudyError: a row that the study does not have, or a range that is not a list.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(given))
    overrides = {override.get_key_element(): override for override in parsed}
    seeds = [f"{SEED}={value}" for value in _values(overrides.pop(SEED))] if SEED in overrides else []
    if study is not None:
        check_not_varied(study, given)
        seeds = seeds or [f"{SEED}={seed}" for seed in study.seeds]
    rows: list[Row | None] = chosen_rows(study, overrides.pop(ROW, None)) if study else [None]
    swept = [key for key, override in overrides.items() if override.is_sweep_override()]
    group = [f"{SWEEP}={quoted(' '.join(word for word in given if _key(word) in swept))}"] if swept else []
    of_seed = []
    for words in product(*([f"{key}={value}" for value in _values(o)] for key, o in overrides.items())):
        differing = [word for word in words if _key(word) in swept]
        for row in rows:
            label = " ".join([*([row.label] if row else []), *differing])
            named = [f"{ROW}={quoted(label)}"] if label else []
            of_seed.append(([*words, *(row.overrides if row else group), *named], label))
    return [([*words, *seed], label) for seed in ([[one] for one in seeds] or [[]]) for words, label in of_seed]


def compose_jobs(config: DictConfig, words: Sequence[tuple[list[str], str]], loader: ConfigLoader) -> list[SweepJob]:
    """Jobs with their configurations; of several with one folder, the first.

    Args:
        config: Of the sweep as a whole.
        words: Of each job, from `sweep_words`.
        loader: Hydra's.

    Raises:
        StudyError: a folder would have two different runs.
    """
    jobs: dict[Path, SweepJob] = {}
    for overrides, label in words:
        composed = loader.load_sweep_config(config, list(overrides))
        with _as_hydras(composed):
            folder = Path(composed.hydra.sweep.dir) / composed.hydra.sweep.subdir
        cfg = composed.copy()
        with open_dict(cfg):
            del cfg["hydra"]
        try:
            check_seed(int(cfg.seed))
        except ValueError as error:
            raise StudyError(str(error)) from error
        job = SweepJob(tuple(overrides), label, int(cfg.seed), folder, cfg)
        other = jobs.setdefault(folder, job)
        if apart := [key for key in PLACES if other.cfg.data.get(key) != cfg.data.get(key)]:
            key = apart[0]
            raise StudyError(
                f"data.{key}={other.cfg.data[key]} and data.{key}={cfg.data[key]} would be one run, {folder}: runs are "
                "known by what their data are, not by where they lie. Train each by itself, with a name= of its own."
            )
        if found := different(science(other.cfg), science(cfg)):
            raise StudyError(f"Two jobs have the folder {folder}: {told(found)}. Leave out hydra.sweep.subdir.")
        if cfg.resume != "never" and (why := other_configuration(folder, cfg)):
            raise StudyError(f"{why} Set that folder aside, or leave out hydra.sweep.subdir if you gave it.")
    return list(jobs.values())


@contextmanager
def _as_hydras(config: DictConfig) -> Iterator[None]:
    """Lets `${hydra:...}` mean this configuration."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def _values(override: Override) -> list[str]:
    """The values, as on the command line; one unless it is swept."""
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if not override.is_discrete_sweep():
        raise StudyError(f"{override.input_line} is no list of values; interval() is for hparams_search=optuna.")
    return list(override.sweep_string_iterator())


def chosen_rows(study: Study, chosen: Override | None) -> list[Row | None]:
    """The rows of a study that `row=` names; all without it."""
    if chosen is None:
        return list(study.rows.values())
    labels = [str(OverridesParser.create().parse_override(f"{ROW}={v}").value()) for v in _values(chosen)]
    if unknown := [label for label in labels if label not in study.rows]:
        raise StudyError(f"{study.name} has no row {unknown[0]!r}: {', '.join(map(repr, study.rows))}.")
    return [study.rows[label] for label in labels]


def _key(word: str) -> str:
    return word.partition("=")[0]
