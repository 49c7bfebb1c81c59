"""What a study comes to, beside the same from scikit-learn and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from omegaconf import open_dict
from scipy import stats
from sklearn.metrics import average_precision_score

from panns.studies.gathering import gather
from panns.studies.outcome import conclude
from panns.studies.report.wording import verdict
from panns.studies.runs import find_runs
from panns.studies.statistics import Interval
from panns.studies.study import load_study
from studies.made import FINGERPRINT, made_run, scored, write_scores


def concluded(made, runs, resamples=50):
    return conclude(made.study, gather(made.study, find_runs(runs)[0]), resamples)


@pytest.fixture
def two_rows(made, tmp_path):
    """Writes the runs of two rows, seed 0 of each; keyword arguments change metrics.json of the first."""

    def write(**changes):
        first, second, *_ = made.study.jobs()
        return [
            made_run(tmp_path, job.cfg, made.scores[job.row.label, 0], made.targets, **more)
            for job, more in ((first, changes), (second, {}))
        ]

    return write


def test_means_intervals_and_differences(made, outcome):
    by_hand = {
        label: [average_precision_score(made.targets, scores) for (of, _), scores in made.scores.items() if of == label]
        for label in made.study.rows
    }
    rows = {row.label: row for row in outcome.rows}
    assert outcome.metric == "mAP"
    assert [row.label for row, _ in outcome.compared] == ["32 bins", "128 bins"]
    for label, values in by_hand.items():
        assert rows[label].scores["mAP"].value == pytest.approx(np.mean(values))
    low, high = stats.t.interval(0.95, 2, loc=np.mean(by_hand["32 bins"]), scale=stats.sem(by_hand["32 bins"]))
    assert (rows["32 bins"].scores["mAP"].low, rows["32 bins"].scores["mAP"].high) == pytest.approx((low, high))
    assert rows["128 bins"].scores["mAP"].low is None

    against = rows["32 bins"].against
    welch = stats.ttest_ind(by_hand["32 bins"], by_hand["64 bins"], equal_var=False)
    assert against.over_seeds.value == pytest.approx(np.mean(by_hand["32 bins"]) - np.mean(by_hand["64 bins"]))
    assert against.over_seeds.p == pytest.approx(welch.pvalue)
    assert against.over_clips.mean.value == pytest.approx(against.over_seeds.value, abs=1e-6)
    assert against.over_clips.mean.excludes_zero
    assert against.changed.any()
    one_seed = rows["128 bins"].against  # of the common seed alone
    expected = by_hand["128 bins"][0] - by_hand["64 bins"][0]
    assert one_seed.over_clips.mean.value == pytest.approx(expected, abs=1e-6)
    assert one_seed.over_seeds.low is None


def test_with_other_seeds_the_clips_tell_of_those_of_both_rows(made, tmp_path):
    first, second = (study_jobs(made, label) for label in ("32 bins", "64 bins"))
    scores = {(label, seed): made.scores[label, seed] for label in ("32 bins", "64 bins") for seed in (0, 1, 2)}
    for job in (*first, *second):
        if (job.row.label, job.seed) != ("64 bins", 0):
            made_run(tmp_path, job.cfg, scores[job.row.label, job.seed], made.targets)
    against = next(row.against for row in concluded(made, tmp_path).rows if row.label == "32 bins")
    by_hand = {key: average_precision_score(made.targets, of_run) for key, of_run in scores.items()}
    all_seeds = np.mean([by_hand["32 bins", s] for s in (0, 1, 2)]) - np.mean([by_hand["64 bins", s] for s in (1, 2)])
    of_both = np.mean([by_hand["32 bins", s] - by_hand["64 bins", s] for s in (1, 2)])
    assert against.over_seeds.value == pytest.approx(all_seeds)
    assert against.of_common_seeds == pytest.approx(of_both, abs=1e-6)
    assert against.of_common_seeds == against.over_clips.mean.value
    opposite = replace(against, over_seeds=Interval(-0.1, -0.2, -0.05, 0.01))
    assert verdict(replace(opposite, over_clips=replace(against.over_clips, mean=Interval(0.1, 0.05, 0.2, 0.01)))) == (
        "not told apart: the seeds of both rows say otherwise"
    )


def study_jobs(made, label):
    return [job for job in made.study.jobs() if job.row.label == label]


def test_runs_that_were_scored_on_other_clips_are_not_compared(made, two_rows, tmp_path):
    two_rows(fingerprint={"train": FINGERPRINT, "validation": FINGERPRINT | {"id_hash": "another"}})
    (_, against), *_ = concluded(made, tmp_path).compared
    assert (against.over_seeds, against.over_clips) == (None, None)
    assert against.why_not == "the runs were scored on different clips"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path, made: path.unlink(), "kept no scores of its clips"),
        (lambda path, made: path.write_bytes(path.read_bytes()[:500]), "is no whole file of scores"),
        (lambda path, made: write_scores(path, 1 - made.scores["32 bins", 0], made.targets), "not that of the run's"),
    ],
    ids=["none", "damaged", "of another model"],
)
def test_without_the_scores_of_the_clips_the_seeds_are_compared_alone(made, two_rows, tmp_path, spoil, says):
    folder, _ = two_rows()
    spoil(folder / "val_scores.npz", made)
    (_, against), *_ = concluded(made, tmp_path).compared
    assert against.over_clips is None
    assert says in against.why_not
    assert against.over_seeds.value < 0


def test_the_paper_is_comparable_on_all_classes_of_the_evaluation_set_alone(tmp_path):
    scores, targets = scored(np.random.default_rng(0), 600, 527)
    for name, place in (("mel_bins", "full"), ("mel_bins_demo", "demo")):
        study = load_study(name, ["study.seeds=[0]"])
        for job in study.jobs()[:2]:
            classes = 527 if job.row.label == "32 bins" else 526
            made_run(tmp_path / place, job.cfg, scores[:, :classes], targets[:, :classes])
        first, second, third = conclude(study, gather(study, find_runs(tmp_path / place)[0]), 1).rows
        assert (first.paper.key, first.paper.mAP) == ("X/32", 0.413)
        assert first.comparable
        assert not second.comparable
        assert not third.comparable


def test_folds_are_compared_one_by_one(made, tmp_path):
    """Each seed is scored on clips of its own, and both rows of a seed on the same."""
    jobs = {(job.row.label, job.seed): job for job in made.study.jobs()}
    values = {}
    for seed in (0, 1, 2):
        for label in ("32 bins", "64 bins"):
            scores, targets = scored(np.random.default_rng(seed), quality=1.0 + (label == "64 bins") + seed / 10)
            fold = FINGERPRINT | {"id_hash": f"fold {seed}"}
            data = {"train": FINGERPRINT, "validation": fold}
            values[label, seed] = average_precision_score(targets, scores)
            made_run(tmp_path, folds(jobs[label, seed].cfg), scores, targets, fingerprint=data)
    study = replace(made.study, overrides=("+data.fold=${seed}",))
    outcome = conclude(study, gather(study, find_runs(tmp_path)[0]), 50)
    (row, against), *_ = outcome.compared
    by_hand = stats.ttest_rel(*([values[label, seed] for seed in (0, 1, 2)] for label in ("32 bins", "64 bins")))
    assert row.label == "32 bins"
    assert against.over_seeds.p == pytest.approx(by_hand.pvalue)
    assert (against.over_seeds.low, against.over_seeds.high) == pytest.approx(tuple(by_hand.confidence_interval(0.95)))
    assert (against.over_clips, against.why_not, against.by_folds) == (None, "", True)


def folds(cfg):
    copied = cfg.copy()
    with open_dict(copied):
        copied.data.fold = "${seed}"
    return copied
