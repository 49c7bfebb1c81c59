"""Training clips that could not be read and were replaced: named in the run's folder, counted in its results."""

import csv
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from panns.data.batches import Batch

HEADER = ["draw", "id", "file", "why", "instead"]

log = logging.getLogger(__name__)


class DamagedClips(Callback):
    """Writes `damaged_clips.csv`, one line a draw; a rank above 0 writes its own, `damaged_clips-rank1.csv`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._known: set[str] = set()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Adds the damaged clips of the batch, and says of each clip once what it is."""
        if not batch.damaged:
            return
        rank, ids = trainer.global_rank, trainer.datamodule.store.id
        path = self.folder / f"damaged_clips{f'-rank{rank}' if rank else ''}.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(HEADER)
            for _, draw, error, instead in batch.damaged:
                writer.writerow([draw, error.clip_id, error.file, error.why, ids[instead].decode()])
                if error.clip_id not in self._known:
                    log.warning("%s; replaced by clip %s, see %s", error, ids[instead].decode(), path)
                    self._known.add(error.clip_id)


def damaged_clips(folder: Path) -> dict[str, int]:
    """-> how many clips could not be read, and in how many draws; a draw that a resumed run made again counts once."""
    rows = []
    for path in folder.glob("damaged_clips*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            rows += list(csv.DictReader(file))
    return {"clips": len({row["id"] for row in rows}), "draws": len({row["draw"] for row in rows})}
