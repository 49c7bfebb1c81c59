"""Learning-rate schedules, stepped after every optimizer step."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


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


def set_learning_rate(schedule: LRScheduler) -> None:
    """Sets the learning rate that a schedule has for the coming step.

    What a checkpoint restores is that of the schedule it was written with, which may have been shorter or longer.
    Only schedules that are a function of the step know it, as those of this module do; others stay as they are.
    """
    if isinstance(schedule, LambdaLR):
        groups, step = schedule.optimizer.param_groups, schedule.last_epoch
        for group, base_lr, factor in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
            group["lr"] = base_lr * factor(step)
