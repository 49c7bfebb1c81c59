"""The clock of a run."""

from types import SimpleNamespace

import pytest

from panns.training import progress
from panns.training.progress import Throughput


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now.seconds)
    return now


def start(callback):
    loader = SimpleNamespace(starvation=SimpleNamespace(waited=0))
    callback.on_train_start(SimpleNamespace(train_dataloader=loader), None)


def test_a_run_that_goes_on_counts_the_seconds_up_to_its_checkpoint(clock):
    first, again = Throughput(), Throughput()
    start(first)
    clock.seconds += 30
    saved = first.state_dict()
    clock.seconds += 500  # lost: trained again after the checkpoint
    again.load_state_dict(saved)
    start(again)
    clock.seconds += 12
    again.on_train_end(None, None)
    clock.seconds += 9  # scoring
    assert again.seconds == 42


def test_a_run_that_did_not_train_took_no_time(clock):
    assert Throughput().state_dict() == {"seconds": 0.0}
