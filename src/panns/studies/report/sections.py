"""The sections of a report, in the order in which they are read."""

from collections.abc import Sequence

from panns.studies.gathering import BY_SEED, MISSING, started_apart, trained_apart
from panns.studies.outcome import Outcome
from panns.studies.paper import clips_scored, of_the_evaluation_set, scored_splits
from panns.studies.report import result_sections, run_sections
from panns.studies.report.content import Picture, Section
from panns.studies.report.run_sections import Source
from panns.studies.report.wording import listed
from panns.studies.runs import FAILED, UNFINISHED


def sections(outcome: Outcome, pictures: Sequence[Picture], source: Source) -> list[Section]:
    """All of them; those with nothing to say are left out."""

    def shown(*names: str) -> list[Picture]:
        return [picture for picture in pictures if picture.name in names]

    found = [
        Section("", text=opening(outcome)),
        run_sections.missing(outcome, source),
        run_sections.refused(outcome),
        result_sections.scores(outcome, shown("scores", "score_by_x")),
        result_sections.differences(outcome, source.resamples),
        result_sections.classes(outcome),
        Section("Learning curves", pictures=shown("learning_curves")),
        Section("Cost", pictures=shown("cost")),
        Section("Classes beside the paper's", pictures=shown("class_ap")),
        run_sections.runs(outcome, source),
    ]
    return [one for one in found if one is not None and (one.text or one.table or one.pictures)]


def opening(outcome: Outcome) -> list[str]:
    """How far the study is, what was scored, and whether the paper's numbers are of the same data."""
    about = (_scored, _damaged, _other_data, _orientation)
    return [_state(outcome), *(line for say in about for line in say(outcome))]


def _state(outcome: Outcome) -> str:
    """How many runs there are of how many."""
    expected = len(outcome.study.rows) * len(outcome.study.seeds)
    asked = sum(run.seed in outcome.study.seeds for run in outcome.finished)
    parts = [f"{asked} of {expected} runs are finished"]
    for status in (UNFINISHED, FAILED, MISSING):
        if count := sum(row.row_runs.count(status) for row in outcome.rows):
            parts.append(f"{count} {status}")
    if more := len(outcome.finished) - asked:
        parts.append(f"{more} finished ones of further seeds")
    return f"{', '.join(parts)}."


def _scored(outcome: Outcome) -> list[str]:
    """What the scores are of, and on how many clips."""
    if not outcome.finished:
        return []
    numbers = clips_scored(outcome.finished)
    if outcome.audioset:
        return [f"Scored {listed([of_the_evaluation_set(number) for number in numbers])}."]
    runs = [(row.row_runs.cfg, run) for row in outcome.rows for run in row.row_runs.finished]
    named = [(split, run.seed) for cfg, run in runs for split in scored_splits(cfg, run.role)]
    splits = sorted({split.replace(BY_SEED, str(seed)) for split, seed in named})
    return [f"Scored on {listed([f'{number:,}' for number in numbers])} clips ({', '.join(splits)})."]


def _damaged(outcome: Outcome) -> list[str]:
    """Whether runs replaced clips that they could not read."""
    runs = [run for run in outcome.finished if run.results.get("damaged_clips", {}).get("clips")]
    said = "replaced training clips that could not be read: `damaged_clips.csv` in their folders names them."
    return [f"{len(runs)} of the runs {said}"] if runs else []


def _other_data(outcome: Outcome) -> list[str]:
    """Which rows are not averaged since their runs differ in what they were made from, and which were made from other
    clips or weights than rows that should have the same."""
    rows = [row.row_runs for row in outcome.rows]
    differing = listed([row.row.label for row in rows if row.differing])
    lines = [f"Not averaged, as their runs differ in their data or first weights: {differing}."] if differing else []
    return [
        *lines,
        *(
            f"Of one configuration of the data, yet trained on different clips ({words}): the difference between these "
            "rows is also one of their data."
            for words in trained_apart(rows)
        ),
        *(
            f"Of one checkpoint=, yet started from different weights ({words}): the difference between these rows is "
            "also one of these."
            for words in started_apart(rows)
        ),
    ]


def _orientation(outcome: Outcome) -> list[str]:
    """That the paper's numbers are of other data, where they are."""
    if not any(row.paper and not row.comparable for row in outcome.averaged):
        return []
    return [
        "The data are not those of the paper: its numbers stand beside these for orientation only and cannot be "
        "compared with them."
    ]
