"""Sizes against the released code and cases worked by hand."""

import pytest
from narrow_models import narrow

from panns.models.complexity import DEAD_PARAMETERS, multiply_accumulates, num_parameters, paper_multi_adds
from panns.zoo import create_model

RELEASED_CODE = {  # parameters and multi-adds in 1e9, counted by the released code; not in the paper
    "cnn14_mel32": (80_753_551, 22.167),
    "cnn14_mel128": (80_753_743, 82.325),
    "wavegram_logmel128": (81_262_735, 100.065),
    "cnn14_decision_level_att": (81_834_492, 42.351),
}


@pytest.mark.parametrize("name", RELEASED_CODE)
def test_variants_count_as_in_the_released_code(name, no_init):
    """Those of Table XII: tests/model_table."""
    model = create_model(name)
    parameters, multi_adds = RELEASED_CODE[name]
    unused = DEAD_PARAMETERS["Cnn14_DecisionLevelAtt"] if name.endswith("att") else {}
    assert num_parameters(model) + sum(unused.values()) == parameters
    assert paper_multi_adds(model) == pytest.approx(multi_adds * 1e9, abs=0.51e6)


@pytest.mark.parametrize("name", ["cnn14_emb512", "cnn14_emb128", "cnn14_emb32"])
def test_parameters_of_small_embeddings(name, no_init):
    want = {"cnn14_emb512": 76_796_879, "cnn14_emb128": 75_807_695, "cnn14_emb32": 75_560_399}
    assert num_parameters(create_model(name)) == want[name]


def test_macs_by_hand():
    """Depth 1 on one second: 101 frames of 4 mel bins, 513 FFT bins."""
    model = create_model(
        "cnn14",
        num_classes=7,
        **{"frontend.n_mels": 4, "backbone.depth": 1, "backbone.base_channels": 3, "backbone.convs_per_block": 1},
    )
    mel = 4 * 513 * 101
    conv = 101 * 4 * 3 * 9
    assert multiply_accumulates(model, seconds=1) == mel + conv + 3 * 3 + 3 * 7


def test_counting_leaves_the_model_alone():
    model = narrow("wavegram_logmel").train()
    multiply_accumulates(model, 1.0)
    paper_multi_adds(model, 1.0)
    assert model.training
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    with pytest.raises(ValueError, match="too short"):
        multiply_accumulates(model, 0.1)
