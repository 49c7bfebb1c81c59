"""What an import found: kinds and the CSV of names."""

import os

import pytest

from panns.data.report import KINDS, ImportReport


def test_report_lists_findings_by_kind(tmp_path):
    report = ImportReport()
    report.add("short", "b", "b.wav", "0.1 s")
    report.add("missing", "c")
    report.add("short", "a", "a, b.wav", "0.2 s")
    report.write(tmp_path / "report.csv")
    lines = (tmp_path / "report.csv").read_text().splitlines()
    assert lines == ["id,path,what,detail", "c,,missing,", 'a,"a, b.wav",short,0.2 s', "b,b.wav,short,0.1 s"]
    assert set(report.counts) == {"packed", "unchecked", *KINDS}
    report.add("short", "d", os.fsdecode(b"\xff.wav"), "0.3 s")  # a name that is no UTF-8
    report.write(tmp_path / "report.csv")
    assert "\\udcff.wav" in (tmp_path / "report.csv").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="unknown finding 'shrt'"):
        report.add("shrt", "a")
