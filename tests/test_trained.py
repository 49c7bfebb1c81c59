import re

import pytest
import torch

from panns import load
from panns.models import cnn
from panns.trained import NotOurCheckpointError, is_trusted
from runs import checkpoint, saved


def test_architecture_weights_and_classes_come_from_the_file_alone(tmp_path):
    expected = checkpoint(tmp_path / "a.ckpt")
    model = load(tmp_path / "a.ckpt")
    assert model.classes == ["a", "b", "c"]
    assert model.sample_rate == 32000
    assert not model.training
    waveform = 0.1 * torch.randn(2, 32000)
    torch.testing.assert_close(model(waveform).clip_logits, expected(waveform).clip_logits, rtol=0, atol=0)
    torch.testing.assert_close(model.probabilities(waveform), expected(waveform).clip_logits.sigmoid())


def test_exclusive_classes_add_up_to_one(tmp_path):
    checkpoint(tmp_path / "a.ckpt", exclusive=True)
    torch.testing.assert_close(load(tmp_path / "a.ckpt").probabilities(torch.randn(2, 32000)).sum(1), torch.ones(2))


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "panns.models_evil.Cnn",
        "builtins.eval",
        "panns.models.frontends.torch.hub.load",  # reached through what a module imports
        "panns.models.frontends.torch.nn.Linear",
        "panns.models.frontends.nn",
        "panns.models.cnn.nn.Linear",
        "panns.models.fold_batch_norms",
        "panns.models.Gone",
        "${oc.create:{_target_: os.system}}",
    ],
)
def test_a_checkpoint_may_not_name_other_code(tmp_path, target):
    checkpoint(tmp_path / "a.ckpt", backbone={"_target_": target, "_partial_": True, "command": "false"})
    with pytest.raises(NotOurCheckpointError, match=re.escape(f"asks for '{target}'")):
        load(tmp_path / "a.ckpt")


def test_a_checkpoint_may_not_make_code_of_its_values(tmp_path):
    backbone = {"_target_": "panns.models.Cnn", "_partial_": True, "depth": "${oc.create:{_target_: os.system}}"}
    checkpoint(tmp_path / "a.ckpt", backbone=backbone)
    with pytest.raises(NotOurCheckpointError, match=r"asks for '\$\{oc\.create:"):
        load(tmp_path / "a.ckpt")


def test_a_layer_that_a_module_has_imported_is_not_its_own(monkeypatch):
    monkeypatch.setattr(cnn, "Linear", torch.nn.Linear, raising=False)
    assert is_trusted("panns.models.cnn.Cnn")
    assert not is_trusted("panns.models.cnn.Linear")


def test_a_configuration_that_fits_no_class_is_of_another_version(tmp_path):
    backbone = {"_target_": "panns.models.Cnn", "_partial_": True, "old_key": 3}
    checkpoint(tmp_path / "a.ckpt", backbone=backbone)
    with pytest.raises(NotOurCheckpointError, match=r"a\.ckpt .*another version of panns.*old_key"):
        load(tmp_path / "a.ckpt")


def test_files_of_another_origin_are_named(tmp_path):
    state = {"conv_block4.conv1.weight": torch.zeros(512, 256, 5, 5), "fc_audioset.weight": torch.zeros(3, 512)}
    torch.save({"iteration": 0, "model": state}, tmp_path / "released.pth")
    with pytest.raises(NotOurCheckpointError, match=r"released\.pth was not written by train\.py.* weights of Cnn6"):
        load(tmp_path / "released.pth")
    with pytest.raises(NotOurCheckpointError, match="There is no checkpoint"):
        load(tmp_path / "none.ckpt")
    with pytest.raises(NotOurCheckpointError, match=r'panns\.create_model\("cnn14", checkpoint="released"\)'):
        load("cnn14")


def test_weights_of_a_model_of_ours_do_not_say_how_it_is_built(tmp_path):
    torch.save(checkpoint(tmp_path / "a.ckpt").state_dict(), tmp_path / "bare.pth")
    empty = torch.load(tmp_path / "a.ckpt", weights_only=True)
    empty["hyper_parameters"]["model"] = {}
    unnamed = torch.load(tmp_path / "a.ckpt", weights_only=True)
    unnamed["hyper_parameters"]["classes"] = None
    broken = torch.load(tmp_path / "a.ckpt", weights_only=True)
    broken["state_dict"] = [1]
    with pytest.raises(NotOurCheckpointError, match=r"d\.ckpt holds no weights but"):
        load(saved(tmp_path / "d.ckpt", broken))
    for path in (tmp_path / "bare.pth", saved(tmp_path / "b.ckpt", empty), saved(tmp_path / "c.ckpt", unnamed)):
        with pytest.raises(
            NotOurCheckpointError, match=r"a model of panns.* Name the model: panns\.create_model\(name,"
        ):
            load(path)


def test_weights_that_do_not_fit_what_the_file_describes(tmp_path):
    checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    gone = content["state_dict"].pop("model.head.fc.weight")
    with pytest.raises(
        NotOurCheckpointError, match=r"is damaged or of another version of panns: .*1 parameters missing"
    ):
        load(saved(tmp_path / "b.ckpt", content))
    for kind, wrong in (("int8", gone.to(torch.int8)), ("meta", gone.to("meta"))):
        content["state_dict"]["model.head.fc.weight"] = wrong
        with pytest.raises(NotOurCheckpointError, match=rf"holds head\.fc\.weight as {kind}: no weights"):
            load(saved(tmp_path / "d.ckpt", content))
    content["state_dict"]["model.head.fc.weight"] = torch.full_like(gone, torch.nan)
    with pytest.raises(NotOurCheckpointError, match="holds NaN or infinite weights"):
        load(saved(tmp_path / "c.ckpt", content))


def test_home_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    checkpoint(tmp_path / "a.ckpt")
    assert load("~/a.ckpt").classes == ["a", "b", "c"]
