"""The cache: where it is, and what happens around a download."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mirror import CONTENT, say, serve
from panns.cache_folder import cache_dir
from panns.weights.cache import fetch, locate
from panns.weights.transfer import DiskError, DownloadError


def test_fetched_once(server, released):
    file = released("cnn14")
    path = fetch(file)
    assert path == cache_dir() / file.name
    assert path.read_bytes() == CONTENT
    assert server.requests == [("/mirror/cnn14_mAP%3D0.5.pth", None)]
    assert fetch(file) == path
    assert len(server.requests) == 1


def test_a_file_put_there_by_hand_is_taken_if_it_is_the_one(server, released):
    file = released("cnn14")
    cache_dir().mkdir()
    path = cache_dir() / file.name
    path.write_bytes(CONTENT)
    assert fetch(file) == path
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match=r"Delete it and run this again, or get it from https://zenodo\.org"):
        fetch(file)
    assert path.exists()  # what a person put there is theirs
    assert not server.requests


@pytest.mark.parametrize("plan", [say(404), say(403), serve(body=b"x" * len(CONTENT)), say(503, Retry_After="9999")])
def test_what_to_do_by_hand(server, released, plan):
    file = released("cnn14")
    server.plans = [plan]
    where = rf"By hand: get {file.name} from https://zenodo\.org/record/1 and put it at {cache_dir() / file.name}"
    with pytest.raises(DownloadError, match=where):
        fetch(file)


def test_without_an_md5_the_content_is_looked_at(server, released, reference):
    torch.save(reference.checkpoint("LeeNet11"), buffer := io.BytesIO())
    leenet11 = buffer.getvalue()
    file = replace(released("leenet11", leenet11), md5=None, size=None)
    for wrong in (b"", b"<html>log in first</html>", leenet11[:-1000]):
        server.plans = [serve(body=wrong)]
        with pytest.raises(DownloadError, match=r"is damaged or another file: .*By hand: get"):
            fetch(file)
        assert not (cache_dir() / file.name).exists()
    with pytest.raises(DownloadError, match=r"holds weights of LeeNet11, not those of Cnn6_mAP=0\.3\.pth"):
        fetch(replace(file, preset="cnn6", name="Cnn6_mAP=0.3.pth"))
    path = fetch(replace(file, name="LeeNet11_mAP=0.3.pth"))
    path.write_bytes(leenet11[:-1000])
    with pytest.raises(DownloadError, match=r"damaged or cut short.* Delete .* and run this again"):
        fetch(replace(file, name=path.name))


def test_a_folder_that_cannot_be_made(server, released, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PANNS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DiskError, match=r"file/cache cannot be written: Not a directory.*PANNS_CACHE"):
        fetch(released("cnn14"))


def test_a_lock_that_cannot_be_made(server, released):
    file = released("cnn14")
    (cache_dir() / f"{file.name}.lock").mkdir(parents=True)
    with pytest.raises(DiskError, match="set PANNS_CACHE to another folder"):
        fetch(file)
    assert not server.requests


def test_released_or_a_path(server, released):
    file = released("cnn14")
    assert locate("mine.pth", "cnn14") == Path("mine.pth")
    assert not server.requests
    assert locate("released", "cnn14") == cache_dir() / file.name


FETCH = """
import sys
from panns.weights.cache import fetch
from panns.weights.catalog import ReleasedFile
print(fetch(ReleasedFile("cnn14", "cnn14_mAP=0.5.pth", "1", sys.argv[1], int(sys.argv[2]))))
"""


def test_of_several_processes_one_downloads(server, released):
    """The first is held up in mid-transfer until the others wait for it."""
    file = released("cnn14")
    waiting = []

    def hold(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:1000])
        waiting.extend(start() for _ in range(2))
        for other in waiting:
            assert "another process is fetching it" in other.stderr.readline()
        handler.wfile.write(CONTENT[1000:])

    def start():
        command = [sys.executable, "-c", FETCH, file.md5, str(file.size)]
        return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env={**os.environ, "COLUMNS": "200"})

    server.plans = [hold]
    path = fetch(file)
    for other in waiting:
        assert other.communicate(timeout=60)[0].strip() == str(path)
        assert other.returncode == 0
    assert len(waiting) == 2
    assert len(server.requests) == 1


def test_a_killed_process_holds_nobody_up(server, released):
    file = released("cnn14")

    def kill(handler):
        handler.serve(cut=600_000)
        first.kill()
        first.wait()

    server.plans = [kill]
    command = [
        sys.executable,
        "-c",
        FETCH.replace("\nprint", "\nimport panns.weights.transfer as d\nd.WAITS = (60,)\nprint"),
    ]
    first = subprocess.Popen([*command, file.md5, str(file.size)], stderr=subprocess.DEVNULL)
    first.wait(timeout=60)
    assert fetch(file).read_bytes() == CONTENT
