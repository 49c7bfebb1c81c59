import pytest
import torch

from panns.data import AudioSetDataModule, StoreError
from panns.data.loader import ClipLoader, WorkerLoader


def module(tones, **options):
    return AudioSetDataModule(
        tones, **({"validation_splits": ["eval"], "clips_per_epoch": 32, "batch_size": 8} | options)
    )


def test_splits_classes_and_fingerprint(tones):
    data = module(tones)
    assert data.roles.splits == {"train": "train", "validation": "eval", "test": "eval"}
    assert data.num_classes == 4
    assert data.classes == ["tone0", "tone1", "tone2", "tone3"]
    assert len(data.train_rows) == 40
    assert data.fingerprint["validation"]["clips"] == 12
    assert data.fingerprint["train"]["id_hash"] != data.fingerprint["validation"]["id_hash"]
    assert data.train_class_counts.sum() == data.fingerprint["train"]["labels"]


def test_loaders_have_the_configured_sizes(tones):
    data = module(tones, draws_per_example=2)
    loader = data.train_dataloader()
    assert type(loader) is ClipLoader
    assert len(loader) == 4  # 32 examples of batch 8
    assert next(iter(loader)).waveform.shape == (16, 32000)  # each example is mixed from two clips
    assert sum(len(batch) for batch in data.val_dataloader()) == 12


def test_a_transform_runs_in_workers(tones):
    loader = module(tones, transform=negate).train_dataloader()
    assert type(loader) is WorkerLoader
    plain = next(iter(module(tones).train_dataloader()))
    assert torch.equal(next(iter(loader)).waveform, -plain.waveform)


def negate(waveform, sample_rate):
    return -waveform


def test_clip_seconds_changes_the_length(tones):
    assert next(iter(module(tones, clip_seconds=0.5).train_dataloader())).waveform.shape == (8, 16000)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch_size": 0}, "at least one clip"),
        ({"clips_per_epoch": 30}, r"no multiple of data\.batch_size=8: the nearest is 32"),
        ({"clips_per_epoch": 0}, "no multiple"),
        ({"clip_seconds": 0}, r"data\.clip_seconds=0: give seconds, more than 0"),
        ({"clip_seconds": -1.5}, r"data\.clip_seconds=-1\.5: give seconds"),
        ({"num_threads": 0}, r"data\.num_threads=0: one thread at least"),
        ({"cache_gb": -1}, r"data\.cache_gb=-1: 0 keeps no clips"),
        ({"max_damaged_clips": -1}, r"data\.max_damaged_clips=-1: 0 stops at the first"),
        ({"num_workers": -1}, r"data\.num_workers=-1: 0 reads in threads"),
        ({"train_splits": ["train", "eval"]}, "split eval would be trained on and evaluated on"),
        ({"validation_splits": ["test"]}, "no split test; this store has eval, train"),
        ({"train_splits": ["eval"], "validation_splits": ["eval"]}, "trained on and evaluated on"),
    ],
)
def test_wrong_settings_are_refused(tones, options, says):
    with pytest.raises(ValueError, match=says):
        module(tones, **options)


def test_a_missing_store_says_where_it_looked(tmp_path):
    with pytest.raises(StoreError, match=str(tmp_path / "none")):
        module(tmp_path / "none")


def test_a_store_is_made_on_first_use(tones, tmp_path):
    def prepare(root):
        if not root.exists():
            root.symlink_to(tones)

    for _ in range(2):
        assert module(tmp_path / "deep" / "store", prepare=prepare).num_classes == 4
