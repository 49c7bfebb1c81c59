"""Training from a URL."""

import shutil

import torch

from panns.weights.files import load_checkpoint
from runs import start
from web import serve


def test_a_run_from_a_url_is_the_run_from_the_disk(tones, tmp_path):
    shutil.copytree(tones.parent, tmp_path / "web")
    done = start(tones, tmp_path / "disk")
    assert done.returncode == 0, done.stderr
    with serve(tmp_path / "web") as (url, moods):
        moods.busy = 2
        for name, workers, fetched in (("threads", 0, 52), ("workers", 1, 0)):
            moods.asked.clear()
            cache = f"data.cache={tmp_path / 'cache'}"
            done = start(f"{url}/store", tmp_path / name, cache, f"data.num_workers={workers}")
            assert done.returncode == 0, done.stderr
            assert len({(path, wanted) for path, wanted in moods.asked if wanted}) == fetched
    expected = load_checkpoint(tmp_path / "disk" / "checkpoints" / "last.ckpt")["state_dict"]
    for name in ("threads", "workers"):
        actual = load_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt")["state_dict"]
        assert all(torch.equal(actual[key], expected[key]) for key in expected)
