"""The pictures of a study: every point where its numbers say."""

from dataclasses import replace

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.image import imread

from panns.published.figures import class_ap, class_names, learning_curves
from panns.published.tables import entry
from panns.studies.gathering import gather
from panns.studies.outcome import conclude
from panns.studies.report import class_pictures, curves, pictures
from panns.studies.report.curves import mean_curve
from panns.studies.runs import find_runs
from panns.studies.study import load_study
from studies.made import made_run, scored


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    seen = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda self, *a, **k: (seen.append(self), save(self, *a, **k))
    )
    return seen


@pytest.fixture(scope="module")
def on_audioset(tmp_path_factory):
    """Three rows of Table V with one run each on 527 classes."""
    study, runs = load_study("augmentation", ["study.seeds=[0]"]), tmp_path_factory.mktemp("audioset")
    scores, targets = scored(np.random.default_rng(0), 700, 527)
    for job in study.jobs()[-3:]:
        made_run(runs, job.cfg, scores, targets, steps=(100_000, 200_000, 600_000), names=class_names())
    return conclude(study, gather(study, find_runs(runs)[0]), 2)


def with_cost(row, multi_adds):
    runs = tuple(replace(run, results=run.results | {"model": {"multi_adds": multi_adds}}) for run in row.row_runs.runs)
    return replace(row, row_runs=replace(row.row_runs, runs=runs))


def with_intervals(row, half):
    """All intervals of a row with so long halves."""

    def long(mean):
        return replace(mean, low=mean.value - half, high=mean.value + half)

    against = row.against and replace(
        row.against,
        over_seeds=long(row.against.over_seeds),
        over_clips=replace(row.against.over_clips, mean=long(row.against.over_clips.mean)),
    )
    return replace(row, scores={"mAP": long(row.scores["mAP"])}, against=against)


def points(ax, marker="o"):
    return [tuple(point) for line in ax.lines if line.get_marker() == marker for point in line.get_xydata()]


def test_scores_have_mean_interval_seeds_and_difference(outcome, drawn, tmp_path):
    assert pictures.scores(outcome, tmp_path / "scores")
    left, right = drawn[0].axes
    for place, row in enumerate(outcome.rows):
        mean = row.scores["mAP"]
        assert (mean.value, place) in points(left)
        if mean.low is not None:
            assert any(list(line.get_xdata()) == [mean.low, mean.high] for line in left.lines)
        for run in row.row_runs.averaged:
            assert any(np.isclose(x, run.score("mAP")) and 0 < y - place < 0.5 for x, y in points(left))
    for place, row in enumerate(outcome.rows):
        if row.against:
            assert (row.against.over_seeds.value, place) in points(right)
    assert [label.get_text() for label in left.get_yticklabels()] == list(outcome.study.rows)
    for suffix in (".png", ".svg"):
        assert (tmp_path / "scores").with_suffix(suffix).stat().st_size > 10_000
    assert imread(tmp_path / "scores.png")[..., :3].std() > 0.01


def test_scores_over_the_axis_and_over_cost(outcome, drawn, tmp_path):
    assert pictures.score_by_x(outcome, tmp_path / "x")
    assert pictures.score_by_cost(outcome, tmp_path / "cost")
    by_x, by_cost = drawn[0].axes[0], drawn[2].axes[0]
    for row in outcome.rows:
        mean, bins = row.scores["mAP"].value, row.row_runs.row.x
        assert (bins, mean) in points(by_x)
        assert (bins, mean) in points(by_cost)  # these have as many G multi-adds as bins
    near = replace(outcome, rows=outcome.rows[:2])
    wide = replace(outcome, rows=(outcome.rows[0], with_cost(outcome.rows[1], 900e9)))
    for some, scale in ((near, "linear"), (wide, "log")):
        assert pictures.score_by_cost(some, tmp_path / "cost")
        ax = drawn[-1].axes[0]
        assert ax.get_xscale() == scale
        low, high = ax.get_xlim()
        assert sum(low <= tick <= high for tick in ax.get_xticks()) >= 3


def test_where_the_edge_cuts_an_interval_an_arrow_head_and_the_legend_say_so(outcome, drawn, tmp_path):
    works = ((pictures.scores, "<>"), (pictures.score_by_x, "v^"), (pictures.score_by_cost, "v^"))
    for half, cut in ((1e-4, 0), (1.0, 1)):
        rows = tuple(with_intervals(row, half) for row in outcome.rows)
        for work, heads in works:
            assert work(replace(outcome, rows=rows), tmp_path / "picture")
            figure = drawn[-1]
            ax, axis = figure.axes[0], 0 if work is pictures.scores else 1
            limits = sorted(ax.get_xlim() if axis == 0 else ax.get_ylim())
            for head, limit in zip(heads, limits, strict=True):
                assert [point[axis] for point in points(ax, head)] == [limit] * cut * len(rows)
            says = [text.get_text() for text in figure.legends[0].get_texts()]
            assert says.count("arrow: the interval goes on") == cut
    assert pictures.scores(replace(outcome, rows=rows), tmp_path / "picture")
    right = drawn[-1].axes[1]
    for head, limit in zip("<>", right.get_xlim(), strict=True):  # over the clips and over the seeds
        assert [x for x, _ in points(right, head)] == [limit] * 2 * len(outcome.compared)


