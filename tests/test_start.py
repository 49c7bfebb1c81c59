"""checkpoint=: runs that start from weights, and runs that only score them."""

import csv
import json

import numpy as np
import pytest
import soundfile
import torch
from sklearn.metrics import average_precision_score
from train import train

from panns import create_model
from panns.cache_folder import cache_dir
from panns.data.labels import audioset_classes
from panns.data.manifest import ManifestSource
from panns.data.packing import index
from panns.training import pictures
from panns.training.run import RunError, config_hash
from panns.weights.files import CheckpointError, load_checkpoint
from panns.weights.reading import read_weights
from runs import config, small

RATE = 32000


@pytest.fixture(scope="module")
def trained(tones, tmp_path_factory):
    """A finished run, to start others from."""
    folder = tmp_path_factory.mktemp("trained")
    train(small(tones, folder, "data.max_epochs=2", "optimizer.lr=3e-3"))
    return folder


@pytest.fixture(scope="module")
def barks(tmp_path_factory):
    """A store of AudioSet's 527 classes, two of which are heard; without training clips."""
    root = tmp_path_factory.mktemp("barks")
    rng = np.random.default_rng(0)
    rows = [["path", "labels", "split"]]
    for number in range(6):
        noise = rng.standard_normal(RATE) * (1 + np.sin(np.arange(RATE) * 2e-4 * (number + 1)))
        soundfile.write(root / f"{number}.wav", 0.05 * noise, RATE, subtype="PCM_16")
        rows.append([f"{number}.wav", ["Dog", "Speech", "Dog;Speech"][number % 3], "eval"])
    with (root / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    source = ManifestSource(root / "clips.csv", "audioset")
    index(source, root / "store", clip_seconds=1.0, jobs=1, show_progress=False)
    return root / "store"


def results(folder):
    return json.loads((folder / "metrics.json").read_text())


def said(capsys):
    """What was printed, without the line breaks of the table."""
    return " ".join(capsys.readouterr().out.split())


def weights(path):
    return load_checkpoint(path)["state_dict"]


def test_weights_are_scored_without_training(tones, trained, tmp_path, capsys):
    source = trained / "checkpoints" / "last.ckpt"
    value = train(small(tones, tmp_path, f"checkpoint={source}", "data.max_epochs=0"))
    there, here = results(trained), results(tmp_path)
    assert value == here["val/mAP"] == pytest.approx(there["last/val/mAP"], abs=1e-9)
    assert here["step"] == 0
    with (tmp_path / "per_class.csv").open() as file:
        assert [row["class"] for row in csv.DictReader(file)] == ["tone0", "tone1", "tone2", "tone3"]
    with (tmp_path / "history.csv").open() as file:
        assert ("0", "val/mAP") in {(row["step"], row["name"]) for row in csv.DictReader(file)}
    assert [path.name for path in tmp_path.glob("*.png")] == ["per_class_ap.png"]
    out = said(capsys)
    for words in (
        "last.ckpt (checkpoint of train.py, 4 classes); classifier: all 4",
        "no training",
        "(weights as they came; 12 clips",
    ):
        assert words in out, words
    assert "learning_curve" not in out
    assert "checkpoints/" not in out.partition("per_class.csv")[2]


def test_released_weights_are_scored_as_they_are(barks, reference, released, tmp_path, capsys):
    torch.save(reference.checkpoint("LeeNet11"), tmp_path / "a.pth")
    file = released("leenet11", (tmp_path / "a.pth").read_bytes())
    options = ("model=leenet11", "trainer=cpu", "data=store", f"data.store={barks}", "data.validation_splits=[eval]")
    cfg = config(*options, "checkpoint=released", "data.max_epochs=0", "logger=csv", f"run_dir={tmp_path / 'run'}")
    value = train(cfg)
    assert f"{file.name} (released weights of LeeNet11, 527 classes); classifier: all 527" in said(capsys)

    model = create_model("leenet11", checkpoint=tmp_path / "a.pth").eval()
    clips = [soundfile.read(barks.parent / f"{number}.wav", dtype="float32")[0] for number in range(6)]
    with torch.no_grad():
        scores = model.probabilities(torch.from_numpy(np.stack(clips)))
    names = [label.name for label in audioset_classes()]
    truth = {"Dog": [1, 0, 1, 1, 0, 1], "Speech": [0, 1, 1, 0, 1, 1]}
    ap = [average_precision_score(labels, scores[:, names.index(name)]) for name, labels in truth.items()]
    assert value == pytest.approx(np.mean(ap), abs=1e-6)


def test_a_run_from_released_weights_goes_on_without_them(tones, reference, released, tmp_path):
    """And without a network: it has long been beyond them."""
    torch.save(reference.checkpoint("LeeNet11"), tmp_path / "a.pth")
    file = released("leenet11", (tmp_path / "a.pth").read_bytes())
    words = ("model=leenet11", "trainer=cpu", "data=store", f"data.store={tones}", "data.validation_splits=[eval]")
    words += ("data.batch_size=2", "data.clips_per_epoch=2", "logger=csv", "augmentation=none")
    cfg = config(*words, "checkpoint=released", "data.max_epochs=1", f"run_dir={tmp_path / 'run'}")
    score = train(cfg)
    started = results(tmp_path / "run")["fingerprint"]["start"]
    assert started == {"weights": read_weights(tmp_path / "a.pth").hash}
    (cache_dir() / file.name).unlink()
    assert train(cfg) == score
    (tmp_path / "run" / "metrics.json").unlink()
    assert train(cfg) == score
    assert results(tmp_path / "run")["fingerprint"]["start"] == started
    assert not (cache_dir() / file.name).exists()


def test_nothing_to_train_on_is_no_matter_only_if_nothing_is_trained(barks, tmp_path, monkeypatch):
    names, drawn = ("data.train_splits=[balanced_train]", "data.clips_per_epoch=4"), []
    monkeypatch.setattr(pictures, "per_class_ap", lambda *shown: drawn.append(shown))
    value = train(small(barks, tmp_path / "a", "data.max_epochs=0", *names))
    assert 0 < value <= 1
    assert [(shown[0], shown[2], shown[4]) for shown in drawn] == [(["Speech", "Dog"], [4, 4], "clips scored")]
    for splits in (names, names[1:]):
        with pytest.raises(Exception, match=r"no split balanced_train|no clips to use as train data"):
            train(small(barks, tmp_path / "b", *splits))


def test_training_starts_from_the_weights(tones, trained, tmp_path):
    """A learning rate of 0 leaves them as they came; so does the prior bias, which is for fresh classifiers."""
    source = trained / "checkpoints" / "last.ckpt"
    options = ("optimizer.lr=0", "trainer.max_steps=1", "trainer.max_epochs=-1", "task.prior_bias=true")
    train(small(tones, tmp_path, f"checkpoint={source}", *options))
    before, after = weights(source), weights(tmp_path / "checkpoints" / "last.ckpt")
    learned = [name for name in before if "running" not in name and "num_batches" not in name]
    assert all(torch.equal(before[name], after[name]) for name in learned)


def test_other_classes_get_a_fresh_classifier_and_it_is_said(barks, trained, tmp_path, capsys):
    source = trained / "checkpoints" / "last.ckpt"
    train(small(barks, tmp_path, f"checkpoint={source}", "data.max_epochs=0", "data.clips_per_epoch=4"))
    assert "classifier: fresh, as 527 of 527 classes are not in the file, such as 'Speech'" in said(capsys)


def test_going_on_does_not_load_them_again(tones, trained, tmp_path):
    """Not even the file is needed any more."""
    source = tmp_path / "start.ckpt"
    source.write_bytes((trained / "checkpoints" / "last.ckpt").read_bytes())
    names = ("a", "b")
    for folder, epochs in (("a", 2), ("b", 1)):
        train(small(tones, tmp_path / folder, f"checkpoint={source}", f"data.max_epochs={epochs}"))
    source.unlink()
    (tmp_path / "b" / "metrics.json").unlink()
    train(small(tones, tmp_path / "b", f"checkpoint={source}", "data.max_epochs=2"))
    hashes = [results(tmp_path / name)["fingerprint"]["start"]["weights"] for name in names]
    assert hashes == [read_weights(trained / "checkpoints" / "last.ckpt").hash] * 2
    a, b = (weights(tmp_path / name / "checkpoints" / "last.ckpt") for name in names)
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_is_not_that_of_other_weights_under_the_same_name(tones, trained, tmp_path, finished):
    """Nor is a copy of the same weights another one."""
    source = tmp_path / "start.ckpt"
    saved = weights(trained / "checkpoints" / "last.ckpt")
    state = {name.removeprefix("model."): weight for name, weight in saved.items()}
    bias = "head.classifier.bias"
    torch.save(state, source)
    started = small(tones, tmp_path / "run", f"checkpoint={source}", "data.max_epochs=1")
    score = train(started)
    if not finished:
        (tmp_path / "run" / "metrics.json").unlink()
    torch.save(state | {bias: state[bias] + 1e-3}, source)
    with pytest.raises(CheckpointError, match=r"run.* started from other weights than .* now: hash \w{12} there, .*"):
        train(started)
    torch.save({"iteration": 5, "model": state}, source)
    assert train(started) == score
    source.write_text("damaged")
    assert train(started) == score  # it is not needed any more


def test_a_run_that_goes_on_from_anothers_checkpoint_started_where_that_did(tones, trained, tmp_path):
    source = trained / "checkpoints" / "last.ckpt"
    train(small(tones, tmp_path / "a", f"checkpoint={source}", "data.max_epochs=1"))
    for name, before in (("b", tmp_path / "a"), ("c", trained)):
        resume = f"resume={before}/checkpoints/last.ckpt"
        train(small(tones, tmp_path / name, resume, "data.max_epochs=3"))
    started = [results(tmp_path / name)["fingerprint"].get("start") for name in "abc"]
    assert started[0] == started[1] == {"weights": read_weights(source).hash}
    assert started[2] is None
    with pytest.raises(RunError, match=r"resume=.* goes on from all of a checkpoint, checkpoint=.* give one of them"):
        train(small(tones, tmp_path / "d", resume, f"checkpoint={source}"))


def test_weights_are_part_of_what_a_run_is():
    plain, started = config("model=cnn10"), config("model=cnn10", "checkpoint=released")
    assert config_hash(plain) != config_hash(started)
    del plain.checkpoint
    assert config_hash(plain) == config_hash(config("model=cnn10"))  # folders of runs made before there was the key


def test_a_file_of_another_model_is_refused(tones, trained, tmp_path):
    source = trained / "checkpoints" / "last.ckpt"
    with pytest.raises(ValueError, match=r"last\.ckpt \(checkpoint of train\.py, 4 classes\) is of another model"):
        train(small(tones, tmp_path, f"checkpoint={source}", "model.backbone.depth=3"))
