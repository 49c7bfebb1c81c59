"""The ESC-50 layout."""

from collections import Counter
from pathlib import Path

import pytest

from panns.data.esc50 import Esc50Source
from panns.data.importers import SourceError
from panns.data.labels import LabelError
from panns.data.report import ImportReport

SHARED = Path(__file__).parents[3] / "shared"


def kinds(report: ImportReport) -> dict[str, int]:
    return {what: count for what, count in report.counts.items() if count}


@pytest.mark.skipif(not SHARED.is_dir(), reason="ESC-10 is not beside the project")
def test_esc10_in_the_esc50_layout():
    source, report = Esc50Source(SHARED / "audio" / "esc10"), ImportReport()
    clips = source.clips(report)
    # order of ESC-50's target numbers 0, 1, 10, 11, 12, 20, 21, 38, 40, 41
    names = "dog,rooster,rain,sea_waves,crackling_fire,crying_baby,sneezing,clock_tick,helicopter,chainsaw"
    assert ",".join(label.name for label in source.classes) == names
    assert source.splits == [f"fold{n}" for n in range(1, 6)]
    assert set(Counter((clip.split, clip.labels) for clip in clips).values()) == {8}
    by_id = {clip.id: clip for clip in clips}
    assert len(by_id) == 400
    assert (by_id["4-164064-C-1"].split, by_id["4-164064-C-1"].labels) == (
        3,
        (1,),
    )  # the name says fold-source-take-target
    assert kinds(report) == {}


def test_esc50_without_metadata(tmp_path):
    with pytest.raises(LabelError, match=r"esc50\.csv: no such file"):
        _ = Esc50Source(tmp_path).classes
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text("filename,fold,target,category\na.wav,1,0,dog\nb.wav,1,0,cat\n")
    with pytest.raises(SourceError, match="each category needs one target"):
        _ = Esc50Source(tmp_path).classes
