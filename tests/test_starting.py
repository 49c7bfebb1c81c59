"""Ctrl-C while train.py starts."""

import os
import signal
import subprocess
import sys

import pytest

from panns.starting import started, starting
from runs import ROOT


def test_ctrl_c_while_the_imports_go_on_is_one_line(tmp_path):
    (tmp_path / "hydra.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")  # as if slow
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}"}
    command = [sys.executable, str(ROOT / "train.py")]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "train.py: interrupted\n")


def test_what_then_runs_is_interrupted_as_other_programs():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        starting()
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        started()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
        starting()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
