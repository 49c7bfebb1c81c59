"""Every released model against what the released implementation computed from the same weights and waveforms."""

import numpy as np
import pytest
import torch

from panns.model_table.published import published
from panns.models.released import convert_released
from panns.zoo import create_model, list_models

PRESETS = {  # released class -> preset
    **{f"Cnn{depth}": f"cnn{depth}" for depth in (6, 10, 14)},
    "Cnn14_no_specaug": "cnn14_no_specaug",
    "Cnn14_no_dropout": "cnn14_no_dropout",
    "Cnn14_mixup_time_domain": "cnn14_mixup_time_domain",
    **{f"Cnn14_emb{dim}": f"cnn14_emb{dim}" for dim in (32, 128, 512)},
    **{f"Cnn14_mel{bins}": f"cnn14_mel{bins}" for bins in (32, 128)},
    **{f"Cnn14_{rate}k": f"cnn14_{rate}k" for rate in (8, 16)},
    **{f"Cnn14_DecisionLevel{kind}": f"cnn14_decision_level_{kind.lower()}" for kind in ("Max", "Avg", "Att")},
    **{f"ResNet{layers}": f"resnet{layers}" for layers in (22, 38, 54)},
    "MobileNetV1": "mobilenet_v1",
    "MobileNetV2": "mobilenet_v2",
    "DaiNet19": "dainet19",
    **{f"LeeNet{layers}": f"leenet{layers}" for layers in (11, 24)},
    **{f"Res1dNet{layers}": f"res1dnet{layers}" for layers in (31, 51)},
    "Wavegram_Cnn14": "wavegram_cnn14",
    "Wavegram_Logmel_Cnn14": "wavegram_logmel",
    "Wavegram_Logmel128_Cnn14": "wavegram_logmel128",
}
DEAD = {  # beside the constants of the front end
    "Cnn14_DecisionLevelAtt": "att_block.bn_att.",
    "DaiNet19": ("conv_block1.downsample.", "conv_block1.bn_downsample."),
    "Wavegram_Cnn14": ("bn0.", "conv_block1."),
}
CONSTANTS = ("spectrogram_extractor.", "logmel_extractor.")


def test_every_released_model_is_a_preset(reference):
    assert sorted(PRESETS) == reference.models()
    assert set(PRESETS.values()) <= set(list_models())
    assert {known.released_class: name for name, known in published().items()} == PRESETS


@pytest.mark.parametrize("released", PRESETS)
def test_equals_the_released_model(released, reference, no_init):
    state = reference.checkpoint(released)["model"]
    model = create_model(PRESETS[released]).eval()
    weights, report = convert_released(state, model)
    model.load_state_dict(weights)
    assert released.startswith(report.source.split(" ")[0])
    assert all(name.startswith((*CONSTANTS, *_tuple(DEAD.get(released, ())))) for name in report.dropped)
    assert len(weights) + len(report.dropped) == len(state)
    assert report.fresh == ()

    want = reference.golden(released)
    waveform = reference.waveforms(released)
    with torch.no_grad():
        output = model(waveform)
    np.testing.assert_allclose(output.clip_logits.sigmoid(), want["clipwise_output"], atol=1e-4)
    if "embedding" in want:
        np.testing.assert_allclose(output.embedding, want["embedding"], atol=1e-3 * np.abs(want["embedding"]).max())
    assert (output.frame_probs is None) == ("framewise_output" not in want)
    if output.frame_probs is not None:
        assert output.frame_probs.shape[1] == 1001
        np.testing.assert_allclose(output.frame_probs[:, ::8], want["framewise_output"], atol=1e-4)
    if "logmel" in want:
        logmel = getattr(model.frontend, "logmel", model.frontend)
        difference = np.abs(logmel.log_mel(waveform).transpose(1, 2)[:, ::10].numpy() - want["logmel"])
        assert difference.max() < 0.01
        assert difference.mean() < 1e-4


def _tuple(prefixes):
    return (prefixes,) if isinstance(prefixes, str) else prefixes
