"""Released files, kept in the folder for copies."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from panns.cache_folder import cache_dir
from panns.weights.catalog import RELEASED, ReleasedFile, file_of, released_file
from panns.weights.transfer import DownloadError, disk_error, download, md5_of


def locate(source: str | Path, preset: str) -> Path:
    """Where weights lie.

    Args:
        source: "released": the file that the authors released for the preset, fetched if it is not there yet; else a
            path, which is returned.
        preset: Name of the model.

    Raises:
        NotReleasedError: nothing was released for the preset.
        DownloadError, DiskError: as `fetch`.
    """
    return fetch(released_file(preset)) if source == RELEASED else Path(str(source)).expanduser()


def fetch(file: ReleasedFile) -> Path:
    """Where a released file lies, after downloading it if it is not there yet.

    A file that was put there by hand is as good as a downloaded one. Of several processes one downloads.

    Raises:
        DownloadError: it cannot be downloaded, or what lies there is not the released file.
        DiskError: the folder cannot be written, or the disk is full.
    """
    target = cache_dir() / file.name
    if not target.exists():
        _make(target.parent)
        with _alone(target):
            if not target.exists():
                _download(file, target)
                return target
    _check(file, target)
    return target


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(folder, error) from error


def _download(file: ReleasedFile, target: Path) -> None:
    try:
        download(file.url, target, file.md5, file.size, partial(_look_into, file))
    except DownloadError as error:
        raise DownloadError(
            f"{error} By hand: get {file.name} from {file.page} and put it at {target}; it is checked and used."
        ) from error


def _check(file: ReleasedFile, target: Path) -> None:
    if file.md5 is not None and (found := md5_of(target)) != file.md5:
        raise DownloadError(
            f"{target} is damaged or not the released file: its md5 is {found}, not {file.md5}. "
            f"Delete it and run this again, or get it from {file.page} by hand."
        )
    if file.md5 is None:
        try:
            _look_into(file, target)
        except ValueError as error:
            raise DownloadError(
                f"{error} Delete {target} and run this again, or get it from {file.page} by hand."
            ) from error


def _look_into(file: ReleasedFile, path: Path) -> None:
    """Refuses what does not hold the weights of a released file: all there is to check where its md5 is not known.

    Raises:
        ValueError: it does not.
    """
    from panns.models.released import recognise  # here: a list of what there is need not wait for torch
    from panns.weights.reading import read_weights

    name = recognise(read_weights(path).state)
    if (found := file_of(name)) is None or found.preset != file.preset:
        raise ValueError(f"{path} holds weights of {name}, not those of {file.name}.")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Waits while another process downloads the same file; a killed one holds nobody up."""
    lock = FileLock(f"{target}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        Console(stderr=True).print(f"{target.name}: another process is fetching it; waiting", markup=False)
        lock.acquire()
    except OSError as error:
        raise disk_error(target.parent, error) from error
    try:
        yield
    finally:
        lock.release()
