"""train.py itself, on a store and a network that take no time."""

import csv
import json
import math
import shutil

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from sklearn.metrics import average_precision_score
from train import train

from panns import create_model, load
from panns.data import AudioSetDataModule
from panns.data.manifest import ManifestSource
from panns.data.packing import index
from panns.data.quarantine import write_quarantine
from panns.data.store import ClipStore
from panns.models.compiling import compile_body
from panns.training import pictures
from panns.training.finite import NonFiniteLossError
from panns.training.run import Run, config_hash
from panns.training.task import TaggingTask, start_at_prior
from panns.weights.files import CheckpointError, load_checkpoint
from runs import config, small, start

DEEPER = ("model.backbone.depth=4", "model.backbone.base_channels=8", "model.frontend.n_mels=64", "optimizer.lr=3e-3")


def test_it_learns_and_leaves_everything_a_reader_wants(tones, tmp_path, capsys):
    folder = tmp_path / "run"
    value = train(small(tones, folder, "data.max_epochs=20", "augmentation=none", *DEEPER))
    results = json.loads((folder / "metrics.json").read_text())
    assert value == results["val/mAP"] > 0.9
    assert results["step"] == 80
    assert results["fingerprint"]["train"]["clips"] == 40
    with (folder / "per_class.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["tone0", "tone1", "tone2", "tone3"]
    assert sum(float(row["ap"]) for row in rows) / 4 == pytest.approx(results["val/mAP"])
    for name in ("learning_curve.png", "per_class_ap.png", "drawn_classes.png", "drawn_classes.csv", "history.csv"):
        assert (folder / name).stat().st_size > 0, name
    said = capsys.readouterr().out
    for word in ("parameters", "MACs", "40 clips (train)", "12 clips (eval)", "id hash", "model=cnn10", "metrics.json"):
        assert word in said, word

    model = load(folder / "checkpoints" / "best.ckpt")
    assert model.classes == ["tone0", "tone1", "tone2", "tone3"]
    pitches = torch.sin(torch.arange(32000) / 32000 * 2 * math.pi * 400 * 2 ** torch.arange(4)[:, None])
    heard = torch.cat([torch.zeros(1, 32000), pitches.sign(), 0.1 * pitches])
    with torch.no_grad():
        want = model.probabilities(heard)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(model.probabilities(heard), want, rtol=0, atol=2e-2)
    assert want.shape == (9, 4)


def test_best_checkpoint_is_the_one_with_the_best_validation(tones, tmp_path):
    train(small(tones, tmp_path, "data.max_epochs=4"))
    with (tmp_path / "history.csv").open() as file:
        scores = {int(row["step"]): float(row["value"]) for row in csv.DictReader(file) if row["name"] == "val/mAP"}
    best = load_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    assert scores[best["global_step"]] == max(scores.values())
    results = json.loads((tmp_path / "metrics.json").read_text())
    assert results["val/mAP"] == pytest.approx(max(scores.values()), abs=1e-6)


def test_history_has_every_number_at_the_step_it_was_had(tones, tmp_path, monkeypatch):
    """Two validations, after 4 and 8 steps; no log interval is reached in 4 steps, yet the training loss is there."""
    norms, schedule = (
        [],
        ("optimizer.lr=1e-3", "scheduler=warmup_cosine", "data.max_epochs=2", "trainer.log_every_n_steps=50"),
    )
    total_norm = torch.nn.utils.get_total_norm
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda g: (norms.append(total_norm(g)), norms[-1])[1])
    train(small(tones, tmp_path, *schedule))
    history = pictures.read_history(tmp_path / "history.csv")
    for name in ("train/loss", "train/grad_norm", "train/lr", "val/loss", "val/mAP"):
        assert history[name][0].tolist() == [4, 8], name
    assert history["train/grad_norm"][1] == pytest.approx([float(norms[3]), float(norms[7])], rel=1e-6)
    rates = [1e-3 * (1 + math.cos(math.pi * done / 8)) / 2 for done in (3, 7)]
    assert history["train/lr"][1] == pytest.approx(rates, rel=1e-6)
    assert "step" not in history


def test_a_perfect_score_is_written_down(tones, tmp_path, monkeypatch, capsys):
    """Its d_prime is infinite, which JSON does not know."""
    monkeypatch.setattr(TaggingTask, "probabilities", lambda task, logits: task.told)
    step = TaggingTask.validation_step

    def tell(task, batch, batch_idx):
        task.told = batch.target.float()
        step(task, batch, batch_idx)

    monkeypatch.setattr(TaggingTask, "validation_step", tell)
    assert train(small(tones, tmp_path, "data.max_epochs=1")) == 1
    results = json.loads((tmp_path / "metrics.json").read_text())
    assert results["val/mAUC"] == 1
    assert "val/d_prime" not in results
    assert "no d_prime: it is infinite" in capsys.readouterr().out


