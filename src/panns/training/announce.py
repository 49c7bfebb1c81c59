"""What a run says before it starts: choices, network, data, schedule."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from rich.console import Console
from rich.table import Table

from panns.data import AudioSetDataModule
from panns.data.quarantine import lines_of_no_clip, read_quarantine
from panns.models.complexity import Size
from panns.training.resuming import Changes
from panns.training.run import told
from panns.training.task import TaggingTask
from panns.weights.loading import Loaded

GROUPS = (
    "model",
    "data",
    "sampler",
    "augmentation",
    "task",
    "optimizer",
    "scheduler",
    "trainer",
    "callbacks",
    "logger",
    "experiment",
)


@rank_zero_only
def announce(
    cfg: DictConfig,
    task: TaggingTask,
    data: AudioSetDataModule,
    size: Size,
    trainer: pl.Trainer,
    start: Loaded | None,
    resumed: Path | None,
    changed: Changes,
) -> None:
    """Prints one table.

    Args:
        size: Of the network, for a clip of the data.
        start: The weights that were loaded before training; None for a fresh model or a run that goes on.
        resumed: The checkpoint that the run goes on from.
        changed: What of the configuration has changed since it was written.
    """
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    for name, text in facts(cfg, task, data, size, trainer):
        table.add_row(name, text)
    if start is not None:
        table.add_row("weights", f"{start}; hash {start.weights.hash}")
    table.add_row("run", f"{cfg.run_dir}" + (f", going on from {resumed}" if resumed else ""))
    if changed:
        table.add_row("changed", f"{told(changed, most=len(changed))}")
    Console(width=140, soft_wrap=True).print(table)


def facts(
    cfg: DictConfig, task: TaggingTask, data: AudioSetDataModule, size: Size, trainer: pl.Trainer
) -> list[tuple[str, str]]:
    """-> the rows of the table."""
    model, store = task.model, data.store
    steps = trainer.max_epochs * (data.clips_per_epoch // data.batch_size)
    if trainer.max_steps != -1 and steps:
        steps = trainer.max_steps
    rows = [
        ("choices", "  ".join(f"{k}={v}" for k, v in _choices().items())),
        (
            "model",
            f"{size.parameters:,} parameters, {size.macs / 1e9:.2f} G MACs per {data.clip_seconds:g}-s clip "
            f"({size.multi_adds / 1e9:.2f} G multi-adds in the paper's count), {model.sample_rate} Hz",
        ),
    ]
    if task.freeze:
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        rows.append(("trained", f"{trained:,} parameters, behind the embedding (task.freeze={task.freeze})"))
    if store.sample_rate != model.sample_rate:
        how = f"task.resample={cfg.task.resample}"
        rates = f"clips of {store.sample_rate} Hz are resampled to the {model.sample_rate} Hz of the model"
        rows.append(("sample rate", f"{rates}, on the device ({how})"))
    fingerprint = data.fingerprint
    for role, splits in data.roles.splits.items():
        if role in fingerprint:
            rows.append((role, _data_line(splits, fingerprint[role], store.num_classes)))
    if data.clip_samples > store.clip_samples:
        own = f"{store.clip_samples / store.sample_rate:g} s"
        rows.append(("padded", f"clips of {own} with zeros to {data.clip_seconds:g} s (data.clip_seconds)"))
    if unused := left_out(data):
        rows.append(("left out", unused))
    if data.propagate_labels:
        where = "trained on and scored" if data.propagate_labels == "all" else "trained on, not to those scored"
        rows.append(("labels", f"ancestors added to those {where} (data.propagate_labels={data.propagate_labels})"))
    passes = steps * data.batch_size * data.draws_per_example / max(len(data.train_rows), 1)
    rows += [
        ("sampler", f"{type_name(data.sampler)}, {data.draws_per_example} clip(s) read per training example"),
        (
            "schedule",
            f"{steps:,} steps of {data.batch_size} = {passes:.1f} passes, "
            f"validation every {data.clips_per_epoch // data.batch_size:,} steps"
            if steps
            else "no training: the weights are scored as they are",
        ),
        ("learning rate", _learning_rate(cfg, data.batch_size)),
        (
            "device",
            f"{type(trainer.accelerator).__name__} x {trainer.world_size}, {trainer.precision}, seed {cfg.seed}",
        ),
    ]
    return rows


def _learning_rate(cfg: DictConfig, batch_size: int) -> str:
    """The highest of the schedule, and how it was scaled."""
    lr, meant_for = cfg.optimizer.get("lr"), cfg.task.get("lr_batch_size")
    if lr is None or not meant_for:
        return "the optimizer's own" if lr is None else f"{lr:g}"
    scaled = lr * batch_size / meant_for
    return f"{scaled:g} = {lr:g} x {batch_size} / {meant_for} (optimizer.lr x data.batch_size / task.lr_batch_size)"


def type_name(factory: Any) -> str:
    """Name of a class, also behind functools.partial."""
    return getattr(factory, "func", factory).__name__


def _choices() -> dict[str, str]:
    if not HydraConfig.initialized():
        return {}
    chosen = HydraConfig.get().runtime.choices
    return {group: chosen[group] for group in GROUPS if chosen.get(group)}


def _data_line(splits: str, fingerprint: dict[str, Any], num_classes: int) -> str:
    return (
        f"{fingerprint['clips']:,} clips ({splits}), {fingerprint['classes']} of {num_classes} classes, "
        f"{fingerprint['labels']:,} labels, {fingerprint['sample_rate']} Hz, id hash {fingerprint['id_hash']}"
    )


def left_out(data: AudioSetDataModule) -> str:
    """What of the data is not used; empty if all is."""
    fingerprint, chosen, parts = data.fingerprint, data.selection, []
    unknown = lines_of_no_clip(read_quarantine(data.store.root), data.store.id)
    for why, words, asked in (
        ("quarantine", f"in quarantine{unknown}", bool(unknown)),
        ("blacklist", "of the black list", chosen.blacklist is not None),
    ):
        if fingerprint[why]["clips"] or asked:
            parts.append(
                f"{fingerprint[why]['clips']:,} clips {words}, id hash {fingerprint[why]['id_hash'] or 'none'}"
            )
    if chosen.fraction != 1:
        rest, total = data.roles.drawn_from - len(data.train_rows), data.roles.drawn_from
        parts.append(f"{rest:,} of {total:,} training clips (data.fraction={chosen.fraction:g})")
    return "; ".join(parts)
