"""Pictures of a run: learning curve, AP per class, confusion matrix, log-mel, classes drawn.

Each function draws one figure and writes it to `path`, in the format of its suffix.

Shapes: K classes, T frames, F mel bins, S logged steps.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

from panns.drawing import BLUE, GREY, ORANGE, clean, save, short

MOST_NAMED = 60  # more classes than this are drawn without their names
MOST_COUNTED = 20  # more classes than this, and the counts no longer fit into a confusion matrix
MARKS_HZ = (100, 250, 500, 1000, 2000, 4000, 8000, 16000)  # of a frequency axis
MOST_MARKS = 11  # that fit above each other beside a spectrogram
EXTREMES = 8  # classes named on either end where there are too many to name all


def learning_curve(history: str | Path, path: str | Path) -> None:
    """Draw loss and validation scores against the optimizer step.

    Args:
        history: CSV with the columns step, name, value, as every run keeps it.
        path: the picture.

    Raises:
        ValueError: the history has neither "train/loss" nor "val/mAP".
    """
    curves = read_history(history)
    wanted = {"loss": ("train/loss", "val/loss"), "score": ("val/mAP", "val/accuracy")}
    panels = {label: names for label, names in wanted.items() if any(name in curves for name in names)}
    if not panels:
        raise ValueError(f"{history} has nothing to draw: no train/loss and no val/mAP.")
    figure = Figure(figsize=(6.4, 0.4 + 2.1 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for ax, (label, names) in zip(axes, panels.items(), strict=True):
        top = 0.0
        for name, colour in zip(names, (BLUE, ORANGE), strict=True):
            if name in curves:
                steps, values = curves[name]
                _curve(ax, steps, values, name, colour)
                top = max(top, values.max(initial=0, where=np.isfinite(values)))
        ax.set_ylabel(label)
        ax.set_ylim(0, 1.08 * top or 1)
        ax.legend(frameon=False)
        clean(ax)
    axes[-1].set_xlabel("optimizer step")
    axes[-1].set_xlim(0, 1.05 * max(steps.max() for steps, _ in curves.values()) or 1)
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    save(figure, path)


def per_class_ap(
    names: Sequence[str], ap: ArrayLike, counts: ArrayLike, path: str | Path, counted: str = "training clips"
) -> None:
    """Draw the AP of each class: bars, or for many classes AP against training clips.

    Args:
        names: K class names.
        ap: (K,) average precision, NaN where a class was not scored.
        counts: (K,) training clips.
        path: the picture.
        counted: what `counts` are, if they are something else.
    """
    ap, counts = np.asarray(ap, dtype=float), np.asarray(counts)
    scored = ~np.isnan(ap)
    mean = (
        f"mAP {ap[scored].mean():.3f} over {scored.sum()} of {len(ap)} classes" if scored.any() else "no class scored"
    )
    if len(names) <= MOST_NAMED:
        order = np.lexsort((-np.nan_to_num(ap), ~scored))
        notes = [f"{counts[k]:,}" if scored[k] else f"{counts[k]:,}, not scored" for k in order]
        figure, ax = _bars([names[k] for k in order], np.nan_to_num(ap[order]), notes)
        ax.set_xlim(0, 1.12)
        ax.set_xticks(np.arange(0, 1.1, 0.2))
        ax.set_xlabel(f"average precision (at the bar: {counted})")
    else:
        figure, (ax, side) = _with_side()
        ax.scatter(counts[scored], ap[scored], s=9, color=BLUE, alpha=0.6, linewidths=0)
        ax.plot(*_running_median(counts[scored], ap[scored]), color=ORANGE, linewidth=2, label="running median")
        ax.set_xscale("symlog" if counts.min() == 0 else "log")
        ax.set_ylim(-0.02, 1.02)
        ax.set_xlabel(f"{counted} of the class")
        ax.set_ylabel("average precision")
        ax.legend(frameon=False, loc="lower right")
        _name_extremes(side, names, ap, "{:.2f}")
    ax.set_title(mean, fontsize="medium", loc="left")
    clean(ax)
    save(figure, path)


def class_histogram(names: Sequence[str], counts: ArrayLike, path: str | Path) -> None:
    """Draw how often each class came up in the clips that training has drawn: counts (K,)."""
    counts = np.asarray(counts)
    order = np.argsort(-counts, kind="stable")
    if len(names) <= MOST_NAMED:
        figure, ax = _bars([names[k] for k in order], counts[order], [f"{counts[k]:,}" for k in order])
        ax.set_xlim(0, 1.12 * max(counts.max(), 1))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.set_xlabel("labels drawn in training")
    else:
        figure, (ax, side) = _with_side()
        ax.fill_between(np.arange(1, len(counts) + 1), counts[order], step="mid", color=BLUE, linewidth=0)
        ax.set_yscale("symlog")
        ax.set_xlim(1, len(counts))
        ax.set_ylim(0, None)
        ax.set_xlabel("class, from the most drawn to the least")
        ax.set_ylabel("labels drawn in training")
        _name_extremes(side, names, counts.astype(float), "{:,.0f}")
    clean(ax)
    save(figure, path)


def confusion_matrix(names: Sequence[str], matrix: ArrayLike, path: str | Path) -> None:
    """Draw which class was taken for which: matrix (K, K) counts, true class by row; shades are shares of the row."""
    matrix = np.asarray(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = float(np.clip(2.5 + 0.36 * len(names), 4.5, 14))
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=ax, shrink=0.7, label="share of the true class", format=PercentFormatter(1))
    if len(names) <= MOST_NAMED:
        ax.set_xticks(range(len(names)), names, rotation=90)
        ax.set_yticks(range(len(names)), names)
    if len(names) <= MOST_COUNTED:
        for row, column in np.argwhere(matrix > 0):
            colour = "white" if share[row, column] > 0.5 else "black"
            ax.text(column, row, f"{matrix[row, column]:g}", ha="center", va="center", color=colour, fontsize="small")
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    correct = np.trace(matrix) / max(matrix.sum(), 1)
    ax.set_title(f"accuracy {correct:.1%} of {matrix.sum():,} clips", fontsize="medium", loc="left")
    save(figure, path)


def log_mel(
    logmel: ArrayLike, path: str | Path, hop_seconds: float = 0.01, band_hz: ArrayLike | None = None, title: str = ""
) -> None:
    """Draw a log-mel spectrogram: logmel (T, F) in dB.

    Args:
        logmel: (T, F) in dB, lowest band first.
        path: the picture.
        hop_seconds: from one frame to the next.
        band_hz: (F,) centres of the bands; without them the bands are numbered.
        title: above the picture, such as the clip's id and what is heard in it; lines that are too long are cut.
    """
    logmel = np.asarray(logmel)
    num_frames, num_bins = logmel.shape
    figure = Figure(figsize=(7.2, 2.6 + 0.2 * max(len(title.splitlines()), 1)), layout="constrained")
    ax = figure.subplots()
    extent = (0.0, num_frames * hop_seconds, -0.5, num_bins - 0.5)
    image = ax.imshow(
        logmel.T,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma",
        vmin=logmel.max() - 80,
        interpolation="nearest",
    )
    figure.colorbar(image, ax=ax, label="level (dB)", pad=0.02)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("mel band")
    if band_hz is not None:
        marks, places = _spread(np.asarray(band_hz), MARKS_HZ, num_bins / MOST_MARKS)
        ax.set_yticks(places, [f"{hz / 1000:g}" for hz in marks])
        ax.set_ylabel("frequency (kHz)")
    lines = "\n".join(short(line, 80) for line in title.splitlines())
    ax.set_title(lines, fontsize="medium", loc="left", parse_math=False)
    save(figure, path)


def _spread(band_hz: NDArray[Any], marks_hz: Sequence[int], distance: float) -> tuple[list[int], list[float]]:
    """Return the frequencies within the bands, and at which band they lie, those too near to a higher one left out."""
    marks: list[int] = []
    places: list[float] = []
    for hz in sorted((hz for hz in marks_hz if band_hz.min() <= hz <= band_hz.max()), reverse=True):
        place = float(np.interp(hz, band_hz, np.arange(len(band_hz))))
        if not places or places[-1] - place >= distance:
            marks.append(hz)
            places.append(place)
    return marks, places


def read_history(path: str | Path) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Read a CSV with the columns step, name, value: name -> steps (S,) and values (S,), in the order of the file."""
    rows = defaultdict(list)
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            rows[row["name"]].append((int(row["step"]), float(row["value"])))
    return {name: (np.array([s for s, _ in pairs]), np.array([v for _, v in pairs])) for name, pairs in rows.items()}


