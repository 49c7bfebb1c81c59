"""Every network trains through train.py, and so do data, augmentation and trainer with one another."""

import json
import os
import subprocess
import sys

import pytest

from combining import Row, covers_all_pairs, make_data, two_steps
from panns.zoo import list_models
from runs import ROOT


def choices(group: str) -> list[str]:
    """The names of a config group."""
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


CHOICES = {group: choices(group) for group in Row._fields}
CHOICES["data"].sort(key="esc50".__eq__)  # last: its rows are not needed for each network to see the demo set's clips
MODELS, DATA, AUGMENTATIONS, TRAINERS = CHOICES.values()
RANKED = ("ddp", "ddp_multinode", "fsdp")  # on two ranks
FEW = [
    Row(MODELS[(len(TRAINERS) * d + t) % len(MODELS)], data, AUGMENTATIONS[(d + t) % len(AUGMENTATIONS)], trainer)
    for d, data in enumerate(DATA)
    for t, trainer in enumerate(TRAINERS)
]
ALL = [
    Row(model, data, AUGMENTATIONS[(m + d) % len(AUGMENTATIONS)], TRAINERS[(m + d) % len(TRAINERS)])
    for m, model in enumerate(MODELS)
    for d, data in enumerate(DATA)
]


def alone(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.trainer not in RANKED]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("combinations")
    make_data(folder)
    return folder


def on_two_ranks(rows: list[Row], folder) -> None:
    """All in one pair of processes, which take longer to start than to train."""
    (folder / "rows.json").write_text(json.dumps([row for row in rows if row.trainer in RANKED]))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    script = [str(ROOT / "tests" / "combining.py"), str(folder / "rows.json"), str(folder)]
    done = subprocess.run([*launch, *script], env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-6000:]


def test_the_rows_hold_all_pairs():
    assert set(MODELS) == set(list_models())
    assert {row.model for row in FEW if row.data != "esc50"} == set(MODELS)
    assert covers_all_pairs(FEW, CHOICES, ("data", "augmentation", "trainer"))
    assert covers_all_pairs(ALL, CHOICES, Row._fields)


@pytest.mark.parametrize("row", alone(FEW), ids=str)
def test_two_steps(row, data, tmp_path):
    two_steps(row, data, tmp_path)


def test_two_steps_on_two_ranks(data):
    on_two_ranks([row for row in FEW if row.trainer != "ddp_multinode"], data)  # ddp, until there are several machines


@pytest.mark.slow
@pytest.mark.parametrize("row", alone(ALL), ids=str)
def test_two_steps_of_all_pairs(row, data, tmp_path):
    two_steps(row, data, tmp_path)


@pytest.mark.slow
def test_two_steps_of_all_pairs_on_two_ranks(data):
    on_two_ranks(FEW + ALL, data)
