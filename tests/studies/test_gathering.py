"""Which runs are averaged, and which never."""

from dataclasses import replace

import numpy as np
import pytest

from panns.studies.gathering import GatheringError, gather, seeds_of, started_apart, trained_apart
from panns.studies.outcome import conclude
from panns.studies.report.sections import opening
from panns.studies.runs import FINISHED, UNFINISHED, find_runs
from panns.studies.study import compose_experiment, load_study
from studies.made import FINGERPRINT, made_run, scored

DATA = {"train": FINGERPRINT, "validation": FINGERPRINT, "selection": {"fraction": 1.0, "fraction_seed": 0}}


@pytest.fixture
def one(tmp_path):
    """Writes a run of the row "32 bins"."""

    def write(seed, *overrides, **changes):
        cfg = compose_experiment("mel_bins_demo", ["model.frontend.n_mels=32", f"seed={seed}", *overrides])
        return made_run(tmp_path, cfg, *scored(np.random.default_rng(0)), **changes)

    return write


def gathered(folder, *overrides):
    return gather(load_study("mel_bins_demo", overrides), find_runs(folder)[0])[0]


def test_rows_and_what_is_missing(made):
    rows = gather(made.study, find_runs(made.runs)[0])
    assert [row.row.label for row in rows] == list(made.study.rows)
    assert [row.missing for row in rows] == [(), (), (2,)]
    assert [[(run.seed, run.status) for run in row.runs] for row in rows] == [
        [(0, FINISHED), (1, FINISHED), (2, FINISHED)],
        [(0, FINISHED), (1, FINISHED), (2, FINISHED)],
        [(0, FINISHED), (1, UNFINISHED)],
    ]


def test_a_run_of_another_configuration_is_never_averaged(one, tmp_path):
    one(0)
    one(1, "optimizer.lr=1e-4")
    one(2, "data.num_threads=7")  # how a run is computed, not what
    assert [run.seed for run in gathered(tmp_path).averaged] == [0, 2]
    assert [run.seed for run in gathered(tmp_path, "optimizer.lr=1e-4").averaged] == [1]


def test_a_seed_that_was_not_asked_for_counts_too(one, tmp_path):
    one(0)
    one(77)
    row = gathered(tmp_path)
    assert [run.seed for run in row.averaged] == [0, 77]
    assert row.missing == (1, 2)


def test_seeds_that_all_runs_have_in_place_of_the_studys(one, tmp_path):
    study = load_study("mel_bins_demo")
    assert study.seeds == (0, 1, 2)
    for seed in (7, 5):
        one(seed)
    assert seeds_of([gathered(tmp_path)], study) == (5, 7)
    one(1)
    assert seeds_of([gathered(tmp_path)], study) == study.seeds
    assert seeds_of([], study) == study.seeds


def test_rows_that_were_trained_on_other_clips_than_they_should_are_named(tmp_path):
    study = load_study("mel_bins_demo", ["seed=0"])
    for job, clips in zip(study.jobs(), ("aaa", "bbb", "aaa"), strict=True):
        data = DATA | {"train": FINGERPRINT | {"id_hash": clips}}
        made_run(tmp_path, job.cfg, *scored(np.random.default_rng(0)), fingerprint=data)
    rows = gather(study, find_runs(tmp_path)[0])
    assert trained_apart(rows) == ["32 bins, 128 bins: aaa; 64 bins: bbb"]
    assert trained_apart(rows[::2]) == []
    said = "\n".join(opening(conclude(study, rows, resamples=2)))
    assert "trained on different clips (32 bins, 128 bins: aaa; 64 bins: bbb)" in said


def test_rows_that_started_from_other_weights_than_they_should_are_named(tmp_path):
    study = load_study("transfer_demo", ["seed=0"])
    for job, weights in zip(study.jobs(), (None, "aaa", "bbb", "aaa"), strict=True):
        data = DATA | ({"start": {"weights": weights}} if weights else {})
        made_run(tmp_path, job.cfg, *scored(np.random.default_rng(0)), fingerprint=data)
    rows = gather(study, find_runs(tmp_path)[0])
    assert started_apart(rows) == ["Fine-tune, Freeze_L3: aaa; Freeze_L1: bbb"]
    assert started_apart([*rows[:2], rows[3]]) == trained_apart(rows) == []
    said = "\n".join(opening(conclude(study, rows, resamples=2)))
    assert "Of one checkpoint=, yet started from different weights (Fine-tune, Freeze_L3: aaa; Freeze_L1: bbb)" in said


