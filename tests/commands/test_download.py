import hashlib

import pytest

from mirror import CONTENT, say
from panns.cli import main
from panns.commands import download
from panns.weights import catalog
from panns.weights.cache import cache_dir


@pytest.fixture
def two(server, monkeypatch):
    """A release of two files."""
    md5 = hashlib.md5(CONTENT).hexdigest()
    files = {name: catalog.ReleasedFile(name, f"{name}.pth", "1", md5, len(CONTENT)) for name in ("cnn6", "cnn10")}
    for module in (catalog, download):
        monkeypatch.setattr(module, "released_files", lambda: files)
    return files


def test_one_or_several_by_name(two, server, capsys):
    assert main(["download", "cnn10"]) == 0
    assert capsys.readouterr().out == f"cnn10: {cache_dir() / 'cnn10.pth'}\n"
    assert main(["download", "cnn10", "cnn6"]) == 0
    assert [path for path, _ in server.requests] == ["/mirror/cnn10.pth", "/mirror/cnn6.pth"]
    assert (cache_dir() / "cnn6.pth").read_bytes() == CONTENT


def test_all_and_what_could_not_be_had(two, server, capsys):
    server.plans = [say(404)]
    assert main(["download", "--all"]) == 2
    said = capsys.readouterr()
    assert f"cnn10: {cache_dir() / 'cnn10.pth'}" in said.out
    assert "cnn6: " in said.err
    assert f"get cnn6.pth from https://zenodo.org/record/1 and put it at {cache_dir() / 'cnn6.pth'}" in said.err
    assert "1 of 2 could not be fetched: cnn6" in said.err


def test_list(two, server, capsys):
    main(["download", "cnn6"])
    capsys.readouterr()
    assert main(["download", "--list"]) == 0
    *lines, where = capsys.readouterr().out.splitlines()
    assert str(cache_dir()) in where
    assert [line.split() for line in lines] == [
        ["cnn6", "cnn6.pth", "3", "MB", "here"],
        ["cnn10", "cnn10.pth", "3", "MB"],
    ]


def test_models_without_released_weights_and_names_of_none(two, capsys, server):
    assert main(["download", "cnn6", "cnn14_mel32"]) == 2
    assert "No weights were released for cnn14_mel32, only for cnn6, cnn10." in capsys.readouterr().err
    assert not server.requests
    with pytest.raises(SystemExit):
        main(["download"])


def test_list_tells_a_file_of_another_size(two, server, capsys):
    cache_dir().mkdir(parents=True, exist_ok=True)
    (cache_dir() / "cnn6.pth").write_bytes(b"a web page")
    assert main(["download", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("not the released file: 10 bytes lie there; delete it")
