"""The presets in conf/model as the command line sees them."""

import re

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException, InstantiationException
from hydra.utils import get_class, instantiate
from train import train

import panns
from panns.models import AudioTagger
from panns.models.resnet import Bottleneck
from panns.zoo import config_dir, create_model
from runs import SMALL as RUN
from runs import config

SMALL = "model.backbone.base_channels=4"


def build(*overrides: str) -> AudioTagger:
    """The model as `python train.py <overrides>` builds it."""
    return instantiate(config(*overrides).model)


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("name", ["cnn14", "cnn10", "cnn6", "wavegram_cnn14", "wavegram_logmel"])
def test_depth(name, depth):
    model = build(f"model={name}", SMALL, f"model.backbone.depth={depth}")
    first = 2 if name.startswith("wavegram") else 1
    assert list(model.backbone.blocks) == [f"block{number}" for number in range(first, depth + 1)]
    assert model.head.fc.in_features == 4 * 2 ** (depth - 1)
    assert model(torch.randn(2, model.min_samples)).clip_logits.shape == (2, 527)


@pytest.mark.parametrize("start_block", [2, 3, 4, 5, 6])
def test_blocks_behind_a_wavegram(start_block):
    model = build("model=wavegram_logmel", SMALL, f"model.backbone.start_block={start_block}")
    assert model.backbone.blocks[f"block{start_block}"].convs[0].in_channels == 128
    assert model(torch.randn(2, 16000)).clip_logits.shape == (2, 527)


@pytest.mark.parametrize(
    ("override", "want"),
    [
        ("model.frontend.n_mels=128", lambda m: m.frontend.bn0.num_features == 128),
        ("model.frontend.hop_length=500", lambda m: m.frontend.hop_length == 500),
        ("model.frontend.n_fft=2048", lambda m: m.frontend.n_fft == 2048),
        ("model.frontend.f_max=8000", lambda m: m.frontend.mel_filters[:, 257:].abs().sum() == 0),
        ("model.sample_rate=16000", lambda m: (m.frontend.n_fft, m.frontend.hop_length) == (512, 160)),
        ("model.sample_rate=8000", lambda m: (m.frontend.n_fft, m.frontend.hop_length) == (256, 80)),
        ("model.head.embedding_dim=128", lambda m: m.head.classifier.in_features == 128),
        ("model.head.dropout=0", lambda m: m.head.dropout.p == 0),
        ("model.backbone.dropout=0.1", lambda m: m.backbone.dropout.p == 0.1),
        ("model.backbone.convs_per_block=1", lambda m: len(m.backbone.blocks["block1"].convs) == 1),
        ("model.backbone.kernel_size=5", lambda m: m.backbone.blocks["block1"].convs[0].kernel_size == (5, 5)),
        ("model.num_classes=50", lambda m: m.head.classifier.out_features == 50),
        ("model.short_clips=repeat", lambda m: m.short_clips == "repeat"),
        ("model/head=frame", lambda m: m.head.aggregation == "max"),
    ],
)
def test_one_override_is_enough(override, want):
    model = build("model=cnn14", SMALL, override)
    assert want(model)
    assert model(torch.randn(2, 32000)).clip_logits.isfinite().all()


def widths(model):
    return [block.convs[-1].out_channels for block in model.backbone.blocks]


