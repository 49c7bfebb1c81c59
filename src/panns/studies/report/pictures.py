"""Pictures of a study's rows: their scores, over the study's axis and over cost.

Each function writes NAME.png and NAME.svg -> whether there was anything to draw.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from panns.drawing import BLUE, GREY, ORANGE, clean, save_png_and_svg, short
from panns.labelling import Label, place_labels
from panns.published.tables import RUN_TO_RUN, tables
from panns.studies.outcome import Outcome, RowOutcome

LIGHT, BAND = "#e4e4e4", "#f2ead9"
ONE_SEED: dict[str, Any] = {"ms": 4, "mfc": "white", "mec": BLUE, "mew": 0.8, "zorder": 2.5}
BESIDE = 0.24  # of a row: where its seeds lie, below their mean
ROOM = 0.6  # of the span of all scores, on either side of them: an interval that is longer runs out of the picture
INTERVAL = "_interval"  # label of the lines that the edge of a panel may cut; legends leave it out
GOES_ON = "arrow: the interval goes on"
ANOTHER_COST = 1.01  # a classifier of other layers costs some 0.01 % more: nothing to draw
WIDE = 8  # an axis whose largest value is so many times its smallest is logarithmic


def scores(outcome: Outcome, stem: Path) -> bool:
    """Each row's mean and interval, its seeds, the paper's number; beside it the difference to the reference."""
    rows, compared = outcome.averaged, bool(outcome.compared)
    if not rows:
        return False
    figure = Figure(figsize=(9.6 if compared else 6.8, 1.5 + 0.36 * len(rows)), layout="constrained")
    panels = figure.subplots(
        1, 2 if compared else 1, sharey=True, squeeze=False, width_ratios=(1.15, 1)[: 1 + compared]
    )
    ax = panels[0, 0]
    for place, row in enumerate(rows):
        mean = row.scores[outcome.metric]
        if mean.low is not None and mean.high is not None:
            _interval(ax, (mean.low, mean.high), (place, place), 1.6)
        values = _seeds(row, outcome.metric)
        ax.plot(values, [place + BESIDE] * len(values), "o", **ONE_SEED)
        ax.plot(mean.value, place, "o", ms=7, color=BLUE)
        if (paper := paper_score(row, outcome.metric)) is not None:
            ax.plot(paper, place, "D", ms=6, mfc="none", mec=ORANGE, mew=1.4, zorder=4)
    ax.set_yticks(range(len(rows)), [short(row.label, 34) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(outcome.metric)
    ax.set_xlim(*_limits(ax.get_xlim(), _all_scores(outcome, rows)))
    if compared:
        _differences(panels[0, 1], outcome)
    for panel in panels[0]:
        panel.grid(axis="x", color=LIGHT, linewidth=0.8)
        panel.set_axisbelow(True)
        panel.tick_params(axis="y", length=0, pad=6)  # room for an arrow head
        clean(panel)
    cut = [_mark_cuts(panel) for panel in panels[0]]
    handles = [*_score_legend(outcome), *([_arrow(">")] if any(cut) else [])]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    save_png_and_svg(figure, stem)
    return True


def score_by_x(outcome: Outcome, stem: Path) -> bool:
    """Scores over the study's own axis."""
    rows = [row for row in outcome.averaged if row.row_runs.row.x is not None]
    if len(rows) < 2:
        return False
    figure = Figure(figsize=(6.8, 4.4), layout="constrained")
    ax = figure.subplots()
    places = [float(row.row_runs.row.x or 0) for row in rows]
    _points(ax, outcome, rows, places)
    if min(places) > 0 and max(places) / min(places) >= WIDE:
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(FixedLocator(sorted(set(places))))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.margins(x=0.1, y=0.12)
    ax.set_xlabel(outcome.study.x or "")
    _finish(figure, ax, outcome, rows, places)
    save_png_and_svg(figure, stem)
    return True


