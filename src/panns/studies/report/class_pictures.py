"""AP of each of AudioSet's classes against the paper's, where it has that system.

Shapes: K = 527 classes.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from panns.drawing import BLUE, GREY, clean, save_png_and_svg, short
from panns.labelling import Label, place_labels
from panns.published.figures import class_ap, class_names
from panns.studies.outcome import Outcome, RowOutcome

NAMED = 8  # classes with the largest differences, as far as there is room
COLUMNS = 3


class Pair(NamedTuple):
    """AP of the classes of a row, ours and the paper's, (K,) each."""

    row: RowOutcome
    ours: NDArray[np.float64]
    paper: NDArray[np.float64]


def pairs(outcome: Outcome) -> list[Pair]:
    """The rows that the paper has the class-wise AP of, and that kept their own."""
    found = []
    for row in outcome.averaged:
        if row.comparable and row.paper is not None and row.paper.run in class_ap():
            tables = [run.class_ap() for run in row.row_runs.averaged]
            if all(set(class_names()) <= set(table) for table in tables):
                ours = np.mean([[table[name] for name in class_names()] for table in tables], axis=0)
                found.append(Pair(row, ours, class_ap()[row.paper.run]))
    return found


def class_scatter(outcome: Outcome, stem: Path) -> bool:
    """One panel a row: our AP over the paper's, the classes that differ most named -> whether there is any."""
    found = pairs(outcome)
    if not found:
        return False
    columns = min(len(found), COLUMNS)
    lines = -(-len(found) // columns)
    figure = Figure(figsize=(0.4 + 4.4 * columns, 0.3 + 4.4 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax in panels[len(found) :]:
        ax.set_visible(False)
    for ax, pair in zip(panels, found, strict=False):
        _panel(ax, pair)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # names are placed in this layout
    for ax, pair in zip(panels, found, strict=False):
        _name(ax, pair)
    save_png_and_svg(figure, stem)
    return True


def _panel(ax: Axes, pair: Pair) -> None:
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8, zorder=1)
    ax.plot(pair.paper, pair.ours, "o", ms=3.2, color=BLUE, alpha=0.5, mew=0)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_aspect("equal")
    ax.set_xlabel("average precision in the paper")
    ax.set_ylabel("average precision here")
    known = ~np.isnan(pair.ours)
    r = np.corrcoef(pair.paper[known], pair.ours[known])[0, 1]
    means = f"mean {pair.ours[known].mean():.3f}, the paper's {pair.paper[known].mean():.3f}, r = {r:.3f}"
    ax.set_title(f"{short(pair.row.label, 40)}\n{means}", fontsize="small", loc="left")
    clean(ax)


def _name(ax: Axes, pair: Pair) -> None:
    difference = np.abs(pair.ours - pair.paper)
    largest = np.argsort(-np.nan_to_num(difference), kind="stable")[:NAMED]
    labels = [
        Label(short(class_names()[k], 24), float(pair.paper[k]), float(pair.ours[k]), "#333333", 3.2) for k in largest
    ]
    place_labels(ax, labels, list(zip(pair.paper.tolist(), pair.ours.tolist(), strict=True)), all_of_them=False)
