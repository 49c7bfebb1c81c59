"""Weights from any file that people have: which forms are read, which classifier rows are taken, what is refused."""

import logging

import pytest
import torch

from panns import create_model, load
from panns.data.labels import audioset_classes
from panns.trained import NotOurCheckpointError
from panns.weights.files import CheckpointError
from panns.weights.loading import load_weights
from panns.weights.reading import read_weights
from runs import checkpoint, saved

NAMES = [label.name for label in audioset_classes()]
TINY = {"backbone.base_channels": 4, "backbone.depth": 2}  # the model that runs.checkpoint writes
WAVE = 0.1 * torch.randn(1, 32000, generator=torch.Generator().manual_seed(0))


def with_classes(state, count):
    """As a user would have fine-tuned it: the first rows of the classifier are its classes."""
    return {name: w[:count] if name.startswith("fc_audioset.") else w for name, w in state.items()}


def logits(model):
    with torch.no_grad():
        return model.eval()(WAVE).clip_logits


def test_a_released_file_with_its_class_names(leenet, tmp_path):
    model = create_model("leenet11", checkpoint=saved(tmp_path / "a.pth", {"iteration": 540000, "model": leenet}))
    assert model.classes == NAMES
    assert not model.exclusive
    assert torch.equal(model.head.classifier.weight, leenet["fc_audioset.weight"])
    assert torch.equal(model.head.fc.weight, leenet["fc1.weight"])


@pytest.mark.parametrize(
    "form",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{name}": w for name, w in state.items()}, "optimizer": {"lr": 0.1}},
        lambda state: {"state_dict": {f"model.module.{name}": w for name, w in state.items()}},
        lambda state: {"model": {f"base.{name}": w for name, w in state.items()}},
        lambda state: {"model_state_dict": {f"_orig_mod.{name}": w for name, w in state.items()}, "epoch": 3},
        lambda state: {"net": {f"net.{name}": w for name, w in state.items()}},
    ],
)
def test_forms_that_people_have(form, leenet, tmp_path):
    model = create_model("leenet11", checkpoint=saved(tmp_path / "a.pth", form(leenet)))
    expected = create_model("leenet11", checkpoint=saved(tmp_path / "b.pth", {"model": leenet}))
    assert torch.equal(logits(model), logits(expected))


def test_a_fine_tuned_file_brings_its_classifier(leenet, tmp_path, caplog):
    path = saved(tmp_path / "mine.pth", {"model": with_classes(leenet, 10)})
    with caplog.at_level(logging.WARNING):
        model = create_model("leenet11", checkpoint=path)
    assert model.num_classes == 10
    assert model.classes == []  # the file does not name them
    assert torch.equal(model.head.classifier.weight, leenet["fc_audioset.weight"][:10])
    assert not caplog.records


def test_another_number_of_classes_leaves_the_classifier_fresh(leenet, tmp_path, caplog):
    path = saved(tmp_path / "mine.pth", {"model": leenet})
    with caplog.at_level(logging.WARNING):
        torch.manual_seed(0)
        model = create_model("leenet11", checkpoint=path, num_classes=50)
    assert "mine.pth (released weights of LeeNet11, 527 classes); classifier: fresh, as 50 classes" in caplog.text
    torch.manual_seed(0)
    assert torch.equal(model.head.classifier.weight, create_model("leenet11", num_classes=50).head.classifier.weight)
    assert torch.equal(model.head.fc.weight, leenet["fc1.weight"])
    assert model.classes == []


def test_transfer_cnn14_of_the_gtzan_code(leenet, tmp_path):
    """Its forward: log_softmax(fc_transfer(base(x)["embedding"])); the AudioSet classifier inside is not used."""
    transfer = {"fc_transfer.weight": torch.randn(10, 512), "fc_transfer.bias": torch.randn(10)}
    state = transfer | {f"base.{name}": w for name, w in leenet.items()}
    for form in (state, {f"module.{name}": w for name, w in state.items()}):
        model = create_model("leenet11", checkpoint=saved(tmp_path / "a.pth", {"iteration": 10000, "model": form}))
        assert model.exclusive
        with torch.no_grad():
            output = model.eval()(WAVE)
            expected = output.embedding @ transfer["fc_transfer.weight"].T + transfer["fc_transfer.bias"]
        torch.testing.assert_close(output.clip_logits, expected)
        torch.testing.assert_close(model.probabilities(WAVE), expected.softmax(-1))


