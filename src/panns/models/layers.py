"""Layers shared by several parts.

Shapes: B clips, C and D channels, T frames, F frequency bins.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHAPES_ALONE = "meta"  # the one device without autocast; asking torch 2.11 whether it is cannot be compiled


def init_weights(module: nn.Module) -> None:
    """Initialises as the released code does: Xavier-uniform weights, zero biases. Use with `nn.Module.apply`.

    Batch norms keep torch's 1 and 0, which are the released values too. 2-D filters are laid out channels last, and so
    are all maps behind them: measured on a CPU, MobileNets take half to two thirds of the time, Cnn6 and Cnn10 0.8 to
    0.9, Cnn14 and ResNets the same.
    """
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, nn.Conv2d):
        module.to(memory_format=torch.channels_last)


def require_probability(part: str, **values: float) -> None:
    """Refuses dropouts that are no probabilities, NaN too.

    Args:
        part: Group of `conf/model` that the keys belong to.
        values: By key.

    Raises:
        ValueError: One is not from 0 to 1.
    """
    for key, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{part}.{key}={value}: a probability is from 0 to 1.")


def require_positive(part: str, **values: float | Sequence[float] | None) -> None:
    """Refuses sizes that are not above 0.

    Args:
        part: Group of `conf/model` that the keys belong to.
        values: By key; None is a size that is worked out later.

    Raises:
        ValueError: One is not above 0, or not finite, or a list of them is empty.
    """
    for key, value in values.items():
        numbers = value if isinstance(value, Sequence) else [1 if value is None else value]
        if not numbers or not all(0 < number < math.inf for number in numbers):
            raise ValueError(f"{part}.{key}={value}: give {'numbers' if numbers is value else 'a number'} above 0.")


def no_autocast(device_type: str) -> AbstractContextManager[object]:
    """Inside, everything is computed in the precision of its inputs."""
    if device_type == SHAPES_ALONE:
        return nullcontext()
    return torch.autocast(device_type, enabled=False)


class _Float32(nn.Module):
    """Before a convolution in the bases of a class: computed in float32 also under autocast.

    For the convolution that reads the spectrogram or the waveform itself. Rounding its few weights to bfloat16 moves
    the probabilities more than all other roundings of the network together, as inputs that differ little from a large
    constant (silence: -100 dB) leave nothing to average over; it is a 500th of Cnn14's multiplications.
    """

    def forward(self, x: Tensor) -> Tensor:
        kind = x.device.type
        half = kind != SHAPES_ALONE and torch.is_autocast_enabled(kind)
        with no_autocast(kind):
            y: Tensor = super().forward(x.float())
        return y.to(torch.get_autocast_dtype(kind)) if half else y


class InputConv1d(_Float32, nn.Conv1d):
    """(B, 1, L) -> (B, D, T)."""


class InputConv2d(_Float32, nn.Conv2d):
    """(B, 1, T, F) -> (B, D, T, F)."""


class ConvBlock(nn.Module):
    """(B, C, T, F) -> (B, D, T / pool[0], F / pool[1]): convolutions with batch norm and ReLU, then average pooling.

    Released classes: `ConvBlock` (two 3 x 3 convolutions), `ConvBlock5x5` (one 5 x 5).

    Args:
        in_channels: C.
        out_channels: D.
        num_convs: Convolutions in the block.
        kernel_size: Odd; the padding keeps the size.
        pool: Average pooling over (time, frequency); (1, 1) for none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_convs: int = 2,
        kernel_size: int = 3,
        pool: tuple[int, int] = (2, 2),
    ) -> None:
        super().__init__()
        widths = [in_channels] + [out_channels] * num_convs
        self.convs = nn.ModuleList(
            (InputConv2d if a == 1 else nn.Conv2d)(a, b, kernel_size, padding=kernel_size // 2, bias=False)
            for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(out_channels) for _ in range(num_convs))
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu_(norm(conv(x)))
        return x if self.pool == (1, 1) else F.avg_pool2d(x, self.pool)


def shortcut(in_channels: int, out_channels: int, stride: int, dims: int) -> nn.Sequential:
    """The way around a residual block over `dims` (1 or 2) dimensions.

    Average pooling where the block strides, a 1 x 1 convolution where it changes the shape, else the identity.
    """
    conv, norm, pool = {1: (nn.Conv1d, nn.BatchNorm1d, nn.AvgPool1d), 2: (nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d)}[
        dims
    ]
    layers: list[nn.Module] = [pool(stride)] if stride > 1 else []
    if stride > 1 or in_channels != out_channels:
        layers += [conv(in_channels, out_channels, 1, bias=False), norm(out_channels)]
    return nn.Sequential(*layers)
