"""What the paper and the released files say about the presets: `assets/presets.csv` and `panns.published`."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from panns.published.tables import Entry, entry


@dataclass(frozen=True)
class Published:
    """What is known of one preset.

    Attributes:
        released_class: Name of the model in the released code.
        paper: The row of the paper's tables that has its figures; None where no table has them.
        released_mAP: Of the released checkpoint; None where there is none.
    """

    released_class: str
    paper: Entry | None
    released_mAP: float | None

    @property
    def score(self) -> tuple[float, str] | None:
        """mAP and where it stands: the paper's, else the released checkpoint's."""
        if self.paper is not None and self.paper.mAP is not None:
            return self.paper.mAP, f"Table {self.paper.table}"
        return None if self.released_mAP is None else (self.released_mAP, "checkpoint")


@cache
def published() -> dict[str, Published]:
    """Preset -> what was published about it, in the order of the file."""
    text = (resources.files("panns.model_table") / "assets" / "presets.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["preset"]: Published(
            released_class=row["released_class"],
            paper=entry(row["row"]) if row["row"] else None,
            released_mAP=float(row["released_mAP"]) if row["released_mAP"] else None,
        )
        for row in rows
    }
