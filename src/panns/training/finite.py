"""Stops training at the first loss or gradient that is NaN or infinite, before it changes a weight."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


class NonFiniteLossError(RuntimeError):
    """The loss or the gradient became NaN or infinite; raised while the weights are still those of the step before."""


class Verdict(NamedTuple):
    """What is known of one optimizer step, on the host as soon as `event` has passed."""

    finite: Tensor
    event: "torch.cuda.Event | None"
    step: int
    rows: Tensor


class FiniteGuard:
    """Looks at every loss and gradient, and waits for a GPU only where there is no other way.

    A fused optimizer is told on the device to leave everything as it is, and the host learns of it a step later, when
    the next step's work is already queued. Any other optimizer is kept from its step by the host, which waits for the
    backward pass.
    """

    def __init__(self) -> None:
        self._finite: Tensor | None = None  # of all losses since the last optimizer step
        self._rows: list[Tensor] = []  # of the clips behind them
        self._pending: Verdict | None = None

    def add(self, loss: Tensor, rows: Tensor) -> None:
        """Notes a batch's loss, and its clips' rows in the store (B,) on the host."""
        finite = torch.isfinite(loss.detach())
        self._finite = finite if self._finite is None else self._finite & finite
        self._rows.append(rows)

    def before_step(self, optimizer: torch.optim.Optimizer, norm: Tensor | None, step: int) -> Verdict | None:
        """-> the first step known to have gone wrong, if there is one.

        Args:
            optimizer: About to change the weights.
            norm: Of the gradients; None if something else looks at them, as the scaler of float16 does.
            step: Number of this step.
        """
        assert self._finite is not None
        finite = self._finite if norm is None else self._finite & torch.isfinite(norm)
        verdict = Verdict(finite.to("cpu", non_blocking=True), _event(finite), step, torch.cat(self._rows))
        self._finite, self._rows = None, []
        earlier = self.settle()
        if norm is None or not _skips_on_device(optimizer):
            return earlier or _failed(verdict)
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self._pending = verdict
        return earlier

    def settle(self) -> Verdict | None:
        """-> the last step, if it went wrong; waits for it."""
        pending, self._pending = self._pending, None
        return None if pending is None else _failed(pending)


def fuse(optimizer: torch.optim.Optimizer, device_type: str) -> None:
    """On a GPU, lets the optimizer do its step in one kernel, where torch has one and nothing else was chosen."""
    for group in optimizer.param_groups:
        if device_type == "cuda" and "fused" in group and group["fused"] is None and group["foreach"] is None:
            group["fused"] = True


def _skips_on_device(optimizer: torch.optim.Optimizer) -> bool:
    """Whether it looks at `found_inf`, as torch's gradient scaler uses it."""
    groups = optimizer.param_groups
    return all(group.get("fused") for group in groups) and not isinstance(groups[0]["params"][0], DTensor)


def _event(of: Tensor) -> "torch.cuda.Event | None":
    return torch.cuda.current_stream(of.device).record_event() if of.is_cuda else None


def _failed(verdict: Verdict) -> Verdict | None:
    if verdict.event is not None:
        verdict.event.synchronize()
    return None if bool(verdict.finite) else verdict
