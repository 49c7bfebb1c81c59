"""Speed of the networks on a CPU: this project's against a plain statement of the released way, in one run.

Run with `make bench-models`. Both sides have the same weights and hear the same clips; their turns alternate, so that
whatever else the machine does hits both. Prints seconds (best and median of the turns) and their ratios.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from released_way import ReleasedWay, cnn14, copy_weights, mobilenet_v1
from torch import Tensor, nn

from panns import create_model
from panns.models import fold_batch_norms
from panns.models.compiling import compile_body
from panns.zoo import config_dir

SECONDS, RATE, CLASSES = 10, 32000, 527
Work = Callable[[], object]


def alternate(works: dict[str, Work], repeats: int) -> dict[str, list[float]]:
    """Seconds of each work, taken in turns after one turn that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def compare(title: str, works: dict[str, Work], repeats: int) -> None:
    """Print a table of the first work against the others."""
    seconds = alternate(works, repeats)
    first, *others = seconds
    print(f"\n{title}")
    print(f"  {first:<42} {min(seconds[first]):8.3f} s  median {statistics.median(seconds[first]):8.3f} s")
    for name in others:
        best, median = min(seconds[name]), statistics.median(seconds[name])
        turns = [a / b for a, b in zip(seconds[first], seconds[name], strict=True)]
        print(
            f"  {name:<42} {best:8.3f} s  median {median:8.3f} s  ratio {min(seconds[first]) / best:5.2f} of bests, "
            f"{statistics.median(turns):5.2f} median of turns ({min(turns):.2f} to {max(turns):.2f})",
            flush=True,
        )


def waveforms(clips: int) -> Tensor:
    """(clips, L) noise."""
    return 0.1 * torch.randn(clips, SECONDS * RATE)


def settings() -> tuple[Callable[..., torch.optim.Optimizer], object]:
    """The optimizer and the augmentation that `python train.py` takes by default, which are the paper's."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose(overrides=["+optimizer=adam", "+augmentation=mixup_specaugment", "+seed=0"])
    return instantiate(cfg.optimizer), instantiate(cfg.augmentation)


def training(examples: int, repeats: int, compiled: bool) -> None:
    """Cnn14: log-mel of two clips per example, SpecAugment, mixup, forward, backward, Adam."""
    clips, targets = waveforms(2 * examples), (torch.rand(2 * examples, CLASSES) < 0.005).float()
    make_optimizer, augmentation = settings()
    ours, theirs = create_model("cnn14"), ReleasedWay(cnn14(), 2048, 2048)
    copy_weights(ours, theirs)
    optimizers = make_optimizer(ours.parameters()), torch.optim.Adam(theirs.parameters(), lr=1e-3, amsgrad=True)

    def their_step() -> None:
        weight = torch.distributions.Beta(1.0, 1.0).sample((examples,))
        pairs = targets[0::2] * weight[:, None] + targets[1::2] * (1 - weight[:, None])
        loss = F.binary_cross_entropy(theirs.train()(clips, weight), pairs)
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()

    def our_step(half: bool) -> None:
        augment = augmentation.for_batch(torch.arange(2 * examples))
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = ours.train()(clips, augment).clip_logits
        loss = F.binary_cross_entropy_with_logits(logits.float(), augment.targets(targets))
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()

    works: dict[str, Work] = {"released way": their_step, "panns, float32": lambda: our_step(False)}
    works["panns, bf16 autocast"] = lambda: our_step(True)
    title = f"cnn14, training step of {examples} examples of {SECONDS} s (goals: float32 1.0, bf16 2.0)"
    compare(title, works, repeats)
    if compiled:
        compile_body(ours)
        works = {"panns, bf16 autocast, compiled": works["panns, bf16 autocast"]}
        compare("the same with torch.compile", works, repeats)


@torch.inference_mode()
def inference(clips: int, repeats: int) -> None:
    """MobileNetV1, with batch norms and with them folded."""
    ours, theirs = create_model("mobilenet_v1").eval(), ReleasedWay(mobilenet_v1(), 1024, 1024).eval()
    copy_weights(ours, theirs)
    x, folded = waveforms(clips), fold_batch_norms(ours)
    works: dict[str, Work] = {"released way": lambda: theirs(x), "panns, not folded": lambda: ours(x)}
    works["panns, batch norms folded"] = lambda: folded(x)
    compare(f"mobilenet_v1, inference on {clips} clips of {SECONDS} s (goal 1.5)", works, repeats)


@torch.inference_mode()
def frontend(clips: int, repeats: int) -> None:
    """The log-mel alone."""
    x, ours, theirs = waveforms(clips), create_model("cnn6").frontend, ReleasedWay(nn.Sequential(), 1, 1).log_mel
    works: dict[str, Work] = {"released way": lambda: theirs(x), "panns": lambda: ours.log_mel(x)}
    compare(f"log-mel of {clips} clips of {SECONDS} s (goal 6)", works, 2 * repeats)


def processor() -> str:
    """Its name."""
    about = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in about.read_text().splitlines() if "model name" in line]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="turns that count (default: %(default)s)")
    parser.add_argument("--examples", type=int, default=32, help="a training step has (default: %(default)s)")
    parser.add_argument("--clips", type=int, default=16, help="heard at inference (default: %(default)s)")
    parser.add_argument("--compile", action="store_true", help="time the training step with torch.compile too")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads on {processor()}")
    frontend(args.clips, args.repeats)
    inference(args.clips, args.repeats)
    training(args.examples, args.repeats, args.compile)


if __name__ == "__main__":
    main()
