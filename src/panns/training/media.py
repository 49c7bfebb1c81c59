"""What W&B has beside the curves: the results, AP of each class, and example clips to hear, see and judge.

Shapes: L samples, K classes.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import Logger, WandbLogger

from panns.data import AudioSetDataModule
from panns.models import LogMel
from panns.training import pictures
from panns.training.task import FULL_SCALE, TaggingTask

NUM_EXAMPLES = 12
TOP = 5


def log_media(
    loggers: list[Logger],
    folder: Path,
    results: dict[str, Any],
    rows: list[dict[str, Any]],
    task: TaggingTask,
    data: AudioSetDataModule,
) -> None:
    """Adds the results (as `results` of the summary), tables and pictures to each W&B logger there is; without one,
    nothing is computed."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary["results"] = results
            logger.log_table("per_class", columns=list(rows[0]), data=[list(row.values()) for row in rows])
            for path in sorted(folder.glob("*.png")):
                logger.log_image(f"pictures/{path.stem}", [str(path)])
            columns = ["clip", "audio", "log-mel", "predicted", "labels"]
            logger.log_table("examples", columns=columns, data=_examples(folder / "examples", task, data))


def file_stem(name: str, row: int) -> str:
    """A clip's id as a file name: as it is where it can be, else without what a name cannot hold, and with its row."""
    safe = re.sub(r"[^\w.-]+", "_", name)[-80:].lstrip(".")
    return name if safe == name else f"{row}_{safe}"


@torch.inference_mode()
def _examples(folder: Path, task: TaggingTask, data: AudioSetDataModule) -> list[list[Any]]:
    """One line a clip, spread over the validation clips: id, audio, picture, top predictions, labels."""
    import wandb  # loaded only where it is used

    folder.mkdir(exist_ok=True)
    store = data.evaluation_store
    spread = np.linspace(0, len(data.validation_rows) - 1, min(NUM_EXAMPLES, len(data.validation_rows))).astype(int)
    frontend = LogMel(store.sample_rate)
    band_hz = (frontend.mel_filters.argmax(1) * store.sample_rate / frontend.n_fft).numpy()
    task.eval()
    lines = []
    for row in data.validation_rows[spread]:
        clip = np.zeros(data.clip_samples, np.int16)
        store.read_into(int(row), clip)
        waveform = torch.from_numpy(clip)[None].float() / FULL_SCALE
        probabilities = task.probabilities(task.model(task.resample(waveform.to(task.device))).clip_logits)[0].cpu()
        name = store.id[row].decode()
        top = probabilities.topk(min(TOP, len(probabilities)))
        predicted = ", ".join(f"{task.classes[k]} {p:.2f}" for p, k in zip(*top, strict=True))
        labels = ", ".join(task.classes[k] for k in store.labels(int(row)))
        picture, hop_seconds = folder / f"{file_stem(name, int(row))}.png", frontend.hop_length / store.sample_rate
        title = f"{name}\nlabels: {labels}\npredicted: {predicted}"
        pictures.log_mel(frontend.log_mel(waveform)[0].T.numpy(), picture, hop_seconds, band_hz, title)
        lines.append(
            [name, wandb.Audio(clip, sample_rate=store.sample_rate), wandb.Image(str(picture)), predicted, labels]
        )
    return lines
