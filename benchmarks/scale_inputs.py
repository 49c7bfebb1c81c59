"""The numbers that the plan of `benchmarks/scale.py` rests on, each with its unit and where it is from."""

from dataclasses import dataclass, field

MEASURED, NEWER = "measured 2026-11-25", "measured 2026-11-26"
PAPER, ASSUMED = "paper, 2020", "**assumed** 2026-11-26"


def given(value: float, unit: str, kind: str, source: str) -> float:
    """An input, with its unit, how it is known and since when, and where it stands."""
    return field(default=value, metadata={"unit": unit, "kind": kind, "source": source})


GPU_TFLOPS = {  # matrix products in bf16 (V100: fp16) with float32 sums, dense, as the makers' data sheets have them
    "V100 SXM2": 125,
    "RTX 4090": 165,
    "A100 SXM": 312,
    "L40S": 362,
    "H100 SXM": 989,
}


@dataclass(frozen=True)
class Inputs:
    """Every number that the tables rest on."""

    gpu_clips_per_second: float = given(
        500, "examples/s a GPU", ASSUMED, "cnn14 in training, as `make bench-gpu` and `train/clips_per_second` count"
    )
    gpu_share: float = given(0.2, "", ASSUMED, "of its data sheet's TFLOP/s that a named GPU reaches in training")
    gpu_efficiency: float = given(1, "", ASSUMED, "share of its speed that a GPU keeps beside others")
    cores_per_gpu: float = given(8, "cores", ASSUMED, "for reading: as many reader threads")
    nvme_gb_per_second: float = given(3, "GB/s a node", ASSUMED, "reads of 60 to 640 kB at random")
    nvme_seconds: float = given(0.0002, "s", ASSUMED, "until a read is answered")
    network_gb_per_second: float = given(1, "GB/s a node", ASSUMED, "network disk over 10 Gbit/s")
    network_total_gb_per_second: float = given(5, "GB/s", ASSUMED, "the server of the network disk, all nodes together")
    network_seconds: float = given(0.002, "s", ASSUMED, "until a read is answered")
    object_gb_per_second: float = given(2, "GB/s a node", ASSUMED, "object storage over 25 Gbit/s, many requests")
    object_seconds: float = given(0.05, "s", ASSUMED, "until a request is answered; those of a batch wait together")
    out_usd_per_gb: float = given(0.09, "USD/GB", ASSUMED, "what leaves a cloud, a list price")
    month_usd_per_gb: float = given(0.023, "USD/GB", ASSUMED, "a month in object storage, a list price")
    million_requests_usd: float = given(0.4, "USD", ASSUMED, "a million reads of object storage, a list price")
    process_gb: float = given(
        3, "GB a GPU", ASSUMED, "training process with CUDA; 0.8 measured without (docs/speed.md)"
    )
    steps: float = given(600_000, "steps", PAPER, "with batches of 32")
    batch_size: float = given(32, "examples", PAPER, "")
    clips_per_example: float = given(2, "clips", PAPER, "mixup mixes two")
    validation_steps: float = given(2_000, "steps", PAPER, "from one validation to the next (released code)")
    eval_clips: float = given(20_371, "clips", PAPER, "of a validation")
    pcm_bytes: float = given(640_000, "bytes a clip", NEWER, "docs/data.md")
    flac_bytes: float = given(330_000, "bytes a clip", NEWER, "docs/data.md")
    mp3_bytes: float = given(60_000, "bytes a clip", NEWER, "docs/data.md: 48 kbit/s")
    pcm_rate: float = given(5_710, "clips/s a core", MEASURED, "docs/speed.md, 2 threads")
    flac_rate: float = given(449, "clips/s a core", MEASURED, "docs/speed.md, 2 threads")
    mp3_rate: float = given(252, "clips/s a core", MEASURED, "docs/speed.md, 2 threads")
    pcm_pack_rate: float = given(457, "clips/s a core", NEWER, "docs/data.md, from 32 kHz WAV")
    flac_pack_rate: float = given(177, "clips/s a core", NEWER, "docs/data.md, from 32 kHz WAV; 41 from 48 kHz FLAC")
    mp3_pack_rate: float = given(222, "clips/s a core", NEWER, "docs/data.md, copied")
    packing_cores: float = given(16, "cores", ASSUMED, "for `panns pack`")
    macs: float = given(20.075e9, "a clip", MEASURED, "cnn14, README.md")
    parameters: float = given(80_753_615, "", MEASURED, "cnn14, README.md; Adam with AMSGrad keeps three more of each")
    object_fetch_rate: float = given(
        723, "clips/s a process", MEASURED, "docs/speed.md: 4 readers, the server on the same 2 cores"
    )
    index_bytes: float = given(58.0, "bytes a clip", MEASURED, "docs/speed.md: on disk, mapped once a node")
    sampler_bytes: float = given(28.7, "bytes a clip", MEASURED, "docs/speed.md, 21 million clips: each process's own")
    start_bytes: float = given(
        92.7, "bytes a clip", MEASURED, "docs/speed.md, 21 million clips: each process at its peak, index included"
    )
    start_seconds: float = given(
        1.34, "s a million clips", MEASURED, "docs/speed.md, 21 million clips, the slower; 0.6 with 2 million"
    )

    def of(self, name: str) -> float:
        """A number by its name."""
        return float(getattr(self, name.lower()))
