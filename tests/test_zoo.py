"""`panns.create_model`: the presets of conf/model for those without Hydra on their mind."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import panns
from panns import zoo
from panns.zoo import config_dir, create_model


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
    with pytest.raises(ValueError, match="No model 'None'"):
        create_model(None)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("frontend.hop_length", 2.5, "hop_length=2.5: a whole number is wanted there, or null"),
        ("backbone.depth", True, "depth=true: a whole number is wanted there, such as 6"),
        ("sample_rate", 22050.5, "sample_rate=22050.5: a whole number is wanted there, such as 32000"),
        ("sample_rate", "fast", "sample_rate=fast: a whole number"),
        ("backbone.dropout", None, "dropout=null: a number is wanted there"),
        ("frontend.f_min", -5.0, "f_min=-5.0, f_max=14000.0: need 0 <= f_min"),
        ("n_mels", 4, "There is no key 'n_mels'. Did you mean frontend.n_mels?"),
        ("_target_", "x", "There is no key '_target_'. The configuration has the keys: backbone, frontend,"),
        ("backbone.deph", 4, "There is no key 'backbone.deph'. Did you mean backbone.depth?"),
        ("frontend", "logmell", "No frontend 'logmell'. Did you mean logmel? Choose from logmel, raw, wavegram,"),
        ("head", None, "No head 'None'. Choose from clip, frame."),
        ("frontend", {"n_mels": 32}, "frontend is a choice; keys within it are dotted: **{'frontend.n_mels': 32}."),
    ],
)
def test_create_model_names_the_key_of_a_wrong_value(key, value, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        create_model("cnn14", **{key: value})


def test_create_model_takes_tuples_and_numbers_of_numpy():
    model = create_model("leenet11", num_classes=np.int64(3), **{"backbone.channels": (4, 4, np.int32(8))})
    assert model(torch.zeros(1, 32000)).clip_logits.shape == (1, 3)
    with pytest.raises(ValueError, match=r"backbone\.channels=\[4,4\.5\]: numbers of another kind are wanted there"):
        create_model("leenet11", **{"backbone.channels": [4, 4.5]})
    with pytest.raises(ValueError, match=r"cannot be built so: ClipHead takes no aggregation\. Leave it out"):
        create_model("cnn14_decision_level_att", head="clip")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("defaults: [cnn10, _self_]\nbackbone: {dept: 5}", "Cnn takes no dept. Did you mean depth? Leave it out"),
        ("defaults: [cnn10\nx: 3", "model=mine: while parsing a flow sequence in"),
        (
            "defaults: [frontend: logmel, backbone: cnn7, head: clip, _self_]",
            "model=mine: In 'model/mine': Could not find",
        ),
        (
            "num_classes: 3",
            "model=mine has no frontend: its file begins with defaults: [frontend: ..., backbone: ..., ",
        ),
        (
            "defaults: [frontend: logmel, head: clip, _self_]\n_target_: panns.models.AudioTagger\nsample_rate: 32000\n"
            "num_classes: 3\nbackbone: {_target_: torch.nn.Flatten, _partial_: true}",
            "Flatten takes no in_channels, which a part of a model is given: add it to its parameters",
        ),
    ],
)
def test_mistakes_in_a_new_preset_are_named(written, says, tmp_path, monkeypatch):
    shutil.copytree(config_dir() / "model", tmp_path / "model")
    (tmp_path / "model" / "mine.yaml").write_text(written)
    monkeypatch.setattr(zoo, "config_dir", lambda: tmp_path)
    with pytest.raises(ValueError, match=re.escape(says)):
        create_model("mine")


@pytest.mark.parametrize(("model", "part"), [("cnn6", {"frontend": "raw"}), ("leenet11", {"frontend": "logmel"})])
def test_a_frontend_that_the_backbone_cannot_take(model, part, no_init):
    with pytest.raises(ValueError, match=r"Frontend (Raw|LogMel) gives a .*, backbone (Cnn|LeeNet) takes a .*: choose"):
        create_model(model, **part)


def test_create_model_in_several_threads():
    with ThreadPoolExecutor(8) as threads:
        models = list(threads.map(lambda _: create_model("leenet11", num_classes=2), range(16)))
    assert {model.num_classes for model in models} == {2}
    assert not GlobalHydra.instance().is_initialized()


def test_create_model_names_what_refers_to_nothing():
    with pytest.raises(ValueError, match=r"create_model\('cnn14'\): Interpolation key 'nothing' not found"):
        create_model("cnn14", num_classes="${nothing}")
