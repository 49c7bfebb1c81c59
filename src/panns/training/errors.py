"""Mistakes of the user are told in one line; a traceback is for mistakes of the program."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from panns.config_keys import not_taken
from panns.starting import INTERRUPTED, LINE, started
from panns.training.exit_codes import BUSY
from panns.training.run import RunBusyError

PACKAGE = Path(__file__).resolve().parents[1]


class Pruned(RuntimeError):
    """A run was ended on purpose since it fell behind; its checkpoint stands. No mistake: the process ends with 0."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Ends the program with the message alone where this package itself raised the error, or where a part of the
    configuration cannot be made; PANNS_TRACEBACK=1 shows all.

    In a sweep the error is passed on, so that the other jobs still run.
    """
    started()
    try:
        yield
    except KeyboardInterrupt:
        if os.environ.get("PANNS_TRACEBACK"):
            raise
        if rank_zero_only.rank == 0:
            print(f"{LINE}; the same command goes on from what is saved", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Pruned as ended:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        if rank_zero_only.rank == 0:
            print(ended, flush=True)
    except Exception as error:
        if isinstance(error, MissingMandatoryValue) and not os.environ.get("PANNS_TRACEBACK"):
            sys.exit(f"train.py: {error.full_key} has no value of its own: give one, {error.full_key}=...")
        if isinstance(error, OmegaConfBaseException) and not os.environ.get("PANNS_TRACEBACK"):
            sys.exit(f"train.py: {error.full_key or 'the configuration'}: {str(error).splitlines()[0]}")
        of_config = isinstance(error, InstantiationException)
        cause = error.__cause__ if of_config and error.__cause__ else error
        if os.environ.get("PANNS_TRACEBACK") or not (of_config or raised_here(cause)):
            raise
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise cause from None
        message = f"train.py: {cause if raised_here(cause) else _cannot_be_made(error, cause)}"
        if isinstance(cause, RunBusyError):
            print(message, file=sys.stderr)
            sys.exit(BUSY)
        sys.exit(message)


def raised_here(error: BaseException) -> bool:
    """Whether the raise statement stands in this package and the error is one of those meant for users."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None or not isinstance(error, ValueError | OSError | RuntimeError):
        return False
    return PACKAGE in Path(traceback.tb_frame.f_code.co_filename).resolve().parents


def _cannot_be_made(error: BaseException, cause: BaseException) -> str:
    """What to say where a part of the configuration is not taken by the class it is meant for, which may be foreign."""
    key = str(error).rpartition("full_key: ")[2]
    given = [word for word in HydraConfig.get().overrides.task if word.lstrip("+~").startswith(key.partition(".")[0])]
    why = not_taken(cause) or " ".join(str(cause).split()).rstrip(".")
    return (
        f"{key} cannot be made: {why}. Given were {' '.join(given) or 'the defaults'}; "
        "PANNS_TRACEBACK=1 shows where it fails."
    )
