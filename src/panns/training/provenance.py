"""On what a run was computed: device and versions."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytorch_lightning as pl
import torch

PACKAGES = ("panns", "torch", "torchaudio", "pytorch-lightning", "numpy")
CPU_FACTS = Path("/proc/cpuinfo")


def versions() -> dict[str, str]:
    """Of Python and of the packages that results depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def device_name(trainer: pl.Trainer) -> str:
    """-> such as "8 x NVIDIA H100 80GB HBM3"; of one device its name alone."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    return name if trainer.world_size == 1 else f"{trainer.world_size} x {name}"


def cpu_name() -> str:
    """The processor as Linux calls it; elsewhere its kind, such as "arm"."""
    if CPU_FACTS.is_file():
        for line in CPU_FACTS.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