def score_by_cost(outcome: Outcome, stem: Path) -> bool:
    """Scores over multi-adds, as in Fig. 5 of the paper; on AudioSet with the other systems of Table XI behind."""
    rows = [row for row in outcome.averaged if row.cost("multi_adds")]
    places = [float(row.cost("multi_adds") or 0) / 1e9 for row in rows]
    if not places or max(places) < ANOTHER_COST * min(places):
        return False
    figure = Figure(figsize=(8.2, 5.2), layout="constrained")
    ax = figure.subplots()
    if outcome.audioset and outcome.metric == "mAP":
        shown = {row.paper.run for row in rows if row.paper}
        others = [(one.multi_adds, one.mAP) for key, one in tables().items() if one.table == "XI" and key not in shown]
        if others:
            ax.plot(
                *zip(*others, strict=True),
                "D",
                ms=4.5,
                mfc="none",
                mec="#c4c4c4",
                zorder=1,
                label="other systems of its Table XI",
            )
    _points(ax, outcome, rows, places)
    ax.margins(x=0.16, y=0.12)
    if max(places) / min(places) >= WIDE:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.set_xlabel("multiply-adds for a clip, as the paper counts them (G)")
    _finish(figure, ax, outcome, rows, places)
    save_png_and_svg(figure, stem)
    return True


def paper_score(row: RowOutcome, metric: str) -> float | None:
    """The paper's number of a row that may be compared with it."""
    return getattr(row.paper, metric) if row.comparable and row.paper else None


def _differences(ax: Axes, outcome: Outcome) -> None:
    """Intervals over the clips thick, over the seeds thin."""
    values = [0.0]
    if outcome.metric == "mAP":
        ax.axvspan(-RUN_TO_RUN, RUN_TO_RUN, color=BAND, zorder=0)
    ax.axvline(0, color=GREY, linewidth=1)
    for place, row in enumerate(outcome.averaged):
        if row.against is None:
            continue
        clips, seeds = row.against.over_clips, row.against.over_seeds
        if seeds is not None and seeds.low is not None and seeds.high is not None:
            _interval(ax, (seeds.low, seeds.high), (place, place), 1.2)
        if clips is not None and clips.mean.low is not None and clips.mean.high is not None:
            _interval(ax, (clips.mean.low, clips.mean.high), (place, place), 5, alpha=0.45)
        if row.against.of_common_seeds is not None:
            ax.plot(row.against.of_common_seeds, place, "|", ms=10, mew=2, color=BLUE)
            values.append(row.against.of_common_seeds)
        value = seeds.value if seeds is not None else clips.mean.value if clips is not None else None
        if value is not None:
            ax.plot(value, place, "o", ms=6, color=BLUE)
            values.append(value)
    ax.set_xlim(*_limits(ax.get_xlim(), values))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set_xlabel(f"difference of {outcome.metric} to {short(outcome.study.reference or '', 24)}")


def _score_legend(outcome: Outcome) -> list[Any]:
    means = [row.scores[outcome.metric] for row in outcome.averaged]
    several = any(mean.low is not None for mean in means)
    name = "mean over seeds, 95 % interval" if several else "one seed"
    handles: list[Any] = [Line2D([], [], color=BLUE, marker="o", ms=7, lw=1.6 if several else 0, label=name)]
    if several:
        handles.append(Line2D([], [], marker="o", lw=0, label="one seed", **ONE_SEED))
    if any(paper_score(row, outcome.metric) is not None for row in outcome.averaged):
        handles.append(Line2D([], [], marker="D", ms=6, lw=0, mfc="none", mec=ORANGE, mew=1.4, label="the paper"))
    against = [against for _, against in outcome.compared]
    if any(one.over_clips is not None for one in against):
        handles.append(Line2D([], [], color=BLUE, lw=5, alpha=0.45, label="95 % over the clips scored"))
    if any(one.of_common_seeds is not None for one in against):
        handles.append(Line2D([], [], color=BLUE, marker="|", ms=10, mew=2, lw=0, label="of the seeds of both rows"))
    if any(one.over_seeds is not None and one.over_seeds.low is not None for one in against):
        handles.append(Line2D([], [], color=BLUE, lw=1.2, label="95 % over seeds"))
    if against and outcome.metric == "mAP":
        handles.append(Patch(color=BAND, label=f"±{RUN_TO_RUN}: three runs of CNN14 by its authors"))
    return handles


