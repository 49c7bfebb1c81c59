"""The released way, stated again in plain torch: what `benchmarks/models.py` compares with.

A log-mel by torchlibrosa, whose Fourier transform is a convolution with sines and cosines; contiguous NCHW maps in
float32; the sigmoid inside the model and binary cross-entropy outside. Cnn14 and MobileNetV1 as in the paper's tables.

Shapes: B clips, L samples, C channels, T frames, F mel bins, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchlibrosa.augmentation import SpecAugmentation
from torchlibrosa.stft import LogmelFilterBank, Spectrogram

CNN14_WIDTHS = (64, 128, 256, 512, 1024, 2048)
MOBILENET_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)


def log_mel() -> nn.Sequential:
    """(B, L) at 32 kHz -> (B, 1, T, F)."""
    spectrogram = Spectrogram(n_fft=1024, hop_length=320, win_length=1024, freeze_parameters=True)
    filters = LogmelFilterBank(sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, amin=1e-10, top_db=None)
    return nn.Sequential(spectrogram, filters.requires_grad_(False))


def cnn14() -> nn.Sequential:
    """(B, 1, T, F) -> (B, 2048, T / 32, F / 32)."""
    layers: list[nn.Module] = []
    channels = 1
    for width in CNN14_WIDTHS:
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
            channels = width
        layers += [*([nn.AvgPool2d(2)] if width < 2048 else []), nn.Dropout(0.2)]
    return nn.Sequential(*layers)


def mobilenet_v1() -> nn.Sequential:
    """(B, 1, T, F) -> (B, 1024, T / 32, F / 32)."""
    layers = _strided(nn.Conv2d(1, 32, 3, padding=1, bias=False), 2)
    channels = 32
    for width, stride in MOBILENET_BLOCKS:
        layers += _strided(nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False), stride)
        layers += _strided(nn.Conv2d(channels, width, 1, bias=False), 1)
        channels = width
    return nn.Sequential(*layers)


def _strided(conv: nn.Conv2d, stride: int) -> list[nn.Module]:
    pool = [nn.AvgPool2d(stride)] if stride > 1 else []
    return [conv, *pool, nn.BatchNorm2d(conv.out_channels), nn.ReLU(True)]


class ReleasedWay(nn.Module):
    """(B, L) -> (B, K) probabilities; with mixup, from pairs of clips."""

    def __init__(self, features: nn.Sequential, channels: int, hidden: int, num_classes: int = 527) -> None:
        super().__init__()
        self.log_mel = log_mel()
        self.augment = SpecAugmentation(time_drop_width=64, time_stripes_num=2, freq_drop_width=8, freq_stripes_num=2)
        self.bn0 = nn.BatchNorm2d(64)
        self.features = features
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, num_classes)

    def forward(self, waveform: Tensor, weight: Tensor | None = None) -> Tensor:
        x = self.bn0(self.log_mel(waveform).transpose(1, 3)).transpose(1, 3)
        if self.training:
            x = self.augment(x)
        if weight is not None:
            x = mixup(x, weight)
        x = self.features(x).mean(dim=3)
        x = F.dropout(x.amax(dim=2) + x.mean(dim=2), 0.5, self.training)
        return torch.sigmoid(self.fc2(F.relu_(self.fc1(x))))


def mixup(x: Tensor, weight: Tensor) -> Tensor:
    """(2B, ...), (B,) -> (B, ...): pairs rows 2i and 2i + 1."""
    weight = weight.reshape(-1, *[1] * (x.dim() - 1))
    return x[0::2] * weight + x[1::2] * (1 - weight)


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Layer by layer in the order of construction, which is the same in both."""
    for kind in (nn.Conv2d, nn.BatchNorm1d | nn.BatchNorm2d, nn.Linear):
        pairs = zip(*([m for m in model.modules() if isinstance(m, kind)] for model in (source, target)), strict=True)
        for ours, theirs in pairs:
            theirs.load_state_dict(ours.state_dict())