def test_of_two_runs_of_one_kind_the_one_that_got_further_counts(one, tmp_path):
    done = one(0)
    again = tmp_path / "a-copy"
    done.rename(again)
    other = one(0, finished=False)
    row = gathered(tmp_path)
    assert [run.folder for run in row.runs] == [again]
    assert [run.folder for run in row.doubles] == [other]


def test_runs_on_different_data_are_not_averaged_and_the_difference_is_named(one, tmp_path):
    one(0, fingerprint=DATA)
    one(1, fingerprint=DATA | {"train": FINGERPRINT | {"id_hash": "another"}})
    row = gathered(tmp_path)
    assert len(row.finished) == 2
    assert row.averaged == []
    assert row.differing == ("train.id_hash: 0123456789ab (seed 0); another (seed 1)",)


def test_what_runs_of_an_earlier_version_do_not_keep_does_not_keep_them_from_being_averaged(one, tmp_path):
    one(0, fingerprint=DATA)
    labels = {"classes": "aaa", "single_label": False}
    one(1, fingerprint=DATA | {"start": {"weights": "aaa"}, "labels": labels})
    assert len(gathered(tmp_path).averaged) == 2
    one(2, fingerprint=DATA | {"labels": labels | {"single_label": True}})
    assert gathered(tmp_path).differing == ("labels.single_label: False (seed 1); True (seed 2)",)


def test_runs_that_started_from_different_weights_are_not_averaged(one, tmp_path):
    for seed, weights in ((0, "aaa"), (1, "bbb"), (2, "aaa")):
        one(seed, fingerprint=DATA | {"start": {"weights": weights}})
    row = gathered(tmp_path)
    assert (len(row.finished), row.averaged) == (3, [])
    assert row.differing == ("start.weights: aaa (seed 0, 2); bbb (seed 1)",)


def test_clips_that_each_seed_draws_anew_may_differ(one, tmp_path):
    def data(seed, of_validation):
        train = FINGERPRINT | {"id_hash": f"train {seed}", "labels": seed}
        selection = {"fraction": 0.5, "fraction_seed": seed}
        return DATA | {"train": train, "validation": FINGERPRINT | {"id_hash": of_validation}, "selection": selection}

    drawn = "data.fraction_seed=${seed}"
    for seed in (0, 1):
        one(seed, drawn, fingerprint=data(seed, "the same"))
    assert len(gathered(tmp_path, drawn).averaged) == 2
    one(2, drawn, fingerprint=data(2, "other"))
    assert gathered(tmp_path, drawn).differing == ("validation.id_hash: the same (seed 0, 1); other (seed 2)",)


def test_two_rows_of_one_configuration_are_refused(tmp_path):
    study = load_study("mel_bins_demo")
    same = {label: replace(row, overrides=()) for label, row in study.rows.items()}
    with pytest.raises(GatheringError, match=r"'32 bins' and '64 bins' of mel_bins_demo have one configuration"):
        gather(replace(study, rows=same), [])


@pytest.mark.parametrize("drawn", ["+data.fold=${seed}", "data.validation_splits=[fold${seed}]"])
def test_each_seed_may_have_a_fold_of_its_own(one, tmp_path, drawn):
    for seed in (0, 1):
        own = {role: FINGERPRINT | {"id_hash": f"{role} {seed}", "clips": seed} for role in ("train", "validation")}
        one(seed, drawn, fingerprint=own)
    row = gathered(tmp_path, drawn)
    assert (len(row.averaged), row.differing) == (2, ())
    one(2, drawn, fingerprint={"train": FINGERPRINT, "validation": FINGERPRINT | {"sample_rate": 8000}})
    assert len(gathered(tmp_path, drawn).differing) == 1