def test_classes_are_matched_by_name(leenet, tmp_path):
    wanted = ["Dog", "Speech", "Steam whistle"]
    model = create_model("leenet11", num_classes=3)
    model.classes = list(wanted)
    loaded = load_weights(model, read_weights(saved(tmp_path / "a.pth", leenet)))
    rows = [NAMES.index(name) for name in wanted]
    assert torch.equal(model.head.classifier.weight, leenet["fc_audioset.weight"][rows])
    assert torch.equal(model.head.classifier.bias, leenet["fc_audioset.bias"][rows])
    assert "the rows of the 3 classes wanted, by name" in str(loaded)
    assert loaded.fresh == ()


def test_equal_numbers_of_other_classes_are_not_taken_for_the_same(leenet, tmp_path):
    """527 classes of one's own are not AudioSet's."""
    model = create_model("leenet11")
    model.classes = [*NAMES[:-1], "my class"]
    before = model.head.classifier.weight.clone()
    loaded = load_weights(model, read_weights(saved(tmp_path / "a.pth", leenet)))
    assert "fresh, as 1 of 527 classes are not in the file, such as 'my class'" in str(loaded)
    assert {*loaded.fresh} == {"head.classifier.weight", "head.classifier.bias"}
    assert torch.equal(model.head.classifier.weight, before)
    assert torch.equal(model.head.fc.weight, leenet["fc1.weight"])
    assert all(name.startswith(("spectrogram_extractor.", "logmel_extractor.")) for name in loaded.dropped)


def test_attention_is_of_the_classes_too(tmp_path, reference, no_init):
    entries = reference.MANIFEST["Cnn14_DecisionLevelAtt"]["entries"]
    state = {name: torch.zeros(shape) for name, shape, _ in entries}
    for part in ("att", "cla"):
        state[f"att_block.{part}.bias"] = torch.arange(527.0)
    model = create_model("cnn14_decision_level_att", num_classes=2)
    model.classes = ["Dog", "Speech"]
    loaded = load_weights(model, read_weights(saved(tmp_path / "a.pth", state)))
    rows = [NAMES.index("Dog"), 0]
    assert model.head.classifier.bias.tolist() == model.head.attention.bias.tolist() == rows
    assert {"att_block.bn_att.weight"} < {*loaded.dropped}


def test_our_own_checkpoints(tmp_path, caplog):
    expected = checkpoint(tmp_path / "a.ckpt", exclusive=True)
    model = create_model("cnn10", checkpoint=tmp_path / "a.ckpt", **TINY)
    assert torch.equal(logits(model), logits(expected))
    assert model.classes == ["a", "b", "c"]
    assert model.exclusive
    with caplog.at_level(logging.WARNING):
        other = create_model("cnn10", checkpoint=tmp_path / "a.ckpt", num_classes=4, **TINY)
    assert "fresh" in caplog.text
    assert torch.equal(other.head.fc.weight, expected.head.fc.weight)
    assert other.head.classifier.weight.shape[0] == 4
    permuted = create_model("cnn10", num_classes=2, **TINY)
    permuted.classes = ["c", "a"]
    load_weights(permuted, read_weights(tmp_path / "a.ckpt"))
    assert torch.equal(permuted.head.classifier.weight, expected.head.classifier.weight[[2, 0]])


def test_our_own_checkpoint_of_another_model(tmp_path):
    checkpoint(tmp_path / "a.ckpt")
    weights = read_weights(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"a\.ckpt \(checkpoint of train.py, 3 classes\) is of another model: 0"):
        load_weights(create_model("cnn10", **TINY | {"backbone.base_channels": 8}), weights)
    with pytest.raises(CheckpointError, match=r"is of another model: \d+ parameters missing in it, 0 foreign"):
        load_weights(create_model("cnn10", **TINY | {"backbone.depth": 3}), weights)


