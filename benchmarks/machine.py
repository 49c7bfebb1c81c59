"""What the machine says of a process and its memory, and how files are put out of the page cache."""

import gc
import os
import platform
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

MIB = 2**20


def describe(*packages: str) -> str:
    """Return one line: processor, cores, versions of Python and packages, date, and how busy the machine is."""
    model = Path("/proc/cpuinfo").read_text().split("model name")[1].splitlines()[0].strip(" \t:")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    load = os.getloadavg()[0]
    return (
        f"{len(os.sched_getaffinity(0))} cores {model}, Python {platform.python_version()}, {versions}, "
        f"{time.strftime('%Y-%m-%d')}, load {load:.1f} before the start"
    )


def fresh(work: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a module in a new process -> its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def pss_mib(folder: Path, pid: int | str = "self") -> float:
    """Return the memory of a process: its own, and the files of `folder` that it maps; what it shares as its share.

    Libraries are left out: their share depends on what else runs on the machine.
    """
    return own_mib(pid) + mapped_mib(folder, pid)


def own_mib(pid: int | str = "self") -> float:
    """Return the memory of a process that is no file's."""
    gc.collect()
    lines = _lines(pid, "smaps_rollup")
    return sum(int(line[1]) for line in lines if line[0] in ("Pss_Anon:", "Pss_Shmem:")) / 1024


def mapped_mib(folder: Path, pid: int | str = "self") -> float:
    """Return how much of the files of `folder` a process maps, what it shares as its share."""
    kilobytes, here = 0, False
    for line in _lines(pid, "smaps"):
        if not line[0].endswith(":"):  # the head of a mapping: addresses, rights, offset, device, inode, path
            here = line[-1].startswith(str(folder.resolve()))
        elif line[0] == "Pss:" and here:
            kilobytes += int(line[1])
    return kilobytes / 1024


def _lines(pid: int | str, name: str) -> list[list[str]]:
    return [line.split() for line in Path(f"/proc/{pid}/{name}").read_text().splitlines()]


def rss_mib(pid: int | str = "self") -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def peak_mib() -> float:
    """Return the highest resident memory of this process since `reset_peak`."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def reset_peak() -> None:
    """Start `peak_mib` anew."""
    Path("/proc/self/clear_refs").write_text("5")


def descendants(pid: int | None = None) -> list[int]:
    """Return the processes that a process has started, they have started, and so on, as far as they still run."""
    tasks = Path(f"/proc/{pid or os.getpid()}/task").iterdir()
    own = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return own + [one for child in own for one in descendants(child)]


def drop_cache(files: Iterable[Path]) -> None:
    """Put files out of the page cache. Needs no root: each is written out first, then given up by posix_fadvise."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
