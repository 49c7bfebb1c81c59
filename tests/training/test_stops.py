"""Signals that ask to stop."""

import signal
from types import SimpleNamespace

import pytest

from panns.training import stops
from panns.training.checkpoints import Interrupted, SaveLast


@pytest.fixture
def clock(monkeypatch):
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr(stops.time, "monotonic", lambda: now[0])
    return now


def test_what_arrives_together_is_one_request(clock):
    heard = stops.Stops()
    assert heard.add(signal.SIGTERM)
    for clock[0] in (100.0, 101.9):
        assert not heard.add(signal.SIGINT)
    clock[0] = 102.1
    assert heard.add(signal.SIGINT)
    clock[0] = 103.0
    assert not heard.add(signal.SIGTERM)
    assert heard.signals == [signal.SIGTERM, signal.SIGINT]


def test_a_run_stops_without_saving_only_if_told_so_once_more(clock, tmp_path, capsys):
    last = SaveLast(tmp_path)
    last._on_signal(signal.SIGTERM, None)
    clock[0] = 100.1
    last._on_signal(signal.SIGTERM, None)  # passed on by what had it too
    assert capsys.readouterr().out.count("once more to stop without saving") == 1
    clock[0] = 105.0
    with pytest.raises(Interrupted) as error:
        last._on_signal(signal.SIGINT, None)
    assert error.value.code == 130


def test_a_stop_in_a_validation_waits_for_its_end_only_where_nothing_was_saved_yet(tmp_path):
    last, trainer = SaveLast(tmp_path), SimpleNamespace(world_size=1, is_global_zero=True)
    last.on_validation_batch_end(trainer, None)
    last._on_signal(signal.SIGTERM, None)
    last.on_validation_batch_end(trainer, None)
    last.path.touch()
    with pytest.raises(Interrupted) as error:
        last.on_validation_batch_end(trainer, None)
    assert error.value.code == 143
