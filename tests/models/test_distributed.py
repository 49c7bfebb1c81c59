"""Every model under DistributedDataParallel as Lightning's `ddp` sets it up: no unused parameters are looked for."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from narrow_models import narrow
from torch.nn.parallel import DistributedDataParallel

from panns.zoo import list_models

RANKS = 2


def steps(rank: int, folder: str) -> None:
    """Two backward passes of each model on this rank's own clips; writes what went wrong, and the gradients' sums."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=RANKS)
    said = {}
    for name in list_models():
        model = DistributedDataParallel(narrow(name).train())
        torch.manual_seed(rank)
        try:
            for _ in range(2):  # the second forward is refused if the first left a parameter without a gradient
                output = model(0.1 * torch.randn(2, 4 * model.module.min_samples))
                output.clip_logits.square().mean().backward()
        except RuntimeError as error:
            said[name] = str(error)
        else:
            said[name] = [parameter.grad.double().abs().sum().item() for parameter in model.parameters()]
    torch.save(said, f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("ddp")
    mp.spawn(steps, (str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(RANKS)]


@pytest.mark.parametrize("name", list_models())
def test_every_model_trains_on_two_ranks(said, name):
    first, second = said[0][name], said[1][name]
    assert isinstance(first, list), first
    assert all(gradient > 0 for gradient in first)
    assert first == second  # averaged over the ranks
