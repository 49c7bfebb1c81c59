"""What a file holds: released weights, our own, or what else it is."""

import pytest
import torch

from panns import create_model, load
from panns.trained import NotOurCheckpointError
from panns.weights.files import CheckpointError
from panns.weights.reading import read_weights
from runs import checkpoint, saved


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"epoch": 3, "loss": 0.5}, "holds no weights but epoch, loss"),
        ([1, 2], "holds no weights but list"),
        (torch.zeros(3), "holds no weights but Tensor"),
        ({}, "empty state dict"),
        ({"model": {}}, "empty state dict"),
        ({"model": {"layer.weight": torch.zeros(3)}}, "holds 1 tensors of no released PANNs model, such as layer"),
        ({"state_dict": {"w": torch.zeros(3)}, "hyper_parameters": {"lr": 1}}, "1 tensors of no released PANNs model"),
    ],
)
def test_other_files_say_what_they_are(content, says, tmp_path):
    with pytest.raises(CheckpointError, match=rf"other\.pth.*{says}"):
        create_model("cnn6", checkpoint=saved(tmp_path / "other.pth", content))


def test_weights_without_a_classifier(leenet, tmp_path):
    path = saved(tmp_path / "a.pth", {name: w for name, w in leenet.items() if not name.startswith("fc_audioset")})
    with pytest.raises(CheckpointError, match=r"tensors of LeeNet11, without a classifier"):
        read_weights(path)


def test_a_model_of_another_project(shared):
    with pytest.raises(CheckpointError, match=r"mn04_as_mAP_432\.pt .*no released PANNs model"):
        create_model("mobilenet_v1", checkpoint=shared / "weights" / "mn04_as_mAP_432.pt")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fc1.weight": torch.zeros(2, dtype=torch.complex64)}, "holds fc1.weight as complex64: no weights to start"),
        ({"fc1.weight": torch.zeros(2, dtype=torch.int8)}, "holds fc1.weight as int8: no weights"),
        ({"fc1.weight": torch.zeros(2, 2).to_sparse()}, "holds fc1.weight as sparse_coo: no weights"),
        ({"fc_audioset.bias": torch.tensor(1.0)}, "is damaged: of 527 classes, .*fc_audioset.bias has 0"),
    ],
)
def test_tensors_that_are_no_weights_are_refused(leenet, tmp_path, change, says):
    with pytest.raises(CheckpointError, match=says):
        read_weights(saved(tmp_path / "a.pth", leenet | change))


def test_rounded_weights_are_named(leenet, tmp_path):
    half = {name: w.half() if w.is_floating_point() else w for name, w in leenet.items()}
    weights = read_weights(saved(tmp_path / "a.pth", half))
    assert weights.source == "released weights of LeeNet11, 527 classes, rounded to float16"


def test_weights_have_one_hash_whatever_the_file(leenet, tmp_path):
    one = read_weights(saved(tmp_path / "a.pth", leenet)).hash
    order = dict(reversed(leenet.items()))
    ours = checkpoint(tmp_path / "ours.ckpt")
    alone = saved(tmp_path / "alone.pth", ours.state_dict())
    assert read_weights(tmp_path / "ours.ckpt").hash == read_weights(alone).hash
    assert read_weights(saved(tmp_path / "b.pth", {"iteration": 1, "model": order})).hash == one
    last = next(reversed(leenet))
    others = [
        leenet | {"fc1.weight": torch.nextafter(leenet["fc1.weight"], leenet["fc1.weight"] + 1)},
        leenet | {"fc1.weight": leenet["fc1.weight"].bfloat16()},
        leenet | {"fc1.weight": leenet["fc1.weight"].unsqueeze(0)},
        {name: weight for name, weight in leenet.items() if name != last},
    ]
    hashes = {read_weights(saved(tmp_path / "c.pth", other)).hash for other in others}
    assert len(hashes | {one}) == 5


def test_a_classifier_whose_parts_disagree_is_damaged(leenet, tmp_path):
    state = leenet | {"fc_audioset.bias": torch.zeros(526)}
    with pytest.raises(CheckpointError, match=r"of 527 classes, .*fc_audioset\.bias has 526"):
        create_model("leenet11", checkpoint=saved(tmp_path / "a.pth", state))
    checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    content["state_dict"]["model.head.classifier.bias"] = torch.zeros(4)
    with pytest.raises(NotOurCheckpointError, match=r"of 3 classes, .*head\.classifier\.bias has 4"):
        load(saved(tmp_path / "b.ckpt", content))
