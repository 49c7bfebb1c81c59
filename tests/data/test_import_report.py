"""What an import found: kinds and the CSV of names."""

import os

import pytest
from rich.console import Console

from panns.data.report import KINDS, ImportReport, print_counts


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


def test_what_is_of_the_whole_list_is_no_number_of_clips(capsys):
    report = ImportReport()
    report.packed = 48
    for what in ("one_label", "ignored_column", "short"):
        report.add(what, "a")
    print_counts(report.counts, Console(width=200))
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["in", "the", "store,", "but", "1", "in", "all"] in said
    assert any(line[:3] == ["one", "label", "no"] for line in said)
    assert any(line[:2] == ["short", "1"] for line in said)
