"""mAP against multiply-adds: every point where its numbers say, every name readable."""

import dataclasses
from itertools import combinations

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Annotation

from panns.model_table.picture import NothingToDrawError, map_against_multi_adds
from panns.model_table.published import published


@pytest.fixture
def figure(rows, tmp_path, monkeypatch):
    """The picture of all models, as saved."""
    seen = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda self, *a, **k: (seen.append(self), save(self, *a, **k))
    )
    map_against_multi_adds(list(rows.values()), tmp_path / "picture.png")
    assert imread(tmp_path / "picture.png")[..., :3].std() > 0.01
    return seen[0]


def test_every_scored_model_stands_where_its_numbers_say(figure, rows):
    (ax,) = figure.axes
    assert ax.get_xscale() == "log"
    drawn = sorted(tuple(dot.get_xydata()[0]) for dot in ax.lines)
    want = sorted((row.multi_adds / 1e9, row.published.score[0]) for row in rows.values() if row.published.score)
    np.testing.assert_allclose(drawn, want)
    assert len(drawn) == 25
    named = {label.get_text(): label.xy for label in ax.findobj(Annotation)}
    assert sorted(named) == sorted(name for name, known in published().items() if known.score)
    for name, place in named.items():
        assert place == (rows[name].multi_adds / 1e9, published()[name].score[0])


def test_no_name_covers_another_or_a_point(figure):
    (ax,) = figure.axes
    labels = ax.findobj(Annotation)
    boxes = [label.get_window_extent() for label in labels]
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    points = ax.transData.transform([label.xy for label in labels])
    for label, box, own in zip(labels, boxes, points, strict=True):
        away = [np.hypot(*(point - np.clip(point, box.min, box.max))) for point in points]
        assert min(away) > 4, label.get_text()
        assert np.hypot(*(own - np.clip(own, box.min, box.max))) < min(away) + 3, label.get_text()
        assert not box.overlaps(ax.get_legend().get_window_extent())


def test_models_without_a_score_make_no_picture(rows, tmp_path):
    with pytest.raises(NothingToDrawError, match="None of these models"):
        map_against_multi_adds([dataclasses.replace(rows["cnn6"], published=None)], tmp_path / "no.png")
