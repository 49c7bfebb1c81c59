"""Released weights: what is recognised, what is left out, what is refused."""

import pytest
import torch

from panns.models.released import convert_released, recognise
from panns.zoo import create_model

AMBIGUOUS = "Cnn14 (or a variant whose weights have the same shapes)"
SAME_SHAPES = {"Cnn14", "Cnn14_no_dropout", "Cnn14_no_specaug", "Cnn14_mixup_time_domain"}
SAME_SHAPES |= {"Cnn14_DecisionLevelMax", "Cnn14_DecisionLevelAvg"}


def shapes(reference, released):
    """A state dict without values."""
    return {name: torch.empty(shape, device="meta") for name, shape, _ in reference.MANIFEST[released]["entries"]}


def test_every_released_checkpoint_is_recognised(reference):
    for released in reference.models():
        want = AMBIGUOUS if released in SAME_SHAPES else released
        assert recognise(shapes(reference, released)) == want


@pytest.mark.parametrize(
    ("file", "preset"),
    [
        ("Cnn10", "cnn14"),
        ("Cnn14", "cnn10"),
        ("Cnn14_16k", "cnn14"),
        ("Cnn14_8k", "cnn14_16k"),
        ("Cnn14_mel128", "cnn14"),
        ("Cnn14_emb128", "cnn14"),
        ("Cnn14_DecisionLevelAtt", "cnn14_decision_level_max"),
        ("MobileNetV1", "mobilenet_v2"),
        ("ResNet38", "resnet22"),
        ("ResNet22", "resnet38"),
        ("Res1dNet51", "dainet19"),
        ("LeeNet24", "leenet11"),
        ("Wavegram_Cnn14", "wavegram_logmel"),
    ],
)
def test_a_wrong_file_says_what_it_is(file, preset, reference, no_init):
    with pytest.raises(ValueError, match=f"these are the weights of {file}"):
        convert_released(shapes(reference, file), create_model(preset))


def test_every_combination_of_families_is_refused_or_the_same(reference, no_init):
    """No file of one family ever fits another's model by accident."""
    presets = {"cnn6": "Cnn6", "mobilenet_v1": "MobileNetV1", "leenet11": "LeeNet11", "dainet19": "DaiNet19"}
    for preset, own in presets.items():
        model = create_model(preset)
        for released in reference.models():
            if released != own:
                with pytest.raises(ValueError, match="these are the weights of"):
                    convert_released(shapes(reference, released), model)


def test_a_missing_parameter_is_refused(reference):
    state = shapes(reference, "Cnn6")
    del state["conv_block3.bn1.running_var"]
    with pytest.raises(ValueError, match=r"lack 1 .*blocks.block3.norms.0.running_var"):
        convert_released(state, create_model("cnn6"))


def test_a_classifier_of_other_classes_is_left_out(reference, no_init):
    weights, report = convert_released(shapes(reference, "Cnn6"), create_model("cnn6", num_classes=50))
    assert report.fresh == ("head.classifier.weight", "head.classifier.bias")
    assert not {*report.fresh} & {*weights}


def test_a_model_of_ones_own_is_refused(reference):
    class Mine(torch.nn.Module):
        pass

    model = create_model("cnn6", **{"backbone.base_channels": 4})
    model.backbone = Mine()
    with pytest.raises(ValueError, match="no released weights fit a model with Mine"):
        convert_released(shapes(reference, "Cnn6"), model)
