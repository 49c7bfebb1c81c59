"""One network on several devices: batch norms over the whole batch, weights cut into shards, and a rank that dies.

Shapes: B clips of this rank, C channels, * any further dimensions.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.modules.batchnorm import _BatchNorm

from panns.models import AudioTagger

LOST_PEER = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting", "NCCL")


class _SumOverRanks(torch.autograd.Function):
    """The sum of a tensor over all ranks; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _SumOverRanks.forward(ctx, gradients[0])


class GlobalBatchNorm(_BatchNorm):
    """(B, C, *) -> (B, C, *): batch norm over the clips of all ranks, each with as many; for CPUs.

    torch.nn.SyncBatchNorm is the same on GPUs and refuses CPUs.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            return super().forward(input)
        dims = [d for d in range(input.dim()) if d != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        world_size = dist.get_world_size()
        mean = _SumOverRanks.apply(input.float().mean(dims)) / world_size
        centred = input - mean.reshape(shape)
        variance = _SumOverRanks.apply(centred.float().square().mean(dims)) / world_size
        with torch.no_grad():
            self._remember(mean, variance, world_size * input.numel() // input.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale.reshape(shape) + self.bias.reshape(shape)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)


def synchronise_batch_norms(model: nn.Module, device_type: str) -> None:
    """Makes every batch norm of the model take its statistics over the clips of all ranks; names and weights stay."""
    if device_type != "cpu":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return
    for module in model.modules():
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d):
            module.__class__ = GlobalBatchNorm


class FullyShardedStrategy(ModelParallelStrategy):
    """Weights, gradients and optimizer state cut into shards over all devices (FSDP2); one plain checkpoint file."""

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        """All devices of all nodes hold one shard each."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()


def shard(model: AudioTagger, mesh: DeviceMesh) -> None:
    """Shards a tagger over the ranks of the mesh, block by block, so that only one block is whole at a time."""
    if isinstance(model, FSDPModule):
        return
    for parameter in model.parameters():  # FSDP wants plain strides, not channels last
        parameter.data = parameter.data.contiguous()
    for child in model.backbone.children():
        for part in child.children() if isinstance(child, nn.ModuleList | nn.ModuleDict) else [child]:
            if any(True for _ in part.parameters()):
                fully_shard(part, mesh=mesh)
    fully_shard(model, mesh=mesh)


@contextmanager
def lost_ranks_told(last: Path) -> Iterator[None]:
    """Ends this process with one line when another one of the same run is gone.

    Args:
        last: The checkpoint that a restart goes on from.
    """
    try:
        yield
    except RuntimeError as error:
        if not dist.is_initialized() or not any(sign in str(error) for sign in LOST_PEER):
            raise
        kept = f"goes on from {last}" if last.is_file() else "starts anew: no checkpoint was written yet"
        print(
            f"train.py: rank {dist.get_rank()} of {dist.get_world_size()} stops, since another rank of this run died "
            f"or cannot be reached ({str(error).splitlines()[0]}). Look for the cause above or in the log of that "
            f"rank; the same command {kept}.",
            file=sys.stderr,
            flush=True,
        )
        sys.exit(1)
