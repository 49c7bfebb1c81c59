"""Learning-rate schedules, followed step by step."""

import itertools
import math

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from panns.training.schedules import constant, set_learning_rate, warmup_cosine


def rates_from_here(schedule, steps):
    """The learning rates of the coming steps."""
    seen = []
    for _ in range(steps):
        seen.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return seen


def rates(schedule, total_steps, lr=0.1, beyond=0, **options):
    """-> the learning rate of each optimizer step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    return rates_from_here(schedule(optimizer, total_steps, **options), total_steps + beyond)


def test_constant():
    assert rates(constant, 7) == [0.1] * 7


def test_warmup_rises_in_even_steps_to_the_top():
    seen = rates(warmup_cosine, 100, warmup_fraction=0.1, final_fraction=0.01)
    assert seen[0] > 0
    assert max(seen) == pytest.approx(0.1)
    assert seen.index(max(seen)) == 10
    steps = [after - before for before, after in itertools.pairwise(seen[:11])]
    assert steps == pytest.approx([steps[0]] * 10)


def test_cosine_falls_to_its_last_fraction_and_stays():
    seen = rates(warmup_cosine, 110, beyond=20, warmup_fraction=0.0, final_fraction=0.2)
    assert seen[0] == pytest.approx(0.1)
    assert seen[55] == pytest.approx((0.1 + 0.02) / 2)  # half way
    assert seen[22] == pytest.approx(0.02 + 0.08 * (1 + math.cos(math.pi / 5)) / 2)
    assert seen[110:] == pytest.approx([0.02] * 20)
    assert all(after <= before for before, after in itertools.pairwise(seen))


@pytest.mark.parametrize("total_steps", [1, 2, 19])
def test_short_runs_learn_too(total_steps):
    assert min(rates(warmup_cosine, total_steps)) > 0


def resumed_after(steps, total_before, total):
    """A cosine of `total` steps that takes over from one of another length -> its schedule."""
    states = []
    for length in (total_before, total):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule = warmup_cosine(optimizer, length)
        for owner, state in zip((optimizer, schedule), states, strict=False):
            owner.load_state_dict(state)
        for _ in range(0 if states else steps):
            optimizer.step()
            schedule.step()
        states = [optimizer.state_dict(), schedule.state_dict()]
    return schedule


def test_resumed_run_goes_on():
    assert rates_from_here(resumed_after(20, 50, 50), 10) == rates(warmup_cosine, 50)[20:30]


def test_a_longer_run_goes_on_at_its_own_learning_rate():
    """The checkpoint was written at the end of a shorter schedule, at its last learning rate."""
    longer = resumed_after(20, 20, 50)
    assert longer.optimizer.param_groups[0]["lr"] == 0.0
    set_learning_rate(longer)
    assert rates_from_here(longer, 10) == rates(warmup_cosine, 50)[20:30]


@pytest.mark.parametrize("options", [{"warmup_fraction": 1.0}, {"warmup_fraction": -0.1}, {"final_fraction": 1.5}])
def test_fractions_out_of_range(options):
    with pytest.raises(ValueError, match="must be in"):
        rates(warmup_cosine, 10, **options)


@pytest.fixture
def config_group(request):
    """-> a function that composes one file of a config group."""
    folder = request.config.rootpath / "conf"

    def read(group, name):
        with initialize_config_dir(str(folder), version_base="1.3"):
            return compose(overrides=[f"+{group}={name}"])[group]

    return read


@pytest.mark.parametrize("name", ["constant", "warmup_cosine"])
def test_scheduler_configs(config_group, name):
    assert len(rates(instantiate(config_group("scheduler", name)), 5)) == 5


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_optimizer_configs(config_group, name, kind):
    optimizer = instantiate(config_group("optimizer", name))([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is kind
    assert optimizer.defaults["lr"] == 1e-3
    assert tuple(optimizer.defaults["betas"]) == (0.9, 0.999)


def test_adam_is_the_papers(config_group):
    defaults = instantiate(config_group("optimizer", "adam"))([torch.nn.Parameter(torch.zeros(1))]).defaults
    assert (defaults["amsgrad"], defaults["weight_decay"], defaults["eps"]) == (True, 0.0, 1e-8)
