import shutil

import pytest

from panns.training.overrides import check_overrides
from runs import ROOT


@pytest.mark.parametrize(
    ("typo", "says"),
    [
        ("lr=1e-4", "There is no key 'lr'. Did you mean optimizer.lr?"),
        ("trainer.global_batch=32", "There is no key 'trainer.global_batch'. Did you mean data.batch_size?"),
        ("dropout=0", "Did you mean model.backbone.dropout or model.head.dropout?"),
        ("optimizer.lrr=1", "There is no key 'optimizer.lrr'. Did you mean optimizer.lr?"),
        ("model.backbone.dept=3", "Did you mean model.backbone.depth?"),
        ("modle=cnn14", "Did you mean model?"),
        ("model=glob(cnm*)", "model=glob(cnm*): no choice is of that name. Choices: cnn10, cnn14,"),
        ("mel_bins=32", "Did you mean model.frontend.n_mels?"),
        ("hydra.launcher.njobs=2", "There is no key 'hydra.launcher.njobs'. Did you mean hydra.launcher.n_jobs?"),
        ("hydra.laucher.n_jobs=2", "Did you mean hydra.launcher.n_jobs?"),
        ("model=cn14", "There is no model=cn14. Did you mean model=cnn14? Choices: cnn10, cnn14, cnn14_16k,"),
        ("model=cnn14,cn14", "There is no model=cn14. Did you mean model=cnn14?"),
        ("augmentation=mixup_specaug", "Did you mean augmentation=mixup_specaugment?"),
        ("model/frontend=wave", "Choices: logmel, raw, wavegram, wavegram_logmel."),
        ("experiment=demmo", "Did you mean experiment=demo? Choices: architectures,"),
        ("hydra/launcher=slurn", "Did you mean hydra/launcher=slurm?"),
        ("data=loading", "There is no data=loading. Choices: audioset_balanced,"),
        ("logger=null", "a choice is left away by ~logger"),
        ("~augmentation", "~augmentation: no run can do without it; choose augmentation=NAME: mixup, "),
        ("data.batch_size", "data.batch_size: a key and no value: write data.batch_size=VALUE."),
        ("cnn6", "write cnn6=VALUE. A value with spaces needs quotes that reach Hydra"),
        ("--lr=3", "--lr=3: there is no such flag"),
        ("--lr=3", "by KEY=VALUE, without dashes. There is no key 'lr'. Did you mean optimizer.lr?"),
        ("--max-epochs", "Did you mean data.max_epochs or trainer.max_epochs?"),
        ("--seed", "without dashes. Write seed=VALUE."),
        ("model=[cnn6,cnn10]", "puts these into one, where they differ; -m model=cnn6,cnn10 makes a run of each."),
        ("optimizer.lr=choice(1,2", "optimizer.lr=choice(1,2: this cannot be read (no viable alternative"),
        ("name=a(b)c", "needs quotes that reach Hydra, as in \"KEY='a (b)'\""),
        ("+data.batch_size=4", "+data.batch_size=4: the key is there already; leave the + out."),
        ("=3", "A word without a key"),
        ("", "A word without a key"),
        ("name=", "name=: a folder is named so"),
        ("name=a/b", "name=a/b: a folder is named so"),
        ("model.num_classes=3", "model.num_classes=3: the data set's class list decides it; leave it out."),
        ("+foo=3", "+foo=3: nothing reads a key 'foo'. New keys go within the parts, as +trainer.KEY."),
        ("++optimiser.lr=1", "nothing reads a key 'optimiser'. Did you mean optimizer?"),
        ("trainer.max_stepz=3", "Did you mean trainer.max_steps?"),
        ("checkpoint=a/Cnn14_mAP=0.431.pth", "\"checkpoint='a/Cnn14_mAP=0.431.pth'\""),
    ],
)
def test_typos_are_refused_with_what_there_is(typo, says):
    with pytest.raises(SystemExit) as error:
        check_overrides([typo], ROOT / "conf")
    assert says in str(error.value)


