"""task.freeze: only what stands behind the embedding is trained, on what a checkpoint brought."""

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from train import train

from panns.weights.files import load_checkpoint
from runs import small


@pytest.fixture(scope="module")
def pretrained(tones, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    train(small(tones, folder, "data.max_epochs=1"))
    return folder / "checkpoints" / "last.ckpt"


def weights(path):
    return load_checkpoint(path)["state_dict"]


@pytest.mark.parametrize("layers", [1, 3])
def test_the_embedding_stays_and_the_layers_behind_it_are_trained(tones, pretrained, tmp_path, layers, capsys):
    frozen = ("task.freeze=embedding", f"model.head.classifier_layers={layers}", f"checkpoint={pretrained}")
    train(small(tones, tmp_path, *frozen, "augmentation=mixup_specaugment", "data.max_epochs=2"))
    before, after = weights(pretrained), weights(tmp_path / "checkpoints" / "last.ckpt")
    kept = [name for name in before if not name.startswith("model.head.classifier")]
    assert len(kept) > 20
    assert any("running_var" in name for name in kept)  # batch norms do not drift either
    for name in kept:
        assert torch.equal(after[name], before[name]), name
    if layers == 1:
        assert not torch.equal(after["model.head.classifier.weight"], before["model.head.classifier.weight"])
    state = load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["optimizer_states"][0]["state"]
    assert len(state) == 2 * layers  # a weight and a bias each
    trained = sum(w.numel() for name, w in after.items() if name.startswith(("model.head.hid", "model.head.cla")))
    said = " ".join(capsys.readouterr().out.split())
    assert f"{trained:,} parameters, behind the embedding (task.freeze=embedding)" in said


def test_all_of_the_layers_learn(tones, pretrained, tmp_path):
    frozen = ("task.freeze=embedding", "model.head.classifier_layers=3", f"checkpoint={pretrained}")
    ends = []
    for rate in ("0", "1e-2"):
        train(small(tones, tmp_path / rate, *frozen, "data.max_epochs=1", f"optimizer.lr={rate}"))
        ends.append(weights(tmp_path / rate / "checkpoints" / "last.ckpt"))
    for name in ("hidden.0.weight", "hidden.1.weight", "classifier.weight"):
        assert not torch.equal(*(end[f"model.head.{name}"] for end in ends)), name


def test_what_is_frozen_is_in_evaluation_whatever_the_trainer_asks_for(tones, tmp_path):
    cfg = small(
        tones, tmp_path, "model=cnn14_decision_level_att", "task.freeze=embedding", "model.backbone.dropout=0.5"
    )
    model = instantiate(cfg.model, num_classes=4)
    augmentation = instantiate(cfg.augmentation)
    task = instantiate(cfg.task)(model, None, None, augmentation, list("abcd"))
    task.train()
    training = {name for name, module in task.model.named_modules() if module.training}
    assert training == {"head.classifier", "head.attention"}
    assert {name for name, p in task.model.named_parameters() if p.requires_grad} == {
        f"head.{layer}.{of}" for layer in ("classifier", "attention") for of in ("weight", "bias")
    }
    task.eval()
    assert not any(module.training for module in task.model.modules())


def test_random_weights_are_not_frozen(tones, tmp_path):
    with pytest.raises(ValueError, match=r"task\.freeze=embedding would keep random weights.*checkpoint=FILE"):
        train(small(tones, tmp_path, "task.freeze=embedding"))


def test_something_else_cannot_be_frozen(tones, tmp_path):
    with pytest.raises(ValueError, match=r"task\.freeze='all': choose 'embedding', or null") as caught:
        train(small(tones, tmp_path, "task.freeze=all"))
    assert not isinstance(caught.value, InstantiationException)
