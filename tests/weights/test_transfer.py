"""Downloads from a server that cuts, corrupts, redirects and refuses."""

import errno
import os
import shutil
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from socket import EAI_AGAIN, EAI_NONAME, gaierror
from urllib.error import URLError

import pytest

import panns.weights.transfer as module
from mirror import CONTENT, MD5, say, serve
from panns.weights.transfer import DiskError, DownloadError, download

SIZE = len(CONTENT)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "file.pth"


def whole(target):
    return target.read_bytes() == CONTENT and [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_file_comes_whole_and_nothing_else_is_left(server, target, capsys):
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)
    assert "3.0 MB of 3.0 MB" in capsys.readouterr().err  # no terminal: a plain line


def test_goes_on_where_it_was_cut_again_and_again(server, target, capsys):
    """More cuts than attempts are allowed without progress."""
    server.plans = [serve(cut=500_000) for _ in range(5)]
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)
    assert [wanted for _, wanted in server.requests] == [None, *(f"bytes={n}00000-" for n in (5, 10, 15, 20, 25))]
    assert "cut at 500,000 of 3,000,000 bytes; goes on in" in capsys.readouterr().err


def test_a_cut_is_noticed_without_known_size(server, target):
    server.plans = [serve(cut=500_000)]
    download(f"{server.url}/file.pth", target, MD5)
    assert whole(target)


def test_goes_on_from_what_an_interrupted_process_left(server, target):
    target.with_name("file.pth.part").write_bytes(CONTENT[:1_234_567])
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)
    assert server.requests == [("/file.pth", "bytes=1234567-")]


def test_what_came_is_there_when_the_process_is_killed(server, target, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    server.plans = [serve(cut=700_000)]
    monkeypatch.setattr(time, "sleep", killed)
    with pytest.raises(KeyboardInterrupt):
        download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert target.with_name("file.pth.part").read_bytes() == CONTENT[:700_000]
    assert not target.exists()


@pytest.mark.parametrize("left", [SIZE, SIZE + 1])
@pytest.mark.parametrize("size", [SIZE, None])
def test_a_part_that_is_whole_or_too_long(server, target, left, size):
    target.with_name("file.pth.part").write_bytes((CONTENT + b"x")[:left])
    download(f"{server.url}/file.pth", target, MD5, size)
    assert whole(target)


def test_a_server_that_ignores_range_is_taken_from_the_start(server, target):
    server.plans = [serve(cut=500_000), serve(ranges=False)]
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)
    assert server.requests[1] == ("/file.pth", "bytes=500000-")


@pytest.mark.parametrize("shift", [-1000, 1000])
def test_a_range_that_was_not_asked_for(server, target, shift):
    server.plans = [serve(cut=500_000), serve(shift=shift)]
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)


def test_redirects_are_followed_with_the_range(server, target):
    server.plans = [serve(cut=500_000), say(302, Location=f"{server.url}/elsewhere")]
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)
    assert server.requests[-1] == ("/elsewhere", "bytes=500000-")


def test_damage_is_named_and_not_kept(server, target):
    server.plans = [serve(body=CONTENT[:-1] + b"!")]
    with pytest.raises(DownloadError, match=f"damaged or another file: its md5 is [0-9a-f]{{32}}, not {MD5}"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert not list(target.parent.glob("file*"))


def test_a_damaged_part_from_before_is_fetched_anew(server, target, capsys):
    target.with_name("file.pth.part").write_bytes(b"!" + CONTENT[1:1_000_000])
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)
    assert server.requests == [("/file.pth", "bytes=1000000-"), ("/file.pth", None)]
    assert "fetched anew" in capsys.readouterr().err


def test_so_is_one_whose_md5_nobody_knows(server, target, capsys):
    def check(path):
        if path.read_bytes() != CONTENT:
            raise ValueError("another file.")

    target.with_name("file.pth.part").write_bytes(b"!" + CONTENT[1:1_000_000])
    download(f"{server.url}/file.pth", target, check=check)
    assert whole(target)
    assert "fetched anew" in capsys.readouterr().err
    server.plans = [serve(body=b"!" + CONTENT[1:])]
    with pytest.raises(DownloadError, match=r"is damaged or another file: another file\."):
        download(f"{server.url}/file.pth", target.with_name("b.pth"), check=check)
    assert not list(target.parent.glob("b.pth*"))


