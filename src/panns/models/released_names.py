"""What the released checkpoints call their parameters, and what this package does: one table per part.

Numbers in the released names count from one; `{}` in ours takes the matched groups in order, and a group that is a bare
number is counted from zero.
"""

from torch import nn

from panns.models.cnn import Cnn
from panns.models.frontends import LogMel, Raw
from panns.models.heads import ClipHead, FrameHead
from panns.models.mobilenet import MobileNetV1, MobileNetV2
from panns.models.resnet import ResNet
from panns.models.waveform import DaiNet, LeeNet, Res1dNet
from panns.models.wavegram import Wavegram, WavegramLogMel

Rule = tuple[str, str | None]  # released name (regular expression) -> our name, or None: dropped on purpose

MEL_FILTERS = "logmel_extractor.melW"
NOT_RELEASED = "no released PANNs model"
CLASSIFIERS = ("fc_audioset.", "att_block.cla.", "att_block.att.")  # one row a class


def _block(released: str, ours: str) -> tuple[Rule, ...]:
    return (rf"{released}\.conv(\d)(\..+)", f"{ours}.convs.{{}}{{}}"), (
        rf"{released}\.bn(\d)(\..+)",
        f"{ours}.norms.{{}}{{}}",
    )


def _wavegram(ours: str) -> tuple[Rule, ...]:
    return (
        (r"pre_(conv0|bn0)(\..+)", f"{ours}.{{}}{{}}"),
        *_block(r"pre_block([123])", f"{ours}.blocks.{{}}"),
        *_block("pre_block4", f"{ours}.block2d"),
    )


def _stages(stem: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return (
        *stem,
        (r"resnet\.layer(\d)(\.\d+\.)downsample(\..+)", "backbone.stages.{}{}shortcut{}"),
        (r"resnet\.layer(\d)(\..+)", "backbone.stages.{}{}"),
    )


CONSTANTS: tuple[Rule, ...] = (
    (r"(?:spectrogram_extractor|logmel_extractor)\..+", None),
)  # STFT and mel matrices, computed here
FRONTENDS: dict[type[nn.Module], tuple[Rule, ...]] = {
    LogMel: ((r"bn0(\..+)", "frontend.bn0{}"),),
    Raw: (),
    Wavegram: (
        *_wavegram("frontend"),
        (r"(?:bn0|conv_block1)\..+", None),
    ),  # dead: the released forward never calls them
    WavegramLogMel: (
        *_wavegram("frontend.wavegram"),
        (r"bn0(\..+)", "frontend.logmel.bn0{}"),
        *_block("conv_block1", "frontend.block1"),
    ),
}
BACKBONES: dict[type[nn.Module], tuple[Rule, ...]] = {
    Cnn: _block(r"conv_(block\d)", "backbone.blocks.{}"),
    ResNet: _stages((*_block("conv_block1", "backbone.stem"), *_block("conv_block_after1", "backbone.last"))),
    MobileNetV1: ((r"features(\..+)", "backbone.features{}"),),
    MobileNetV2: ((r"features(\..+)", "backbone.features{}"),),
    LeeNet: _block(r"conv_block(\d)", "backbone.blocks.{}"),
    DaiNet: (
        (r"(conv0|bn0)(\..+)", "backbone.{}{}"),
        (r"conv_block1\.(?:bn_)?downsample\..+", None),  # dead: the first block's input already has its output's shape
        (r"conv_block(\d)\.downsample(\..+)", "backbone.blocks.{}.shortcut.0{}"),
        (r"conv_block(\d)\.bn_downsample(\..+)", "backbone.blocks.{}.shortcut.1{}"),
        *_block(r"conv_block(\d)", "backbone.blocks.{}"),
    ),
    Res1dNet: _stages(((r"(conv0|bn0)(\..+)", "backbone.{}{}"),)),
}
HEADS: dict[type[nn.Module], tuple[Rule, ...]] = {
    ClipHead: ((r"fc1(\..+)", "head.fc{}"), (r"fc_audioset(\..+)", "head.classifier{}")),
    FrameHead: (
        (r"fc1(\..+)", "head.fc{}"),
        (r"(?:fc_audioset|att_block\.cla)(\..+)", "head.classifier{}"),
        (r"att_block\.att(\..+)", "head.attention{}"),
        (r"att_block\.bn_att\..+", None),  # dead: the released forward never calls it
    ),
}

# What a file is: the first row whose keys are all there, with these shapes where one is given.
SIGNATURES: tuple[tuple[str, dict[str, tuple[int, ...] | None]], ...] = (
    ("Wavegram_Logmel128_Cnn14", {"pre_conv0.weight": None, MEL_FILTERS: (513, 128)}),
    ("Wavegram_Logmel_Cnn14", {"pre_conv0.weight": None, MEL_FILTERS: (513, 64)}),
    ("Wavegram_Cnn14", {"pre_conv0.weight": None}),
    ("DaiNet19", {"conv0.weight": (64, 1, 80)}),
    ("Res1dNet51", {"conv0.weight": (64, 1, 11), "resnet.layer2.2.conv1.weight": None}),
    ("Res1dNet31", {"conv0.weight": (64, 1, 11)}),
    ("MobileNetV2", {"features.18.0.weight": None}),
    ("MobileNetV1", {"features.13.0.weight": None}),
    ("ResNet54", {"resnet.layer1.0.conv3.weight": None}),
    ("ResNet38", {"resnet.layer1.2.conv2.weight": None}),
    ("ResNet22", {"resnet.layer1.0.conv2.weight": None}),
    ("LeeNet24", {"conv_block9.conv2.weight": None}),
    ("LeeNet11", {"conv_block9.conv1.weight": None}),
    ("Cnn14_DecisionLevelAtt", {"conv_block6.conv2.weight": None, "att_block.att.weight": None}),
    ("Cnn14_16k", {"conv_block6.conv2.weight": None, MEL_FILTERS: (257, 64)}),
    ("Cnn14_8k", {"conv_block6.conv2.weight": None, MEL_FILTERS: (129, 64)}),
    ("Cnn14_mel32", {"conv_block6.conv2.weight": None, "bn0.weight": (32,)}),
    ("Cnn14_mel128", {"conv_block6.conv2.weight": None, "bn0.weight": (128,)}),
    ("Cnn14_emb512", {"conv_block6.conv2.weight": None, "fc1.weight": (512, 2048)}),
    ("Cnn14_emb128", {"conv_block6.conv2.weight": None, "fc1.weight": (128, 2048)}),
    ("Cnn14_emb32", {"conv_block6.conv2.weight": None, "fc1.weight": (32, 2048)}),
    ("Cnn14 (or a variant whose weights have the same shapes)", {"conv_block6.conv2.weight": None}),
    ("Cnn10", {"conv_block4.conv2.weight": None}),
    ("Cnn6", {"conv_block4.conv1.weight": (512, 256, 5, 5)}),
)
