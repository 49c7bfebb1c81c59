"""Which runs belong to which row of a study, which are missing, and which may be averaged."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from panns.studies.runs import FAILED, FINISHED, UNFINISHED, FoundRun
from panns.studies.study import Row, Study
from panns.training.resuming import LATER_ROLES
from panns.training.run import config_hash, different, science, told
from panns.training.start import START

MISSING = "missing"
FEW = 4  # settings in which a run may differ from a row's and still be meant for it
BY_SEED = "${seed}"
DRAWN = {  # key of `data` that may follow the seed: the roles whose clips it then draws anew
    "fold": ("train", "validation"),
    "validation_splits": ("train", "validation"),
    "fraction_seed": ("train",),
    "holdout_seed": ("train", "validation"),
}


LATER = tuple(f"{role}." for role in (*LATER_ROLES, START))  # facts that runs of earlier versions do not keep


class GatheringError(ValueError):
    """The rows of a study cannot be told apart."""


@dataclass(frozen=True)
class RowRuns:
    """What there is of one row.

    Attributes:
        row: The row.
        cfg: Its configuration, with one of the seeds.
        runs: One per seed, by seed: finished, unfinished or failed.
        missing: Seeds of the study that there is no run of.
        doubles: Further runs of the same configuration and seed; not used.
        differing: What differs between the data of the finished runs: if anything does, they are not averaged.
    """

    row: Row
    cfg: DictConfig
    runs: tuple[FoundRun, ...]
    missing: tuple[int, ...]
    doubles: tuple[FoundRun, ...]
    differing: tuple[str, ...]

    @property
    def finished(self) -> list[FoundRun]:
        """Those with results."""
        return [run for run in self.runs if run.status == FINISHED]

    @property
    def averaged(self) -> list[FoundRun]:
        """The finished ones; none where their data differ."""
        return [] if self.differing else self.finished

    def count(self, status: str) -> int:
        """How many runs have a status."""
        return len(self.missing) if status == MISSING else sum(run.status == status for run in self.runs)


def gather(study: Study, runs: Sequence[FoundRun]) -> list[RowRuns]:
    """Sort runs into the rows of a study, by the name that a row's configuration with the seed of the run has.

    Runs of other seeds than the study's count too. Runs of different configurations can so never be averaged.

    Raises:
        GatheringError: two rows are one and the same configuration.
    """
    configs = _configs(study)
    labels: dict[str, str] = {}
    for label, cfg in configs.items():
        if (other := labels.setdefault(config_hash(cfg, without=("seed",)), label)) != label:
            raise GatheringError(
                f"The rows {other!r} and {label!r} of {study.name} have one configuration: "
                "an override for all rows takes away what they differ in, or one of them is to be removed."
            )
    seeds = sorted({run.seed for run in runs} | set(study.seeds))
    names = {config_hash(_with_seed(cfg, seed)): label for label, cfg in configs.items() for seed in seeds}
    by_label: dict[str, list[FoundRun]] = {label: [] for label in study.rows}
    for run in runs:
        if run.name in names:
            by_label[names[run.name]].append(run)
    return [_row_runs(study, row, configs[label], by_label[label]) for label, row in study.rows.items()]


def seeds_of(rows: Sequence[RowRuns], study: Study) -> tuple[int, ...]:
    """The study's seeds; where no run has one of them, those that there are runs of: it was asked with these."""
    there = {run.seed for row in rows for run in row.runs}
    return study.seeds if not there or there & {*study.seeds} else tuple(sorted(there))


def trained_apart(rows: Sequence[RowRuns]) -> list[str]:
    """Rows of one configuration of the data that were trained on different clips: a line for each such configuration.

    What then tells them apart is not what the study asks.
    """
    alike = [row for row in rows if "train" not in _drawn_anew(row.cfg)]
    return _apart(alike, "data", lambda fingerprint: str(fingerprint.get("train", {}).get("id_hash")))


def started_apart(rows: Sequence[RowRuns]) -> list[str]:
    """Rows of one `checkpoint=` that started from different weights, likewise."""
    return _apart(rows, "checkpoint", lambda fingerprint: str(fingerprint.get(START, {}).get("weights")))