def test_a_server_that_hands_out_crumbs_is_left_alone(server, target):
    attempts = len(module.WAITS) + 1
    server.plans = [serve(cut=10_000) for _ in range(100)]
    with pytest.raises(DownloadError, match=f"it goes on after the {attempts}0,000 bytes that are there"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert len(server.requests) == attempts


def test_a_server_that_sends_the_same_part_again_and_again_is_left_alone(server, target):
    """It gives out the rest as the beginning, so that each second attempt throws away what the first one brought."""

    def lies(handler):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-{SIZE - 1}/{SIZE}")
        handler.send_header("Content-Length", str(SIZE))
        handler.end_headers()
        handler.wfile.write(CONTENT[:1_000_000])

    server.plans = [lies] * 100
    with pytest.raises(DownloadError, match="Run it again later"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert len(server.requests) < 20


def test_another_file_is_refused_before_it_is_fetched(server, target):
    server.plans = [serve(body=b"<html>log in first</html>")]
    with pytest.raises(DownloadError, match=r"has 25 bytes, the released file 3,000,000: it is another file"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert not list(target.parent.glob("file*"))


def test_the_servers_md5_is_taken_where_none_is_known(server, target, capsys):
    server.plans = [serve(headers=[("ETag", f'"md5:{MD5}"')])]
    download(f"{server.url}/file.pth", target)
    assert whole(target)
    server.plans = [serve(body=CONTENT[:-1] + b"!", headers=[("ETag", f'"md5:{MD5}"')])]
    with pytest.raises(DownloadError, match="damaged"):
        download(f"{server.url}/file.pth", target.with_name("b.pth"))
    assert "not known" not in capsys.readouterr().err
    download(f"{server.url}/file.pth", target.with_name("c.pth"))
    assert "md5 is not known" in capsys.readouterr().err


def test_404_is_final(server, target):
    server.plans = [say(404)]
    with pytest.raises(DownloadError, match=r"file\.pth cannot be had: the server says 404"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_is_down_for_a_moment(server, target, status):
    server.plans = [say(status), say(status)]
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)


def test_a_server_that_stays_down(server, target):
    server.plans = [serve(cut=500_000), *(say(503) for _ in range(99))]
    with pytest.raises(DownloadError, match=r"says 503.* Run it again later.*500,000 bytes that are there"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert len(server.requests) == 1 + len(module.WAITS)
    server.plans = []
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)


def test_waits_grow_and_retry_after_is_kept(server, target, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(module, "WAITS", (1.0, 2.0, 4.0, 8.0))
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=100), usegmt=True)
    server.plans = [say(503), say(503, Retry_After="7"), say(503, Retry_After=later), say(503, Retry_After="soon")]
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert waited == [1.0, 7.0, pytest.approx(100, abs=3), 8.0]


def test_a_server_that_asks_for_hours_is_left_alone(server, target):
    server.plans = [say(503, Retry_After="7200")]
    with pytest.raises(DownloadError, match="asks to come back in 7200 s"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)


def test_nobody_answers(target, server):
    server.server_close()
    with pytest.raises(DownloadError, match="the connection failed"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)


def test_a_full_disk_is_named_before_anything_is_fetched(server, target, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(DiskError, match=r"3,000,000 bytes more are needed, 1,000 are free.*Make room"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)


def test_a_disk_that_fills_up_loses_nothing(server, target, monkeypatch):
    honest, room = module.FileIO.write, 1_000_000

    class Small(module.FileIO):
        def write(self, data):
            left = room - self.tell()
            if left <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return honest(self, data[:left])

    monkeypatch.setattr(module, "FileIO", Small)
    with pytest.raises(DiskError, match="No space left"):
        download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert target.with_name("file.pth.part").read_bytes() == CONTENT[:room]
    monkeypatch.undo()
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    assert whole(target)
    assert server.requests[-1][1] == "bytes=1000000-"


def test_a_bar_in_a_terminal(server, target, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    server.plans = [serve(cut=500_000)]
    download(f"{server.url}/file.pth", target, MD5, SIZE)
    shown = capsys.readouterr().err
    assert "━" in shown
    assert "3.0/3.0 MB" in shown
    assert "cut at" in shown


@pytest.mark.parametrize(("code", "have", "tries"), [(EAI_NONAME, 0, 1), (EAI_AGAIN, 0, 1), (EAI_AGAIN, 7, 6)])
def test_a_host_that_is_not_found_is_said_at_once(code, have, tries, target, monkeypatch):
    """Unless a part is there: then the name server may only be gone for a moment."""
    asked = []

    def not_found(*_, **__):
        asked.append(1)
        raise URLError(gaierror(code, "no such name"))

    monkeypatch.setattr(module, "urlopen", not_found)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    target.with_name("file.pth.part").write_bytes(CONTENT[:have])
    with pytest.raises(DownloadError, match="host nowhere.example is not found" if tries == 1 else "connection failed"):
        download("http://nowhere.example/file.pth", target, MD5, SIZE)
    assert len(asked) == tries
