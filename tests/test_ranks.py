"""Several processes see what one would see."""

import json

import numpy as np

from runs import start


def rows(path):
    return np.array([[int(row) for row in line.split()] for line in path.read_text().splitlines()])


def run(tones, folder, *overrides):
    folder.mkdir()
    record = ("+callbacks.record._target_=runs.RecordRows", f"+callbacks.record.folder={folder}")
    done = start(tones, folder / "run", "augmentation=mixup", "data.max_epochs=2", *record, *overrides)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "run" / "metrics.json").read_text())


def test_two_ranks_see_the_stream_of_one_and_score_each_clip_once(tones, tmp_path):
    one = run(tones, tmp_path / "one")
    two = run(tones, tmp_path / "two", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    stream = rows(tmp_path / "one" / "rank0.txt").reshape(8, 4, 2)  # 8 steps of 4 mixed pairs
    for rank in range(2):
        assert np.array_equal(rows(tmp_path / "two" / f"rank{rank}.txt").reshape(8, 2, 2), stream[:, rank::2])
    assert two["val/num_clips"] == one["val/num_clips"] == 12
    assert two["step"] == one["step"] == 8
    assert two["fingerprint"] == one["fingerprint"]
