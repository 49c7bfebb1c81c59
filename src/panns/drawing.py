"""The house style of pictures. Figures are made as objects, without pyplot: no window, no global state."""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2b6ca3", "#d9772b", "#8a8a8a"


def short(name: str, most: int = 28) -> str:
    """A name of at most so many letters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def clean(ax: Axes) -> None:
    """Leave away the frame where nothing is read off."""
    ax.spines[["top", "right"]].set_visible(False)


def check_drawable(path: Path) -> None:
    """Refuses a picture that `save` could not write.

    Raises:
        ValueError: no such folder, or a format that cannot be drawn.
    """
    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in kinds:
        raise ValueError(f"{path}: a picture ends in one of {', '.join(f'.{kind}' for kind in sorted(kinds))}.")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}.")


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format of the path's suffix."""
    figure.savefig(path, dpi=150)


def save_png_and_svg(figure: Figure, stem: Path) -> None:
    """Write a figure twice. Drawn again from the same numbers, the files have the same bytes."""
    with matplotlib.rc_context({"svg.hashsalt": stem.name}):
        save(figure, stem.with_suffix(".png"))
        figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