def test_where_there_is_nothing_to_draw_no_file_is_written(made, on_audioset, tmp_path):
    nothing = conclude(made.study, gather(made.study, []))
    works = (pictures.scores, pictures.score_by_x, pictures.score_by_cost, curves.learning_curves)
    for work in (*works, class_pictures.class_scatter):
        assert work(nothing, tmp_path / "none") is False
    assert pictures.score_by_cost(on_audioset, tmp_path / "none") is False  # all rows cost the same
    assert not list(tmp_path.iterdir())


def test_runs_that_may_not_be_averaged_are_drawn_one_by_one(on_audioset):
    row = next(row for row in on_audioset.rows if row.row_runs.runs)
    (run,) = row.row_runs.runs
    two = replace(row.row_runs, runs=(run, replace(run, batch_size=2 * run.batch_size)))
    assert len(curves.row_curves(replace(row, row_runs=two), "mAP").lines) == 1
    apart = curves.row_curves(replace(row, row_runs=replace(two, differing=("train.clips",))), "mAP")
    assert [steps.tolist() for steps, _ in apart.lines] == [(n * run.history()["val/mAP"][0]).tolist() for n in (1, 2)]


def test_learning_curves_are_counted_in_the_papers_iterations_and_stand_over_its_own(on_audioset, drawn, tmp_path):
    key = "V/bal, mixup on waveform (1.9m)"
    rows = {row.label: row for row in on_audioset.rows}
    row = rows["all, balanced, mixup of waveforms"]
    run = row.row_runs.runs[0]
    doubled = replace(row, row_runs=replace(row.row_runs, runs=(replace(run, batch_size=64),)))
    assert curves.row_curves(doubled, "mAP").lines[0][0].tolist() == [200_000, 400_000, 1_200_000]
    assert curves.learning_curves(on_audioset, tmp_path / "curves")
    lines = [line.get_xydata() for line in drawn[0].axes[0].lines]
    assert any(np.array_equal(line, np.column_stack(learning_curves()[key])) for line in lines if len(line))
    assert any(np.array_equal(line, np.column_stack(run.history()["val/mAP"])) for line in lines if len(line))


def test_of_many_rows_each_has_a_panel(outcome, drawn, tmp_path):
    many = replace(outcome, rows=outcome.rows * 3)
    assert curves.learning_curves(many, tmp_path / "curves")
    assert sum(ax.get_visible() for ax in drawn[0].axes) == 9


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("last", [0, 1, 3])
def test_few_iterations_are_whole_numbers_and_each_stands_once(outcome, drawn, tmp_path, times, last):
    steps = np.arange(last + 1)
    curve = {"val/mAP": (steps, 0.1 * steps)}
    row = outcome.rows[0]
    runs = tuple(replace(run, history=lambda: curve, batch_size=32) for run in row.row_runs.runs)
    rows = (replace(row, row_runs=replace(row.row_runs, runs=runs)),) * (3 * times)
    assert curves.learning_curves(replace(outcome, rows=rows), tmp_path / "curves")
    ax = [ax for ax in drawn[0].axes if ax.get_visible()][-1]
    low, high = ax.get_xlim()
    ticks = [(tick, text.get_text()) for tick, text in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)]
    shown = [(tick, text) for tick, text in ticks if low <= tick <= high]
    assert shown[0] == (0, "0")
    assert all(text == f"{tick:g}" for tick, text in shown)


def test_the_mean_curve_is_of_the_steps_that_all_have():
    one, other = (np.array([1, 2, 4]), np.array([0.1, 0.2, 0.4])), (np.array([2, 3, 4]), np.array([0.4, 0.5, 0.8]))
    steps, values = mean_curve([one, other])
    assert steps.tolist() == [2, 4]
    np.testing.assert_allclose(values, [0.3, 0.6])


def test_classes_stand_at_the_papers_ap_and_ours(on_audioset, drawn, tmp_path):
    assert class_pictures.class_scatter(on_audioset, tmp_path / "class_ap")
    (ax,) = (ax for ax in drawn[0].axes if ax.get_visible())
    row = next(row for row in on_audioset.rows if row.paper and row.paper.run in class_ap() and row.row_runs.averaged)
    assert row.paper.run == entry("XI/CNN14").run
    ours = row.row_runs.averaged[0].class_ap()
    expected = {(ap, ours[name]) for name, ap in zip(class_names(), class_ap()[row.paper.run], strict=True)}
    assert expected == set(points(ax))
