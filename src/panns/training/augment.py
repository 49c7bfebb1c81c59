"""Mixup and SpecAugment whose every random choice is a pure function of (seed, draw number of the clip).

So neither the number of devices nor an interruption changes what a clip is mixed with or which stripes it loses.

Shapes: B drawn clips, E = B / draws_per_example training examples, C channels, T frames, F mel bins, K classes.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.special import betaincinv
from torch import Tensor

from panns.data.draws import uniform


@dataclass(frozen=True)
class Mixup:
    """Mixes clips 2i and 2i + 1 with lambda ~ Beta(alpha, alpha), one lambda per pair, the same for the targets.

    Args:
        alpha: 1.0 in the paper (PAPER section VI-B, released `Mixup`).
        domain: "features" mixes what the frontend hands to the backbone (the log-mel after its batch norm and
            SpecAugment, the waveform of the
            1-D networks, the Wavegram's map); "waveform" mixes the signal (Table V, last row).
    """

    alpha: float = 1.0
    domain: Literal["features", "waveform"] = "features"

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise ValueError(
                f"augmentation.mixup.alpha={self.alpha}: Beta(alpha, alpha) needs a finite alpha > 0; for no mixup "
                "take augmentation=specaugment or none."
            )
        if self.domain not in ("features", "waveform"):
            raise ValueError(f"augmentation.mixup.domain={self.domain!r}: choose 'features' or 'waveform'.")


@dataclass(frozen=True)
class SpecAugment:
    """Sets stripes of the log-mel to zero, drawn for each clip alone (Park et al. 2019; widths as in the released
    code).

    A stripe's width is uniform in 0 .. width - 1, its place uniform among those where it fits.

    Args:
        time_stripes: Stripes along time.
        time_width: Frames; at most the whole clip.
        freq_stripes: Stripes along frequency.
        freq_fraction: Width as a share of the mel bins: 4, 8, 16 of 32, 64, 128 bins.
    """

    time_stripes: int = 2
    time_width: int = 64
    freq_stripes: int = 2
    freq_fraction: float = 0.125

    def __post_init__(self) -> None:
        for name in ("time_stripes", "time_width", "freq_stripes"):
            if getattr(self, name) < 0:
                raise ValueError(f"augmentation.spec_augment.{name}={getattr(self, name)}: 0 or more is wanted.")
        if not 0 <= self.freq_fraction <= 1:
            raise ValueError(
                f"augmentation.spec_augment.freq_fraction={self.freq_fraction}: a share of the mel bins is from 0 to 1."
            )


class Augmentation:
    """What happens to training clips on the device.

    Args:
        mixup: None for none.
        spec_augment: None for none.
        seed: Of all random choices.
    """

    def __init__(self, mixup: Mixup | None = None, spec_augment: SpecAugment | None = None, seed: int = 0) -> None:
        self.mixup, self.spec_augment, self.seed = mixup, spec_augment, seed

    @property
    def draws_per_example(self) -> int:
        """Clips read for one training example: 2 with mixup."""
        return 2 if self.mixup else 1

    def for_batch(self, draws: Tensor, device: torch.device | str = "cpu") -> "BatchAugment":
        """(B,) int64 draw numbers -> the choices for this batch."""
        return BatchAugment(self, draws.cpu().numpy(), torch.device(device))


class BatchAugment:
    """The random choices for one batch; `AudioTagger` and its frontend call the methods where they belong."""

    def __init__(self, plan: Augmentation, draws: np.ndarray, device: torch.device) -> None:
        self.plan, self.draws, self.device = plan, draws, device
        self._lambda = self._draw_lambda()

    def waveform(self, x: Tensor) -> Tensor:
        """(B, L) -> (E, L), mixed if mixup is on the waveform, else unchanged."""
        return self._mix(x) if self._mixes("waveform") else x

    def mask(self, x: Tensor) -> Tensor:
        """(B, C, T, F) -> the same with SpecAugment's stripes set to zero."""
        spec = self.plan.spec_augment
        if spec is None:
            return x
        draws = self.draws[::2] if self._mixes("waveform") else self.draws  # by now one row per example
        frames, bins = x.shape[-2], x.shape[-1]
        in_time = self._stripes(draws, "time", spec.time_stripes, spec.time_width, frames)
        in_freq = self._stripes(draws, "frequency", spec.freq_stripes, round(spec.freq_fraction * bins), bins)
        keep = ~(in_time[:, None, :, None] | in_freq[:, None, None, :])
        return x * keep.to(x.dtype)

    def mix(self, x: Tensor) -> Tensor:
        """(B, ...) features -> (E, ...), mixed if mixup is on the features, else unchanged."""
        return self._mix(x) if self._mixes("features") else x

    def targets(self, y: Tensor) -> Tensor:
        """(B, K) -> (E, K)."""
        return y if self._lambda is None else self._mix(y)

    def _mixes(self, domain: str) -> bool:
        return self.plan.mixup is not None and self.plan.mixup.domain == domain

    def _mix(self, x: Tensor) -> Tensor:
        assert self._lambda is not None
        weight = self._lambda.to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))
        return x[0::2] * weight + x[1::2] * (1 - weight)

    def _draw_lambda(self) -> Tensor | None:
        mixup = self.plan.mixup
        if mixup is None:
            return None
        if len(self.draws) % 2:
            raise ValueError(
                f"Mixup pairs clips, but the batch has {len(self.draws)}: read draws_per_example=2 clips per example."
            )
        u = uniform(self.plan.seed, "mixup", self.draws[::2])[:, 0]
        return self._send(betaincinv(mixup.alpha, mixup.alpha, u).astype(np.float32))

    def _stripes(self, draws: np.ndarray, axis: str, count: int, width: int, length: int) -> Tensor:
        """-> (len(draws), length) bool, True inside a stripe."""
        u = uniform(self.plan.seed, f"specaugment-{axis}", draws, size=2 * count).reshape(len(draws), count, 2)
        widths = np.floor(u[..., 0] * min(width, length)).astype(np.int64)
        starts = np.floor(u[..., 1] * (length - widths)).astype(np.int64)
        start, end = self._send(np.stack([starts, starts + widths]))[..., None]
        at = torch.arange(length, device=self.device)
        return ((at >= start) & (at < end)).any(dim=1)

    def _send(self, choices: np.ndarray) -> Tensor:
        """To the device, from pinned memory if that is a GPU: from other memory the copy waits for all work before."""
        x = torch.from_numpy(choices)
        return x.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else x.to(self.device)
