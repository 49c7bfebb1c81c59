"""Clips of one sample rate to a model of another, on the device."""

import torchaudio
from torch import Tensor, nn

KAISER_BEST = {  # torchaudio's documented equivalent of librosa's "kaiser_best"
    "resampling_method": "sinc_interp_kaiser",
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "beta": 14.769656459379492,
}
METHODS = ("sinc", "decimate")


def resampler(source: int, target: int, method: str) -> nn.Module:
    """A module (B, L) -> (B, L') from `source` to `target` Hz.

    Raises:
        ValueError: the clips' rate is below the model's (nothing is upsampled in silence), or no multiple of it for
            "decimate".
    """
    if method not in METHODS:
        raise ValueError(f"task.resample={method!r}: choose {' or '.join(map(repr, METHODS))}.")
    if source == target:
        return nn.Identity()
    if source < target:
        raise ValueError(
            f"The clips have {source} Hz and the model takes {target} Hz: their upper band would be empty. "
            f"Train with model.sample_rate={source}, or pack the original recordings with --sample-rate {target}."
        )
    if method == "sinc":
        return torchaudio.transforms.Resample(source, target, **KAISER_BEST)
    if source % target:
        raise ValueError(f"task.resample={method!r} from {source} to {target} Hz, no multiple: choose 'sinc'.")
    return Decimate(source // target)


class Decimate(nn.Module):
    """Keeps every n-th sample without a low-pass filter, as the released 16 and 8 kHz systems were trained."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, L) -> (B, ceil(L / factor))."""
        return x[..., :: self.factor]
