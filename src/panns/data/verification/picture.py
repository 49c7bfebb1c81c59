"""The picture of class coverage: clips of each class in the store, against how many there could be."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import StrMethodFormatter

from panns.data.verification.coverage import Counts, Coverage
from panns.drawing import BLUE, GREY, ORANGE, clean, save, short

MOST_NAMED = 60  # more classes than this are drawn without their names
NUM_WORST = 10  # classes named where there are too many to name all
LIGHT = "#d8d8d8"
FEW = 0.5  # share of a class below which it is marked


def class_coverage(names: Sequence[str], coverages: Sequence[Coverage], path: str | Path) -> None:
    """Draw one panel for each split that something is known of, or one of all splits together.

    Args:
        names: K class names.
        coverages: see `Coverage`; their counts are (K,).
        path: the picture.
    """
    panels = [one for one in coverages if one.reference is not None] or [_together(coverages)]
    there = [np.flatnonzero(_most(one)) for one in panels]
    heights = [0.8 + 0.21 * len(classes) if len(classes) <= MOST_NAMED else 4.4 for classes in there]
    figure = Figure(figsize=(9.2, sum(heights)), layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08))
    ratios = [part * height for height in heights for part in (0.6, 0.4)]
    grid = figure.add_gridspec(2 * len(panels), 2, width_ratios=(2.5, 1), height_ratios=ratios)
    for i, (one, classes) in enumerate(zip(panels, there, strict=True)):
        order = classes[np.argsort(-_most(one)[classes], kind="stable")]
        if len(order) <= MOST_NAMED:
            _draw_bars(figure.add_subplot(grid[2 * i : 2 * i + 2, :]), names, one, order)
            continue
        if one.reference is None:
            _draw_counts(figure.add_subplot(grid[2 * i : 2 * i + 2, :]), one, order)
            continue
        counts = figure.add_subplot(grid[2 * i, 0])
        _draw_counts(counts, one, order)
        counts.set_xlabel("")
        counts.tick_params(labelbottom=False)
        _draw_shares(figure.add_subplot(grid[2 * i + 1, 0], sharex=counts), one, order)
        _name_worst(figure.add_subplot(grid[2 * i : 2 * i + 2, 1]), names, one, order)
    save(figure, path)


def _together(coverages: Sequence[Coverage]) -> Coverage:
    """All splits as one, without a reference."""
    counts = np.sum([one.per_class for one in coverages], axis=0)
    name = ", ".join(one.name for one in coverages)
    return Coverage(name, sum(one.clips for one in coverages), None, None, counts)


def _most(one: Coverage) -> Counts:
    """(K,) what there could be of each class; where that is not known, what there is."""
    return one.per_class if one.reference is None else one.reference


def _title(one: Coverage) -> str:
    """Split, clips, and of how many."""
    total = one.panns if one.reference_name == "PANNs' copy" else one.official
    if total is None or one.reference is None:
        return f"{one.name}: {one.clips:,} clips"
    return f"{one.name}: {one.clips:,} of {total:,} clips, {100 * one.clips / total:.1f} % ({one.reference_name})"


def _draw_counts(ax: Axes, one: Coverage, order: Counts) -> None:
    """Clips of many classes on a log axis, from the most frequent class to the rarest."""
    rank, ours, most = np.arange(1, len(order) + 1), one.per_class[order], _most(one)[order]
    if one.reference is not None:
        ax.plot(rank, most, color=GREY, linewidth=1.2, label=one.reference_name)
    shown = ours > 0  # zero has no place on a log axis; as a share it has
    ax.scatter(rank[shown], ours[shown], s=7, color=_colours(ours, most)[shown], linewidths=0, label="this store")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_ylabel("clips")
    ax.legend(frameon=False, loc="upper right", markerscale=2)
    ax.set_title(_title(one), fontsize="medium", loc="left")
    ax.set_xlabel("class, from the most frequent to the rarest")
    ax.set_xlim(0, len(order) + 1)
    clean(ax)


def _draw_shares(ax: Axes, one: Coverage, order: Counts) -> None:
    """What of each class is there, in the same order; the line is their mean, weighted by clips."""
    rank, ours, most = np.arange(1, len(order) + 1), one.per_class[order], _most(one)[order]
    ax.scatter(rank, 100 * ours / most, s=7, color=_colours(ours, most), linewidths=0)
    ax.axhline(100 * ours.sum() / most.sum(), color=GREY, linewidth=1.2)
    ax.set_ylim(-4, max(105, 105 * (ours / most).max()))
    ax.set_ylabel("share in %")
    ax.set_xlabel("class, from the most frequent to the rarest")
    clean(ax)


def _name_worst(side: Axes, names: Sequence[str], one: Coverage, order: Counts) -> None:
    """List the classes of which the smallest shares are there."""
    ours, most = one.per_class[order], _most(one)[order]
    side.axis("off")
    worst = np.argsort(ours / most, kind="stable")[:NUM_WORST]
    lines = [f"{ours[i] / most[i]:.0%}  {short(names[order[i]], 24)}, {ours[i]:,} of {most[i]:,}" for i in worst]
    side.text(0, 1, "least covered", va="top", fontsize="small", weight="bold", transform=side.transAxes)
    side.text(0, 0.94, "\n".join(lines), va="top", fontsize="small", linespacing=1.5, transform=side.transAxes)


def _colours(ours: Counts, most: Counts) -> np.ndarray:
    """Blue, and orange for a class of which little is there."""
    return np.where(ours < FEW * most, ORANGE, BLUE)


def _draw_bars(ax: Axes, names: Sequence[str], one: Coverage, order: Counts) -> None:
    """Few classes: one bar each, its count at its end."""
    place, ours, most = np.arange(len(order)), one.per_class[order], _most(one)[order]
    ax.barh(place, most, color=LIGHT, height=0.75)
    ax.barh(place, ours, color=_colours(ours, most), height=0.75)
    notes = [f"{n:,}" if n == m else f"{n:,} of {m:,}" for n, m in zip(ours, most, strict=True)]
    for i, note in enumerate(notes):
        end = (max(ours[i], most[i]), i)
        ax.annotate(note, end, (3, 0), textcoords="offset points", va="center", fontsize="small", color=GREY)
    ax.set_yticks(place, [short(names[k], 40) for k in order], fontsize="small")
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlim(0, 1.12 * max(ours.max(initial=1), most.max(initial=1)))
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel("clips")
    ax.set_title(_title(one), fontsize="medium", loc="left")
    clean(ax)
