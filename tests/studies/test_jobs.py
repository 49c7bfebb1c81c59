"""From the words of a command line to jobs."""

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from panns.studies.jobs import sweep_words
from panns.studies.study import Row, Study, StudyError
from panns.zoo import config_dir

STUDY = Study(
    "depth",
    "How deep?",
    "deep (6)",
    "layers",
    (0, 1),
    {
        "shallow": Row("shallow", ("model=cnn6",), 6.0),
        "deep (6)": Row("deep (6)", ("model=cnn14", "optimizer.lr=1e-3"), 14.0),
    },
)


@pytest.fixture
def loader():
    with initialize_config_dir(str(config_dir().absolute()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def test_lists_are_multiplied_out_and_name_the_jobs(loader):
    words = sweep_words(None, ["model=cnn6,cnn10", "optimizer.lr=1e-3", "seed=0,1"], loader)
    group = "sweep='model=cnn6,cnn10'"
    assert words == [
        (["model=cnn6", "optimizer.lr=0.001", group, "row='model=cnn6'", "seed=0"], "model=cnn6"),
        (["model=cnn10", "optimizer.lr=0.001", group, "row='model=cnn10'", "seed=0"], "model=cnn10"),
        (["model=cnn6", "optimizer.lr=0.001", group, "row='model=cnn6'", "seed=1"], "model=cnn6"),
        (["model=cnn10", "optimizer.lr=0.001", group, "row='model=cnn10'", "seed=1"], "model=cnn10"),
    ]


def test_only_seeds(loader):
    assert sweep_words(None, ["seed=3,4"], loader) == [(["seed=3"], ""), (["seed=4"], "")]
    assert sweep_words(None, ["model=cnn6"], loader) == [(["model=cnn6"], "")]


def test_a_study_gives_its_rows_for_each_of_its_seeds(loader):
    words = sweep_words(STUDY, ["experiment=depth"], loader)
    shallow = ["experiment=depth", "model=cnn6", "row='shallow'"]
    deep = ["experiment=depth", "model=cnn14", "optimizer.lr=1e-3", "row='deep (6)'"]
    assert words == [
        ([*shallow, "seed=0"], "shallow"),
        ([*deep, "seed=0"], "deep (6)"),
        ([*shallow, "seed=1"], "shallow"),
        ([*deep, "seed=1"], "deep (6)"),
    ]


def test_the_command_line_chooses_rows_and_seeds_and_sweeps_further(loader):
    words = sweep_words(STUDY, ["row='deep (6)'", "seed=7", "data.batch_size=16,32"], loader)
    assert [label for _, label in words] == ["deep (6) data.batch_size=16", "deep (6) data.batch_size=32"]
    for overrides, label in words:
        assert overrides[-2:] == [f"row='{label}'", "seed=7"]


def test_choices_by_pattern(loader):
    assert [label for _, label in sweep_words(None, ["model=glob(resnet*)"], loader)] == [
        "model=resnet22",
        "model=resnet38",
        "model=resnet54",
    ]


@pytest.mark.parametrize("word", ["model=cnn10", "++optimizer.lr=1e-3,1e-4"])
def test_what_the_rows_vary_is_not_set_for_all_of_them(loader, word):
    with pytest.raises(
        StudyError, match=r"sets for all rows of depth what they vary \(row '\w+.* has (model|optimizer)"
    ):
        sweep_words(STUDY, [word], loader)
    assert len(sweep_words(STUDY, ["model.frontend.n_mels=32"], loader)) == 4  # a key below one that they vary


def test_a_row_that_is_not_there_is_named(loader):
    with pytest.raises(StudyError, match=r"depth has no row 'depp'.*'shallow', 'deep \(6\)'"):
        sweep_words(STUDY, ["row=shallow,depp"], loader)
    with pytest.raises(StudyError, match="no list"):
        sweep_words(None, ["optimizer.lr=interval(1e-4,1e-2)"], loader)
