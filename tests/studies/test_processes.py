"""Commands as processes: their ends, their shares of the machine, and signals."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hydra.core.utils import JobStatus

from hydra_plugins.panns_sweeps.processes import ProcessLauncher
from hydra_plugins.panns_sweeps.ray import RayLauncher
from panns.studies.launching import Slots, check_launcher
from panns.studies.processes import Command, Process, run_all

DONE, FAILED, UNKNOWN = JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.UNKNOWN


def python(code, log=None):
    return Command("job", (sys.executable, "-c", code), log)


def run(*commands, at_once=1, wait=0.0, env=lambda slot: {**os.environ, "SLOT": str(slot)}):
    return run_all(commands, at_once, wait, lambda command, slot: Process(command, env(slot)))


def test_each_end_is_told(capfd):
    outcomes = run(
        python("print('fine')"),
        python("import sys; print('warned', file=sys.stderr); sys.exit('train.py: no such data')"),
        python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        python("import sys; sys.exit(3)"),
    )
    assert [outcome.status for outcome in outcomes] == [DONE, FAILED, FAILED, FAILED]
    assert outcomes[1].error == "warned\ntrain.py: no such data"
    assert "SIGKILL" in outcomes[2].error
    assert "memory" in outcomes[2].error
    assert "exit code 3" in outcomes[3].error
    said = capfd.readouterr()
    assert "fine" in said.out
    assert "no such data" in said.err  # passed on as it came


def test_so_many_at_a_time_each_in_a_slot_of_its_own(tmp_path):
    code = (
        "import os, pathlib, sys, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "mine = folder / ('slot' + os.environ['SLOT'])\n"
        "mine.touch(exist_ok=False)\n"
        "time.sleep(0.4)\n"
        "open(folder / 'most', 'a').write(f\"{len(list(folder.glob('slot*')))} \")\n"
        "mine.unlink()\n"
    )
    outcomes = run(*[python(code)] * 5, at_once=2)
    assert [outcome.status for outcome in outcomes] == [DONE] * 5
    assert max((tmp_path / "most").read_text().split()) == "2"


def test_logs_take_both_outputs(tmp_path, capfd):
    log = tmp_path / "new" / "job.log"
    (outcome,) = run(python("import sys; print('out'); sys.exit('error')", log))
    assert sorted(log.read_text().split()) == ["error", "out"]
    assert outcome.error == "error"
    assert str(log) in capfd.readouterr().out


def test_what_finds_its_folder_locked_is_tried_again_after_the_others(tmp_path):
    locked = f"import os, sys, pathlib; p = pathlib.Path({str(tmp_path / 'free')!r}); sys.exit(0 if p.exists() else 75)"
    frees = f"import pathlib; pathlib.Path({str(tmp_path / 'free')!r}).touch()"
    assert [outcome.status for outcome in run(python(locked), python(frees), wait=30)] == [DONE, DONE]
    (tmp_path / "free").unlink()
    assert [outcome.status for outcome in run(python(locked), wait=0)] == [FAILED]


DRIVER = """
import os, sys
from panns.studies.processes import Command, Process, run_all
child = '''
import os, signal, sys, time
def save(*_):
    time.sleep(0.5)
    open({saved!r}, 'a').write('saved ')
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
signal.signal(signal.SIGINT, save)
open({begun!r}, 'w').write(str(os.getpid()))
time.sleep(60)
'''
command = Command('job', (sys.executable, '-c', child))
print([o.status.name for o in run_all([command, command], 1, 0.0, lambda c, _: Process(c, dict(os.environ)))])
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_sweep_lets_its_jobs_save_and_leaves_none_behind(signum, tmp_path):
    saved, begun = tmp_path / "saved", tmp_path / "begun"
    code = DRIVER.format(saved=str(saved), begun=str(begun))
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (begun.exists() and begun.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(begun.read_text())
    driver.send_signal(signum)
    time.sleep(0.2)
    driver.send_signal(signum)  # as where a scheduler tells each process, and the one above it passes it on
    said, _ = driver.communicate(timeout=60)
    while not saved.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert saved.read_text() == "saved "
    if signum != signal.SIGKILL:
        assert "['UNKNOWN', 'UNKNOWN']" in said
        assert "Job 2 of 2" not in said  # not even begun
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_nothing_is_begun_while_those_that_run_are_waited_for(tmp_path, capfd):
    both = tmp_path / "both"
    slow = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1.5), sys.exit(1)));"
    slow += f"open({str(both)!r}, 'w').close(); time.sleep(60)"

    def stop_once_it_runs():
        while not both.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_once_it_runs).start()
    outcomes = run(python("import time; time.sleep(60)"), python(slow), python(""), at_once=2)
    assert [outcome.status for outcome in outcomes] == [UNKNOWN] * 3
    assert "Job 3 of 3" not in capfd.readouterr().out


def test_gpus_are_dealt_out_and_cores_shared(monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    slots = Slots.of(2, 2)
    assert [slots.env(slot)["CUDA_VISIBLE_DEVICES"] for slot in (0, 1)] == ["4,5", "6,7"]
    assert int(slots.env(0)["OMP_NUM_THREADS"]) == max(len(os.sched_getaffinity(0)) // 2, 1)
    assert Slots.of(1, None).env(0)["CUDA_VISIBLE_DEVICES"] == "4,5,6,7"
    with pytest.raises(SystemExit, match="3 jobs of 2 GPUs each need 6, and 4 are visible"):
        Slots.of(3, 2)


def test_without_slurm_a_sweep_on_it_does_not_begin(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    slurm = type("SlurmLauncher", (), {})()  # as submitit's plugin calls it, which need not be installed
    with pytest.raises(SystemExit, match=r"there is no SLURM here .*or leave hydra/launcher out"):
        check_launcher(slurm)
    (tmp_path / "srun").touch(mode=0o755)
    check_launcher(slurm)


@pytest.mark.parametrize("launcher", [ProcessLauncher, RayLauncher])
def test_no_job_at_a_time_is_refused_before_a_sweep_begins(launcher):
    with pytest.raises(SystemExit, match=r"train\.py: hydra\.launcher\.n_jobs=0: at least one job"):
        launcher(n_jobs=0).setup(hydra_context=None, task_function=None, config=None)
