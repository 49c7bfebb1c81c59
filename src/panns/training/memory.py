"""What a run leaves behind in its process: nothing that the next one of a sweep would need the memory of."""

import gc
import traceback
from collections.abc import Callable
from functools import wraps

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig


def memory_given_back(train: Callable[[DictConfig], float]) -> Callable[[DictConfig], float]:
    """Decorates a function that trains: when it is over, network, optimizer and buffers are freed.

    They and Lightning's objects refer to one another, so that only the garbage collector finds them. Hydra keeps the
    error of a job that failed until the sweep ends, and with it all that its functions held: out of memory once would
    be out of memory ever after.
    """

    @wraps(train)
    def train_and_free(cfg: DictConfig) -> float:
        try:
            return train(cfg)
        except Exception as error:
            if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
                _forget_variables(error)
            raise
        finally:
            gc.collect()

    return train_and_free


def _forget_variables(error: BaseException | None) -> None:
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
