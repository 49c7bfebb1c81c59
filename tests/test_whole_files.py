"""Files that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from panns.whole_files import written_whole


def test_the_former_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("first", "größer"):
        with written_whole(path) as file:
            file.write(text)
            assert not path.exists() or path.read_text(encoding="utf-8") == "first"
    assert path.read_text(encoding="utf-8") == "größer"
    assert [kept.name for kept in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_former_file_and_nothing_else(error, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"first")

    def stopped(file):
        file.write(b"half")
        raise error

    with pytest.raises(error), written_whole(path, "wb") as file:
        stopped(file)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_its_bytes_are_on_the_disk_before_its_name_is(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("fsync"), fsync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda path, to: (done.append("replace"), replace(path, to))[1])
    with written_whole(tmp_path / "a.csv", newline="") as file:
        file.write("a\r\n")
    assert done == ["fsync", "replace"]
    assert (tmp_path / "a.csv").read_bytes() == b"a\r\n"
