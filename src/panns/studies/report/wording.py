"""Numbers and verdicts in words."""

from collections.abc import Sequence

from panns.published.tables import RUN_TO_RUN, Entry
from panns.studies.outcome import Against
from panns.studies.statistics import Interval

DAGGER = "†"  # marks a difference of mAP below RUN_TO_RUN
NONE = "-"


def mean(interval: Interval | None) -> str:
    """A score with half its interval."""
    if interval is None:
        return NONE
    half = interval.half_width
    return f"{interval.value:.4f}" if half is None else f"{interval.value:.4f} ± {half:.4f}"


def score(value: float | None) -> str:
    """A score."""
    return NONE if value is None else f"{value:.4f}"


def signed(value: float, metric: str, digits: int = 4) -> str:
    """A difference, marked where it is within the run-to-run spread of the paper's authors."""
    mark = f" {DAGGER}" if metric == "mAP" and abs(value) < RUN_TO_RUN else ""
    return f"{_minus(f'{value:+.{digits}f}')}{mark}"


def span(interval: Interval | None) -> str:
    """From where to where."""
    if interval is None or interval.low is None or interval.high is None:
        return NONE
    return _minus(f"{interval.low:+.4f} to {interval.high:+.4f}")


def p_value(p: float | None, least: float = 0.001) -> str:
    """A p, which is never below `least`."""
    return NONE if p is None else f"≤ {least:.3f}" if p <= least else f"{p:.3f}"


def paper_number(entry: Entry | None, metric: str) -> str:
    """What the paper has for a row."""
    value = getattr(entry, metric) if entry else None
    return NONE if entry is None or value is None else f"{value:.3f} (Table {entry.table})"


def verdict(against: Against) -> str:
    """What the intervals allow to say of a row, beside the reference."""
    clips = against.over_clips.mean if against.over_clips else None
    seeds = against.over_seeds if against.over_seeds and against.over_seeds.low is not None else None
    if against.by_folds and seeds is None:
        return "too few folds, or no spread: not known"
    if clips is None and seeds is None:
        return against.why_not or "one seed: not known"
    value = seeds.value if seeds is not None else clips.value if clips is not None else 0.0
    better = "better" if value > 0 else "worse"
    if seeds is None:
        assert clips is not None
        return f"{better} on these clips; one seed does not tell of others" if clips.excludes_zero else "not told apart"
    if against.by_folds:
        return better if seeds.excludes_zero else "not told apart"
    if clips is None:
        return f"{better} over the seeds; clips not resampled" if seeds.excludes_zero else "not told apart"
    if clips.excludes_zero and seeds.excludes_zero:
        return better if clips.value * seeds.value > 0 else "not told apart: the seeds of both rows say otherwise"
    if clips.excludes_zero:
        return "not told apart: the seeds differ too much"
    return "not told apart: too few clips" if seeds.excludes_zero else "not told apart"


def amount(value: float | None, unit: float, name: str, digits: int = 2) -> str:
    """A large number in units such as 1e9, "G"."""
    return NONE if value is None else f"{value / unit:.{digits}f} {name}"


def duration(seconds: float | None) -> str:
    """A wall time."""
    if seconds is None:
        return NONE
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def listed(words: Sequence[str]) -> str:
    """Words with commas, and an "and" before the last."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def _minus(text: str) -> str:
    """A minus sign in place of each hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")
