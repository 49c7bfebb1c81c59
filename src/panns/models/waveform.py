"""The networks that work on the waveform itself: DaiNet19, LeeNet11, LeeNet24, Res1dNet31, Res1dNet51.

Shapes: B clips, C and D channels, L samples, T frames. Behind the raw frontend C = 1.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from panns.models.layers import InputConv1d, init_weights, require_positive, require_probability, shortcut


class LeeNet(nn.Module):
    """(B, C, L) -> (B, D, T'): small-kernel convolutions, each block but the first pooled by 3 (Lee et al. 2017).

    Released classes `LeeNet11` (the defaults) and `LeeNet24`. The pooling pads, so any length works. The paper's text
    says pooling by 2; the released code and weights have 3.

    Args:
        in_channels: C, from the frontend.
        channels: Width of each block.
        convs_per_block: 1 in LeeNet11, 2 in LeeNet24.
        pool_last: Whether the last block is pooled: in LeeNet11 yes, in LeeNet24 no.
        dropout: Between blocks; none in LeeNet11, 0.1 in LeeNet24.
    """

    input_dims = min_frames = min_bins = 1

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int] = (64, 64, 64, 128, 128, 128, 128, 128, 256),
        convs_per_block: int = 1,
        pool_last: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require_positive("backbone", channels=channels, convs_per_block=convs_per_block)
        require_probability("backbone", dropout=dropout)
        widths = [in_channels, *channels]
        self.blocks = nn.ModuleList(
            WaveBlock(a, b, num_convs=convs_per_block, stride=1 if i else 3)
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self.num_pooled = max(len(channels) - (1 if pool_last else 2), 0)
        self.dropout = nn.Dropout(dropout)
        self.out_channels = channels[-1]
        self.time_stride = 3 ** (1 + self.num_pooled)
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        for index, block in enumerate(self.blocks):
            x = block(x)
            if 1 <= index <= self.num_pooled:
                x = F.max_pool1d(x, 3, padding=1)
            if index < len(self.blocks) - 1:
                x = self.dropout(x)
        return x


class WaveBlock(nn.Module):
    """(B, C, L) -> (B, D, L / stride): convolutions of kernel 3 with batch norm and ReLU; the first one strides.

    Released `LeeNetConvBlock`, `LeeNetConvBlock2`, and `ConvPreWavBlock` (second convolution dilated by 2) before its
    pooling.
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_convs: int, stride: int = 1, dilations: Sequence[int] = ()
    ) -> None:
        super().__init__()
        dilations = dilations or [1] * num_convs
        self.convs = nn.ModuleList(
            (InputConv1d if i == 0 and in_channels == 1 else nn.Conv1d)(
                out_channels if i else in_channels,
                out_channels,
                kernel_size=3,
                stride=1 if i else stride,
                padding=dilations[i],
                dilation=dilations[i],
                bias=False,
            )
            for i in range(num_convs)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(out_channels) for _ in range(num_convs))

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu_(norm(conv(x)))
        return x


