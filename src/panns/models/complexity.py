"""The size of a model: parameters, multiply-accumulates, and the paper's count of multi-adds."""

import copy
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from panns.models.frontends import LogMel
from panns.models.tagger import AudioTagger

# Parameters of released classes that the released code never uses. The paper counts them; here they are not created.
DEAD_PARAMETERS = {
    "Wavegram_Cnn14": {"bn0": 128, "conv_block1": 37_696},
    "DaiNet19": {"conv_block1.downsample": 4_096, "conv_block1.bn_downsample": 128},
    "Cnn14_DecisionLevelAtt": {"att_block.bn_att": 1_054},
}


@dataclass(frozen=True)
class Size:
    """How large a model is; `macs` and `multi_adds` are for one clip."""

    parameters: int
    macs: int
    multi_adds: int


def model_size(model: AudioTagger, seconds: float = 10.0) -> Size:
    """All three counts, for a clip of this length.

    Raises:
        ValueError: If the clip is shorter than the model's min_samples.
    """
    return Size(num_parameters(model), multiply_accumulates(model, seconds), paper_multi_adds(model, seconds))


def num_parameters(model: nn.Module) -> int:
    """Learned numbers, the ones in use, frozen or not; the paper's counts hold `DEAD_PARAMETERS` too."""
    return sum(parameter.numel() for parameter in model.parameters())


def multiply_accumulates(model: AudioTagger, seconds: float = 10.0) -> int:
    """Multiply-accumulates of convolutions and matrix products for one clip; the FFT of the log-mel is not among them.

    Worked out from shapes: even the largest model takes a moment.

    Raises:
        ValueError: If the clip is shorter than the model's min_samples.
    """
    with FlopCounterMode(display=False) as counter:
        _pass_shapes(_without_values(model), seconds)
    return counter.get_total_flops() // 2


def paper_multi_adds(model: AudioTagger, seconds: float = 10.0) -> int:
    """Operations for one clip as the paper counts them (Table XII; released `count_flops`), about twice the MACs.

    Multiplications and additions count one each, in convolutions (among them the two by which the released code takes
    the short-time Fourier transform), linear layers, batch norms, nn.ReLU and nn pooling modules. Functions on tensors,
    nn.ReLU6 and the mel filters do not count; modules stand in this package where they stand in the released code.

    Raises:
        ValueError: If the clip is shorter than the model's min_samples.
    """
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        nonlocal total
        total += _operations(module, inputs[0], output)

    counted = _without_values(model)
    for module in counted.modules():
        module.register_forward_hook(count)
    _pass_shapes(counted, seconds)
    return total


def _without_values(model: AudioTagger) -> AudioTagger:
    """A copy on the meta device, made without copying the weights."""
    memo: dict[int, Any] = {id(p): nn.Parameter(p.to("meta")) for p in model.parameters()}
    memo |= {id(b): b.to("meta") for b in model.buffers()}
    return copy.deepcopy(model, memo)


def _pass_shapes(model: AudioTagger, seconds: float) -> None:
    with torch.no_grad():
        model.eval()(torch.empty(1, round(seconds * model.sample_rate), device="meta"))


def _operations(module: nn.Module, x: Tensor, output: Tensor) -> int:
    if isinstance(module, LogMel):
        return _released_stft(module, x.shape[1])
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        per_output = 2 * prod(module.kernel_size) * module.in_channels // module.groups + (module.bias is not None)
        return output.numel() * per_output
    if isinstance(module, nn.Linear):  # counted once even where it is applied to every frame, as released
        return 2 * module.weight.numel() + module.out_features
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.ReLU):
        return 2 * x.numel()
    if isinstance(module, nn.AvgPool1d):
        return output.numel() * _taps(module.kernel_size, dims=1)
    if isinstance(module, nn.AvgPool2d):
        return output.numel() * _taps(module.kernel_size, dims=2)
    if isinstance(module, nn.Identity):  # in a MobileNet, where the released code pools by 1
        return output.numel()
    return 0


def _taps(kernel_size: int | tuple[int, ...], dims: int) -> int:
    return kernel_size**dims if isinstance(kernel_size, int) else prod(kernel_size)


def _released_stft(logmel: LogMel, samples: int) -> int:
    """Real and imaginary part: each a convolution with n_fft taps and n_fft / 2 + 1 channels."""
    frames = samples // logmel.hop_length + 1
    return 2 * frames * (logmel.n_fft // 2 + 1) * 2 * logmel.n_fft