def test_our_own_checkpoint_with_further_layers_says_how_many(tmp_path):
    deeper = create_model("cnn10", num_classes=3, **TINY, **{"head.classifier_layers": 3})
    path = saved(tmp_path / "a.pth", deeper.state_dict())
    with pytest.raises(CheckpointError, match=r"4 foreign.* It was made with head\.classifier_layers=3\."):
        create_model("cnn10", checkpoint=path, **TINY)
    create_model("cnn10", checkpoint=path, **TINY, **{"head.classifier_layers": 3})


def test_a_released_file_of_another_model(leenet, tmp_path):
    path = saved(tmp_path / "a.pth", leenet)
    with pytest.raises(
        CheckpointError, match=r"a\.pth: these are the weights of LeeNet11: .* no place for .* is leenet11"
    ):
        create_model("res1dnet31", checkpoint=path)
    with pytest.raises(NotOurCheckpointError, match=r"a\.pth was not .* released weights of LeeNet11, 527 .*Name the"):
        load(path)


def test_a_released_name_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="`panns download cnn14` and checkpoint=released fetch it"):
        create_model("cnn14", checkpoint="Cnn14_mAP=0.431.pth")
    with pytest.raises(CheckpointError, match=r"There is no checkpoint none\.pth"):
        create_model("cnn14", checkpoint="none.pth")


def test_released_is_fetched(leenet, released, server, tmp_path, monkeypatch):
    content = saved(tmp_path / "a.pth", {"iteration": 540000, "model": leenet}).read_bytes()
    released("leenet11", content)
    monkeypatch.chdir(tmp_path)
    model = create_model("leenet11", checkpoint="released")
    assert torch.equal(model.head.classifier.weight, leenet["fc_audioset.weight"])
    with pytest.raises(ValueError, match="No weights were released for cnn14_mel32, only for"):
        create_model("cnn14_mel32", checkpoint="released")


@pytest.mark.parametrize("ours", [False, True])
def test_further_layers_behind_the_embedding_are_new_and_so_is_their_classifier(ours, leenet, tmp_path):
    if ours:
        trained = checkpoint(tmp_path / "a.ckpt")
        name, options, path = "cnn10", TINY | {"num_classes": 3}, tmp_path / "a.ckpt"
    else:
        trained, name, options = create_model("leenet11"), "leenet11", {}
        path = saved(tmp_path / "a.pth", leenet)
        load_weights(trained, read_weights(path))
    model = create_model(name, **options, **{"head.classifier_layers": 3})
    model.classes, before = list(trained.classes) or NAMES, [w.clone() for w in model.head.classifier.parameters()]
    loaded = load_weights(model, read_weights(path))
    assert "classifier: fresh, behind further layers that are not in the file" in str(loaded)
    assert {name.rpartition(".")[0] for name in loaded.fresh} == {"head.hidden.0", "head.hidden.1", "head.classifier"}
    assert all(torch.equal(*pair) for pair in zip(before, model.head.classifier.parameters(), strict=True))
    assert torch.equal(model.head.fc.weight, trained.head.fc.weight)


def test_released_weights_in_a_model_that_differs_say_in_what(leenet, tmp_path, caplog):
    path = saved(tmp_path / "a.pth", leenet)
    with caplog.at_level(logging.WARNING):
        create_model("leenet11", checkpoint=path)
        assert not caplog.records
        create_model("leenet11", checkpoint=path, sample_rate=16000, **{"backbone.pool_last": False})
    assert "backbone.pool_last is False here and True there, sample_rate is 16000 here and 32000 there" in caplog.text


def test_weights_of_several_systems_are_compared_but_for_the_head(reference, no_init, tmp_path, caplog):
    """Cnn14_DecisionLevelMax has the shapes of Cnn14."""
    path = saved(tmp_path / "a.pth", reference.checkpoint("Cnn14")["model"])
    with caplog.at_level(logging.WARNING):
        create_model("cnn14_decision_level_max", checkpoint=path)
        assert not caplog.records
        create_model("cnn14", checkpoint=path, **{"frontend.f_min": 0.0})
    assert "frontend.f_min is 0.0 here and 50.0 there" in caplog.text