class DaiBlock(nn.Module):
    """(B, C, L) -> (B, D, L): four convolutions of kernel 3 beside a shortcut. Released `DaiNetResBlock`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        widths = [in_channels] + [out_channels] * 4
        self.convs = nn.ModuleList(nn.Conv1d(a, b, 3, padding=1, bias=False) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(out_channels) for _ in range(4))
        self.shortcut = shortcut(in_channels, out_channels, stride=1, dims=1)
        self.apply(init_weights)
        last = self.norms[-1]
        assert isinstance(last, nn.BatchNorm1d)
        nn.init.zeros_(last.weight)  # the block starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            out = norm(conv(out))
            out = F.relu_(out) if index < 3 else out
        return F.relu_(out + self.shortcut(x))


class DaiNet(nn.Module):
    """(B, C, L) -> (B, D, T'): a strided filter bank, then residual blocks (Dai et al. 2017). Released `DaiNet19`.

    No ReLU follows the first batch norm, as released. The released first block also owns a shortcut convolution that
    it never uses; it is not created here.

    Args:
        in_channels: C, from the frontend.
        channels: Width of each block; pooling by 4 lies between blocks.
    """

    input_dims = min_bins = 1

    def __init__(self, in_channels: int, channels: Sequence[int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        require_positive("backbone", channels=channels)
        self.conv0 = InputConv1d(in_channels, channels[0], kernel_size=80, stride=4, bias=False)
        self.bn0 = nn.BatchNorm1d(channels[0])
        init_weights(self.conv0)
        widths = [channels[0], *channels]
        self.blocks = nn.ModuleList(DaiBlock(a, b) for a, b in pairwise(widths))
        self.out_channels = channels[-1]
        pooled = 4 ** (len(channels) - 1)
        self.time_stride = 4 * pooled
        self.min_frames = 80 + 4 * (pooled - 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn0(self.conv0(x))
        for index, block in enumerate(self.blocks):
            x = block(F.max_pool1d(x, 4) if index else x)
        return x


class Res1dBlock(nn.Module):
    """(B, C, L) -> (B, D, L / stride): two convolutions, dilated by 1 and 2, beside a shortcut.

    Released `_ResnetBasicBlockWav1d`: the body strides by max pooling, the shortcut by average pooling.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv1d(in_channels, out_channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm1d(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv1d(out_channels, out_channels, 3, padding=2, dilation=2, bias=False)
        self.bn2 = nn.BatchNorm1d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut(in_channels, out_channels, stride, dims=1)
        self.apply(init_weights)
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = x if self.stride == 1 else F.max_pool1d(x, self.stride)
        out = self.dropout(self.relu(self.bn1(self.conv1(out))))
        out = self.bn2(self.conv2(out))
        return self.relu(out + self.shortcut(x))


class Res1dNet(nn.Module):
    """(B, C, L) -> (B, D, T'): a strided filter bank, then seven residual stages. Released `Res1dNet31`, `Res1dNet51`.

    No ReLU follows the first batch norm, as released.

    Args:
        in_channels: C, from the frontend.
        layers: Residual blocks per stage; every stage but the first strides by 4.
        channels: Width of each stage; with fewer stages the last widths are not used.
        dropout: Inside every residual block.

    Raises:
        ValueError: If there is no stage, one without blocks, or one without a width.
    """

    input_dims = min_bins = 1

    def __init__(
        self,
        in_channels: int,
        layers: Sequence[int] = (2, 2, 2, 2, 2, 2, 2),
        channels: Sequence[int] = (64, 128, 256, 512, 1024, 1024, 2048),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        require_positive("backbone", channels=channels)
        require_probability("backbone", dropout=dropout)
        if not 0 < len(layers) <= len(channels) or min(layers) < 1:
            raise ValueError(
                f"backbone.layers={list(layers)}: give each stage at least one block, and at most {len(channels)} "
                "stages, for which backbone.channels has widths."
            )
        self.conv0 = InputConv1d(in_channels, channels[0], kernel_size=11, stride=5, padding=5, bias=False)
        self.bn0 = nn.BatchNorm1d(channels[0])
        init_weights(self.conv0)
        self.stages = nn.ModuleList()
        width = channels[0]
        for stage, (count, out_channels) in enumerate(zip(layers, channels, strict=False)):
            blocks = nn.Sequential()
            for index in range(count):
                blocks.append(Res1dBlock(width, out_channels, 4 if stage and not index else 1, dropout))
                width = out_channels
            self.stages.append(blocks)
        self.out_channels = width
        pooled = 4 ** (len(layers) - 1)
        self.time_stride = 5 * pooled
        self.min_frames = 5 * (pooled - 1) + 1

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn0(self.conv0(x))
        for stage in self.stages:
            x = stage(x)
        return x
