"""What W&B has beside the curves: the results, AP of each class, and example clips to hear, see and judge."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import Logger, WandbLogger

from panns.data import AudioSetDataModule
from panns.models import LogMel
from panns.training import pictures
from panns.training.task import FULL_SCALE

NUM_EXAMPLES = 12
TOP = 5


def log_media(
    loggers: list[Logger],
    folder: Path,
    results: dict[str, Any],
    rows: list[dict[str, Any]],
    scored: Mapping[str, np.ndarray],
    data: AudioSetDataModule,
) -> None:
    """Adds the results (as `results` of the summary), tables and pictures to each W&B logger there is; without one,
    nothing is drawn.

    Args:
        loggers: Of the run.
        folder: Of the run; the pictures of the examples are written to `examples` in it.
        results: The content of metrics.json.
        rows: Of per_class.csv.
        scored: What `TaggingMetrics` computed of the validation clips.
        data: Whose validation clips they are.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary["results"] = results
            logger.log_table("per_class", columns=list(rows[0]), data=[list(row.values()) for row in rows])
            for path in sorted(folder.glob("*.png")):
                logger.log_image(f"pictures/{path.stem}", [str(path)])
            columns = ["clip", "audio", "log-mel", "predicted", "labels"]
            logger.log_table("examples", columns=columns, data=_examples(folder / "examples", scored, data))


def file_stem(name: str, row: int) -> str:
    """A clip's id as a file name: as it is where it can be, else without what a name cannot hold, and with its row."""
    safe = re.sub(r"[^\w.-]+", "_", name)[-80:].lstrip(".")
    return name if safe == name else f"{row}_{safe}"


def _examples(folder: Path, scored: Mapping[str, np.ndarray], data: AudioSetDataModule) -> list[list[Any]]:
    """One line a clip, spread over the validation clips: id, audio, picture, top predictions, labels."""
    import wandb  # loaded only where it is used

    folder.mkdir(exist_ok=True)
    store = data.evaluation_store
    frontend = LogMel(store.sample_rate)
    band_hz = (frontend.mel_filters.argmax(1) * store.sample_rate / frontend.n_fft).numpy()
    hop_seconds = frontend.hop_length / store.sample_rate
    lines = []
    for place in np.linspace(0, len(scored["index"]) - 1, min(NUM_EXAMPLES, len(scored["index"]))).astype(int):
        row, probabilities = int(scored["index"][place]), scored["scores"][place]
        clip = np.zeros(data.clip_samples, np.int16)
        store.read_into(row, clip)
        name = store.id[row].decode()
        top = np.argsort(-probabilities, kind="stable")[:TOP]
        predicted = ", ".join(f"{data.classes[k]} {probabilities[k]:.2f}" for k in top)
        labels = ", ".join(data.classes[k] for k in store.labels(row))
        picture = folder / f"{file_stem(name, row)}.png"
        title = f"{name}\nlabels: {labels}\npredicted: {predicted}"
        log_mel = frontend.log_mel(torch.from_numpy(clip)[None].float() / FULL_SCALE)[0].T.numpy()
        pictures.log_mel(log_mel, picture, hop_seconds, band_hz, title)
        lines.append(
            [name, wandb.Audio(clip, sample_rate=store.sample_rate), wandb.Image(str(picture)), predicted, labels]
        )
    return lines
