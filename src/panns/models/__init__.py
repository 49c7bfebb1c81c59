"""The networks: frontends, backbones and heads, and the tagger that joins them (torch and torchaudio only)."""

from panns.models.cnn import Cnn
from panns.models.folding import fold_batch_norms
from panns.models.frontends import Augment, LogMel, Raw
from panns.models.heads import ClipHead, FrameHead, TaggingOutput, upsample_frames
from panns.models.mobilenet import MobileNetV1, MobileNetV2
from panns.models.resnet import ResNet
from panns.models.tagger import AudioTagger
from panns.models.waveform import DaiNet, LeeNet, Res1dNet
from panns.models.wavegram import Wavegram, WavegramLogMel

__all__ = [
    "AudioTagger",
    "Augment",
    "ClipHead",
    "Cnn",
    "DaiNet",
    "FrameHead",
    "LeeNet",
    "LogMel",
    "MobileNetV1",
    "MobileNetV2",
    "Raw",
    "Res1dNet",
    "ResNet",
    "TaggingOutput",
    "Wavegram",
    "WavegramLogMel",
    "fold_batch_norms",
    "upsample_frames",
]
