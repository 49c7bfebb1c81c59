"""Waiting for clips is told once, with its cause."""

from types import SimpleNamespace

import pytest

from panns.data import starvation
from panns.data.starvation import Starvation


class Batch(SimpleNamespace):
    def __len__(self):
        return 32


@pytest.mark.parametrize(
    ("reading", "making", "computing", "told"),
    [
        (1.8, 1.9, 0.1, "64 clips/s with 4 readers, 3.8 of them busy, 95% of that with reading files. The storage"),
        (0.2, 1.9, 0.1, "64 clips/s with 4 readers, 3.8 of them busy, 11% of that with reading files. Decoding"),
        (0.1, 0.2, 0.1, "64 clips/s with 4 readers, 0.4 of them busy, 50% of that with reading files. Handing batches"),
        (1.8, 1.9, 2.0, None),
    ],
)
def test_what_training_waits_for(monkeypatch, caplog, reading, making, computing, told):
    """Each batch is there after 0.4 s, its reader having spent `making` on it, and is computed with for `computing`."""
    clock = [0.0]
    monkeypatch.setattr(starvation.time, "perf_counter", lambda: clock[0])

    def batches():
        for _ in range(200):
            clock[0] += 0.4
            yield Batch(seconds=(reading, making))

    watched = Starvation(num_readers=4)
    for _ in watched.watch(batches(), training=True):
        clock[0] += computing
    assert watched.waited == pytest.approx(200 * 0.4)
    if told is None:
        assert not caplog.text
    else:
        assert caplog.text.count("Training waits for clips: ") == 1
        assert told in caplog.text
