"""Sections about the results: scores, differences to the reference, and the classes that change."""

from collections.abc import Sequence

import numpy as np

from panns.published.tables import RUN_TO_RUN
from panns.studies.outcome import DISCOVERY, Against, Outcome, RowOutcome
from panns.studies.report import wording
from panns.studies.report.content import Cell, Picture, Section, table
from panns.studies.report.wording import DAGGER, NONE

NAMES = {"mAP": "mAP", "mAUC": "mAUC", "d_prime": "d′", "accuracy": "accuracy"}
MOST_CLASSES = 4  # named of those that a row gains or loses
RUN_TO_RUN_NOTE = (
    f"{DAGGER} Below {RUN_TO_RUN}, which is how far apart three runs of one recipe lay that the paper's authors made "
    "on AudioSet."
)
OVER_SEEDS = (
    "Over seeds: Welch's interval: would other runs differ? A row is called better or worse where the intervals over "
    "clips and over seeds both exclude zero. Each p is of its row alone."
)
OVER_FOLDS = (
    "Each seed is a fold: it has clips of its own to be scored on. Over seeds: Student's interval of the differences "
    "fold by fold; a row is called better or worse where it excludes zero. Each p is of its row alone."
)


def scores(outcome: Outcome, pictures: Sequence[Picture]) -> Section | None:
    """Each row's means, beside the paper's numbers and the row's cost."""
    if not outcome.averaged:
        return None
    metric, others = outcome.metric, [name for name in NAMES if name != outcome.metric]
    foreign = any(row.paper and not row.comparable for row in outcome.averaged)
    paper = "paper, other data" if foreign else "paper"
    head = ["row", outcome.study.x or "x", "seeds", NAMES[metric], *(NAMES[name] for name in others)]
    head += [paper, "difference to it", "parameters", "multi-adds"]
    rows = [_score_row(row, metric, others) for row in outcome.rows]
    notes = [
        f"{NAMES[metric]}: mean over the seeds ± half of Student's 95 % interval; one seed has none. "
        "multi-adds: for a clip, as the paper counts them."
    ]
    notes += [RUN_TO_RUN_NOTE] if _marked(rows) else []
    notes += [
        f"{row.label}, in the paper: {row.paper.note}." for row in outcome.averaged if row.paper and row.paper.note
    ]
    words = ("row", paper)
    return Section("Scores", table=table(head, rows, words), notes=notes, pictures=pictures)


def differences(outcome: Outcome, resamples: int) -> Section | None:
    """Each row against the reference, by the seeds and by the clips."""
    if not outcome.compared:
        return None
    least = 2 / (resamples + 1)
    rows = [_difference_row(row.label, against, outcome.metric, least) for row, against in outcome.compared]
    head = ["row", "difference", "95 % over clips", "p", "95 % over seeds", "p ", "that is"]
    over_clips = (
        f"Over clips: {resamples:,} paired resamples of the clips scored, the same for all runs, of the difference "
        "over the seeds that both rows have (named where it is not that over all), centred on it: would the runs that "
        "are there differ on other clips?"
    )
    notes = [over_clips] if any(against.over_clips for _, against in outcome.compared) else []
    folds = [against.by_folds for _, against in outcome.compared]
    notes += [OVER_FOLDS] if any(folds) else []
    notes += [OVER_SEEDS] if not all(folds) else []
    notes += [RUN_TO_RUN_NOTE] if _marked(rows) else []
    reasons = dict.fromkeys(against.why_not for _, against in outcome.compared if against.why_not)
    notes += [f"Not resampled: {reason}." for reason in reasons]
    title = f"Against {outcome.study.reference}"
    return Section(title, table=table(head, rows, words=("row", "that is")), notes=notes)


def classes(outcome: Outcome) -> Section | None:
    """The classes whose AP a row changes, with control of the false discoveries among them."""
    found = [(row, against) for row, against in outcome.compared if against.over_clips and outcome.metric == "mAP"]
    if not found:
        return None
    names = class_names(outcome)
    rows: list[list[Cell | str]] = []
    for row, against in found:
        assert against.over_clips is not None
        gains, changed = against.over_clips.per_class, against.changed
        up, down = np.flatnonzero(changed & (gains > 0)), np.flatnonzero(changed & (gains < 0))
        tested = int((~np.isnan(against.over_clips.p)).sum())
        best, worst = up[np.argsort(-gains[up])], down[np.argsort(gains[down])]
        rows.append(
            [
                row.label,
                str(tested),
                str(len(up)),
                _named(names, gains, best),
                str(len(down)),
                _named(names, gains, worst),
            ]
        )
    head = ["row", "classes tested", "better", "most", "worse", "most "]
    note = (
        f"Against {outcome.study.reference}, the mean over the common seeds; by resampled clips. Of the classes named, "
        f"{100 * DISCOVERY:.0f} % are expected to be false discoveries (Benjamini and Hochberg). A class with one "
        "positive clip is not tested. All classes: `class_gains.csv`."
    )
    return Section("Classes that change", table=table(head, rows, words=("row", "most", "most ")), notes=[note])


def class_names(outcome: Outcome) -> list[str]:
    """Names of the classes, as the runs keep them; numbers where they do not."""
    for run in outcome.finished:
        if names := list(run.class_ap()):
            return names
    gains = [against.over_clips for _, against in outcome.compared if against.over_clips]
    return [f"class {k}" for k in range(len(gains[0].per_class) if gains else 0)]


def _score_row(row: RowOutcome, metric: str, others: Sequence[str]) -> list[Cell | str]:
    x, ours = row.row_runs.row.x, row.scores.get(metric)
    paper = getattr(row.paper, metric) if row.comparable and row.paper else None
    return [
        row.label,
        NONE if x is None else f"{x:g}",
        f"{len(row.row_runs.finished)}, not averaged" if row.row_runs.differing else str(len(row.row_runs.finished)),
        wording.mean(ours),
        *(wording.score(row.scores[name].value if name in row.scores else None) for name in others),
        wording.paper_number(row.paper, metric),
        NONE if paper is None or ours is None else wording.signed(ours.value - paper, metric),
        wording.amount(row.cost("parameters"), 1e6, "M"),
        wording.amount(row.cost("multi_adds"), 1e9, "G"),
    ]


def _difference_row(label: str, against: Against, metric: str, least: float) -> list[Cell | str]:
    clips = against.over_clips.mean if against.over_clips else None
    seeds = against.over_seeds
    best, other = seeds or clips, against.of_common_seeds
    of = "" if other is None else f"of {wording.signed(other, '')}: "
    return [
        label,
        NONE if best is None else wording.signed(best.value, metric),
        f"{of}{wording.span(clips)}",
        wording.p_value(clips.p if clips else None, least),
        wording.span(seeds),
        wording.p_value(seeds.p if seeds else None),
        wording.verdict(against),
    ]


def _named(names: Sequence[str], gains: np.ndarray, order: np.ndarray) -> str:
    """The first of some classes with what they gain."""
    return ", ".join(f"{names[k]} {wording.signed(gains[k], '', 2)}" for k in order[:MOST_CLASSES]) or NONE


def _marked(rows: Sequence[Sequence[Cell | str]]) -> bool:
    return any(DAGGER in cell for row in rows for cell in row if isinstance(cell, str))
