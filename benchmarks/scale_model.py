"""How fast a store reaches the GPUs of a system, how long a run takes and what it waits for: the plan's arithmetic."""

from dataclasses import dataclass

import numpy as np
from scale_inputs import Inputs

CODECS = ("pcm", "flac", "mp3")
STORAGE = ("NVMe", "network disk", "object storage")
AUDIOSET = 2_084_320  # clips
READ_AHEAD = 2 + 2  # batches beside one a thread: see `AudioSetDataModule`; one in use, one on its way to the GPU


@dataclass(frozen=True)
class System:
    """Nodes with GPUs."""

    nodes: int
    gpus_per_node: int

    @property
    def gpus(self) -> int:
        return self.nodes * self.gpus_per_node

    def training_rate(self, inputs: Inputs) -> float:
        """Examples/s of all its GPUs."""
        alone = inputs.gpu_clips_per_second * self.gpus
        return alone * (inputs.gpu_efficiency if self.gpus > 1 else 1)

    def __str__(self) -> str:
        gpus = f"{self.gpus_per_node} GPU{'s' * (self.gpus_per_node > 1)}"
        return gpus if self.nodes == 1 else f"{self.nodes} nodes x {gpus}"


SYSTEMS = (System(1, 1), System(1, 8), System(8, 8))


@dataclass(frozen=True)
class Supply:
    """How many clips per second storage and reader threads of a system give.

    Attributes:
        readers: of all threads, each waiting for its read and then decoding.
        storage: what comes at the given bytes per second; from object storage, of clips not yet kept on the local disk.
        kept: the same from the local disk, where clips are kept there; else as `storage`.
    """

    readers: float
    storage: float
    kept: float

    @property
    def least(self) -> float:
        return min(self.readers, self.storage)


def supply(inputs: Inputs, system: System, storage: str, codec: str) -> Supply:
    """What a store of `codec` on `storage` gives to a system."""
    nbytes, rate, clips_at_once = inputs.of(f"{codec}_bytes"), inputs.of(f"{codec}_rate"), 1.0
    nvme = system.nodes * inputs.nvme_gb_per_second * 1e9 / nbytes
    if storage == "NVMe":
        latency, bandwidth = inputs.nvme_seconds, nvme
    elif storage == "network disk":
        total = min(system.nodes * inputs.network_gb_per_second, inputs.network_total_gb_per_second)
        latency, bandwidth = inputs.network_seconds, total * 1e9 / nbytes
    else:  # the clips of a batch are asked for at the same time
        fetched = system.gpus * inputs.object_fetch_rate
        latency = inputs.object_seconds
        bandwidth = min(system.nodes * inputs.object_gb_per_second * 1e9 / nbytes, fetched)
        clips_at_once = inputs.batch_size * inputs.clips_per_example
    readers = system.gpus * inputs.cores_per_gpu / (latency / clips_at_once + 1 / rate)
    return Supply(readers, bandwidth, nvme if storage == "object storage" else bandwidth)


@dataclass(frozen=True)
class Run:
    """A run as long as the paper's in passes over the data.

    Attributes:
        hours: in all, validations included.
        limit: what it waits for most of the time.
        up_to: examples/s a GPU that storage and reading keep up with (on the first lap).
        first_hours: added by fetching clips for the first time.
    """

    hours: float
    limit: str
    up_to: float
    first_hours: float


def run(inputs: Inputs, system: System, storage: str, codec: str, num_clips: int) -> Run:
    """How long it takes, and why."""
    gives = supply(inputs, system, storage, codec)
    wanted = system.training_rate(inputs) * inputs.clips_per_example
    clips = inputs.steps * inputs.batch_size * inputs.clips_per_example * num_clips / AUDIOSET
    copies = storage == "object storage"  # of the clips that were read, on the local disk
    kept_at = "local copies" if copies else storage
    later = {"GPU": wanted, "reading": gives.readers, kept_at: gives.kept}
    limit = min(later, key=lambda name: later[name])
    seconds, first = clips / later[limit], 0.0
    if copies:  # a clip is fetched once by each node: fewer and fewer are new
        read = np.linspace(0, clips / system.nodes, 100_001)
        new = np.exp(-(read[1:] + read[:-1]) / 2 / num_clips)
        slow = np.maximum(1 / later[limit], new / gives.storage)
        first = clips * slow.mean() - seconds
        limit = f"{limit}, at first {storage}" if first > 0.01 * seconds else limit
    hours = (seconds + first + validation_seconds(inputs, system, gives)) / 3600
    return Run(hours, limit, gives.least / system.gpus / inputs.clips_per_example, first / 3600)


def validation_seconds(inputs: Inputs, system: System, gives: Supply) -> float:
    """A clip to score is not mixed and has no backward pass: a third of the work of a training example; but in float32,
    of which tensor cores (TF32) do half as many operations a second as of bfloat16."""
    rate = min(1.5 * system.training_rate(inputs), gives.readers, gives.kept)
    return inputs.steps / inputs.validation_steps * inputs.eval_clips / rate


def node_memory(inputs: Inputs, system: System, num_clips: int) -> float:
    """Bytes of one node at the start: in each process torch, the batches that are read ahead, and the sampler while it
    is made, which counts the pages of the index that it shares with the others: an upper bound.
    """
    batches = (inputs.cores_per_gpu + READ_AHEAD) * inputs.batch_size * inputs.clips_per_example * inputs.pcm_bytes
    return system.gpus_per_node * (inputs.process_gb * 1e9 + batches + inputs.start_bytes * num_clips)
