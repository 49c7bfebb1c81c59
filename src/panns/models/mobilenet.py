"""The MobileNets of Table III.

Strides are average poolings behind stride-1 convolutions (in front of the batch norm), as in the released code.

Shapes: B clips, C and D channels, T frames, F frequency bins.
"""

from torch import Tensor, nn

from panns.models.layers import InputConv2d, init_weights, require_positive

# (out_channels, stride) of the 13 depthwise-separable blocks of MobileNetV1
V1_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
# (expansion, out_channels, blocks, stride of the first block) of the seven stages of MobileNetV2
V2_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 2), (6, 160, 3, 1), (6, 320, 1, 1))
STEM_CHANNELS = 32
V2_LAST_CHANNELS = 1280


class MobileNetV1(nn.Module):
    """(B, C, T, F) -> (B, D, T'): depthwise-separable blocks, then the mean over frequency. Released `MobileNetV1`.

    Args:
        in_channels: C, from the frontend.
        width: Multiplies every number of channels, rounded to multiples of 8.
    """

    input_dims = 2
    time_stride = min_frames = min_bins = 32

    def __init__(self, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        require_positive("backbone", width=width)
        channels = _scaled(STEM_CHANNELS, width)
        self.features = nn.Sequential(_spatial(in_channels, channels, stride=2, activation=nn.ReLU))
        for out_channels, stride in V1_BLOCKS:
            out_channels = _scaled(out_channels, width)
            depthwise = _spatial(channels, channels, stride, nn.ReLU, groups=channels)
            self.features.append(depthwise.extend(_pointwise(channels, out_channels, nn.ReLU)))
            channels = out_channels
        self.out_channels = channels
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).mean(dim=3)  # (B, D, T')


class InvertedResidual(nn.Module):
    """(B, C, T, F) -> (B, D, T / stride, F / stride): expand, filter, project; added to the input if shapes agree."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.conv = _pointwise(in_channels, hidden, nn.ReLU6) if expansion > 1 else nn.Sequential()
        self.conv.extend(_spatial(hidden, hidden, stride, nn.ReLU6, groups=hidden))
        self.conv.extend([nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)])
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """(B, C, T, F) -> (B, D, T'): inverted residual blocks, then the mean over frequency. Released `MobileNetV2`.

    The last 1 x 1 convolution to 1280 channels is in the released code, not in Table III.

    Args:
        in_channels: C, from the frontend.
        width: Multiplies every number of channels, rounded to multiples of 8; the last convolution never gets
            narrower than 1280.
    """

    input_dims = 2
    time_stride = min_frames = min_bins = 32

    def __init__(self, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        require_positive("backbone", width=width)
        channels = _scaled(STEM_CHANNELS, width)
        self.features = nn.Sequential(_spatial(in_channels, channels, stride=2, activation=nn.ReLU6))
        for expansion, stage_channels, count, first_stride in V2_STAGES:
            for index in range(count):
                out_channels, stride = _scaled(stage_channels, width), 1 if index else first_stride
                self.features.append(InvertedResidual(channels, out_channels, stride, expansion))
                channels = out_channels
        self.out_channels = _scaled(V2_LAST_CHANNELS, max(width, 1.0))
        self.features.append(_pointwise(channels, self.out_channels, nn.ReLU6))
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).mean(dim=3)  # (B, D, T')


def _spatial(
    in_channels: int, out_channels: int, stride: int, activation: type[nn.Module], groups: int = 1
) -> nn.Sequential:
    """3 x 3 convolution, average pooling as stride, batch norm, activation."""
    return nn.Sequential(
        (InputConv2d if in_channels == 1 else nn.Conv2d)(
            in_channels, out_channels, 3, padding=1, groups=groups, bias=False
        ),
        nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
        nn.BatchNorm2d(out_channels),
        activation(),
    )


def _pointwise(in_channels: int, out_channels: int, activation: type[nn.Module]) -> nn.Sequential:
    """1 x 1 convolution, batch norm, activation."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), activation()
    )


def _scaled(channels: int, width: float) -> int:
    """channels * width to the nearest multiple of 8, at least 8."""
    return max(8, 8 * round(channels * width / 8))