def _points(ax: Axes, outcome: Outcome, rows: Sequence[RowOutcome], places: Sequence[float]) -> None:
    """Mean, interval and seeds of each row; the paper's number where it may be compared."""
    for place, row in zip(places, rows, strict=True):
        mean = row.scores[outcome.metric]
        values = _seeds(row, outcome.metric)
        if mean.low is not None and mean.high is not None:
            _interval(ax, (place, place), (mean.low, mean.high), 1.6)
        ax.plot([place] * len(values), values, "o", **ONE_SEED)
        ax.plot(place, mean.value, "o", ms=7, color=BLUE, zorder=3)
        if (paper := paper_score(row, outcome.metric)) is not None:
            ax.plot(place, paper, "D", ms=6, mfc="none", mec=ORANGE, mew=1.4, zorder=4)


def _finish(figure: Figure, ax: Axes, outcome: Outcome, rows: Sequence[RowOutcome], places: Sequence[float]) -> None:
    """Grid, legend, and the rows' names where they cover nothing."""
    ax.set_ylabel(outcome.metric)
    ax.set_ylim(*_limits(ax.get_ylim(), _all_scores(outcome, rows)))
    ax.grid(color=LIGHT, linewidth=0.8)
    ax.set_axisbelow(True)
    clean(ax)
    handles = [one for one in _score_legend(outcome) if not one.get_label().startswith(("95 % over", "±"))]
    handles += ax.get_legend_handles_labels()[0]
    handles += [_arrow("^")] if _mark_cuts(ax) else []
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # names are placed in this layout
    means = [row.scores[outcome.metric].value for row in rows]
    labels = [
        Label(short(row.label, 30), place, mean, "#333333", 7.0)
        for row, place, mean in zip(rows, places, means, strict=True)
    ]
    for name in place_labels(ax, labels, [*_around(outcome, rows, places)]):
        name.set_path_effects([withStroke(linewidth=2, foreground="white")])  # readable where it crosses an interval


def _around(outcome: Outcome, rows: Sequence[RowOutcome], places: Sequence[float]) -> Iterable[tuple[float, float]]:
    """What names may not cover beside the means: seeds and the paper's numbers."""
    for row, place in zip(rows, places, strict=True):
        yield from ((place, y) for y in _seeds(row, outcome.metric))
        if (paper := paper_score(row, outcome.metric)) is not None:
            yield place, paper


def _all_scores(outcome: Outcome, rows: Sequence[RowOutcome]) -> list[float]:
    """Of seeds and of the paper."""
    papers = [paper for row in rows if (paper := paper_score(row, outcome.metric)) is not None]
    return [value for row in rows for value in _seeds(row, outcome.metric)] + papers


def _limits(now: tuple[float, float], values: Sequence[float]) -> tuple[float, float]:
    """Limits of an axis that intervals do not stretch: those of two seeds can be ten times as long as all the rest."""
    room = ROOM * (max(values) - min(values)) or now[1] - now[0]
    return max(now[0], min(values) - room), min(now[1], max(values) + room)


def _seeds(row: RowOutcome, metric: str) -> list[float]:
    """The score of each run behind the mean."""
    return [value for run in row.row_runs.averaged if (value := run.score(metric)) is not None]


def _interval(ax: Axes, x: tuple[float, float], y: tuple[float, float], width: float, alpha: float = 1.0) -> None:
    ax.plot(x, y, color=BLUE, lw=width, alpha=alpha, solid_capstyle="butt", label=INTERVAL)


def _mark_cuts(ax: Axes) -> bool:
    """Draws an arrow head at the edge of a panel wherever an interval runs on -> whether there is one."""
    (left, right), (bottom, top) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    cut = False
    for line in [line for line in ax.lines if line.get_label() == INTERVAL]:
        for x, y in np.asarray(line.get_xydata()).tolist():
            edge = min(max(x, left), right), min(max(y, bottom), top)
            if edge != (x, y):
                head = "<" if x < left else ">" if x > right else "v" if y < bottom else "^"
                size = 4 + 1.2 * line.get_linewidth()
                ax.plot(*edge, head, ms=size, mew=0, color=BLUE, alpha=line.get_alpha(), clip_on=False, zorder=5)
                cut = True
    return cut


def _arrow(head: str) -> Line2D:
    """What the legend says of arrow heads."""
    return Line2D([], [], color=BLUE, marker=head, ms=6, mew=0, lw=0, label=GOES_ON)
