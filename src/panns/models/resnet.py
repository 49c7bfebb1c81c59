"""The 2-D ResNets of Table II: ResNet22, ResNet38, ResNet54.

Shapes: B clips, C and D channels, T frames, F frequency bins.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from panns.models.layers import ConvBlock, init_weights, require_positive, require_probability, shortcut

MAX_STAGES = 6  # each has twice the channels of the one before


class BasicBlock(nn.Module):
    """(B, C, T, F) -> (B, D, T / stride, F / stride): two 3 x 3 convolutions beside a shortcut.

    Released `_ResnetBasicBlock`: it strides by average pooling in front of the first convolution.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut(in_channels, width, stride, dims=2)
        self.apply(init_weights)
        nn.init.zeros_(self.bn2.weight)  # the block starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        out = x if self.stride == 1 else F.avg_pool2d(x, self.stride)
        out = self.dropout(self.relu(self.bn1(self.conv1(out))))
        out = self.bn2(self.conv2(out))
        return self.relu(out + self.shortcut(x))


class Bottleneck(nn.Module):
    """(B, C, T, F) -> (B, 4 * width, T / stride, F / stride): 1 x 1, 3 x 3, 1 x 1 beside a shortcut.

    Released `_ResnetBottleneck`; it strides as the basic block does.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.stride = stride
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut(in_channels, out_channels, stride, dims=2)
        self.apply(init_weights)
        nn.init.zeros_(self.bn3.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = x if self.stride == 1 else F.avg_pool2d(x, self.stride)
        out = self.relu(self.bn1(self.conv1(out)))
        out = self.dropout(self.relu(self.bn2(self.conv2(out))))
        out = self.bn3(self.conv3(out))
        return self.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    """(B, C, T, F) -> (B, D, T'): a stem block, four residual stages, a last block, then the mean over frequency.

    Table II; released classes `ResNet22` (the defaults), `ResNet38` (layers 3, 4, 6, 3) and `ResNet54` (the same
    layers with bottlenecks). The stem has base_channels as in the released code, not the 512 that Table II prints.

    Args:
        in_channels: C, from the frontend.
        layers: Residual blocks per stage.
        bottleneck: Bottleneck blocks in place of basic ones.
        base_channels: Width of the stem and of stage 1; each stage doubles it, and the last block has 32 times as many.
        dropout: After the stem, in front of the last block and after it.
        block_dropout: Inside every residual block.

    Raises:
        ValueError: If there is no stage, one without blocks, more than MAX_STAGES, or no width.
    """

    input_dims = 2

    def __init__(
        self,
        in_channels: int,
        layers: Sequence[int] = (2, 2, 2, 2),
        bottleneck: bool = False,
        base_channels: int = 64,
        dropout: float = 0.2,
        block_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        require_positive("backbone", base_channels=base_channels)
        require_probability("backbone", dropout=dropout, block_dropout=block_dropout)
        if not 0 < len(layers) <= MAX_STAGES or min(layers) < 1:
            raise ValueError(
                f"backbone.layers={list(layers)}: give each stage at least one block, such as [2, 2, 2, 2], and at "
                f"most {MAX_STAGES} stages; each doubles the width."
            )
        block = Bottleneck if bottleneck else BasicBlock
        self.out_channels = 32 * base_channels
        self.stem = ConvBlock(in_channels, base_channels)
        self.stages = nn.ModuleList()
        channels = base_channels
        for stage, count in enumerate(layers):
            width = base_channels * 2**stage
            blocks = nn.Sequential()
            for index in range(count):
                blocks.append(block(channels, width, 2 if stage and not index else 1, block_dropout))
                channels = width * block.expansion
            self.stages.append(blocks)
        self.last = ConvBlock(channels, self.out_channels, pool=(1, 1))
        self.dropout = nn.Dropout(dropout)
        self.time_stride = 2 ** (
            len(layers) + 1
        )  # the stem, all stages but the first, the pooling before the last block
        self.min_frames = self.min_bins = self.time_stride
        self.stem.apply(init_weights)
        self.last.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.stem(x))
        for stage in self.stages:
            x = stage(x)
        x = self.dropout(F.avg_pool2d(x, 2))
        return self.dropout(self.last(x)).mean(dim=3)  # (B, D, T')
