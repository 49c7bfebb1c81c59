"""From swept words to what Optuna chooses among."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from panns.studies.space import as_words, distribution
from panns.studies.study import StudyError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("interval(0.1,1)", FloatDistribution(0.1, 1.0)),
        ("tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("int(interval(1,10))", IntDistribution(1, 10)),
        ("tag(log,int(interval(1,100)))", IntDistribution(1, 100, log=True)),
        ("range(1,5)", IntDistribution(1, 4)),
        ("range(1,10,2)", IntDistribution(1, 9, step=2)),
        ("range(2,7,5)", IntDistribution(2, 2, step=5)),
        ("range(0.5,2.0,0.5)", FloatDistribution(0.5, 1.5, step=0.5)),
        ("cnn6,cnn10", CategoricalDistribution(["cnn6", "cnn10"])),
        ("[1,2],null,'a b'", CategoricalDistribution(["[1,2]", "null", "'a b'"])),
    ],
)
def test_what_values_mean(values, expected):
    assert distribution(OverridesParser.create().parse_override(f"key={values}")) == expected


def test_what_cannot_be_is_said():
    with pytest.raises(StudyError, match=r"tag\(log,interval\(0,1\)\)"):
        distribution(OverridesParser.create().parse_override("key=tag(log,interval(0,1))"))


def test_words_are_read_back_as_the_same_numbers():
    lr = 0.1 + 0.2
    (word,) = as_words({"optimizer.lr": lr})
    assert OverridesParser.create().parse_override(word).value() == lr
