"""What the paper and the released files say about the models, from `assets/published.csv`."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Published:
    """One row of the file; None where nothing was published.

    Attributes:
        released_class: Name of the model in the released code.
        table: The paper's table that mAP, mAUC and d_prime come from, such as "XI".
        mAP: Mean average precision on AudioSet's evaluation set; mAUC and d_prime likewise.
        parameters: Table XII's; released parameters that are never used are among them.
        multi_adds: Table XII's for a 10-s clip, in 1e9.
        released_mAP: Of the released checkpoint.
    """

    released_class: str
    table: str | None
    mAP: float | None
    mAUC: float | None
    d_prime: float | None
    parameters: int | None
    multi_adds: float | None
    released_mAP: float | None

    @property
    def score(self) -> tuple[float, str] | None:
        """mAP and where it stands: the paper's, else the released checkpoint's."""
        if self.mAP is not None:
            return self.mAP, f"Table {self.table}"
        return None if self.released_mAP is None else (self.released_mAP, "checkpoint")


@cache
def published() -> dict[str, Published]:
    """Preset -> what was published about it, in the order of the file."""
    text = (resources.files("panns.model_table") / "assets" / "published.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["preset"]: _read(row) for row in rows}


def _read(row: dict[str, str]) -> Published:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Published(
        released_class=row["released_class"],
        table=row["table"] or None,
        mAP=number("mAP"),
        mAUC=number("mAUC"),
        d_prime=number("d_prime"),
        parameters=int(row["parameters"]) if row["parameters"] else None,
        multi_adds=number("multi_adds"),
        released_mAP=number("released_mAP"),
    )
