"""Every study that is shipped, composed as its sweep would."""

import pytest
import torch
from hydra.utils import instantiate

from panns.published.tables import entry
from panns.studies.study import StudyError, load_study
from panns.training.run import config_hash
from panns.zoo import config_dir
from runs import config

STUDIES = sorted(path.stem for path in (config_dir() / "study").glob("*.yaml"))


@pytest.mark.parametrize("form", ["", "_demo"])
@pytest.mark.parametrize("name", STUDIES)
def test_each_row_is_a_run_of_its_own_whose_network_is_built(name, form):
    study = load_study(name + form, ["study.seeds=[7]"])
    jobs = study.jobs()
    assert study.reference in study.rows
    assert [job.row for job in jobs] == list(study.rows.values())
    assert len({config_hash(job.cfg) for job in jobs}) == len(jobs)
    assert {job.cfg.seed for job in jobs} == {7}
    if form:
        assert {job.cfg.data.store.split("/")[-1] for job in jobs} == {"demo-store"}
        with torch.device("meta"):
            for job in jobs:
                instantiate(job.cfg.model)
    on_axis = [row.x for row in study.rows.values()]
    assert None not in on_axis if study.x else set(on_axis) == {None}


@pytest.mark.parametrize("name", STUDIES)
def test_rows_name_rows_of_the_paper(name):
    rows = load_study(name).rows.values()
    score = "accuracy" if name.startswith("transfer") else "mAP"
    published = [getattr(entry(row.paper), score) for row in rows if row.paper]
    assert published
    assert None not in published


def test_full_and_demo_form_have_the_same_rows():
    for name in STUDIES:
        full, demo = load_study(name), load_study(f"{name}_demo")
        assert len(demo.seeds) >= 3
        assert list(full.rows) == list(demo.rows)
        assert [(row.x, row.paper) for row in full.rows.values()] == [(r.x, r.paper) for r in demo.rows.values()]


def test_seeds_come_one_after_the_other_each_with_all_rows():
    jobs = load_study("mel_bins_demo").jobs()
    assert [(job.seed, job.row.label) for job in jobs] == [
        (seed, f"{bins} bins") for seed in (0, 1, 2) for bins in (32, 64, 128)
    ]
    assert [job.cfg.seed for job in jobs] == [job.seed for job in jobs]


def test_the_same_training_has_one_name_in_all_studies():
    def name(study, row):
        (job,) = (job for job in load_study(study, ["study.seeds=[0]"]).jobs() if job.row.label == row)
        return config_hash(job.cfg)

    assert name("depth", "CNN 14 (6 blocks)") == name("mel_bins", "64 bins")
    assert (
        name("data_size_demo", "100 %")
        == name("mel_bins_demo", "64 bins")
        == config_hash(config("experiment=demo", "seed=0"))
    )


@pytest.mark.parametrize(
    ("name", "overrides", "words"),
    [
        ("dept", [], ["'dept'", "depth"]),
        ("demo", [], ["demo", "single run"]),
        ("depth", ["study.reference=CNN 15"], ["study.reference", "'CNN 15'", "CNN 6 (2 blocks)"]),
        ("depth", ["+study.rows.new.sett=[1]"], ["study.rows.new", "'sett'", "paper, set, x"]),
    ],
)
def test_what_is_no_study_is_refused(name, overrides, words):
    with pytest.raises(StudyError) as error:
        load_study(name, overrides)
    for word in words:
        assert word in str(error.value)
