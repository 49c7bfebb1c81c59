"""mAP against multiply-adds, Fig. 5 of the paper, from the rows of the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.ticker import NullFormatter, StrMethodFormatter
from matplotlib.transforms import Bbox

from panns.model_table.rows import Row

HEARD = {"log-mel": "#2b6ca3", "waveform": "#d9772b", "both": "#3d8b57"}  # what a network hears: colour
FRONTENDS = {"LogMel": "log-mel", "Raw": "waveform", "Wavegram": "waveform", "WavegramLogMel": "both"}
MAIN_TABLE = "XI"
DISTANCES = (7, 10, 14, 20, 28)  # of a label from its point, in points
SIDES = tuple((cos(angle), sin(angle)) for angle in (0, pi, *(k * pi / 8 for k in range(1, 16) if k != 8)))


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
    place_labels(ax, sorted(points, key=lambda point: (not point.main, -len(point.name))))
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


def place_labels(ax: Axes, points: Sequence[Point]) -> list[Annotation]:
    """Names each point at the nearest place beside it where nothing is covered.

    Args:
        ax: Laid out already.
        points: Those named first have the choice.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    pixels = figure.dpi / 72
    centres = [ax.transData.transform((point.x, point.y)) for point in points]
    taken = [_square(at, (point.size / 2 + 1.5) * pixels) for at, point in zip(centres, points, strict=True)]
    legend = ax.get_legend()
    taken += [legend.get_window_extent()] if legend else []
    labels = []
    for centre, point in zip(centres, points, strict=True):
        weight = {"fontsize": 9.0, "weight": "bold"} if point.main else {"fontsize": 7.5}
        label = ax.annotate(
            point.name, (point.x, point.y), (0, 0), textcoords="offset points", color=point.colour, **weight
        )
        for distance, (dx, dy) in product(DISTANCES, SIDES):
            label.set(
                position=(distance * dx, distance * dy), ha=_held(dx, "right", "left"), va=_held(dy, "top", "bottom")
            )
            box = label.get_window_extent()
            free = not any(box.overlaps(other) for other in taken) and _inside(ax.bbox, box)
            if free and _nearest(box, centres, centre, pixels):
                break
        taken.append(box)
        labels.append(label)
    return labels


def _held(direction: float, negative: str, positive: str) -> str:
    return "center" if abs(direction) < 0.2 else positive if direction > 0 else negative


def _square(centre: np.ndarray, half: float) -> Bbox:
    return Bbox([centre - half, centre + half])


def _nearest(box: Bbox, centres: Sequence[np.ndarray], own: np.ndarray, tolerance: float) -> bool:
    """Whether no other point lies nearer to the label than its own."""

    def away(centre: np.ndarray) -> float:
        return float(np.hypot(*(centre - np.clip(centre, box.min, box.max))))

    return min(away(centre) for centre in centres) > away(own) - tolerance


def _inside(outer: Bbox, inner: Bbox) -> bool:
    return outer.x0 <= inner.x0 and inner.x1 <= outer.x1 and outer.y0 <= inner.y0 and inner.y1 <= outer.y1