def test_the_name_of_a_released_file_says_which_head_is_meant(reference, no_init, tmp_path, caplog):
    path = saved(tmp_path / "Cnn14_DecisionLevelMax_mAP=0.385.pth", reference.checkpoint("Cnn14")["model"])
    with caplog.at_level(logging.WARNING):
        create_model("cnn14_decision_level_max", checkpoint=path)
        assert not caplog.records
        create_model("cnn14", checkpoint=path)
    assert "head._target_ is panns.models.ClipHead here and panns.models.FrameHead there" in caplog.text


def test_a_damaged_file_of_the_right_model_is_not_called_one_of_another(leenet, tmp_path):
    gone = {name: w for name, w in leenet.items() if name != "conv_block2.bn1.weight"}
    path = saved(tmp_path / "a.pth", gone)
    with pytest.raises(CheckpointError, match=r"they lack 1 .* That is this model, so the file is damaged"):
        create_model("leenet11", checkpoint=path)
    with pytest.raises(CheckpointError, match=r"The model of that name is leenet11\."):
        create_model("leenet11", checkpoint=path, sample_rate=16000)


def test_with_weights_it_is_for_evaluation(leenet, tmp_path):
    assert not create_model("leenet11", checkpoint=saved(tmp_path / "a.pth", leenet)).training
    assert create_model("leenet11").training


def test_weights_that_were_saved_alone(tmp_path):
    """As the message on a pickled model says."""
    trained = create_model("cnn10", num_classes=3, **TINY)
    path = saved(tmp_path / "a.pth", trained.state_dict())
    model = create_model("cnn10", checkpoint=path, **TINY)
    assert torch.equal(logits(model), logits(trained))
    with pytest.raises(CheckpointError, match=r"\(weights of a model of panns, 3 classes\) is of another model"):
        create_model("cnn10", checkpoint=path)


def test_weights_that_are_not_finite_are_refused(leenet, tmp_path):
    state = {name: w.clone() for name, w in leenet.items()}
    state["fc1.weight"][3, 4] = torch.nan
    with pytest.raises(CheckpointError, match=r"a\.pth holds NaN or infinite weights, in fc1\.weight"):
        create_model("leenet11", checkpoint=saved(tmp_path / "a.pth", state))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"sample_rate": 16000}, "sample_rate is 16000 here and 32000 there"),
        ({"frontend.f_min": 0.0}, r"frontend\.f_min is 0\.0 here and 50\.0 there"),
        ({"frontend.n_fft": 512}, r"frontend\.n_fft is 512 here and null there"),
        ({"backbone.pool_last": False}, r"backbone\.pool_last is False here and True there"),
        ({"backbone.depth": 3}, r"backbone\.depth is 3 here and 2 there\. Compose"),
    ],
)
def test_equal_shapes_do_not_make_an_equal_model(tmp_path, other, says):
    checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=f"is of another model: {says}"):
        create_model("cnn10", checkpoint=tmp_path / "a.ckpt", **TINY | other)


def test_a_part_of_another_class_is_named_alone(tmp_path):
    checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(
        CheckpointError, match=r"another model: backbone\._target_ is \S+MobileNetV1 here and \S+Cnn there\."
    ):
        create_model("mobilenet_v1", checkpoint=tmp_path / "a.ckpt")


def test_what_a_fine_tuner_may_change_is_told(tmp_path, caplog):
    checkpoint(tmp_path / "a.ckpt")
    quiet = {"backbone.dropout": 0.0, "head.dropout": 0.1, "short_clips": "zeros"}
    create_model("cnn10", checkpoint=tmp_path / "a.ckpt", **TINY | quiet)
    assert not caplog.text
    create_model("cnn10", checkpoint=tmp_path / "a.ckpt", **TINY | {"frontend.hop_length": 160})
    assert "classifier: all 3 classes; frontend.hop_length is 160 here and null there" in caplog.text
