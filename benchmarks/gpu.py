"""Training throughput on one GPU: Cnn14 as `python train.py` trains it, fed with noise from pinned memory.

Run with `make bench-gpu`. Lightning's loop, int16 clips copied to the device, log-mel, SpecAugment, mixup, bf16
autocast and Adam are all in it; reading clips from disk is not. As in `train/clips_per_second` a clip is a training
example, mixed from two. TFLOP/s count three times the network's forward multiply-adds, and are set against the fastest
bf16 matrix product measured in the same run.
"""

import argparse
import datetime
import gc
import json
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from panns.data.batches import Batch
from panns.models.complexity import multiply_accumulates
from panns.training.trainer import build_trainer
from panns.zoo import config_dir

SECONDS, RATE, CLASSES = 10, 32000, 527
COLUMNS = ("batch", "compiled", "clips/s", "ms/step", "TFLOP/s", "share of peak", "peak GiB")
Row = dict[str, Any]


class Noise:
    """Batches of noise as the loader hands them over, from two buffers."""

    def __init__(self, examples: int, draws_per_example: int, steps: int, pinned: bool) -> None:
        self.clips, self.steps = examples * draws_per_example, steps
        shape = (self.clips, SECONDS * RATE)
        self.buffers = [torch.randint(-3000, 3000, shape, dtype=torch.int16, pin_memory=pinned) for _ in range(2)]
        self.target = (torch.rand(self.clips, CLASSES) < 0.005).float()

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self.steps):
            draw = torch.arange(step * self.clips, (step + 1) * self.clips)
            yield Batch(self.buffers[step % 2], self.target, row=draw, draw=draw)


class Clock(pl.Callback):
    """Seconds of all steps but the first ones."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self.start, self.seconds = first, last, 0.0, 0.0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Starts behind the warm-up."""
        if batch_idx == self.first:
            wait(pl_module.device)
            self.start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Stops."""
        if batch_idx == self.last:
            wait(pl_module.device)
            self.seconds = time.perf_counter() - self.start


def wait(device: torch.device) -> None:
    """Until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matmul_peak(device: torch.device) -> float:
    """Operations per second of the fastest of some bf16 matrix products."""
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(20):
        wait(device)
        start = time.perf_counter()
        a @ b
        wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def train(args: argparse.Namespace, batch: int, compiled: bool) -> tuple[float, int]:
    """Seconds of a step, and multiply-accumulates of a clip."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=[f"model={args.model}", f"task.compile={compiled}"])
    augmentation, model = instantiate(cfg.augmentation), instantiate(cfg.model, num_classes=CLASSES)
    names = [str(k) for k in range(CLASSES)]
    task = instantiate(cfg.task)(
        model, instantiate(cfg.optimizer), instantiate(cfg.scheduler), augmentation, names, sample_rate=RATE
    )
    steps, pinned = args.warmup + args.steps, args.device == "cuda"
    clock = Clock(args.warmup, steps - 1)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "devices": 1}
    warnings.filterwarnings("ignore", ".*have no `val_dataloader`")
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(folder, args.device, args.precision, max_steps=steps, callbacks=[clock], **quiet)
        trainer.fit(task, Noise(batch, augmentation.draws_per_example, steps, pinned))
    return clock.seconds / args.steps, multiply_accumulates(model, SECONDS)


def measure(args: argparse.Namespace, batch: int, compiled: bool, peak: float) -> Row:
    """One line of the table; without numbers where the memory does not suffice."""
    row: Row = {"batch": batch, "compiled": compiled}
    if args.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        seconds, macs = train(args, batch, compiled)
    except torch.cuda.OutOfMemoryError:
        return row | {"clips/s": "out of memory"}
    finally:
        gc.collect()
        torch.cuda.empty_cache()
    speed = 3 * 2 * macs * batch / seconds
    row |= {"clips/s": round(batch / seconds, 1), "ms/step": round(1000 * seconds, 2)}
    row |= {"TFLOP/s": round(speed / 1e12, 2), "share of peak": round(speed / peak, 3)}
    return row | ({"peak GiB": round(torch.cuda.max_memory_allocated() / 2**30, 2)} if args.device == "cuda" else {})


def about(args: argparse.Namespace, peak: float) -> Row:
    """When, where, and with what."""
    cuda = args.device == "cuda"
    device = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    versions = f"torch {torch.__version__}, Lightning {pl.__version__}, Python {platform.python_version()}"
    if cuda:
        versions += f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "device": device,
        "versions": versions,
        "training": f"{args.model}, precision {args.precision}, {args.steps} steps after {args.warmup}",
        "bf16 matmul peak TFLOP/s": round(peak / 1e12, 2),
    }


def markdown(facts: Row, rows: Sequence[Row]) -> str:
    """A list and a table."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(str(row.get(column, '')) for column in COLUMNS)} |" for row in rows]
    return "\n".join(lines) + "\n"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Arguments; what is not given depends on the device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--model", default="cnn14", help="any preset (default: %(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", help="examples per step (default: 64 128 256 512; CPU: 2)")
    parser.add_argument("--compile", choices=("both", "yes", "no"), help="task.compile (default: both; CPU: no)")
    parser.add_argument("--steps", type=int, default=50, help="that are timed (default: %(default)s)")
    parser.add_argument("--warmup", type=int, help="steps before them (default: 20; CPU: 1)")
    parser.add_argument("--precision", default="bf16-mixed", help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result as .json or .md")
    args = parser.parse_args(argv)
    if args.out is not None and args.out.suffix not in (".json", ".md"):
        parser.error(f"--out {args.out}: choose a name that ends in .json or .md")
    on_gpu = args.device == "cuda"
    args.batches = args.batches or ([64, 128, 256, 512] if on_gpu else [2])
    args.compile = args.compile or ("both" if on_gpu else "no")
    args.warmup = args.warmup if args.warmup is not None else 20 if on_gpu else 1
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; exit code 1 where there is no GPU."""
    args = parse(argv)
    if args.device == "cuda" and not torch.cuda.is_available():
        print("bench-gpu: there is no CUDA GPU here. --device cpu --steps 1 shows that it runs.", file=sys.stderr)
        return 1
    peak = matmul_peak(torch.device(args.device))
    facts = about(args, peak)
    print(markdown(facts, []), end="", flush=True)
    rows = []
    for batch in args.batches:
        for compiled in {"both": (False, True), "yes": (True,), "no": (False,)}[args.compile]:
            rows.append(measure(args, batch, compiled, peak))
            print(markdown({}, rows[-1:]).splitlines()[-1], flush=True)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        as_json = json.dumps({**facts, "rows": rows}, indent=2) + "\n"
        args.out.write_text(as_json if args.out.suffix == ".json" else markdown(facts, rows))
        print(f"written to {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
