"""What a search chooses among: the swept words of a command line as Optuna's distributions, and back."""

import math
from collections.abc import Mapping

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from panns.studies.study import StudyError


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
