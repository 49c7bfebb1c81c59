"""A report as it is written."""

from pathlib import Path

import pytest

from panns.studies.report.run_sections import Source
from panns.studies.report.writing import write_report


@pytest.fixture(scope="session")
def written(outcome, made) -> Path:
    """Its folder, beside that of the runs."""
    out = made.runs.parent / "experiments"
    write_report(outcome, Source("panns report mel_bins_demo", out, 400))
    return out
