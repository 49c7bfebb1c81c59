"""A process that trains again and again, as in a sweep, stays as large as one that trains once."""

import signal
import weakref

import pytest
from train import train

from panns.training.task import TaggingTask
from runs import small


@pytest.fixture
def tasks(monkeypatch):
    """A weak reference to each task that trains."""
    found, honest = [], TaggingTask.configure_model

    def remembered(self):
        found.append(weakref.ref(self))
        honest(self)

    monkeypatch.setattr(TaggingTask, "configure_model", remembered)
    return found


def test_nothing_holds_the_network_of_a_finished_run(tones, tmp_path, tasks):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    train(small(tones, tmp_path, "data.max_epochs=1", "logger=wandb"))
    assert tasks
    assert not any(task() for task in tasks)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_nor_that_of_a_job_that_failed_though_hydra_keeps_its_error(tones, tmp_path, tasks):
    stop = ("+callbacks.stop._target_=runs.RaiseAt", "+callbacks.stop.step=1", "hydra.mode=MULTIRUN")
    with pytest.raises(ZeroDivisionError) as kept:
        train(small(tones, tmp_path, *stop))
    assert kept.value.__traceback__ is not None
    assert tasks
    assert not any(task() for task in tasks)
