"""Which clips a score is of, in words and for the comparison with the paper."""

import pytest

from panns.studies.paper import scored_splits
from panns.studies.study import compose_experiment


@pytest.mark.parametrize(
    ("overrides", "role", "splits"),
    [
        ([], "val", ["eval"]),
        (["data=audioset_full_holdout"], "test", ["eval"]),
        (["data=audioset_full_holdout"], "val", ["held out of unbalanced_train"]),
        (["data.holdout=0.1"], "val", ["held out of the training clips"]),
        (["data.test_splits=[balanced_train]"], "test", ["balanced_train"]),
    ],
)
def test_splits_that_a_score_is_of(overrides, role, splits):
    assert scored_splits(compose_experiment("paper_cnn14", overrides), role) == splits
