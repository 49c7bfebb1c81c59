import pickle

import numpy as np
import pytest
import torch

from panns.data import ClipStore
from panns.data.batches import BatchReader
from panns.data.loader import ClipLoader, WorkerLoader
from panns.data.plans import EvaluationPlan, TrainPlan
from panns.data.samplers import BalancedSampler

L = 32000


@pytest.fixture
def store(tones):
    return ClipStore.open(tones)


def train_loader(
    store, rank=0, world_size=1, batch_size=8, draws_per_example=2, num_batches=5, kind=ClipLoader, **options
):
    rows = store.rows(["train"])
    counts, idx = store.labels_of(rows)
    ptr = np.concatenate([[0], np.cumsum(counts)])
    global_draws = batch_size * draws_per_example
    sampler = BalancedSampler(ptr, idx, store.num_classes, seed=1, draws_per_batch=global_draws)
    plan = TrainPlan(rows, sampler, batch_size // world_size, draws_per_example, num_batches, rank, world_size)
    return kind(BatchReader(store, L, seed=1, **options), plan)


def test_batches_hold_what_the_store_holds(store):
    loader = train_loader(store)
    assert len(loader) == 5
    batches = list(loader)
    assert len(batches) == 5
    for batch in batches:
        assert batch.waveform.dtype == torch.int16
        assert batch.waveform.shape == (16, L)
        for i, row in enumerate(batch.row):
            assert np.array_equal(batch.waveform[i].numpy(), store.read(int(row)))
            assert batch.target[i].nonzero()[:, 0].tolist() == sorted(store.labels(int(row)).tolist())
    assert torch.cat([batch.draw for batch in batches]).tolist() == list(range(80))


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_together_see_what_one_rank_sees(store, world_size):
    whole = list(train_loader(store))
    parts = [list(train_loader(store, rank, world_size)) for rank in range(world_size)]
    for step, batch in enumerate(whole):
        pairs = batch.row.reshape(-1, 2)
        for rank in range(world_size):
            assert torch.equal(parts[rank][step].row.reshape(-1, 2), pairs[rank::world_size])


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 7])
def test_a_new_loader_goes_on_with_the_next_draw(store, stop):
    steady = train_loader(store)
    expected = [batch.draw.tolist() for _ in range(3) for batch in steady]
    first = train_loader(store)
    for epoch_left in range(stop, 0, -5):
        for _, _batch in zip(range(min(5, epoch_left)), first, strict=False):
            pass
    draws = first.draws
    assert draws == stop * 16
    second = train_loader(store)
    second.go_on_after(draws)
    seen = [batch.draw.tolist() for _ in range(2) for batch in second]
    assert seen == expected[stop : stop + len(seen)]


def test_position_counts_draws_so_that_ranks_may_change(store):
    two = train_loader(store, 0, 2)
    next(iter(two))
    one = train_loader(store)
    one.go_on_after(two.draws)
    assert next(iter(one)).draw[0] == 16


def test_a_position_between_batches_is_refused(store):
    with pytest.raises(ValueError, match="batch size and mixup it was made with"):
        train_loader(store).go_on_after(17)


def test_buffers_are_used_again_but_never_while_somebody_holds_them(store):
    loader = train_loader(store, num_batches=40)
    addresses, kept = set(), []
    for i, batch in enumerate(loader):
        addresses.add(batch.waveform.data_ptr())
        if i in (3, 4):
            kept.append((batch.waveform[2:5], batch.waveform[2:5].clone()))  # a view keeps the whole buffer
        del batch
    assert len(addresses) <= loader.prefetch + 2 + len(kept)
    for view, copy in kept:
        assert torch.equal(view, copy)


@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_evaluation_has_every_clip_once(store, world_size):
    rows = store.rows(["eval"])
    seen = []
    for rank in range(world_size):
        loader = ClipLoader(BatchReader(store, L), EvaluationPlan(rows, 5, rank, world_size))
        for _ in range(2):  # each time from the first clip on
            mine = [int(row) for batch in loader for row in batch.row]
        next(iter(loader))
        assert mine == [int(row) for batch in loader for row in batch.row]
        seen += mine
    assert sorted(seen) == rows.tolist()


def test_workers_give_the_same_batches(store):
    threads = list(train_loader(store, num_batches=3))
    workers = train_loader(store, num_batches=3, kind=WorkerLoader)
    for a, b in zip(threads, workers, strict=True):
        assert torch.equal(a.waveform, b.waveform)
        assert torch.equal(a.draw, b.draw)
    assert workers.draws == 48


def shift(waveform, sample_rate):
    return waveform.roll(int(torch.randint(sample_rate, ())))


def test_the_plan_asks_for_many_draws_at_once_and_changes_none(store, monkeypatch):
    monkeypatch.setattr("panns.data.plans.DRAWS_AT_ONCE", 50)  # 6 batches of 8 draws of one of two ranks
    plan = train_loader(store, 1, 2, draws_per_example=2).plan
    asked = []
    take = plan.sampler.take
    monkeypatch.setattr(plan.sampler, "take", lambda n: asked.append(len(n)) or take(n))
    for step in [0, 1, 5, 6, 7, 5, 1000]:
        rows, draws = plan.batch(step)
        assert draws.tolist() == [step * 16 + 4 * pair + 2 + i for pair in range(4) for i in range(2)]
        assert rows.tolist() == plan.rows[take(draws)].tolist()
    assert asked == [48] * 4


def test_workers_have_no_copy_of_the_sampler(store):
    loader = train_loader(store, kind=WorkerLoader)
    assert len(pickle.dumps(loader.plan)) > 3 * len(pickle.dumps(loader.reader))


def test_transform_is_keyed_by_the_draw(store):
    once = list(train_loader(store, transform=shift, num_batches=2, kind=WorkerLoader))
    again = train_loader(store, transform=shift, num_batches=2, kind=WorkerLoader)
    again.go_on_after(16)
    assert torch.equal(next(iter(again)).waveform, once[1].waveform)
    plain = list(train_loader(store, num_batches=2))
    assert not torch.equal(plain[0].waveform, once[0].waveform)


def test_a_shorter_training_length_cuts_and_a_longer_one_pads(store):
    rows = store.rows(["eval"])
    for samples in (L // 2, 2 * L):
        batch = BatchReader(store, samples).read(*EvaluationPlan(rows, 3, 0, 1).batch(0))
        assert batch.waveform.shape == (3, samples)
        clip = store.read(int(rows[0]))
        assert np.array_equal(batch.waveform[0, : min(samples, L)].numpy(), clip[:samples])
        assert not batch.waveform[0, L:].any()