def test_one_class_and_one_clip_to_validate_with(tones, tmp_path):
    rows = [f"{tones.parent / f'clip{n:02}.wav'},tone,{'eval' if n == 8 else 'train'}" for n in range(9)]
    (tmp_path / "one.csv").write_text("\n".join(["path,labels,split", *rows]) + "\n")
    index(ManifestSource(tmp_path / "one.csv"), tmp_path / "one", clip_seconds=1.0, jobs=1, show_progress=False)
    assert train(small(tmp_path / "one", tmp_path / "run", "data.max_epochs=1")) == 1
    with (tmp_path / "run" / "per_class.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["class"], row["ap"], row["validation_clips"], row["train_clips"]) == ("tone", "1.0", "1", "8")


def test_a_model_of_a_lower_rate_says_that_clips_are_resampled(tones, tmp_path, capsys):
    slower = ("model.sample_rate=16000", "model.frontend.f_max=7000")
    train(small(tones, tmp_path / "slower", "trainer.max_steps=1", *slower, "task.resample=decimate"))
    said = "clips of 32000 Hz are resampled to the 16000 Hz of the model, on the device (task.resample=decimate)"
    assert said in " ".join(capsys.readouterr().out.split())
    train(small(tones, tmp_path / "same", "trainer.max_steps=1"))
    assert "resampled" not in capsys.readouterr().out


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])  # which is that of the training alone
def test_a_run_keeps_its_scores_of_each_clip_and_what_it_cost(precision, tones, tmp_path):
    train(small(tones, tmp_path, "data.max_epochs=1", "data.holdout=0.3", f"trainer.precision={precision}"))
    results = json.loads((tmp_path / "metrics.json").read_text())
    model, store = load(tmp_path / "checkpoints" / "best.ckpt"), ClipStore.open(tones)
    rows_of = {id: row for row, id in enumerate(store.id.tolist())}
    for role in ("val", "test"):
        with np.load(tmp_path / f"{role}_scores.npz", allow_pickle=False) as file:
            id, scores, ptr, idx = (file[name] for name in ("id", "scores", "label_ptr", "label_idx"))
        assert (scores.dtype, scores.shape) == (np.float32, (12, 4))
        targets, clips = np.zeros(scores.shape), np.zeros((12, store.clip_samples), np.int16)
        for n, name in enumerate(id.tolist()):
            targets[n, idx[ptr[n] : ptr[n + 1]]] = 1
            assert idx[ptr[n] : ptr[n + 1]].tolist() == store.labels(rows_of[name]).tolist()
            store.read_into(rows_of[name], clips[n])
        assert average_precision_score(targets, scores) == pytest.approx(results[f"{role}/mAP"], abs=1e-6)
        heard = model.probabilities(torch.from_numpy(clips).float() / 32768).detach().numpy()
        np.testing.assert_allclose(scores, heard, atol=1e-5)
    assert results["model"]["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert 0 < results["model"]["macs"] < results["model"]["multi_adds"]
    assert results["seconds"] > 0
    assert results["device"]


def test_the_learning_rate_follows_the_batch_if_asked_to(tones, tmp_path, capsys):
    rates = []
    for name, asked in (("plain", ()), ("scaled", ("task.lr_batch_size=2",))):
        train(small(tones, tmp_path / name, "data.max_epochs=1", "optimizer.lr=1e-3", *asked))
        with (tmp_path / name / "history.csv").open() as file:
            rates.append([float(row["value"]) for row in csv.DictReader(file) if row["name"] == "train/lr"])
    assert rates[0] == pytest.approx([0.001] * len(rates[0]), rel=1e-6)
    assert rates[1] == pytest.approx([0.002] * len(rates[0]), rel=1e-6)  # a batch of 4
    assert "0.002 = 0.001 x 4 / 2" in capsys.readouterr().out


def test_a_run_shorter_than_an_epoch_is_scored_all_the_same(tones, tmp_path):
    value = train(small(tones, tmp_path, "trainer.max_steps=2", "trainer.max_epochs=-1"))
    assert 0 < value <= 1


def test_seed_and_configuration_decide_the_run(tones, tmp_path):
    def weights(folder, *overrides):
        train(small(tones, tmp_path / folder, "data.max_epochs=1", *overrides))
        return load_checkpoint(tmp_path / folder / "checkpoints" / "last.ckpt")["state_dict"]["model.head.fc.weight"]

    first = weights("a")
    assert torch.equal(first, weights("b"))
    assert not torch.equal(first, weights("c", "seed=2"))


def test_a_compiled_run_is_the_same_run_with_the_same_names_in_its_checkpoint(tones, tmp_path, monkeypatch):
    compiled = []

    def by_tracing_alone(model):
        compile_body(model, backend="eager")
        compiled.append(model)

    monkeypatch.setattr("panns.training.task.compile_body", by_tracing_alone)
    plain, faster = (small(tones, tmp_path, "data.max_epochs=1", f"task.compile={on}") for on in (False, True))
    assert config_hash(plain) == config_hash(faster)
    train(faster)
    assert len(compiled) == 1
    model = load(tmp_path / "checkpoints" / "last.ckpt")
    assert model.state_dict().keys() == compiled[0].state_dict().keys()


def test_prior_bias_starts_at_the_class_frequencies():
    model = create_model("cnn6", num_classes=3, **{"backbone.base_channels": 4})
    start_at_prior(model, torch.tensor([8, 1, 0]))  # 9 labels
    expected = torch.tensor([9 / 2, 2 / 9, 1 / 10]).log()
    torch.testing.assert_close(model.head.classifier.bias.data, expected)
    with pytest.raises(ValueError, match="prior_bias needs"):
        start_at_prior(model, None)


@pytest.mark.parametrize("fused", [False, True])
def test_non_finite_loss_stops_with_the_clips_before_the_weights_are_spoiled(tones, tmp_path, monkeypatch, fused):
    cfg = small(tones, tmp_path, "augmentation=none", "callbacks.last.every_n_steps=1", f"+optimizer.fused={fused}")
    honest = TaggingTask.loss

    def spoilt(self, logits, targets):
        loss = honest(self, logits, targets)
        return loss * math.nan if self.training and self.trainer.global_step == 2 else loss

    monkeypatch.setattr(TaggingTask, "loss", spoilt)
    with pytest.raises(NonFiniteLossError, match=r"step 2 is not finite.*Its clips: clip\d\d(, clip\d\d){3}\."):
        train(cfg)
    saved = load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert saved["global_step"] == 2
    assert all(weight.isfinite().all() for weight in saved["state_dict"].values() if weight.is_floating_point())


def test_checkpoint_of_another_model_is_refused(tones, tmp_path):
    train(small(tones, tmp_path / "a", "data.max_epochs=1"))
    checkpoint = tmp_path / "a" / "checkpoints" / "last.ckpt"
    with pytest.raises(ValueError, match="is of another model"):
        train(small(tones, tmp_path / "b", f"resume={checkpoint}", "model.backbone.base_channels=8"))


def test_held_out_clips_choose_and_the_validation_split_is_tested(tones, tmp_path, capsys):
    train(small(tones, tmp_path, "data.holdout=0.3", "data.fraction=0.5"))
    results = json.loads((tmp_path / "metrics.json").read_text())
    assert (results["val/num_clips"], results["test/num_clips"]) == (12, 12)
    assert results["fingerprint"]["train"]["clips"] == 13
    assert 0 < results["test/mAP"] != results["val/mAP"]
    with (tmp_path / "history.csv").open() as file:
        logged = [row for row in csv.DictReader(file) if row["name"] == "test/mAP"]
    assert [float(row["value"]) for row in logged] == [pytest.approx(results["test/mAP"], rel=1e-6)]
    with (tmp_path / "per_class.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(float(row["test_ap"]) for row in rows) / 4 == pytest.approx(results["test/mAP"])
    assert (tmp_path / "test_per_class_ap.png").is_file()
    said = capsys.readouterr().out
    for words in ("13 clips (train)", "(held out of train)", "12 clips (eval)", "15 of 28 training clips", "test; the"):
        assert words in said, words
    data = AudioSetDataModule(tones, ["eval"], clips_per_epoch=16, batch_size=16)
    (batch,) = data.val_dataloader()
    scores = load(tmp_path / "checkpoints" / "best.ckpt").probabilities(batch.waveform.float() / 32768).detach()
    by_hand = average_precision_score(batch.target, scores, average="macro")
    assert results["test/mAP"] == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize(
    "choice",
    [
        "data.blacklist=dcase2017_task4",
        "data.propagate_labels=all",
        "data.fraction=0.1",
        "data.fraction_seed=1",
        "data.holdout=0.1",
        "data.holdout_splits=[train]",
        "data.holdout_min_per_class=3",
        "data.holdout_seed=1",
    ],
)
def test_each_choice_of_clips_is_another_run(choice):
    assert config_hash(config(choice)) != config_hash(config())


def test_other_data_behind_the_same_configuration_is_noticed(tones, tmp_path):
    train(small(tones, tmp_path, "data.max_epochs=1"))
    (tmp_path / "metrics.json").unlink()
    with pytest.raises(ValueError, match="was trained on other data"):
        train(small(tones, tmp_path, "data.max_epochs=2", "data.train_splits=[eval]", "data.validation_splits=[train]"))


def test_a_finished_run_is_not_taken_for_one_on_other_data(tones, tmp_path):
    value = train(small(tones, tmp_path / "run", "data.max_epochs=1"))
    other = shutil.copytree(tones, tmp_path / "other")
    for path in tones.parent.glob("*.wav"):
        (tmp_path / path.name).symlink_to(path)
    same = small(other, tmp_path / "run", "data.max_epochs=1")
    assert train(same) == value
    write_quarantine(other, {"clip00": "damaged"})
    with pytest.raises(CheckpointError, match=r"run was trained on other data.*keep both runs with another name="):
        train(same)
    shutil.rmtree(other)
    assert train(same) == value


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(("label", "single_label"), [("low", True), ("lowest", False)])
def test_what_the_labels_stand_for_is_part_of_the_data(tones, tmp_path, label, single_label, finished):
    """The same clips with the same numbers of classes, as one class of many or under other names."""
    stores = []
    for number, (name, single) in enumerate((("low", False), (label, single_label))):
        rows = [
            f"{tones.parent / f'clip{k:02}.wav'},{(name, 'high')[k % 2]},{('train', 'eval')[k > 7]}" for k in range(12)
        ]
        (tmp_path / f"{number}.csv").write_text("\n".join(["path,labels,split", *rows]))
        source = ManifestSource(tmp_path / f"{number}.csv", single_label=single)
        stores.append(tmp_path / f"store{number}")
        index(source, stores[-1], clip_seconds=1.0, jobs=1, show_progress=False)
    train(small(stores[0], tmp_path / "run", "data.max_epochs=1"))
    if not finished:
        (tmp_path / "run" / "metrics.json").unlink()
    with pytest.raises(CheckpointError, match=r"was trained on other data: \[\{'classes': .*here \(labels\)"):
        train(small(stores[1], tmp_path / "run", "data.max_epochs=1"))


def test_never_moves_the_old_run_aside(tones, tmp_path):
    train(small(tones, tmp_path, "data.max_epochs=1"))
    before = (tmp_path / "metrics.json").read_text()
    train(small(tones, tmp_path, "data.max_epochs=1", "resume=never", "seed=5"))
    (kept,) = tmp_path.glob("before-*")
    assert (kept / "metrics.json").read_text() == before
    assert (kept / "checkpoints" / "last.ckpt").is_file()
    assert (tmp_path / "metrics.json").read_text() != before


def test_two_processes_do_not_share_a_folder(tones, tmp_path):
    run = Run(tmp_path / "run")
    done = start(tones, tmp_path / "run")
    assert done.returncode == 75
    assert "Another process is working in" in done.stderr
    run.close()


def test_single_label_data_is_scored_by_accuracy_too(shared, tmp_path):
    cfg = config(
        "data=esc50",
        f"data.root={shared / 'audio' / 'esc10'}",
        f"data.store={tmp_path / 'store'}",
        "model=cnn10",
        "model.backbone.base_channels=4",
        "model.frontend.hop_length=1280",
        "model.frontend.n_fft=2048",
        "data.clips_per_epoch=32",
        "data.max_epochs=1",
        "trainer=cpu",
        "logger=csv",
        f"run_dir={tmp_path / 'run'}",
    )
    train(cfg)
    results = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert results["val/num_clips"] == 80
    assert 0 <= results["val/accuracy"] <= 1
    assert (tmp_path / "run" / "confusion_matrix.png").is_file()


def test_missing_audioset_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PANNS_DATA", str(tmp_path))
    cfg = config("model=wavegram_logmel", "data=audioset_full", f"run_dir={tmp_path / 'run'}")
    with pytest.raises(Exception, match=r"panns pack audioset|panns index audioset") as error:
        instantiate(cfg.data)
    assert str(tmp_path / "audioset") in str(error.value)
