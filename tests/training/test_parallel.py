"""Networks on two ranks: DDP as Lightning sets it up, batch norms over all ranks, and shards."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.parallel import DistributedDataParallel

from models.narrow_models import narrow
from panns.training.parallel import shard, synchronise_batch_norms
from panns.zoo import list_models

RANKS = 2


def ranks(tmp_path_factory, work) -> list[dict]:
    """What `work(rank)` returned on each of two ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    mp.spawn(_rank, (work, str(folder)), nprocs=RANKS)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(RANKS)]


def _rank(rank, work, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=RANKS)
    torch.save(work(rank), Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()


def gradients(rank) -> dict:
    """Two backward passes of each model on this rank's own clips -> gradients' sums under DDP and in shards."""
    mesh, said = init_device_mesh("cpu", (RANKS,)), {}
    for name in list_models():
        whole, pieces = narrow(name).train(), narrow(name).train()
        for module in (*whole.modules(), *pieces.modules()):
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # its mask depends on the memory layout of the maps, which shards change
        for parameter in whole.parameters():
            parameter.data = parameter.data.contiguous()  # as in shards, so that both run the same kernels
        torch.manual_seed(rank)
        waveform = 0.1 * torch.randn(2, 4 * whole.min_samples)
        shard(pieces, mesh)
        for kind, model in (("ddp", DistributedDataParallel(whole)), ("fsdp", pieces)):
            try:
                for _ in range(2):  # DDP refuses the second forward if the first left a parameter without a gradient
                    model(waveform).clip_logits.square().mean().backward()
            except RuntimeError as error:
                said[f"{name} {kind}"] = str(error)
                continue
            grads = [p.grad if kind == "ddp" else p.grad.full_tensor() for p in model.parameters()]
            said[f"{name} {kind}"] = torch.stack([grad.double().abs().sum() for grad in grads])
    return said


@pytest.fixture(scope="module")
def sums(tmp_path_factory) -> list[dict]:
    return ranks(tmp_path_factory, gradients)


@pytest.mark.parametrize("name", list_models())
def test_every_model_trains_on_two_ranks(sums, name):
    first, second, sharded = sums[0][f"{name} ddp"], sums[1][f"{name} ddp"], sums[0][f"{name} fsdp"]
    assert torch.is_tensor(first), first
    assert torch.is_tensor(sharded), sharded
    assert (first > 0).all()
    assert torch.equal(first, second)  # averaged over the ranks
    rounding = torch.finfo(torch.float32).eps * first.max().item()  # all that some gradients are: zero but for it
    torch.testing.assert_close(sharded, first, rtol=0.05, atol=rounding)  # other kernels, and kinks of ReLU


def normalised(rank) -> dict:
    """A 1-D and a 2-D batch norm on this rank's half of a batch."""
    said = {}
    for dims, kind in ((1, nn.BatchNorm1d), (2, nn.BatchNorm2d)):
        torch.manual_seed(0)
        x = 50 * torch.randn(8, 3, *[5] * dims) - 200  # as a log-mel in dB
        model = nn.Sequential(kind(3))
        nn.init.uniform_(model[0].weight)
        nn.init.normal_(model[0].bias)
        synchronise_batch_norms(model, "cpu")
        mine = x[rank::RANKS].clone().requires_grad_()
        output = model(mine)
        (output * output.detach().cos()).sum().backward()
        said |= {f"output{dims}": output.detach(), f"input{dims}": mine.grad, f"weight{dims}": model[0].weight.grad}
        said |= {f"mean{dims}": model[0].running_mean, f"var{dims}": model[0].running_var}
    return said


def test_synchronised_batch_norm_is_that_of_the_whole_batch(tmp_path_factory):
    parts = ranks(tmp_path_factory, normalised)
    for dims, kind in ((1, nn.BatchNorm1d), (2, nn.BatchNorm2d)):
        torch.manual_seed(0)
        x = (50 * torch.randn(8, 3, *[5] * dims) - 200).requires_grad_()
        norm = kind(3)
        nn.init.uniform_(norm.weight)
        nn.init.normal_(norm.bias)
        output = norm(x)
        (output * output.detach().cos()).sum().backward()
        for rank, part in enumerate(parts):
            torch.testing.assert_close(part[f"output{dims}"], output.detach()[rank::RANKS], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(part[f"input{dims}"], x.grad[rank::RANKS], rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(part[f"mean{dims}"], norm.running_mean, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(part[f"var{dims}"], norm.running_var, rtol=1e-4, atol=1e-5)
        both = parts[0][f"weight{dims}"] + parts[1][f"weight{dims}"]
        torch.testing.assert_close(both, norm.weight.grad, rtol=1e-4, atol=1e-4)
