import pytest
from train import train

from panns.training.errors import told_plainly
from runs import small, start


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("data.transform={_target_:mine.louder}", "data.transform cannot be made: Error loading 'mine.louder'"),
        ("data.store=???", "data.store has no value of its own: give one, data.store=..."),
        (
            "objective=val/mAPP",
            "objective=val/mAPP: there is no such score. Did you mean val/mAP? Choices: val/mAP, val/mAUC, "
            "val/d_prime, val/mAP_frequent, val/mAP_medium, val/mAP_rare.",
        ),
        ("data.store=${oc.env:PANNS_NOT_SET}", "the configuration: KeyError raised while resolving"),
        ("optimizer.lr=-1", "optimizer: Invalid learning rate: -1."),
        ("optimizer.betas=[0.8]", "optimizer: a list has too few values (betas has two)."),
        ("task.lr_batch_size=0", "task.lr_batch_size=0: a batch has at least one clip"),
        (
            "callbacks.best.monitor=val/mAPP",
            "monitor of ModelCheckpoint=val/mAPP: there is no such score. Did you mean val/mAP? Choices: val/loss, ",
        ),
        ("callbacks.last.every_n_steps=0", "callbacks.last.every_n_steps=0: 1 or more is wanted."),
        ("data.transform=louder", "data.transform=louder: give a function as a _target_ with _partial_: true."),
        ("task.loss=cross_entropy", "task.loss=cross_entropy is for clips of exactly one class, and 40 training clips"),
        ("task.resample=none", "task.resample='none': choose 'sinc' or 'decimate'."),
        ("trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches=0: 1 or more is wanted."),
        ("trainer.log_every_n_steps=0", "trainer.log_every_n_steps=0: 1 or more is wanted."),
        ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val=-1: 0 or more is wanted."),
        (
            "+model.backbone.width=2",
            "model cannot be made: Cnn takes no width. Did you mean depth? Leave it out where you set it; where a",
        ),
        ("model.head.dropout=nan", "head.dropout=nan: a probability is from 0 to 1."),
        ("+callbacks.mine=3", "callbacks.mine is no callback: give it a _target_, or null"),
    ],
)
def test_what_is_refused_is_told_in_one_line(tones, tmp_path, given, says):
    with pytest.raises(SystemExit) as refused, told_plainly():
        train(small(tones, tmp_path / "run", given, "logger=wandb"))
    assert str(refused.value).startswith(f"train.py: {says}")


def test_what_a_foreign_class_refuses_is_told_with_what_was_given(tones, tmp_path):
    (runs := tmp_path / "runs").mkdir()
    done = start(tones, runs / "run", "trainer.precision=33", "logger=wandb")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("train.py: trainer cannot be made: Precision 33 is invalid. Allowed"), done.stderr
    assert "Given were" in last
    assert "trainer.precision=33" in last
    assert "Traceback" not in done.stderr
    assert not any(runs.iterdir())
