"""The Lightning Trainer, with what must always hold: our loaders, whole checkpoints, a fitting precision."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CUDAAccelerator, MPSAccelerator

from panns.training.checkpoints import AtomicCheckpointIO
from panns.training.run import check_seed

NOISE = (  # said by Lightning about what is meant so here, or about its own insides
    r".*treespec, LeafSpec.*is deprecated",
    r"The number of training batches .* is smaller than the logging interval",
    r"The '\w+_dataloader' does not have many workers",
    r"Checkpoint directory .* exists and is not empty",
    r"Found \d+ module\(s\) in eval mode at the start of training",  # task.freeze
    r"The dirpath has changed from",  # resume=CHECKPOINT in a folder of its own
    r".*your dataloader is not resumable",  # its position lies in the state of the datamodule
    r"It is recommended to use `self.log\('(val/|test/|step').*sync_dist=True",  # scores are those of all ranks already
)
AT_LEAST = {"accumulate_grad_batches": 1, "log_every_n_steps": 1, "gradient_clip_val": 0}


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and PyTorch.

    Raises:
        ValueError: NumPy does not take the seed.
    """
    check_seed(seed)
    pl.seed_everything(seed, verbose=False)


def made_callbacks(made: Mapping[str, Any]) -> list[pl.Callback]:
    """What `conf/callbacks` was made into, without those that are null.

    Raises:
        ValueError: one is no callback.
    """
    for name, callback in made.items():
        if not isinstance(callback, pl.Callback | None):
            raise ValueError(f"callbacks.{name} is no callback: give it a _target_, or null to leave it out.")
    return [callback for callback in made.values() if callback is not None]


def build_trainer(
    run_dir: str | Path, accelerator: str = "auto", precision: str = "auto", **options: Any
) -> pl.Trainer:
    """A Trainer.

    Args:
        run_dir: Where a run's files lie.
        accelerator: As Lightning's; "auto" takes a GPU if there is one.
        precision: As Lightning's; "auto" is bf16-mixed on a GPU that has it and 32-true elsewhere. The frontend is
            always float32.
        options: All other arguments of `pl.Trainer`. Unless `benchmark` or `deterministic` say otherwise, cuDNN tries
            which of its algorithms are fastest for the shapes of this run.

    Raises:
        ValueError: a number is out of range; there is no GPU where one is asked for; there is no end to the training;
            `num_nodes` is None: it is not known on how many machines to run.
    """
    if options.get("num_nodes", 1) is None:
        raise ValueError("trainer.num_nodes is not known outside of SLURM: give the number of machines, as 2.")
    if accelerator in ("gpu", "cuda") and not _gpu_there(accelerator):
        raise ValueError(
            f"trainer.accelerator={accelerator}: PyTorch sees no GPU here; take trainer=cpu, or trainer=auto for a GPU "
            "where there is one. trainer.accelerator=cpu leaves the rest as it is: devices are processes then."
        )
    for name, least in AT_LEAST.items():
        if (value := options.get(name)) is not None and value < least:
            raise ValueError(f"trainer.{name}={value}: {least} or more is wanted.")
    if (options.get("max_epochs") or 0) < 0 and options.get("max_steps", -1) < 0:
        raise ValueError("data.max_epochs is below 0: training would not end; give a number, or trainer.max_steps.")
    options.setdefault("benchmark", not options.get("deterministic"))
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in NOISE:
        warnings.filterwarnings("ignore", message)
    return pl.Trainer(
        default_root_dir=str(run_dir),
        accelerator=accelerator,
        precision=choose_precision(accelerator) if precision == "auto" else precision,
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,  # the loaders deal out the clips themselves
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )


def _gpu_there(accelerator: str) -> bool:
    """Whether there is what Lightning would take: with "gpu" also one of Apple's."""
    return CUDAAccelerator.is_available() or (accelerator == "gpu" and MPSAccelerator.is_available())


def choose_precision(accelerator: str) -> str:
    """-> "bf16-mixed" where a GPU that computes bfloat16 will be used, else "32-true"."""
    on_gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
