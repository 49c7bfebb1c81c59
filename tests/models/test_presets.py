"""The presets in conf/model as the command line sees them, and `create_model`."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from hydra.utils import get_class, instantiate

import panns
from panns.models import AudioTagger
from panns.models.resnet import Bottleneck
from panns.zoo import config_dir, create_model

SMALL = "model.backbone.base_channels=4"


def build(*overrides: str) -> AudioTagger:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return instantiate(compose(overrides=list(overrides)).model)


@pytest.mark.parametrize("depth", [2, 4, 6])
def test_depth(depth):
    model = build("+model=cnn14", SMALL, f"model.backbone.depth={depth}")
    assert len(model.backbone.blocks) == depth
    assert model.head.fc.in_features == 4 * 2 ** (depth - 1)
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
        ("model.pad_short=true", lambda m: m.pad_short),
        ("model/head=frame", lambda m: m.head.aggregation == "max"),
    ],
)
def test_one_override_is_enough(override, want):
    model = build("+model=cnn14", SMALL, override)
    assert want(model)
    assert model(torch.randn(2, 32000)).clip_logits.isfinite().all()


def test_other_families_have_their_dials():
    resnet = build("+model=resnet22", SMALL, "model.backbone.layers=[1,1,2,1]", "model.backbone.bottleneck=true")
    assert [len(stage) for stage in resnet.backbone.stages] == [1, 1, 2, 1]
    assert isinstance(resnet.backbone.stages[0][0], Bottleneck)
    for name in ("mobilenet_v1", "mobilenet_v2"):
        wide, slim = build(f"+model={name}"), build(f"+model={name}", "model.backbone.width=0.5")
        assert sum(p.numel() for p in slim.backbone.parameters()) < 0.5 * sum(
            p.numel() for p in wide.backbone.parameters()
        )


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


def test_create_model_takes_the_same_keys():
    model = create_model("cnn14", num_classes=50, **{"backbone.depth": 2, "backbone.base_channels": 8})
    assert len(model.backbone.blocks) == 2
    assert model.num_classes == 50
    assert panns.create_model is create_model
    assert "wavegram_logmel" in panns.list_models()
    framewise = create_model("cnn6", head="frame", **{"head.aggregation": "attention"})
    assert framewise(torch.randn(1, 32000)).frame_probs.shape == (1, 101, 527)


def test_create_model_works_inside_a_hydra_program():
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        create_model("cnn6")
        assert compose(overrides=["+model=cnn10"]).model.backbone.pool_last  # the outer configuration is still there


def test_create_model_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="cnn14_16k"):
        create_model("cnn15")
    with pytest.raises(ValueError, match="dept"):
        create_model("cnn14", **{"backbone.dept": 4})
    with pytest.raises(ValueError, match="heads"):
        create_model("cnn14", heads=4)
    with pytest.raises(ValueError, match="attention"):
        create_model("cnn14", head="attention")


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
