"""mAP against multiply-adds, Fig. 5 of the paper, from the rows of the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from panns.labelling import Label, place_labels
from panns.model_table.rows import Row

HEARD = {"log-mel": "#2b6ca3", "waveform": "#d9772b", "both": "#3d8b57"}  # what a network hears: colour
FRONTENDS = {"LogMel": "log-mel", "Raw": "waveform", "Wavegram": "waveform", "WavegramLogMel": "both"}
MAIN_TABLE = "XI"


class NothingToDrawError(ValueError):
    """No model of the table has a score."""


@dataclass(frozen=True)
class Point:
    """One model in the picture: a large dot for those of the paper's main table, a ring for a checkpoint's score."""

    name: str
    x: float
    y: float
    colour: str
    main: bool
    ring: bool

    @property
    def size(self) -> float:
        """Diameter in points."""
        return 8.0 if self.main else 7.5 if self.ring else 4.5

    @property
    def label(self) -> Label:
        """Its name, beside it."""
        return Label(self.name, self.x, self.y, self.colour, self.size, bold=self.main)


def map_against_multi_adds(rows: Sequence[Row], path: str | Path) -> None:
    """Draws the models that have a published mAP.

    Raises:
        NothingToDrawError: If none has.
    """
    points = [_point(row) for row in rows if row.published and row.published.score]
    if not points:
        raise NothingToDrawError("None of these models has a published mAP to draw.")
    figure = Figure(figsize=(8.8, 7.6), dpi=150, layout="constrained")
    ax = figure.subplots()
    for point in points:
        face = "white" if point.ring else point.colour
        ax.plot(point.x, point.y, "o", ms=point.size, mfc=face, mec=point.colour, mew=1.2, zorder=3 - point.ring)
    _dress(ax)
    _legend(ax, points)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # labels are placed in this layout
    by_weight = sorted(points, key=lambda point: (not point.main, -len(point.name)))
    place_labels(ax, [point.label for point in by_weight])
    figure.savefig(path)


def _point(row: Row) -> Point:
    assert row.published is not None
    assert row.published.score is not None
    score, source = row.published.score
    colour = HEARD[FRONTENDS.get(row.frontend, "log-mel")]
    main = row.published.paper is not None and row.published.paper.table == MAIN_TABLE
    return Point(row.name, row.multi_adds / 1e9, score, colour, main, ring=source == "checkpoint")


def _dress(ax: Axes) -> None:
    """Axes and grid."""
    ax.set_xscale("log")
    ax.margins(x=0.1, y=0.08)
    ax.set_xticks([ticks for ticks in (1, 2, 5, 10, 20, 50, 100, 200) if _within(ticks, ax.get_xlim())])
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:.3f}"))
    ax.tick_params(which="both", length=0)
    ax.set_xlabel("multiply-adds for a 10-s clip, as the paper counts them (G)")
    ax.set_ylabel("mAP on AudioSet's evaluation set")
    ax.grid(color="#ececec", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _legend(ax: Axes, points: Sequence[Point]) -> None:
    entries = [(f"hears the {name}", colour, 8.0, colour) for name, colour in HEARD.items() if name != "both"]
    entries.append(("hears both", HEARD["both"], 8.0, HEARD["both"]))
    grey = "#6a6a6a"
    if any(not point.main for point in points):
        entries.append(("small: variant of Cnn14", grey, 4.5, grey))
    if any(point.ring for point in points):
        entries.append(("ring: score of the released checkpoint", grey, 7.5, "white"))
    handles = [
        Line2D([], [], ls="", marker="o", ms=size, mec=edge, mfc=face, mew=1.2, label=label)
        for label, edge, size, face in entries
    ]
    ax.legend(handles=handles, frameon=False, loc="lower right", fontsize="small")
