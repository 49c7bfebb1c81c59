"""Names beside the points of a picture, where they cover nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import cos, pi, sin

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

DISTANCES = (7, 10, 14, 20, 28)  # of a label from its point, in points
SIDES = tuple((cos(angle), sin(angle)) for angle in (0, pi, *(k * pi / 8 for k in range(1, 16) if k != 8)))
FONT_SIZE, BOLD_SIZE = 7.5, 9.0


@dataclass(frozen=True)
class Label:
    """What is written beside a point; `size` is the point's diameter in points."""

    text: str
    x: float
    y: float
    colour: str
    size: float
    bold: bool = False


def place_labels(
    ax: Axes, labels: Sequence[Label], avoid: Sequence[tuple[float, float]] = (), all_of_them: bool = True
) -> list[Annotation]:
    """Names each point at the nearest place beside it where nothing is covered.

    Args:
        ax: Laid out already.
        labels: Those named first have the choice.
        avoid: Points without a name that are not to be covered either.
        all_of_them: Whether a label that finds no free place covers something; else it is left out.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    pixels = figure.dpi / 72
    centres = [ax.transData.transform((label.x, label.y)) for label in labels]
    taken = [_square(at, (label.size / 2 + 1.5) * pixels) for at, label in zip(centres, labels, strict=True)]
    taken += [_square(ax.transData.transform(point), 3 * pixels) for point in avoid]
    legend = ax.get_legend()
    taken += [legend.get_window_extent()] if legend else []
    placed = []
    for centre, label in zip(centres, labels, strict=True):
        weight = {"fontsize": BOLD_SIZE, "weight": "bold"} if label.bold else {"fontsize": FONT_SIZE}
        text = ax.annotate(
            label.text, (label.x, label.y), (0, 0), textcoords="offset points", color=label.colour, **weight
        )
        for distance, (dx, dy) in product(DISTANCES, SIDES):
            text.set(
                position=(distance * dx, distance * dy), ha=_held(dx, "right", "left"), va=_held(dy, "top", "bottom")
            )
            box = text.get_window_extent()
            free = not any(box.overlaps(other) for other in taken) and _inside(ax.bbox, box)
            if free and _nearest(box, centres, centre, pixels):
                break
        else:
            if not all_of_them:
                text.remove()
                continue
        taken.append(box)
        placed.append(text)
    return placed


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
