"""Every named model trains through train.py, on clips of the demo set."""

import json

import pytest
from train import train

from models.narrow_models import NARROW
from panns.data.audioset import AudioSetSource
from panns.data.demo.generate import generate
from panns.data.forms.folder import AudioFolder
from panns.data.packing import index
from panns.zoo import list_models
from runs import config


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The store of a demo set of few clips."""
    root = tmp_path_factory.mktemp("demo")
    generate(root / "demo", num_train=12, num_eval=4, jobs=1)
    lists = [root / "demo" / f"{split}_segments.csv" for split in ("train", "eval")]
    index(AudioSetSource(lists, AudioFolder(root / "demo" / "audio")), root / "store", jobs=1, show_progress=False)
    return root / "store"


def two_steps(name, demo, folder, *overrides):
    cfg = config(
        f"model={name}",
        "data=demo",
        f"data.store={demo}",
        "data.prepare=null",
        "data.batch_size=2",
        "data.clips_per_epoch=4",
        "data.max_epochs=1",
        "trainer=cpu",
        "logger=csv",
        "callbacks.best=null",
        f"run_dir={folder}",
        *overrides,
    )
    value = train(cfg)
    results = json.loads((folder / "metrics.json").read_text())
    assert results["step"] == 2
    assert results["val/num_clips"] == 4
    assert 0 < results["val/mAP"] == value <= 1


@pytest.mark.parametrize("name", list_models())
def test_a_narrow_one(name, demo, tmp_path):
    small = next(changes for start, changes in NARROW.items() if name.startswith(start))
    widths = [f"model.{key}={value}".replace(" ", "") for key, value in small.items()]
    two_steps(name, demo, tmp_path, "data.clip_seconds=2", *widths)


@pytest.mark.slow
@pytest.mark.parametrize("name", list_models())
def test_at_full_size(name, demo, tmp_path):
    two_steps(name, demo, tmp_path)
