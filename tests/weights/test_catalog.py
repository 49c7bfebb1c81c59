"""The table of released files."""

import re

import pytest

from panns.weights.catalog import NotReleasedError, ReleasedFile, file_of, released_file, released_files
from panns.zoo import list_models

NONE = {  # no list of the release has these
    "cnn14_decision_level_avg",
    "cnn14_mel128",
    "cnn14_mel32",
    "cnn14_mixup_time_domain",
    "cnn14_no_dropout",
    "cnn14_no_specaug",
    "wavegram_logmel128",
}


def test_every_preset_has_its_file_or_none_was_released():
    assert {*released_files()} == {*list_models()} - NONE
    for preset in NONE:
        with pytest.raises(NotReleasedError, match=f"No weights were released for {preset}, only for cnn6, "):
            released_file(preset)


def test_the_table_is_that_of_the_facts(shared):
    """Every file name, md5 and size of the list that the table was made from."""
    rows = re.findall(r"^\| (\w+=0\.\d+\.pth).*? \| (A B|A|B) \| (.*) \|$", _zenodo(shared), re.MULTILINE)
    assert len(rows) == 22
    table = {file.name: file for file in released_files().values()}
    assert {name for name, _, _ in rows} == {*table}
    for name, seen, known in rows:
        md5, size = re.search(r"[0-9a-f]{32}", known), re.search(r"(\d+(?:,\d+){2,})", known)
        assert table[name].md5 == (md5[0] if md5 else None)
        assert table[name].size == (int(size[1].replace(",", "")) if size else None)
        assert table[name].record == ("3987831" if "B" in seen else "3960586")


def test_names_lead_to_the_right_preset():
    for preset, file in released_files().items():
        wanted = file.name.lower().split("_map=")[0].replace("_", "")
        assert wanted == preset.replace("_", "") + ("cnn14" if preset == "wavegram_logmel" else "")


def test_addresses(monkeypatch):
    file = ReleasedFile("cnn14", "Cnn14_mAP=0.431.pth", "3987831")
    monkeypatch.delenv("PANNS_DOWNLOAD_URL", raising=False)
    assert file.url == "https://zenodo.org/record/3987831/files/Cnn14_mAP%3D0.431.pth?download=1"
    monkeypatch.setenv("PANNS_DOWNLOAD_URL", "https://mirror.example/panns/")
    assert file.url == "https://mirror.example/panns/Cnn14_mAP%3D0.431.pth"
    monkeypatch.setenv("PANNS_DOWNLOAD_URL", "/mnt/panns")
    with pytest.raises(ValueError, match="PANNS_DOWNLOAD_URL=/mnt/panns should start with http"):
        _ = file.url


def _zenodo(shared):
    return (shared / "paper" / "PAPER.md").read_text().partition("## (f) Zenodo")[2]


def test_each_released_file_is_found_by_the_name_of_its_system():
    files = released_files()
    for file in files.values():
        assert file_of(file.name.rpartition("_mAP")[0]) == file
    assert file_of("Cnn14 (or a variant whose weights have the same shapes)") == files["cnn14"]
    assert file_of("no released PANNs model") is None
