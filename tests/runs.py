"""Helpers to run train.py as a user does, in this process or in one of its own, and to kill it."""

import atexit
import fcntl
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from panns import create_model
from panns.training.run import register_resolvers
from panns.zoo import _compose

ROOT = Path(__file__).resolve().parents[1]
READY = multiprocessing.get_context("forkserver")
READY.set_forkserver_preload(["hydra.main", "panns.training.announce", "panns.training.report"])
os.environ["OMP_NUM_THREADS"] = "1"  # of all processes that are started
SMALL = (  # a network that takes milliseconds
    "model=cnn10",
    "model.backbone.depth=2",
    "model.backbone.base_channels=4",
    "model.frontend.n_mels=16",
    "trainer=cpu",
    "trainer.devices=1",
    "data=store",
    "data.validation_splits=[eval]",
    "data.batch_size=4",
    "data.clips_per_epoch=16",
    "data.max_epochs=3",
    "trainer.log_every_n_steps=1",
    "logger=csv",
)


def config(*overrides: str) -> DictConfig:
    """The composed configuration, as inside `hydra.main`."""
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", overrides=list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    with open_dict(cfg):
        del cfg.hydra
    return cfg


def small(store: Path, folder: Path, *overrides: str) -> DictConfig:
    """A small run in `folder`."""
    return config(*SMALL, f"data.store={store}", f"run_dir={folder}", *overrides)


def start(store: Path, folder: Path, *overrides: str, timeout: int = 300) -> subprocess.CompletedProcess:
    """The same in a process of its own, from the command line."""
    return start_train([*SMALL, f"data.store={store}", f"hydra.run.dir={folder}", *overrides], folder.parent, timeout)


def start_train(words: list[str], folder: Path, timeout: int = 300) -> subprocess.CompletedProcess:
    """`python train.py WORDS` in a folder, forked off a process that has imported what takes 5 s to import."""
    command = [str(ROOT / "train.py"), *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    with tempfile.TemporaryDirectory() as said:
        out, err = Path(said) / "out", Path(said) / "err"
        process = READY.Process(target=_as_script, args=(command, str(folder), env, str(out), str(err)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout, out.read_text(), err.read_text())
        with out.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # had when the processes that it started are gone too, as other ranks
        return subprocess.CompletedProcess(command, process.exitcode, out.read_text(), err.read_text())


def _as_script(command: list[str], folder: str, env: dict[str, str], out: str, err: str) -> None:
    """Makes of this process what `python COMMAND` in a folder would be."""
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    fcntl.flock(1, fcntl.LOCK_EX)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[:] = command
    sys.path.insert(0, str(ROOT))
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # which a process of multiprocessing leaves out


def checkpoint(path, exclusive=False, **changes):
    """What train.py writes, of a network that takes no time; returns the model inside."""
    config = OmegaConf.to_container(_compose("cnn10", {}))
    config["backbone"] |= {"base_channels": 4, "depth": 2}
    model = create_model("cnn10", num_classes=3, **{"backbone.base_channels": 4, "backbone.depth": 2})
    about = {"model": config | changes, "classes": ["a", "b", "c"], "exclusive": exclusive}
    state = {f"model.{name}": weight for name, weight in model.state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": about}, path)
    return model.eval()


def saved(path: Path, content) -> Path:
    """A file of torch.save."""
    torch.save(content, path)
    return path


class SignalAt(pl.Callback):
    """Sends a signal to its own process: SIGKILL leaves no time for anything."""

    def __init__(self, name: str, step: int, validating: bool = False, rank: int = 0) -> None:
        self.signum, self.step, self.validating, self.rank = signal.Signals[name], step, validating, rank

    def on_train_batch_start(self, trainer, *_):
        if not self.validating and (trainer.global_step, trainer.global_rank) == (self.step, self.rank):
            os.kill(os.getpid(), self.signum)

    def on_validation_batch_start(self, trainer, *_):
        if self.validating and trainer.global_step == self.step:
            os.kill(os.getpid(), self.signum)


class RecordRows(pl.Callback):
    """Writes down the clips of each training batch of its rank: one line of row numbers a step."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        with (self.folder / f"rank{trainer.global_rank}.txt").open("a") as file:
            file.write(" ".join(str(int(row)) for row in batch.row) + "\n")


class ScratchAt(pl.Callback):
    """Damages a file at a step: flips a bit of its last bytes, cuts it, removes it, or puts another in its place."""

    def __init__(self, path: str, step: int, how: str) -> None:
        self.path, self.step, self.how = Path(path), step, how

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            scratch(self.path, self.how)


def scratch(path: Path, how: str) -> None:
    """Damage a file."""
    if how == "flip":
        with path.open("r+b") as file:
            file.seek(-1000, 2)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 1]))
    elif how == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "remove":
        path.unlink()
    else:
        path.with_suffix(".new").write_bytes(path.read_bytes()[::-1])
        path.with_suffix(".new").replace(path)


class RaiseAt(pl.Callback):
    """An error of the program at a step, after which nothing is saved."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            raise ZeroDivisionError


class KillWorkerAt(pl.Callback):
    """Kills a loader process, as the kernel does when memory runs out."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
            time.sleep(0.5)
