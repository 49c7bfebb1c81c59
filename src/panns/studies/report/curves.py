"""The learning curves of a study, over the paper's where it has that system."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from panns.drawing import BLUE, clean, save_png_and_svg, short
from panns.published import figures
from panns.studies.outcome import Outcome, RowOutcome
from panns.studies.runs import FINISHED, Curve

PAPER_BATCH = 32  # examples of an iteration of the paper
X_LABEL = f"iterations of {PAPER_BATCH} examples"
MOST_TOGETHER = 8  # more rows than this get a panel each
COLUMNS = 4  # of these panels
COLOURS = (BLUE, "#d9772b", "#3d8b57", "#a23b72", "#7a5fb5", "#8c6d31", "#17889c", "#b5403a")
BEHIND = "#dcdcdc"


class RowCurves(NamedTuple):
    """The curves of a row: of each finished run, of each other run, and the paper's."""

    row: RowOutcome
    finished: list[Curve]
    others: list[Curve]
    paper: Curve | None

    @property
    def lines(self) -> list[Curve]:
        """The mean of the finished runs, or, where they may not be averaged, each; without one, that of the others."""
        return self.finished if self.row.row_runs.differing else [mean_curve(self.finished or self.others)]


def learning_curves(outcome: Outcome, stem: Path) -> bool:
    """Draw the validation score of all rows against iterations -> whether there was anything to draw."""
    rows = [curves for row in outcome.rows if (curves := row_curves(row, outcome.metric)) is not None]
    if not rows:
        return False
    figure = _together(outcome, rows) if len(rows) <= MOST_TOGETHER else _apart(outcome, rows)
    save_png_and_svg(figure, stem)
    return True


def row_curves(row: RowOutcome, metric: str) -> RowCurves | None:
    """What there is to draw of a row, its steps counted in iterations of the paper; None without a validation."""
    finished, others = list[Curve](), list[Curve]()
    for run in row.row_runs.runs:
        if (curve := run.history().get(f"val/{metric}")) is not None:
            steps, values = curve
            (finished if run.status == FINISHED else others).append((steps * run.batch_size // PAPER_BATCH, values))
    return RowCurves(row, finished, others, paper_curve(row, metric)) if finished or others else None


def paper_curve(row: RowOutcome, metric: str) -> Curve | None:
    """The paper's curve of a row; only where the row's own curve is of the same clips."""
    validated_on_them = all(run.role == "val" for run in row.row_runs.finished)
    if metric != "mAP" or not row.comparable or not validated_on_them or row.paper is None:
        return None
    return figures.learning_curves().get(row.paper.run)


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean at the iterations that all curves have."""
    by_step = [dict(zip(steps.tolist(), values.tolist(), strict=True)) for steps, values in curves]
    common = sorted(set.intersection(*map(set, by_step)))
    return np.array(common, dtype=np.int64), np.array([np.mean([one[step] for one in by_step]) for step in common])


def _together(outcome: Outcome, rows: Sequence[RowCurves]) -> Figure:
    """All rows in one panel, named in the order in which they end."""
    figure = Figure(figsize=(8.2, 4.4), layout="constrained")
    ax = figure.subplots()
    handles = []
    for curves, colour in zip(rows, _colours(rows), strict=True):
        _draw(ax, curves, colour)
        line = Line2D([], [], color=colour, lw=2, label=short(curves.row.label, 30))
        handles.append((max([-np.inf, *(values[-1] for _, values in curves.lines if len(values))]), line))
    _dress(ax)
    ax.set_xlabel(X_LABEL)
    ax.set_ylabel(f"validation {outcome.metric}")
    named = [line for _, line in sorted(handles, key=lambda one: -one[0])]
    figure.legend(handles=[*named, *_notes(rows)], loc="outside right center", frameon=False, fontsize="small")
    return figure


def _apart(outcome: Outcome, rows: Sequence[RowCurves]) -> Figure:
    """A panel for each row, with the others behind it."""
    lines = -(-len(rows) // COLUMNS)
    figure = Figure(figsize=(9.6, 0.8 + 2.0 * lines), layout="constrained")
    panels = figure.subplots(lines, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for number, ax in enumerate(panels):
        if number >= len(rows):
            ax.set_visible(False)
            continue
        for other in rows:
            for line in other.lines:
                ax.plot(*line, color=BEHIND, lw=0.8, zorder=1)
        _draw(ax, rows[number], BLUE)
        ax.set_title(short(rows[number].row.label, 28), fontsize="small", loc="left")
        ax.tick_params(labelbottom=number >= len(rows) - COLUMNS, labelsize="small")
        _dress(ax, 3)
    figure.supxlabel(X_LABEL, fontsize="medium")
    figure.supylabel(f"validation {outcome.metric}", fontsize="medium")
    handles = [Line2D([], [], color=BLUE, lw=2, label="the row"), Line2D([], [], color=BEHIND, lw=1, label="all rows")]
    handles += _notes(rows)
    figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize="small")
    return figure


def _draw(ax: Axes, curves: RowCurves, colour: str) -> None:
    if curves.paper is not None:
        ax.plot(*curves.paper, color=colour, lw=1, ls=(0, (1, 1)), alpha=0.9, zorder=2)
    several = len(curves.finished) > len(curves.lines)
    for curve in curves.finished if several else ():
        ax.plot(*curve, color=colour, lw=0.8, alpha=0.35)
    for curve in curves.others:
        ax.plot(*curve, color=colour, lw=1, ls=(0, (5, 2)))
    for steps, values in curves.lines if curves.finished else ():
        ax.plot(steps, values, color=colour, lw=2, marker="o" if len(steps) < 15 else None, ms=3, zorder=3)


def _dress(ax: Axes, most_steps: int | Literal["auto"] = "auto") -> None:
    """Axes from zero; iterations are whole numbers, marked in at most so many steps."""
    ax.set_xlim(0, None)
    ax.set_ylim(0, None)
    ax.xaxis.set_major_locator(MaxNLocator(most_steps, steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    clean(ax)


def _notes(rows: Sequence[RowCurves]) -> list[Line2D]:
    """What thin, dotted and dashed lines are, as far as there are some."""
    notes, dark = [], "#555555"
    if any(len(curves.finished) > 1 for curves in rows):
        notes.append(Line2D([], [], color=dark, lw=0.8, alpha=0.5, label="one seed"))
    if any(curves.paper is not None for curves in rows):
        notes.append(Line2D([], [], color=dark, lw=1, ls=(0, (1, 1)), label="the paper"))
    if any(curves.others for curves in rows):
        notes.append(Line2D([], [], color=dark, lw=1, ls=(0, (5, 2)), label="not finished"))
    return notes


def _colours(rows: Sequence[RowCurves]) -> list[str]:
    """From dark to light along the study's axis; without one, as different as can be."""
    places = [x for curves in rows if (x := curves.row.row_runs.row.x) is not None]
    if len(places) < len(rows) or len(rows) < 3:
        return list(COLOURS[: len(rows)])
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.88, len(rows)))
    rank = np.argsort(np.argsort(places, kind="stable"))
    return [matplotlib.colors.to_hex(shades[r]) for r in rank]
