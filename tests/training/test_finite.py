"""Bad steps leave the weights alone, whoever notices first: the host or the fused optimizer."""

import math

import pytest
import torch

from panns.training.finite import FiniteGuard, fuse

ROWS = torch.tensor([7, 8])


def stepped(guard, parameter, optimizer, number, loss=0.5, gradient=1.0):
    """One step, unless the guard says that one went wrong."""
    guard.add(torch.tensor(loss), ROWS + number)
    parameter.grad = torch.full_like(parameter, gradient)
    failed = guard.before_step(optimizer, parameter.grad.norm(), number)
    if failed is None:
        optimizer.step()
    return failed


def setup(fused):
    parameter = torch.nn.Parameter(torch.ones(3))
    return FiniteGuard(), parameter, torch.optim.Adam([parameter], lr=0.1, amsgrad=True, fused=fused)


@pytest.mark.parametrize(("loss", "gradient"), [(math.nan, 1.0), (math.inf, 1.0), (0.5, math.nan), (0.5, -math.inf)])
@pytest.mark.parametrize("fused", [False, True])
def test_a_bad_step_changes_nothing_and_is_named(fused, loss, gradient):
    guard, parameter, optimizer = setup(fused)
    assert stepped(guard, parameter, optimizer, 0) is None
    state = {key: value.clone() for key, value in optimizer.state[parameter].items()}
    weight = parameter.detach().clone()
    failed = stepped(guard, parameter, optimizer, 1, loss, gradient)
    assert (failed is None) == fused  # then only the device knows
    failed = failed or guard.settle()
    assert failed.step == 1
    assert failed.rows.tolist() == [8, 9]
    assert torch.equal(parameter, weight)
    assert all(torch.equal(value, state[key]) for key, value in optimizer.state[parameter].items())
    assert guard.settle() is None


def test_a_fused_optimizer_is_stopped_a_step_later_with_the_bad_steps_clips():
    guard, parameter, optimizer = setup(fused=True)
    assert stepped(guard, parameter, optimizer, 0, loss=math.nan) is None
    failed = stepped(guard, parameter, optimizer, 1)
    assert failed.step == 0
    assert failed.rows.tolist() == [7, 8]
    assert torch.equal(parameter, torch.ones(3))


@pytest.mark.parametrize("fused", [False, True])
def test_good_steps_are_made(fused):
    guard, parameter, optimizer = setup(fused)
    for number in range(3):
        assert stepped(guard, parameter, optimizer, number) is None
    assert guard.settle() is None
    torch.testing.assert_close(parameter.detach(), torch.full((3,), 0.7))


def test_all_accumulated_losses_count():
    guard, parameter, optimizer = setup(fused=False)
    guard.add(torch.tensor(math.nan), ROWS)
    failed = stepped(guard, parameter, optimizer, 4)
    assert failed.rows.tolist() == [7, 8, 11, 12]


def test_gradients_that_a_scaler_looks_at_are_left_to_it():
    guard, _, optimizer = setup(fused=True)
    guard.add(torch.tensor(0.5), ROWS)
    assert guard.before_step(optimizer, None, 0) is None
    guard.add(torch.tensor(math.nan), ROWS)
    assert guard.before_step(optimizer, None, 1).step == 1
    assert not hasattr(optimizer, "found_inf")


def test_optimizers_are_fused_on_a_gpu_unless_something_else_was_chosen():
    def fused(make, device, **options):
        optimizer = make([torch.nn.Parameter(torch.ones(1))], lr=0.1, **options)
        fuse(optimizer, device)
        return optimizer.param_groups[0].get("fused")

    assert fused(torch.optim.Adam, "cuda") is True
    assert fused(torch.optim.AdamW, "cuda") is True
    assert fused(torch.optim.Adam, "cpu") is None
    assert fused(torch.optim.Adam, "cuda", fused=False) is False
    assert fused(torch.optim.Adam, "cuda", foreach=True) is None
    assert fused(torch.optim.RMSprop, "cuda") is None