def test_a_preset_that_is_no_yaml_is_told_with_its_line(tmp_path):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("defaults: [cnn10\nx: 3")
    with pytest.raises(SystemExit, match=r"while parsing a flow sequence in .*mine\.yaml\", line 1"):
        check_overrides(["model=mine"], tmp_path / "conf")
    (tmp_path / "conf" / "model" / "mine.yaml").write_bytes(b"\xff")
    with pytest.raises(SystemExit, match=r"model=mine: 'utf-8' codec can't decode byte 0xff"):
        check_overrides(["model=mine"], tmp_path / "conf")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("optimizer.lr=fast", "optimizer.lr=fast: a number is wanted there, such as 0.001."),
        ("optimizer.lr=null", "optimizer.lr=null: a number is wanted there, such as 0.001."),
        ("optimizer.lr=1e-3,fast", "optimizer.lr=fast: a number is wanted there"),
        ("data.batch_size=2.5", "data.batch_size=2.5: a whole number is wanted there, such as 32."),
        ("++data.batch_size=abc", "data.batch_size=abc: a whole number is wanted there, such as 32."),
        ("trainer.max_epochs=many", "trainer.max_epochs=many: a whole number is wanted there, such as 50."),
        ("data.clip_seconds=long", "data.clip_seconds=long: a number is wanted there, or null."),
        ("model.frontend.hop_length=10ms", "model.frontend.hop_length=10ms: a whole number is wanted there, or null."),
        ("seed=true", "seed=true: a whole number is wanted there, such as 1234."),
        ("deterministic=maybe", "deterministic=maybe: true or false is wanted there, such as false."),
        ("data.validation_splits=eval", "data.validation_splits=eval: a list is wanted there, such as [eval]."),
        (
            "optimizer.betas=[a,b]",
            "optimizer.betas=[a,b]: numbers of another kind are wanted there, such as [0.9,0.999].",
        ),
        ("model.backbone=6", "model.backbone has keys of its own; write model/backbone=NAME with one of cnn10, cnn14,"),
    ],
)
def test_values_of_another_kind_are_refused_with_key_and_kind(value, says):
    with pytest.raises(SystemExit) as error:
        check_overrides([value], ROOT / "conf")
    assert says in str(error.value)


def test_values_that_only_look_odd_are_taken():
    words = [
        "trainer.devices=[0,1]",
        "deterministic=warn",
        "data.clip_seconds=5",
        "data.holdout=null",
        "optimizer.lr=1",
    ]
    references = [
        "data.fraction_seed=${seed}",
        "augmentation.mixup=null",
        "callbacks.best=null",
        "name=5",
        "data.num_threads=2",
    ]
    check_overrides([*words, *references, "optimizer.betas=[0.8,0.9]", "trainer.precision=32"], ROOT / "conf")
    check_overrides(["model=glob(cnn14*)", "optimizer.lr=interval(0,1)", "seed=range(3)"], ROOT / "conf")


def test_several_values_need_the_flag_for_several_runs():
    for words in (["seed=0,1"], ["optimizer.lr=1", "seed=range(3)"], ["model=glob(cnn14*)"]):
        with pytest.raises(SystemExit) as error:
            check_overrides(words, ROOT / "conf", single_run=True)
        assert str(error.value) == f"{words[-1]}: several values are several runs; add -m to train them all."
    check_overrides(["data.validation_splits=[a,b]", "name='a,b'"], ROOT / "conf", single_run=True)
    for several in ("experiment=depth_demo", "hparams_search=optuna", "hydra.mode=MULTIRUN"):
        check_overrides([several, "seed=0,1"], ROOT / "conf", single_run=True)
    with pytest.raises(SystemExit, match="Did you mean model=cnn14"):
        check_overrides(["model=cnn14,cn14"], ROOT / "conf", single_run=True)


def test_sweeps_and_flags_are_not_taken_for_typos():
    words = [
        "-m",
        "model=cnn6,cnn10",
        "model.backbone.depth=2,3",
        "seed=range(1,4)",
        "+callbacks.mine._target_=x.Y",
        "~logger",
    ]
    check_overrides([*words, "hydra.sweep.dir=x", "data.validation_splits=[a,b]"], ROOT / "conf")
