"""Numbers and verdicts in words."""

import numpy as np
import pytest

from panns.published.tables import entry
from panns.studies.bootstrap import Gain
from panns.studies.outcome import Against
from panns.studies.report import wording
from panns.studies.statistics import Interval

UP, AROUND, DOWN = Interval(0.02, 0.01, 0.03, 0.01), Interval(0.02, -0.01, 0.05, 0.3), Interval(-0.02, -0.03, -0.01, 0)


@pytest.mark.parametrize(
    ("seeds", "clips", "says"),
    [
        (UP, UP, "better"),
        (DOWN, DOWN, "worse"),
        (UP, AROUND, "not told apart: too few clips"),
        (AROUND, UP, "not told apart: the seeds differ too much"),
        (AROUND, AROUND, "not told apart"),
        (Interval(0.02), UP, "better on these clips; one seed does not tell of others"),
        (Interval(0.02), AROUND, "not told apart"),
        (UP, None, "better over the seeds; clips not resampled"),
        (Interval(0.02), None, "why"),
        (None, None, "why"),
    ],
)
def test_a_row_is_better_where_seeds_and_clips_say_so(seeds, clips, says):
    gain = None if clips is None else Gain(clips, np.zeros(2), np.ones(2))
    assert wording.verdict(Against(seeds, gain, "" if clips else "why")) == says


@pytest.mark.parametrize(
    ("folds", "says"),
    [
        (UP, "better"),
        (DOWN, "worse"),
        (AROUND, "not told apart"),
        (Interval(0.1), "too few folds, or no spread: not known"),
    ],
)
def test_folds_are_told_apart_by_their_differences_alone(folds, says):
    assert wording.verdict(Against(folds, None, by_folds=True)) == says


def test_a_difference_within_the_run_to_run_spread_of_the_paper_is_marked():
    assert wording.signed(0.0049, "mAP") == "+0.0049 †"
    assert wording.signed(-0.005, "mAP") == "−0.0050"
    assert wording.signed(0.001, "accuracy") == "+0.0010"


def test_numbers():
    assert wording.mean(Interval(0.43127, 0.42127, 0.44127)) == "0.4313 ± 0.0100"
    assert wording.mean(Interval(0.43127)) == "0.4313"
    assert wording.span(DOWN) == "−0.0300 to −0.0100"
    assert wording.span(Interval(0.1)) == wording.mean(None) == wording.p_value(None) == "-"
    assert (wording.p_value(0.0312), wording.p_value(0.0004)) == ("0.031", "≤ 0.001")
    assert wording.paper_number(entry("XI/CNN14"), "mAP") == "0.431 (Table XI)"
    assert [wording.duration(seconds) for seconds in (None, 42, 600, 9000)] == ["-", "42 s", "10 min", "2.5 h"]
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
