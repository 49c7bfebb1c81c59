"""What a search chooses among: the swept words of a command line as Optuna's distributions, and back."""

import math
from collections.abc import Mapping, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from panns.studies.jobs import ROW, SEED, chosen_rows
from panns.studies.study import StudyError, parse_study


def split(
    config: DictConfig, given: Sequence[str], loader: ConfigLoader
) -> tuple[list[str], dict[str, BaseDistribution]]:
    """What all runs share, and what is searched.

    Raises:
        StudyError: nothing is searched, or the seed or several rows of a study are.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(given))
    overrides = {override.get_key_element(): override for override in parsed}
    study, chosen = parse_study(config.hydra.runtime.choices.get("experiment") or "", config), overrides.pop(ROW, None)
    rows = chosen_rows(study, chosen) if study else []
    if len(rows) > 1:
        raise StudyError(f"a search takes one row of {study.name if study else ''}: say which by {ROW}=...")
    if SEED in overrides and overrides[SEED].is_sweep_override():
        raise StudyError(f"{overrides[SEED].input_line}: a search takes one seed.")
    space = {key: distribution(override) for key, override in overrides.items() if override.is_sweep_override()}
    if not space:
        raise StudyError("nothing to search: give lists, range(a,b) or interval(a,b) as values.")
    fixed = [str(override.input_line) for key, override in overrides.items() if key not in space]
    return [*fixed, *(word for row in rows if row for word in row.overrides)], space


def distribution(override: Override) -> BaseDistribution:
    """Of one swept word: a list is a choice, `range` and `interval` are numbers, `tag(log,...)` logarithmic ones.

    Raises:
        StudyError: it has no values, or a logarithmic scale that begins at 0 or below.
    """
    value = override.value()
    try:
        if isinstance(value, IntervalSweep):
            assert value.start is not None
            assert value.end is not None
            log = "log" in value.tags
            if isinstance(value.start, int) and isinstance(value.end, int):
                return IntDistribution(value.start, value.end, log=log)
            return FloatDistribution(value.start, value.end, log=log)
        if isinstance(value, RangeSweep):
            return _steps(value)
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise StudyError(f"{override.input_line}: {error}") from error


def as_words(params: Mapping[str, object]) -> list[str]:
    """Chosen values as on the command line; those of lists are words already."""
    return [f"{key}={value}" for key, value in params.items()]


def as_label(params: Mapping[str, object]) -> str:
    """The same for readers, who need few digits."""
    return " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in params.items()
    )


def _steps(sweep: RangeSweep) -> BaseDistribution:
    """The numbers of a range, whose end is not one of them."""
    start, stop, step = sweep.start, sweep.stop, sweep.step
    assert start is not None
    assert stop is not None
    last = start + step * (math.ceil((stop - start) / step) - 1)
    if all(isinstance(number, int) for number in (start, stop, step)):
        return IntDistribution(int(start), int(last), step=int(step))
    return FloatDistribution(start, last, step=step)
