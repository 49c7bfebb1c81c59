"""Which clips make up which batch."""

import math
from itertools import product

import numpy as np
import pytest

from panns.data.plans import EvaluationPlan


@pytest.mark.parametrize(("clips", "batch_size", "world_size"), [*product(range(1, 18), (1, 2, 5), (1, 2, 3, 4))])
def test_ranks_evaluate_equally_often_and_every_clip_once(clips, batch_size, world_size):
    rows = 10 * np.arange(clips)
    plans = [EvaluationPlan(rows, batch_size, rank, world_size) for rank in range(world_size)]
    steps = range(plans[0].num_batches)
    batches = [[plan.batch(step)[0].tolist() for step in steps] for plan in plans]
    assert {plan.num_batches for plan in plans} == {math.ceil(math.ceil(clips / world_size) / batch_size)}
    sizes = {len(batch) for of_rank in batches for batch in of_rank}
    assert min(sizes) >= 1
    assert max(sizes) <= batch_size
    seen = [row for of_rank in batches for batch in of_rank for row in batch]
    assert set(seen) == set(rows.tolist())
    again = len(seen) - clips
    assert again == (0 if batch_size > 1 else -clips % world_size) or clips < world_size
    assert again < world_size


def test_one_rank_fills_its_batches():
    plan = EvaluationPlan(np.arange(7), 3, 0, 1)
    assert [plan.batch(step)[0].tolist() for step in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]
