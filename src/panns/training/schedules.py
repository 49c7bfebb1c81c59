"""Learning-rate schedules, stepped after every optimizer step."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def constant(optimizer: Optimizer, total_steps: int) -> LambdaLR:
    """The optimizer's learning rate from the first step to the last: the paper's."""
    return LambdaLR(optimizer, lambda step: 1.0)


def warmup_cosine(
    optimizer: Optimizer, total_steps: int, warmup_fraction: float = 0.05, final_fraction: float = 0.0
) -> LambdaLR:
    """Rises linearly over the first `warmup_fraction` of all steps, then falls along half a cosine.

    Args:
        optimizer: Its learning rate is the highest of the schedule.
        total_steps: Optimizer steps of the whole run.
        warmup_fraction: Of `total_steps`, in [0, 1).
        final_fraction: The last learning rate, as a fraction of the highest.

    Raises:
        ValueError: a fraction is out of its range.
    """
    if not 0 <= warmup_fraction < 1 or not 0 <= final_fraction <= 1:
        raise ValueError(
            f"scheduler.warmup_fraction={warmup_fraction} must be in [0, 1), final_fraction={final_fraction} in [0, 1]."
        )
    warmup_steps = round(warmup_fraction * total_steps)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        done = min((step - warmup_steps) / max(total_steps - warmup_steps, 1), 1.0)
        return final_fraction + (1 - final_fraction) * (1 + math.cos(math.pi * done)) / 2

    return LambdaLR(optimizer, factor)
