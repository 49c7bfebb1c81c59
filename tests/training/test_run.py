"""The name of a run is its scientific configuration."""

from panns.training import run
from panns.training.run import config_hash, science
from runs import config

FROZEN = {
    "demo": "0fbaa9aa",
    "demo_long": "5e89315e",
    "esc50_scratch": "15dd5812",
    "paper_cnn14": "fd88e0e1",
    "depth": "fd88e0e1",
    "augmentation_demo": "0d9a2471",
}


def test_runs_keep_their_names():
    """A name that changes would make all runs that users have be trained again.

    Where a key is new, put the value with which it changes nothing into `LATER`. Where training itself changes, the
    name must change: put the new one here.
    """
    assert {name: config_hash(config(f"experiment={name}", "seed=1234")) for name in FROZEN} == FROZEN


def test_how_a_run_is_computed_and_told_is_not_part_of_its_name():
    plain = config_hash(config("experiment=demo"))
    for same in (
        "trainer=cpu",
        "trainer.devices=2",
        "data.num_threads=1",
        "data.store=/elsewhere",
        "logger=csv",
        "task.compile=true",
        "callbacks.last.every_n_steps=7",
        "callbacks.progress=null",
        "row=a",
        "sweep=b",
        "resume=never",
        "name=other",
    ):
        assert config_hash(config("experiment=demo", same)) == plain, same
    for other in (
        "seed=2",
        "optimizer.lr=1e-4",
        "trainer.precision=16-mixed",
        "callbacks.best=null",
        "sampler=uniform",
        "checkpoint=released",
        "data.fraction=0.5",
        "objective=val/mAUC",
    ):
        assert config_hash(config("experiment=demo", other)) != plain, other


def test_the_names_of_repetitions():
    one, two = (config("experiment=demo", f"seed={seed}") for seed in (1, 2))
    assert config_hash(one) != config_hash(two)
    assert config_hash(one, without=("seed",)) == config_hash(two, without=("seed",))


def test_a_key_of_a_later_version_leaves_old_names(monkeypatch):
    before = config_hash(config("experiment=demo"))
    new = config("experiment=demo", "+task.later=1", "+augmentation.deep={kind: a}")
    assert config_hash(new) != before
    monkeypatch.setattr(run, "LATER", {"task.later": 1, "augmentation.deep": {"kind": "a"}, "model.none.such": 3})
    assert config_hash(new) == before
    assert config_hash(config("experiment=demo", "+task.later=2")) != before
    assert "later" in science(config("experiment=demo", "+task.later=2"))["task"]
