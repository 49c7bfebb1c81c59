"""A study whose runs were made up: three rows, three seeds, some runs not finished."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from panns.studies.gathering import gather
from panns.studies.outcome import Outcome, conclude
from panns.studies.runs import find_runs
from panns.studies.study import Study, load_study
from studies.made import made_run, scored

QUALITY = {"32 bins": 1.2, "64 bins": 1.9, "128 bins": 2.0}


class Made(NamedTuple):
    """The study, the folder of its runs, the scores (N, K) of its finished runs, and the targets (N, K) of all."""

    study: Study
    runs: Path
    scores: dict[tuple[str, int], np.ndarray]
    targets: np.ndarray


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """Of "128 bins" seed 0 is finished, seed 1 began, and seed 2 is missing."""
    study, runs, rng = load_study("mel_bins_demo"), tmp_path_factory.mktemp("runs"), np.random.default_rng(0)
    _, targets = scored(rng)
    scores = {}
    for job in study.jobs():
        label, seed = job.row.label, job.seed
        if label != "128 bins" or seed < 2:
            of_run, _ = scored(rng, quality=QUALITY[label], targets=targets)
            multi_adds = int(1e9 * job.row.x)
            model = {"parameters": 354_303, "macs": multi_adds // 2, "multi_adds": multi_adds}
            finished = (label, seed) != ("128 bins", 1)
            made_run(runs, job.cfg, of_run, targets, finished=finished, steps=(40, 80, 120, 160), model=model)
            if finished:
                scores[label, seed] = of_run
    return Made(study, runs, scores, targets)


@pytest.fixture(scope="session")
def outcome(made) -> Outcome:
    """What it came to."""
    return conclude(made.study, gather(made.study, find_runs(made.runs)[0]), resamples=400)
