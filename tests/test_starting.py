"""Ctrl-C while train.py starts."""

import os
import signal
import subprocess
import sys
import time

import pytest

from panns.starting import started, starting
from runs import ROOT


def test_ctrl_c_while_the_imports_go_on_is_one_line(tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), "data=audioset_full"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(2.0)  # of about 5
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
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