def _apart(rows: Sequence[RowRuns], key: str, fact: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """Rows that agree in a key of the configuration and not in a fact of the fingerprint."""
    groups: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        asked = json.dumps(science(row.cfg).get(key), sort_keys=True, default=str)
        for run in row.averaged[:1]:  # all of them have the same
            groups.setdefault(asked, {}).setdefault(fact(run.results.get("fingerprint", {})), []).append(row.row.label)
    return [
        "; ".join(f"{', '.join(labels)}: {found}" for found, labels in facts.items())
        for facts in groups.values()
        if len(facts) > 1
    ]


def near_misses(study: Study, rows: Sequence[RowRuns], runs: Sequence[FoundRun]) -> list[str]:
    """Runs of no row that would be of one but for a few settings: a line for all that differ in the same.

    They were perhaps started with other options than the study was gathered with. Runs of other studies are not meant.
    """
    used = {run.place for row in rows for run in (*row.runs, *row.doubles)}
    wanted = [_seedless(science(row.cfg)) for row in rows]
    kinds: dict[str, list[str]] = {}
    for run in runs:
        if run.place in used or not run.science or run.question not in ("", study.question):
            continue
        found = min((different(_seedless(run.science), row) for row in wanted), key=len)
        if len(found) <= FEW:
            kinds.setdefault(told(found), []).append(run.place)
    return [
        f"{places[0]}{f' and {len(places) - 1} more' if len(places) > 1 else ''}: of no row, but for {words}."
        for words, places in kinds.items()
    ]


def _seedless(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "seed"}


def _configs(study: Study) -> dict[str, DictConfig]:
    """Row -> configuration with the first seed."""
    return {job.row.label: job.cfg for job in replace(study, seeds=study.seeds[:1]).jobs()}


def _with_seed(cfg: DictConfig, seed: int) -> DictConfig:
    copied = cfg.copy()
    OmegaConf.update(copied, "seed", seed)
    return copied


def _row_runs(study: Study, row: Row, cfg: DictConfig, runs: Sequence[FoundRun]) -> RowRuns:
    """One run per seed: the one that got furthest."""
    order = (FINISHED, UNFINISHED, FAILED)
    ranked = sorted(runs, key=lambda run: (run.seed, order.index(run.status), run.place))
    kept = {run.seed: run for run in reversed(ranked)}
    first = tuple(kept[seed] for seed in sorted(kept))
    doubles = tuple(run for run in ranked if not any(run is one for one in first))
    finished = [(run.seed, run.results.get("fingerprint", {})) for run in first if run.status == FINISHED]
    missing = tuple(seed for seed in study.seeds if seed not in kept)
    return RowRuns(row, cfg, first, missing, doubles, tuple(differences(finished, cfg)))


def differences(fingerprints: Sequence[tuple[int, Mapping[str, Any]]], cfg: DictConfig) -> list[str]:
    """What differs between the data of runs that should be repetitions: one line a fact, naming the seeds.

    Clips that the configuration draws anew for each seed may differ.

    Args:
        fingerprints: Seed and fingerprint of each run.
        cfg: Their configuration.
    """
    facts = [(seed, _facts(fingerprint, _drawn_anew(cfg))) for seed, fingerprint in fingerprints]
    lines = []
    for key in dict.fromkeys(key for _, of_run in facts for key in of_run):
        seeds: dict[Any, list[str]] = {}
        for seed, of_run in facts:
            if key in of_run or not key.startswith(LATER):
                seeds.setdefault(of_run.get(key), []).append(str(seed))
        if len(seeds) > 1:
            lines.append(f"{key}: " + "; ".join(f"{value} (seed {', '.join(of)})" for value, of in seeds.items()))
    return lines


def scored_data(run: FoundRun) -> Mapping[str, Any]:
    """The fingerprint of the clips that a run's score is of; empty where it keeps none."""
    return run.results.get("fingerprint", {}).get("test" if run.role == "test" else "validation", {})


def _drawn_anew(cfg: DictConfig) -> set[str]:
    """Roles whose clips depend on the seed."""
    data = OmegaConf.to_container(cfg.data, resolve=False)
    assert isinstance(data, dict)
    return {role for key, roles in DRAWN.items() if BY_SEED in str(data.get(key)) for role in roles}


def _facts(fingerprint: Mapping[str, Any], drawn_anew: set[str]) -> dict[str, Any]:
    """Flat, without what may differ from seed to seed."""
    facts = {f"{role}.{key}": value for role, of_role in fingerprint.items() for key, value in of_role.items()}
    loose = {f"{role}.{key}" for role in drawn_anew for key in ("clips", "classes", "labels", "id_hash")}
    loose |= {f"selection.{key}" for key, roles in DRAWN.items() if drawn_anew.issuperset(roles)}
    return {key: value for key, value in facts.items() if key not in loose}
