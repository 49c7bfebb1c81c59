"""Flags of train.py."""

import subprocess
import sys

import pytest

from panns.training.flags import is_multirun
from runs import ROOT


@pytest.mark.parametrize(
    ("words", "several"),
    [
        (["-m", "seed=0,1"], True),
        (["seed=0,1", "--multirun"], True),
        (["seed=0,1"], False),
        (["name=-m", "--cfg", "job"], False),
    ],
)
def test_several_runs_are_asked_for_by_a_flag(words, several):
    assert is_multirun(words) is several


def test_help_that_is_not_read_to_its_end_is_no_error(tmp_path):
    command = f"{sys.executable} {ROOT}/train.py --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_several_values_in_one_run_are_one_line(tmp_path):
    command = [sys.executable, f"{ROOT}/train.py", "seed=0,1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "seed=0,1: several values are several runs; add -m to train them all.\n"
