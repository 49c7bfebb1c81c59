"""The picture of class coverage shows the numbers it is given."""

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.image import imread

from panns.data.verification.coverage import Coverage
from panns.data.verification.picture import class_coverage

RNG = np.random.default_rng(0)


@pytest.fixture
def figure(monkeypatch, tmp_path):
    """-> draws, and gives the figure that was saved."""
    seen = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda self, *args, **kw: (seen.append(self), save(self, *args, **kw))
    )

    def draw(names, coverages):
        class_coverage(names, coverages, tmp_path / "picture.png")
        assert imread(tmp_path / "picture.png")[..., :3].std() > 0.01
        return seen[-1]

    return draw


def words(figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_many_classes(figure):
    listed = RNG.integers(50, 100_000, 527)
    ours = RNG.binomial(listed, 0.9)
    ours[7], ours[11] = 0, listed[11] // 10
    one = Coverage("eval", 900, 1000, 800, ours, listed, "official list")
    drawn = figure([f"class {k}" for k in range(527)], [one])
    counts, shares, side = drawn.axes
    order = np.argsort(-listed, kind="stable")
    np.testing.assert_array_equal(counts.lines[0].get_ydata(), listed[order])
    np.testing.assert_array_equal(counts.collections[0].get_offsets()[:, 1], ours[order][ours[order] > 0])
    np.testing.assert_allclose(shares.collections[0].get_offsets()[:, 1], 100 * ours[order] / listed[order])
    assert counts.get_yscale() == "log"
    first, second = side.texts[1].get_text().splitlines()[:2]
    assert first == f"0%  class 7, 0 of {listed[7]:,}"
    assert second.startswith("10%  class 11, ")
    assert "eval: 900 of 1,000 clips, 90.0 % (official list)" in words(drawn)


def test_few_classes_are_named(figure):
    ours, listed = np.array([3, 0, 20, 0]), np.array([10, 5, 20, 0])
    drawn = figure(["owl", "cat", "dog", "absent"], [Coverage("train", 30, 31, None, ours, listed, "official list")])
    ax = drawn.axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["dog", "owl", "cat"]
    assert [text.get_text() for text in ax.texts] == ["20", "3 of 10", "0 of 5"]
    assert [bar.get_width() for bar in ax.patches] == [20, 10, 5, 20, 3, 0]


@pytest.mark.parametrize("num_classes", [5, 100])
def test_splits_without_a_reference_are_one_panel(num_classes, figure):
    folds = [Coverage(f"fold{k}", 8, None, None, np.full(num_classes, k + 1)) for k in range(3)]
    drawn = figure([f"class {k}" for k in range(num_classes)], folds)
    assert len(drawn.axes) == 1
    assert "fold0, fold1, fold2: 24 clips" in words(drawn)


def test_nothing_left(figure):
    figure(["a", "b"], [Coverage("train", 0, None, None, np.zeros(2, dtype=int))])


def test_audioset_has_a_panel_for_each_reference(figure):
    counts = np.arange(1, 101)
    kinds = [("balanced_train", "official list"), ("eval", "official list"), ("train", "PANNs' copy")]
    coverages = [Coverage(name, 50, 60, 55, counts, counts * 2, reference) for name, reference in kinds]
    drawn = figure([f"class {k}" for k in range(100)], [*coverages, Coverage("unbalanced_train", 1, 2, 2, counts)])
    assert len(drawn.axes) == 9
    assert "train: 50 of 55 clips, 90.9 % (PANNs' copy)" in words(drawn)
