"""Frontends learned from the waveform: the Wavegram, alone and beside the log-mel (paper section III, Fig. 1).

Shapes: B clips, L samples, C channels, T frames, F frequency bins, G channel groups of the Wavegram.
"""

from collections.abc import Sequence
from itertools import combinations_with_replacement, pairwise
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panns.models.frontends import Augment, LogMel
from panns.models.layers import ConvBlock, InputConv1d, init_weights, require_positive, require_probability
from panns.models.waveform import WaveBlock

KERNEL = 11  # of the first convolution; a stride beyond it would skip samples


class Wavegram(nn.Module):
    """(B, L) -> (B, C, T, F): a time-frequency map learned by 1-D convolutions, at 50 frames per second.

    The last 1-D block's channels are folded into G groups of F bins, which a 2-D block (pooled over time only) turns
    into C channels. Released class `Wavegram_Cnn14`; its unused bn0 and conv_block1 are not created.

    Args:
        sample_rate: Hz.
        hop_length: Samples per frame in front of the 2-D block, which halves the frames; None for 10 ms, or for the
            product of the strides where these are given.
        strides: Of the first convolution and of the max pooling after each of the three 1-D blocks; None for factors of
            hop_length, as even as possible: 5, 4, 4, 4 at 32 kHz, the released ones.
        num_bins: F.
        groups: G; the last 1-D block has G * F channels.
        out_channels: C.

    Raises:
        ValueError: If hop_length and strides contradict each other, or hop_length has no such factors.
    """

    output_dims = 2

    def __init__(
        self,
        sample_rate: int,
        hop_length: int | None = None,
        strides: Sequence[int] | None = None,
        num_bins: int = 32,
        groups: int = 4,
        out_channels: int = 64,
    ) -> None:
        super().__init__()
        require_positive("frontend", num_bins=num_bins, groups=groups, out_channels=out_channels)
        self.sample_rate = sample_rate
        self.num_bins = num_bins
        self.out_channels = out_channels
        self.groups = groups
        self.stride, *self.pools = hop_strides(sample_rate, hop_length, strides)
        self.hop_length = 2 * self.stride * prod(self.pools)  # of the map
        self.conv0 = InputConv1d(1, 64, KERNEL, self.stride, padding=KERNEL // 2, bias=False)
        self.bn0 = nn.BatchNorm1d(64)
        widths = [64, 64, 128, groups * num_bins]
        self.blocks = nn.ModuleList(WaveBlock(a, b, num_convs=2, dilations=(1, 2)) for a, b in pairwise(widths))
        self.block2d = ConvBlock(groups, out_channels, pool=(2, 1))
        self.apply(init_weights)

    def min_samples(self, min_frames: int) -> int:
        """Fewest samples that give min_frames frames."""
        return self.hop_length * min_frames - self.stride + 1

    def forward(self, waveform: Tensor, augment: Augment | None = None) -> Tensor:
        x = F.relu_(self.bn0(self.conv0(waveform[:, None])))
        for block, pool in zip(self.blocks, self.pools, strict=True):
            x = F.max_pool1d(block(x), pool)
        x = x.unflatten(1, (self.groups, self.num_bins)).transpose(2, 3)  # (B, G * F, 2T) -> (B, G, 2T, F)
        x = self.block2d(x)
        return x if augment is None else augment.mix(x)


class WavegramLogMel(nn.Module):
    """(B, L) -> (B, 2C, T, F): block 1 of a CNN on the log-mel, beside it as more channels a Wavegram.

    Released classes `Wavegram_Logmel_Cnn14` and, with 128 mel bins, `Wavegram_Logmel128_Cnn14`. At some lengths one
    branch comes out a frame longer than the other; its surplus at the end is cut off. (The released code fails on
    such lengths; 10 s is not one of them.)

    Args:
        sample_rate: Hz.
        n_fft: See `LogMel`.
        hop_length: Of the log-mel and of the Wavegram in front of its 2-D block; see `Wavegram`.
        strides: See `Wavegram`.
        n_mels: See `LogMel`; even.
        f_min: See `LogMel`.
        f_max: See `LogMel`.
        channels: C, of each branch.
        groups: See `Wavegram`.
        dropout: On the joined map; behind block 1 of Cnn14 in the released code.

    Raises:
        ValueError: If n_mels is odd, or as `LogMel` and `Wavegram`.
    """

    output_dims = 2

    def __init__(
        self,
        sample_rate: int,
        n_fft: int | None = None,
        hop_length: int | None = None,
        strides: Sequence[int] | None = None,
        n_mels: int = 64,
        f_min: float = 50.0,
        f_max: float | None = None,
        channels: int = 64,
        groups: int = 4,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        require_positive("frontend", n_mels=n_mels, groups=groups, channels=channels)
        require_probability("frontend", dropout=dropout)
        if n_mels % 2:
            raise ValueError(
                f"frontend.n_mels={n_mels} must be even: block 1 halves it, and the Wavegram has as many bins."
            )
        strides = hop_strides(sample_rate, hop_length, strides)
        self.logmel = LogMel(sample_rate, n_fft, prod(strides), n_mels, f_min, f_max)
        self.block1 = ConvBlock(1, channels)
        self.wavegram = Wavegram(sample_rate, prod(strides), strides, n_mels // 2, groups, channels)
        self.dropout = nn.Dropout(dropout)
        self.out_channels = 2 * channels
        self.num_bins = n_mels // 2
        self.hop_length = self.wavegram.hop_length
        self.block1.apply(init_weights)

    def min_samples(self, min_frames: int) -> int:
        """Fewest samples that give min_frames frames in both branches."""
        return max(self.logmel.min_samples(2 * min_frames), self.wavegram.min_samples(min_frames))

    def forward(self, waveform: Tensor, augment: Augment | None = None) -> Tensor:
        wavegram = self.wavegram(waveform, augment)
        logmel = self.block1(self.logmel(waveform, augment))
        frames = torch.sym_min(wavegram.shape[2], logmel.shape[2])
        return self.dropout(torch.cat([logmel[:, :, :frames], wavegram[:, :, :frames]], dim=1))  # released order


def hop_strides(sample_rate: int, hop_length: int | None, strides: Sequence[int] | None) -> tuple[int, ...]:
    """-> the Wavegram's four strides, whose product is its hop length; see `Wavegram`."""
    require_positive("frontend", hop_length=hop_length)
    if strides is None:
        return even_factors(hop_length or round(0.01 * sample_rate))
    if (
        len(strides) != 4
        or not all(type(stride) is int for stride in strides)
        or min(strides) < 1
        or strides[0] > KERNEL
    ):
        raise ValueError(
            f"frontend.strides={list(strides)}: give four whole numbers above 0, for the first convolution "
            f"(at most {KERNEL}) and the three poolings."
        )
    if hop_length not in (None, prod(strides)):
        raise ValueError(
            f"frontend.strides={list(strides)} make {prod(strides)} samples per frame, "
            f"frontend.hop_length={hop_length}: set one of the two, the other follows."
        )
    return tuple(strides)


def even_factors(number: int) -> tuple[int, ...]:
    """-> four factors of the number, at most `KERNEL`, with the smallest sum; the largest first.

    Raises:
        ValueError: If there are none; names the nearest numbers that have some.
    """
    splits = list(combinations_with_replacement(range(KERNEL, 0, -1), 4))  # each in falling order
    choices = [split for split in splits if prod(split) == number]
    if not choices:
        near = sorted(sorted({prod(split) for split in splits}, key=lambda n: abs(n - number))[:2])
        raise ValueError(
            f"frontend.hop_length={number} is no product of a stride and three poolings of at most {KERNEL} each; "
            f"{near[0]} and {near[1]} are. Set one of them, or frontend.strides."
        )
    return min(choices, key=sum)
