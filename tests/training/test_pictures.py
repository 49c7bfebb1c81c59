"""Pictures: written, readable, and showing the numbers they are given."""

from itertools import pairwise

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from panns.models import LogMel
from panns.training import pictures

RNG = np.random.default_rng(0)


@pytest.fixture
def figures(monkeypatch):
    """-> the figures as they are saved, to look at what is drawn."""
    seen = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda self, *args, **kw: (seen.append(self), save(self, *args, **kw))
    )
    return seen


@pytest.fixture
def path(tmp_path):
    """Where the picture goes; checked to be one that is not blank and has no pyplot state behind it."""
    path = tmp_path / "picture.png"
    yield path
    assert imread(path)[..., :3].std() > 0.01


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def names(num_classes):
    return [f"class {k}, of some length" for k in range(num_classes)]


@pytest.mark.parametrize("num_classes", [1, 24, 527])
def test_per_class_ap(num_classes, path, figures):
    ap = RNG.random(num_classes)
    if num_classes > 1:
        ap[[0, 5]] = 0.999, np.nan
    pictures.per_class_ap(names(num_classes), ap, RNG.integers(0, 10**6, num_classes), path, "clips scored")
    assert "clips scored" in words(figures[0])
    assert f"mAP {np.nanmean(ap):.3f} over {num_classes - (num_classes > 1)} of {num_classes} classes" in words(
        figures[0]
    )
    if num_classes == 24:
        lengths = [bar.get_width() for bar in figures[0].axes[0].patches]
        assert lengths == [*sorted(ap[~np.isnan(ap)], reverse=True), 0]
        labels = [text.get_text() for text in figures[0].axes[0].get_yticklabels()]
        assert (labels[0], labels[-1]) == ("class 0, of some length", "class 5, of some length")
        assert words(figures[0]).count("not scored") == 1
    if num_classes == 527:
        assert len(figures[0].axes[0].collections[0].get_offsets()) == 526
        assert "class 0, of some length" in words(figures[0])


@pytest.mark.parametrize("num_classes", [3, 100])
def test_no_class_scored(num_classes, path, figures):
    pictures.per_class_ap(names(num_classes), [np.nan] * num_classes, np.arange(num_classes), path)
    assert "no class scored" in words(figures[0])


@pytest.mark.parametrize("num_classes", [3, 527])
def test_class_histogram(num_classes, path, figures):
    counts = RNG.integers(0, 1000, num_classes)
    counts[1] = 123_456
    pictures.class_histogram(names(num_classes), counts, path)
    assert "123,456" in words(figures[0])


def test_nothing_drawn_yet(path):
    pictures.class_histogram(names(3), [0, 0, 0], path)


def test_confusion_matrix(path, figures):
    matrix = np.array([[6, 2, 0], [0, 5, 0], [0, 0, 0]])
    pictures.confusion_matrix(names(3), matrix, path)
    ax = figures[0].axes[0]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]])
    assert {(*text.get_position(), text.get_text()) for text in ax.texts} == {(0, 0, "6"), (1, 0, "2"), (1, 1, "5")}
    assert "accuracy 84.6% of 13 clips" in words(figures[0])


def test_large_confusion_matrix_has_no_counts(path, figures):
    pictures.confusion_matrix(names(50), np.eye(50, dtype=int), path)
    assert not figures[0].axes[0].texts


def test_log_mel(path, figures):
    logmel = np.linspace(-90, 10, 201 * 64).reshape(201, 64)
    pictures.log_mel(logmel, path, hop_seconds=0.02, band_hz=np.geomspace(60, 13000, 64))
    ax = figures[0].axes[0]
    assert ax.get_xlim() == pytest.approx((0, 4.02))
    np.testing.assert_array_equal(ax.images[0].get_array(), logmel.T)
    at_1000 = dict(zip([t.get_text() for t in ax.get_yticklabels()], ax.get_yticks(), strict=True))["1"]
    assert at_1000 == pytest.approx(63 * np.log(1000 / 60) / np.log(13000 / 60), abs=0.1)


def test_the_bands_of_a_clip_have_labels_that_do_not_touch(path, figures):
    frontend = LogMel(32000)
    band_hz = frontend.mel_filters.argmax(1).numpy() * 32000 / frontend.n_fft
    pictures.log_mel(RNG.random((1001, 64)), path, band_hz=band_hz, title="Y--PJHxphWEs")
    ax = figures[0].axes[0]
    assert ax.get_title(loc="left") == "Y--PJHxphWEs"
    boxes = sorted((label.get_window_extent() for label in ax.get_yticklabels()), key=lambda box: box.y0)
    assert len(boxes) >= 5
    assert all(lower.y1 < upper.y0 for lower, upper in pairwise(boxes))


def test_a_long_title_with_dollar_signs_is_no_formula_and_not_wider_than_the_picture(path, figures):
    pictures.log_mel(RNG.random((9, 64)), path, title="$x_{$" + 100 * "y")
    figures[0].draw_without_rendering()  # what was measured for the file has another resolution
    title = next(text for text in figures[0].axes[0].findobj(Text) if "yyy" in text.get_text())
    assert 300 < title.get_window_extent().x1 < figures[0].bbox.x1


def write_history(path, rows):
    path.write_text("step,name,value\n" + "".join(f"{step},{name},{value}\n" for step, name, value in rows))
    return path


def test_learning_curve(tmp_path, path, figures):
    rows = [(step, "train/loss", 1 / (step + 1)) for step in range(200)] + [
        (99, "val/mAP", 0.25),
        (199, "val/mAP", 0.5),
    ]
    pictures.learning_curve(write_history(tmp_path / "history.csv", [*rows, (50, "train/lr", 1e-3)]), path)
    loss, score = figures[0].axes
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [(step, 1 / (step + 1)) for step in range(200)])
    np.testing.assert_allclose(score.lines[0].get_xydata(), [(99, 0.25), (199, 0.5)])
    assert (loss.get_ylabel(), score.get_ylabel(), score.get_xlabel()) == ("loss", "score", "optimizer step")


def test_smoothed_curve_stands_where_its_points_do(tmp_path, path, figures):
    """The running mean of a straight line is that line."""
    pictures.learning_curve(write_history(tmp_path / "h.csv", [(s, "train/loss", 2 * s) for s in range(300)]), path)
    x, y = figures[0].axes[0].lines[1].get_xydata().T
    np.testing.assert_allclose(y, 2 * x)


def test_learning_curve_of_one_validation(tmp_path, path, figures):
    pictures.learning_curve(write_history(tmp_path / "history.csv", [(10, "val/mAP", 0.1)]), path)
    (ax,) = figures[0].axes
    assert (ax.get_xlim()[1] > 10, ax.get_ylim()[1] > 0.1) == (True, True)
    assert all(tick == int(tick) for tick in ax.get_xticks())


def test_a_curve_has_its_colour_whatever_else_there_is(tmp_path, path, figures):
    alone, both = [(10, "val/loss", 0.1)], [(10, "val/loss", 0.1), (10, "train/loss", 0.2), (5, "train/loss", "inf")]
    for rows in (alone, both):
        pictures.learning_curve(write_history(tmp_path / "history.csv", rows), path)
    colours = [{line.get_label(): line.get_color() for line in figure.axes[0].lines} for figure in figures]
    assert all(figure.axes[0].get_ylim()[1] > 0.1 for figure in figures)
    assert colours[0]["val/loss"] == colours[1]["val/loss"] != colours[1]["train/loss"]


def test_empty_history(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw"):
        pictures.learning_curve(write_history(tmp_path / "history.csv", []), tmp_path / "no.png")
