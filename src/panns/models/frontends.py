"""Frontends that need no training but a batch norm: the log-mel spectrogram and the raw waveform.

A frontend turns waveforms (B, L) into features, (B, C, T, F) or raw (B, 1, L), and says what it makes:
`out_channels` (C), `num_bins` (F; 1 if raw), `hop_length` (samples per frame) and `min_samples(min_frames)`.

Shapes: B clips, L samples, C channels, T frames, F mel bins, N = n_fft / 2 + 1 frequency bins.
"""

import warnings
from typing import Protocol

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from panns.models.layers import no_autocast, require_positive

AMIN = 1e-10  # power below which the logarithm is cut, -100 dB


class Augment(Protocol):
    """The random choices for one training batch; the identity where nothing is configured."""

    def waveform(self, x: Tensor) -> Tensor:
        """Mixup of waveforms, (2B, L) -> (B, L)."""

    def mask(self, x: Tensor) -> Tensor:
        """SpecAugment, (B, C, T, F) -> (B, C, T, F)."""

    def mix(self, x: Tensor) -> Tensor:
        """Mixup of features: pairs rows 2i and 2i + 1, (2B, ...) -> (B, ...)."""


class LogMel(nn.Module):
    """(B, L) -> (B, 1, T, F): log-mel spectrogram in dB, batch-normalised per mel bin;
    T = L // hop_length + 1, and (L - 1) // hop_length + 1 where n_fft is odd.

    Equal to the released `Spectrogram`, `LogmelFilterBank` and `bn0` (paper section VI-A, which prints "Hamming"
    where the code has a Hann window). Always computed in float32, also under autocast: a power spectrogram overflows
    float16.

    Args:
        sample_rate: Hz.
        n_fft: Window and FFT length in samples; None for 32 ms.
        hop_length: Samples per frame; None for 10 ms.
        n_mels: F.
        f_min: Lower edge of the mel filters in Hz.
        f_max: Upper edge in Hz; None for 14 kHz, or half the sample rate where that is lower.

    Raises:
        ValueError: If f_min is negative, f_max above half the sample rate or not above f_min, n_mels above the number
            of frequency bins, or a size is not above 0.
    """

    output_dims = 2
    out_channels = 1

    def __init__(
        self,
        sample_rate: int,
        n_fft: int | None = None,
        hop_length: int | None = None,
        n_mels: int = 64,
        f_min: float = 50.0,
        f_max: float | None = None,
    ) -> None:
        super().__init__()
        require_positive("frontend", n_fft=n_fft, hop_length=hop_length, n_mels=n_mels)
        self.n_fft = n_fft or round(0.032 * sample_rate)
        self.hop_length = hop_length or round(0.01 * sample_rate)
        if self.hop_length > self.n_fft:
            warnings.warn(
                f"frontend.hop_length={self.hop_length}: windows of n_fft={self.n_fft} samples leave out what lies "
                "between them; lower hop_length or raise n_fft.",
                stacklevel=2,
            )
        self.num_bins = n_mels
        f_max = min(14000.0, sample_rate / 2) if f_max is None else f_max
        if not 0 <= f_min < f_max <= sample_rate / 2:
            raise ValueError(
                f"frontend.f_min={f_min}, f_max={f_max}: need 0 <= f_min < f_max <= {sample_rate / 2}, half the rate."
            )
        if n_mels > self.n_fft // 2 + 1:
            raise ValueError(
                f"frontend.n_mels={n_mels}: an FFT of n_fft={self.n_fft} samples has {self.n_fft // 2 + 1} frequency "
                "bins, and a mel bin takes one at least; raise n_fft or lower n_mels."
            )
        with torch.device("cpu"):  # torchaudio cannot work them out on the meta device
            filters = melscale_fbanks(
                self.n_fft // 2 + 1, f_min, f_max, n_mels, sample_rate, norm="slaney", mel_scale="slaney"
            )
        self.window: Tensor
        self.mel_filters: Tensor
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)
        filters = filters.T.contiguous().to(torch.get_default_device())
        self.register_buffer("mel_filters", filters, persistent=False)  # (F, N)
        self.bn0 = nn.BatchNorm1d(n_mels)

    def min_samples(self, min_frames: int) -> int:
        """Fewest samples that give min_frames frames; the reflection at the edges needs more than half a window."""
        return max(self.n_fft // 2 + 1, (min_frames - 1) * self.hop_length + self.n_fft % 2)

    def forward(self, waveform: Tensor, augment: Augment | None = None) -> Tensor:
        x = self.normalised(waveform)
        return x if augment is None else augment.mix(augment.mask(x))

    def normalised(self, waveform: Tensor) -> Tensor:
        """(B, L) -> (B, 1, T, F): the log-mel after the batch norm, before augmentation."""
        with no_autocast(waveform.device.type):
            return self.bn0(self.log_mel(waveform)).transpose(1, 2)[:, None]

    def log_mel(self, waveform: Tensor) -> Tensor:
        """(B, L) -> (B, F, T): dB, before the batch norm."""
        with no_autocast(waveform.device.type):
            waveform = waveform.float()
            if waveform.device.type == "cpu" and not torch.compiler.is_exporting():
                # clip by clip: a whole batch falls out of the cache, 4 times slower
                return torch.cat([self._log_mel(clip) for clip in waveform.split(1)])
            return self._log_mel(waveform)

    def _log_mel(self, waveform: Tensor) -> Tensor:
        spectrum = torch.stft(
            waveform, self.n_fft, self.hop_length, window=self.window, pad_mode="reflect", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()  # (B, N, T)
        return 10.0 * (self.mel_filters @ power).clamp(min=AMIN).log10()


class Raw(nn.Module):
    """(B, L) -> (B, 1, L): the waveform as it is, for the 1-D networks."""

    output_dims = out_channels = num_bins = hop_length = 1

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate

    def min_samples(self, min_frames: int) -> int:
        """A frame is a sample."""
        return min_frames

    def forward(self, waveform: Tensor, augment: Augment | None = None) -> Tensor:
        return (waveform if augment is None else augment.mix(waveform))[:, None]
