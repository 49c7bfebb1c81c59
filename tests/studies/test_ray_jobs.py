"""Commands on a Ray cluster of this machine: their places, their ends, and signals."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import ray
from hydra.core.utils import JobStatus

from hydra_plugins.panns_sweeps.ray import RayLauncher
from panns.studies.processes import Command, run_all
from panns.studies.ray_jobs import RayJob, Share, cluster, job_env
from studies.sweeping import finish, sweep, wait_for_new_checkpoint

DONE, FAILED, UNKNOWN = JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.UNKNOWN


@pytest.fixture(scope="module", autouse=True)
def short_folder():
    """Where Ray keeps its sockets, whose names may be 107 characters long."""
    folder = tempfile.mkdtemp(prefix="ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.delenv("RAY_ADDRESS", raising=False)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cpus(short_folder):
    """A cluster -> the number of its CPUs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RAY_USAGE_STATS_ENABLED", "RAY_kill_child_processes_on_worker_exit"):
            patch.setenv(name, "set by the cluster")
        with cluster(None) as own:
            assert own
            yield ray.nodes()[0]["Resources"]["CPU"]


def python(code, log=None):
    return Command("job", (sys.executable, "-c", code), log)


def run(*commands, num_cpus=1, at_once=None, wait=0.0):
    share = Share(num_cpus, 0)
    return run_all(commands, at_once or len(commands), wait, lambda command, _: RayJob(command, share))


def test_each_end_is_told(cpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_SWEEP", "here")
    told = (
        "import os, signal, sys; print(os.getcwd(), os.environ['OF_THE_SWEEP']); print('loud', file=sys.stderr);"
        "print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), repr(os.environ['CUDA_VISIBLE_DEVICES']))"
    )
    outcomes = run(
        python(told, tmp_path / "logs" / "fine.log"),
        python("import sys; sys.exit('train.py: no such data')", tmp_path / "failed.log"),
        python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        python("import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)"),
    )
    assert [outcome.status for outcome in outcomes] == [DONE, FAILED, FAILED, FAILED]
    assert sorted((tmp_path / "logs" / "fine.log").read_text().split("\n")) == [
        "", f"{tmp_path} here", "[] ''", "loud"
    ]  # fmt: skip
    assert outcomes[1].error == "train.py: no such data"
    assert "SIGKILL" in outcomes[2].error
    assert "place on the Ray cluster is lost" in outcomes[3].error


def test_a_job_waits_for_its_place_and_a_taken_folder_for_the_others(cpus, tmp_path):
    free = tmp_path / "free"
    taken = f"import sys, pathlib; sys.exit(0 if pathlib.Path({str(free)!r}).exists() else 75)"
    alone = f"import pathlib, time; pathlib.Path({str(tmp_path / 'one')!r}).mkdir(); time.sleep(0.5);"
    alone += f"pathlib.Path({str(tmp_path / 'one')!r}).rmdir(); pathlib.Path({str(free)!r}).touch()"
    assert [o.status for o in run(python(taken), python(alone), python(alone), num_cpus=cpus, wait=60)] == [DONE] * 3


def test_a_stopped_sweep_has_its_jobs_save_and_begins_no_others(cpus, tmp_path, capfd):
    begun, saved = tmp_path / "begun", tmp_path / "saved"
    code = (
        "import os, pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGINT, lambda *_: (pathlib.Path({str(saved)!r}).touch(), sys.exit(1)))\n"
        f"pathlib.Path({str(begun)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )

    def stop_once_it_runs():
        while not (begun.exists() and begun.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop_once_it_runs).start()
    outcomes = run(python(code), python(f"open({str(tmp_path / 'second')!r}, 'w')"), num_cpus=cpus)
    assert [outcome.status for outcome in outcomes] == [UNKNOWN] * 2
    assert saved.exists()
    assert not (tmp_path / "second").exists()
    assert capfd.readouterr().out.count("runs on") == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(begun.read_text()), 0)


def test_a_folder_that_the_node_lacks_is_told(cpus, monkeypatch):
    monkeypatch.setattr(Path, "cwd", lambda: Path("/not/there"))
    (outcome,) = run(python(""))
    assert (outcome.status, outcome.error.split(":")[0]) == (FAILED, "/not/there is not on the node")


def test_what_no_node_can_hold_is_said_at_once_or_waited_for(cpus, capsys):
    assert Share.of(1, None, own=True) == Share(1, 0)
    with pytest.raises(SystemExit, match=r"no node .* a job's 1 CPUs and 8 GPUs .*: lower hydra.launcher"):
        Share.of(1, 8, own=True)
    assert Share.of(1, 8, own=False) == Share(1, 8)
    assert "The jobs wait until one joins" in capsys.readouterr().out


def test_ray_that_is_not_installed_is_told_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit, match=r"^train.py: hydra/launcher=ray needs Ray: pip install '\.\[ray\]'$"):
        RayLauncher().run([])