def _curve(ax: Axes, steps: NDArray[Any], values: NDArray[Any], name: str, colour: str) -> None:
    """Draw few points with their marks, many faint under their running mean over a fiftieth of them."""
    width = len(values) // 50 | 1  # odd, so that a mean stands at the middle one of its points
    if width < 3:
        ax.plot(steps, values, color=colour, marker="o", markersize=3, linewidth=1.5, label=name)
        return
    ax.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
    smooth = np.convolve(values, np.full(width, 1 / width), mode="valid")
    middle = steps[width // 2 :][: len(smooth)]
    ax.plot(middle, smooth, color=colour, linewidth=1.5, label=f"{name} (mean of {width})")


def _bars(names: Sequence[str], values: NDArray[Any], notes: Sequence[str]) -> tuple[Figure, Axes]:
    """Draw one bar per class from top to bottom, a note at the end of each."""
    figure = Figure(figsize=(6.4, 1.1 + 0.21 * len(names)), layout="constrained")
    ax = figure.subplots()
    bars = ax.barh(range(len(names)), values, color=BLUE, height=0.75)
    ax.bar_label(bars, notes, padding=3, color=GREY, fontsize="small")
    ax.set_yticks(range(len(names)), names, fontsize="small")
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    return figure, ax


def _with_side() -> tuple[Figure, tuple[Axes, Axes]]:
    """Make a figure with a plot and, to its right, room for text."""
    figure = Figure(figsize=(8.6, 4.4), layout="constrained")
    ax, side = figure.subplots(1, 2, width_ratios=(2.3, 1))
    side.axis("off")
    return figure, (ax, side)


def _name_extremes(side: Axes, names: Sequence[str], values: NDArray[Any], form: str) -> None:
    """List the classes of the highest and of the lowest values."""
    known = [k for k in np.argsort(-values, kind="stable") if not np.isnan(values[k])]
    for title, classes, top in (("highest", known[:EXTREMES], 1.0), ("lowest", known[-EXTREMES:], 0.5)):
        lines = [f"{form.format(values[k])}  {short(names[k])}" for k in classes]
        side.text(0, top, title, va="top", fontsize="small", weight="bold", transform=side.transAxes)
        side.text(0, top - 0.05, "\n".join(lines), va="top", fontsize="small", transform=side.transAxes)


def _running_median(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the median of y over windows of a fifth of the points, in the order of x."""
    order = np.argsort(x, kind="stable")
    if not len(order):
        return x, y
    windows = np.lib.stride_tricks.sliding_window_view(order, max(len(order) // 5, 1))
    return np.median(x[windows], axis=1), np.median(y[windows], axis=1)