@pytest.mark.parametrize(
    ("name", "override", "want"),
    [
        ("resnet22", "backbone.layers=[1,1,2,1]", lambda m: [len(s) for s in m.backbone.stages] == [1, 1, 2, 1]),
        ("resnet38", "backbone.layers=[1,2]", lambda m: [len(s) for s in m.backbone.stages] == [1, 2]),
        ("resnet22", "backbone.layers=[1,1,1,1,1]", lambda m: m.backbone.time_stride == 64),
        ("resnet22", "backbone.bottleneck=true", lambda m: isinstance(m.backbone.stages[0][0], Bottleneck)),
        ("res1dnet31", "backbone.layers=[1,2,1]", lambda m: [len(s) for s in m.backbone.stages] == [1, 2, 1]),
        ("dainet19", "backbone.channels=[8,16,24]", lambda m: widths(m) == [8, 16, 24]),
        ("leenet11", "backbone.channels=[8,16,24]", lambda m: widths(m) == [8, 16, 24]),
        ("leenet24", "backbone.channels=[8,16]", lambda m: widths(m) == [8, 16]),
        ("mobilenet_v1", "backbone.width=0.5", lambda m: m.backbone.out_channels == 512),
        ("mobilenet_v2", "backbone.width=0.5", lambda m: m.backbone.features[-2].conv[-1].num_features == 160),
        ("resnet22", "head.embedding_dim=32", lambda m: m.head.classifier.in_features == 32),
        ("leenet24", "head.embedding_dim=32", lambda m: m.head.classifier.in_features == 32),
        ("leenet11", "sample_rate=16000", lambda m: m.frontend.sample_rate == 16000),
        ("mobilenet_v1", "sample_rate=16000", lambda m: m.frontend.hop_length == 160),
        ("wavegram_cnn14", "sample_rate=16000", lambda m: m.frame_seconds == 0.02),
        ("wavegram_logmel", "sample_rate=16000", lambda m: m.frontend.logmel.mel_filters.shape == (64, 257)),
        ("wavegram_logmel", "frontend.hop_length=640", lambda m: m.frontend.wavegram.hop_length == 1280),
        ("wavegram_logmel", "frontend.n_mels=128", lambda m: m.frontend.wavegram.num_bins == 64),
        ("wavegram_logmel", "frontend.strides=[5,4,4,2]", lambda m: m.frontend.logmel.hop_length == 160),
    ],
)  # fmt: skip
def test_other_families_have_their_dials(name, override, want, no_init):
    model = build(f"model={name}", f"model.{override}").eval()
    assert want(model)
    with torch.no_grad():
        output = model(torch.randn(2, model.min_samples))
    assert output.clip_logits.shape == (2, 527)
    assert output.embedding.shape == (2, model.head.embedding_dim)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["model=cnn14", "model.frontend.n_mels=16"], "pools 32 frequency bins into one, the frontend gives it 16"),
        (
            ["model=cnn10", "model.backbone.depth=6", "model.frontend.n_mels=40"],
            "pools 64 frequency bins into one, the frontend gives it 40",
        ),
        (["model=cnn6", "model.backbone.depth=99"], r"backbone\.depth=99: from start_block=1 to 6; each block doubles"),
        (["model=cnn14", "model.backbone.depth=0"], r"backbone\.depth=0: from start_block=1 to 6"),
        (["model=cnn14", "model.backbone.convs_per_block=0"], r"backbone\.convs_per_block=0: give a number above 0"),
        (["model=cnn14", "model.backbone.kernel_size=4"], "kernel_size=4 must be odd"),
        (["model=cnn6", "model.backbone.dropout=1.5"], r"backbone\.dropout=1\.5: a probability is from 0 to 1"),
        (["model=res1dnet31", "model.backbone.dropout=nan"], r"backbone\.dropout=nan: a probability"),
        (["model=wavegram_logmel", "model.frontend.dropout=-1"], r"frontend\.dropout=-1: a probability"),
        (["model=resnet22", "model.backbone.block_dropout=2"], r"backbone\.block_dropout=2: a probability"),
        (["model=cnn6", "model.backbone.base_channels=-4"], r"backbone\.base_channels=-4: give a number above 0"),
        (["model=cnn6", "model.frontend.n_mels=600"], "n_mels=600: an FFT of n_fft=1024 samples has 513"),
        (["model=cnn6", "model.frontend.hop_length=0"], r"frontend\.hop_length=0: give a number above 0"),
        (["model=wavegram_cnn14", "model.frontend.hop_length=0"], r"frontend\.hop_length=0: give a number above 0"),
        (["model=wavegram_cnn14", "model.frontend.groups=0"], r"frontend\.groups=0: give a number above 0"),
        (["model=wavegram_logmel", "model.frontend.n_mels=0"], r"frontend\.n_mels=0: give a number above 0"),
        (["model=cnn6", "model.head.embedding_dim=0"], r"head\.embedding_dim=0: give a number above 0"),
        (["model=cnn14_decision_level_max", "model.head.embedding_dim=0"], r"head\.embedding_dim=0: give a number"),
        (["model=cnn6", "model.sample_rate=0"], r"model\.sample_rate=0: give a number above 0"),
        (["model=mobilenet_v2", "model.backbone.width=-1"], r"backbone\.width=-1: give a number above 0"),
        (["model=leenet11", "model.backbone.channels=[64,0]"], r"backbone\.channels=\[64, 0\]: give numbers above 0"),
        (["model=dainet19", "model.backbone.channels=[]"], r"backbone\.channels=\[\]: give numbers above 0"),
        (["model=resnet22", "model.backbone.layers=[1,1,1,1,1,1,1]"], "at most 6 stages; each doubles the width"),
        (["model=resnet22", "model.backbone.base_channels=0"], r"backbone\.base_channels=0: give a number above 0"),
        (
            ["model=wavegram_logmel", "model.frontend.n_mels=16"],
            "pools 16 frequency bins into one, .* gives it 8: raise",
        ),
        (
            ["model=mobilenet_v1", "model.frontend.n_mels=20"],
            "pools 32 frequency bins into one, the frontend gives it 20",
        ),
        (["model=resnet22", "model.backbone.layers=[1,1,1,1,1,1]"], r"pools 128 .* gives it 64: .* backbone\.layers"),
        (["model=wavegram_logmel", "model.backbone.depth=1"], "depth=1: from start_block=2 to 6"),
        (["model=wavegram_logmel", "model.frontend.n_mels=65"], "n_mels=65 must be even"),
        (["model=wavegram_logmel", "model.frontend.hop_length=317"], "315 and 320 are"),
        (["model=resnet22", "model.backbone.layers=[2,0,2]"], "at least one block"),
        (["model=res1dnet31", "model.backbone.layers=[1,1,1,1,1,1,1,1]"], "at most 7 stages"),
    ],
)
def test_an_impossible_setting_is_refused_with_its_numbers(overrides, says, no_init):
    with pytest.raises(InstantiationException) as error:
        build(*overrides, *([SMALL] if overrides[0] == "model=cnn14" else []))
    assert isinstance(error.value.__cause__, ValueError)
    assert re.search(says, str(error.value.__cause__))


