"""Loading released checkpoints: what is loaded, what is left out, what is refused."""

import logging

import pytest
import torch

from panns.models import load_released
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


def test_loads_a_file_and_keeps_a_fresh_classifier_for_other_classes(reference, tmp_path, caplog):
    path = tmp_path / "Cnn6_mAP=0.343.pth"
    torch.save(reference.checkpoint("Cnn6"), path)
    full = create_model("cnn6", checkpoint=path)
    model = create_model("cnn6", num_classes=50)
    before = model.head.classifier.weight.clone()
    with caplog.at_level(logging.WARNING):
        report = load_released(model, path)
    assert report.source == "Cnn6"
    assert report.fresh == ("head.classifier.weight", "head.classifier.bias")
    assert "another number of classes" in caplog.text
    assert torch.equal(model.head.classifier.weight, before)
    assert torch.equal(model.head.fc.weight, full.head.fc.weight)
    assert not torch.equal(full.head.fc.weight, create_model("cnn6").head.fc.weight)


def test_other_files_are_refused(tmp_path):
    model = create_model("cnn6")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    (tmp_path / "text.pth").write_text("mAP=0.343")
    torch.save({"model": {"layer.weight": torch.zeros(3)}}, tmp_path / "foreign.pth")
    torch.save({"model": {}, "code": print}, tmp_path / "code.pth")
    for name, why in (
        ("other.ckpt", "no released PANNs checkpoint"),
        ("text.pth", "cannot be read"),
        ("foreign.pth", "no released PANNs model"),
        ("code.pth", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=why) as error:
            load_released(model, tmp_path / name)
        assert name in str(error.value)
    with pytest.raises(FileNotFoundError):
        load_released(model, tmp_path / "missing.pth")
