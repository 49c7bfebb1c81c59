"""Example clips of a run."""

import pytest

from panns.training.media import file_stem


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Y--PJHxphWEs", "Y--PJHxphWEs"),
        ("1-100032-A-0", "1-100032-A-0"),
        ("good/g4.wav", "7_good_g4.wav"),
        ("/data/a b/ü:?.wav", "7__data_a_b_ü_.wav"),
        ("../../x", "7__.._x"),
    ],
)
def test_ids_make_file_names(name, stem):
    assert file_stem(name, 7) == stem
    assert "/" not in stem