@pytest.mark.parametrize(
    "overrides",
    [
        ("model=cnn6", SMALL, "model.backbone.depth=3"),
        ("model=resnet22", SMALL, "model.backbone.layers=[1,1,2]"),
        ("model=wavegram_logmel", SMALL, "model.sample_rate=16000"),
        ("model=wavegram_logmel", SMALL, "model.frontend.hop_length=500"),
        ("model=mobilenet_v2", "model.backbone.width=0.25", "model.frontend.n_mels=32"),
        ("model=leenet11", "model.backbone.channels=[4,4,8]", "model.head.embedding_dim=16"),
    ],
)
def test_a_network_with_one_dial_turned_trains(overrides, tones, tmp_path):
    rest = [choice for choice in RUN if not choice.startswith("model")]
    value = train(config(*rest, *overrides, f"data.store={tones}", f"run_dir={tmp_path}", "data.max_epochs=1"))
    assert 0 < value <= 1
    model = panns.load(tmp_path / "checkpoints" / "last.ckpt")
    assert model(torch.zeros(1, model.sample_rate)).clip_logits.shape == (1, 4)


def test_every_key_is_a_constructor_argument_and_a_typo_is_refused(preset):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose(overrides=[f"+model={preset}"]).model
        for part in ("frontend", "backbone", "head"):
            arguments = set(get_class(config[part]._target_).__init__.__annotations__) - {"return"}
            given = {key for key in config[part] if not key.startswith("_")}
            assert given == arguments - {"sample_rate", "in_channels", "in_features", "num_classes"}
        for typo in ("model.backbone.dept=4", "model.samplerate=16000", "model.frontend.mels=64"):
            with pytest.raises(ConfigCompositionException):
                compose(overrides=[f"+model={preset}", typo])


def test_initialisation_is_the_released_one():
    torch.manual_seed(0)
    model = create_model("cnn6")
    weight = model.backbone.blocks["block3"].convs[0].weight.detach()
    bound = (6 / (25 * (128 + 256))) ** 0.5  # Xavier, uniform
    assert bound * 0.99 < weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert not model.head.fc.bias.any()
    assert not model.head.classifier.bias.any()


@pytest.mark.parametrize(("name", "last"), [("resnet22", "bn2"), ("resnet54", "bn3"), ("res1dnet31", "bn2")])
def test_residual_blocks_start_as_the_identity(name, last, no_init):
    stages = create_model(name).backbone.stages
    assert all(not getattr(block, last).weight.any() for stage in stages for block in stage)


def test_dainet_blocks_start_as_the_identity(no_init):
    assert all(not block.norms[-1].weight.any() for block in create_model("dainet19").backbone.blocks)