def test_a_cluster_that_is_not_there_is_told_in_one_line():
    with (
        pytest.raises(SystemExit, match=r"no Ray cluster at ray://127.0.0.1:9 .*refused.*ray start --head"),
        cluster("ray://127.0.0.1:9"),
    ):
        pass


def test_the_environment_is_the_sweeps_but_for_what_is_the_nodes():
    sweep = {"WANDB_RUN_ID": "a", "SLURM_PROCID": "3", "RAY_ADDRESS": "b", "TMPDIR": "/c", "CUDA_VISIBLE_DEVICES": "7"}
    node = {"CUDA_VISIBLE_DEVICES": "0,1", "TMPDIR": "/node", "WANDB_RUN_ID": "other", "SLURM_PROCID": "4"}
    env = {"WANDB_RUN_ID": "a", "TMPDIR": "/node", "CUDA_VISIBLE_DEVICES": "0,1", "OMP_NUM_THREADS": "4"}
    assert job_env(sweep, node, Share(4, 2)) == env
    assert job_env(sweep, node, Share(0.5, 0)) == env | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    assert job_env(sweep | {"OMP_NUM_THREADS": "2"}, node, Share(4, 2))["OMP_NUM_THREADS"] == "2"


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_sweep_on_ray_is_stopped_and_goes_on(signum, tones, tmp_path):
    words = ["hydra/launcher=ray", "model.frontend.n_mels=16", "seed=0,1", "optimizer.lr=1e-3,-1"]
    words += ["data.max_epochs=40", "callbacks.last.every_n_steps=2"]
    process = sweep(tmp_path, tones, *words)
    wait_for_new_checkpoint(tmp_path / "runs", process)
    if signum == signal.SIGINT:  # as a terminal sends it: to the cluster too, which we started
        os.killpg(process.pid, signum)
    else:
        process.send_signal(signum)
    assert process.wait(timeout=120) == (-signum if signum == signal.SIGKILL else 1)
    deadline = time.monotonic() + (60 if signum == signal.SIGKILL else 2)
    while (left := processes_in(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left
    logs = "".join(path.read_text() for path in (tmp_path / "runs" / ".jobs").glob("*.log"))
    assert "The same command goes on from there" in logs
    if signum != signal.SIGKILL:
        assert "not finished: " in (tmp_path / "said.txt").read_text()

    code, said = finish(tmp_path, tones, *words)
    assert code == 1
    assert "2 of 4 jobs are finished" in said
    assert "failed: optimizer.lr=-1, seed 0: train.py: optimizer: Invalid learning rate: -1" in said
    logs = "".join(path.read_text() for path in (tmp_path / "runs" / ".jobs").glob("*.log"))
    assert "going on from" in logs
    assert len(list((tmp_path / "runs").glob("*/metrics.json"))) == 2


def processes_in(folder):
    """What still runs in a folder, Ray's own agents left out: they end by themselves."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            words = (link.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if link.readlink() == folder and "Agent" not in words:
                found.append(words)
    return found
