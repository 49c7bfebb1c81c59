"""Packing: the same bytes however often stopped; what is there already is kept or refused."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import soundfile

from holdings import (
    Example,
    audio_file,
    examples,
    huggingface_parquet,
    huggingface_row,
    import_,
    laion_members,
    panns_hdf5,
    passt_hdf5,
    tar,
)
from packs import RATE, make, noise, same_folders, source_of
from panns.data import importing, packing
from panns.data.forms.archives import Archives
from panns.data.forms.hdf5 import Hdf5Packs
from panns.data.forms.parquet import HuggingFaceParquet
from panns.data.journal import Journal, JournalError
from panns.data.labels import Segment, write_segments
from panns.data.manifest import ManifestSource
from panns.data.packing import PackError, pack
from panns.data.shards import ShardWriter
from panns.data.store import ClipStore


@pytest.fixture
def noisy(tmp_path) -> ManifestSource:
    """24 clips of 0.2 s to 1.1 s, one of them silent, one of them no audio."""
    folder = tmp_path / "noisy"
    folder.mkdir()
    for number in range(24):
        soundfile.write(folder / f"{number:02d}.wav", noise(3200 + 600 * number, number) * (number != 5), RATE)
    (folder / "11.wav").write_text("no audio")
    return source_of(folder)


SMALL = {"shard_mb": 0.125}  # a handful of clips each


def test_same_bytes_for_any_number_of_processes(noisy, tmp_path):
    one, _ = make(pack, noisy, tmp_path / "one", **SMALL)
    make(pack, noisy, tmp_path / "two", jobs=2, **SMALL)
    assert same_folders(tmp_path / "one", tmp_path / "two")
    assert len(one) == 22
    assert len(one.files) > 3
    assert max(one.file_bytes) <= 0.125 * 2**20


class Stop(Exception):
    """Stands for anything that ends the process between two instructions."""


def stopped(*_: object) -> None:
    raise Stop


def make_stopped(monkeypatch, target, name: str, stop, source, out: Path, error=Stop, match=None) -> None:
    """Pack with one function replaced, until that ends it."""
    with monkeypatch.context() as patch:
        patch.setattr(target, name, stop)
        with pytest.raises(error, match=match):
            make(pack, source, out, **SMALL)


def nth_call(number: int, original, part):
    """A method that does a part of its work at its nth call, and ends everything."""
    calls = iter(range(10**6))

    def method(self, content):
        if next(calls) < number:
            return original(self, content)
        part(self, content)
        raise Stop

    return method


PLACES = {
    "before the shard": (ShardWriter, "_append", lambda *_: None),
    "within the shard": (ShardWriter, "_append", lambda shards, data: shards._file.write(data[:700])),
    "before the journal": (Journal, "append", lambda *_: None),
    "within the journal": (Journal, "append", lambda journal, _: journal._file.write(b'["half a rec')),
}


@pytest.mark.parametrize("place", PLACES)
def test_interrupted_anywhere_and_continued_gives_the_same_bytes(place, noisy, tmp_path, monkeypatch):
    make(pack, noisy, tmp_path / "whole", **SMALL)
    out, worked, work = tmp_path / "out", [], packing.pack_clips
    monkeypatch.setattr(packing, "pack_clips", lambda form, unit: worked.extend(c.id for c in unit) or work(form, unit))
    target, name, part = PLACES[place]
    for number in (0, 1, 3, 7, 6):
        make_stopped(monkeypatch, target, name, nth_call(number, getattr(target, name), part), noisy, out)
        assert not (out / "meta.json").exists()
    _, report = make(pack, noisy, out, **SMALL)
    assert same_folders(tmp_path / "whole", out)
    assert report.packed == 22
    assert len(set(worked)) == 24
    assert len(worked) - 24 <= 5  # the clip at work at each of the five stops


def test_shards_behind_the_last_journaled_clip_are_removed(tmp_path):
    shards = ShardWriter(tmp_path / "shards", 0)
    shards.resume(0, 0)
    ends = [(shards.write(name, b"x" * 600)[0], shards.size) for name in ("a.flac", "b.flac", "c.flac")]
    shards.close()
    shards.resume(*ends[1])
    assert {path.name: path.stat().st_size for path in shards.folder.iterdir()} == {
        "00000.tar": 2560,
        "00001.tar": 1536,
    }
    shards.abandon()


def test_shard_that_lost_its_last_bytes_in_a_power_cut(noisy, tmp_path, monkeypatch):
    make(pack, noisy, tmp_path / "whole", **SMALL)
    make_stopped(monkeypatch, importing, "_finish", stopped, noisy, tmp_path / "out")
    shards = sorted((tmp_path / "out" / "shards").iterdir())
    os.truncate(shards[-2], 5000)
    make(pack, noisy, tmp_path / "out", **SMALL)
    assert same_folders(tmp_path / "whole", tmp_path / "out")


def test_stopped_while_the_index_is_written(noisy, tmp_path, monkeypatch):
    make(pack, noisy, tmp_path / "whole", **SMALL)
    for how, name in (("rename", "index.tmp"), ("replace", ".meta.json.part")):
        stop = partial(lambda do, last, path, to: stopped() if path.name == last else do(path, to), getattr(Path, how))
        step = partial(stop, name)
        make_stopped(monkeypatch, Path, how, lambda path, to, step=step: step(path, to), noisy, tmp_path / "out")
    make(pack, noisy, tmp_path / "out", **SMALL)
    assert same_folders(tmp_path / "whole", tmp_path / "out")


def command_line(source: ManifestSource, out: Path, jobs: int = 2) -> list[str]:
    own = ["pack", "csv", "--manifest", str(source.manifest), "--out", str(out), "--jobs", str(jobs)]
    return [sys.executable, "-m", "panns.cli", *own, "--sample-rate", str(RATE), "--clip-seconds", "1"]


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_killed_and_continued(number, code, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for clip in range(300):
        soundfile.write(folder / f"{clip:03d}.wav", noise(44100, clip), 44100)
    source, out = source_of(folder), tmp_path / "out"
    process = subprocess.Popen(command_line(source, out), stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: (out / "journal.jsonl").exists() and (out / "journal.jsonl").read_bytes().count(b"\n") > 5)
    workers = children(process.pid)
    assert len(workers) >= 2
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)  # Ctrl-C reaches the workers too
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert number == signal.SIGKILL or "interrupted; the same command goes on where it stopped" in errors
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert not (out / "meta.json").exists()
    assert 5 < (out / "journal.jsonl").read_bytes().count(b"\n") < 300
    make(pack, source, out, jobs=2)
    make(pack, source, tmp_path / "whole", jobs=2)
    assert same_folders(tmp_path / "whole", out)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", mount], capture_output=True).returncode:
        pytest.skip("may not mount a small file system here")
    yield mount
    subprocess.run(["umount", mount], check=True)


def test_full_disk_loses_nothing(noisy, tmp_path, small_disk):
    out = small_disk / "store"
    with pytest.raises(PackError, match=r"store: No space left on device; finished clips are kept, make room"):
        make(pack, noisy, out, **SMALL)
    finished = (out / "journal.jsonl").read_bytes().count(b"\n")
    assert finished > 8
    with pytest.raises(PackError, match="No space left"):
        make(pack, noisy, out, **SMALL)
    assert (out / "journal.jsonl").read_bytes().count(b"\n") == finished
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    make(pack, noisy, out, **SMALL)
    make(pack, noisy, tmp_path / "whole", **SMALL)
    assert same_folders(tmp_path / "whole", out)


def test_full_disk_without_mounting(noisy, tmp_path, monkeypatch):
    real, room = ShardWriter._append, iter(range(7))

    def append(self, data):
        if next(room, None) is None:
            self._file.write(data[: len(data) // 2])  # what fits
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, data)

    make_stopped(monkeypatch, ShardWriter, "_append", append, noisy, tmp_path / "out", PackError, "No space left on")
    make(pack, noisy, tmp_path / "out", **SMALL)
    make(pack, noisy, tmp_path / "whole", **SMALL)
    assert same_folders(tmp_path / "whole", tmp_path / "out")


def die(*_: object) -> None:
    os._exit(1)


def test_worker_that_dies_is_one_error_and_work_goes_on(noisy, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(packing, "pack_clips", die)
        with pytest.raises(PackError, match=r"a worker process died, .*run the same command again"):
            make(pack, noisy, tmp_path / "out", jobs=2)
    store, _ = make(pack, noisy, tmp_path / "out")
    assert len(store) == 22


def test_finished_store_is_not_made_twice(noisy, tmp_path, monkeypatch):
    _, first = make(pack, noisy, tmp_path / "out")
    monkeypatch.setattr(packing, "pack_clips", stopped)
    _, again = make(pack, noisy, tmp_path / "out")
    assert again.counts == first.counts
    with pytest.raises(PackError, match=r"finished store made otherwise.*codec was 'flac', is 'pcm'"):
        make(pack, noisy, tmp_path / "out", codec="pcm")
    noisy.manifest.write_text(noisy.manifest.read_text() + "x.wav,dog\n")
    with pytest.raises(PackError, match=r"finished store made otherwise.*lists was"):
        make(pack, noisy, tmp_path / "out")


def test_unfinished_store_refuses_other_settings_and_a_second_process(noisy, tmp_path, monkeypatch):
    make_stopped(monkeypatch, importing, "_finish", stopped, noisy, tmp_path / "out")
    with pytest.raises(JournalError, match=r"unfinished store made otherwise.*sample_rate was 16000, is 8000"):
        make(pack, noisy, tmp_path / "out", sample_rate=8000, **SMALL)
    first = (tmp_path / "out" / "journal.jsonl").read_text().splitlines()[0]
    journal = Journal(tmp_path / "out" / "journal.jsonl", json.loads(first))
    with pytest.raises(JournalError, match="another process is writing this store"):
        make(pack, noisy, tmp_path / "out", **SMALL)
    journal.close()
    make(pack, noisy, tmp_path / "out", **SMALL)


def test_folder_with_other_files_and_bad_settings_are_refused(noisy, tmp_path):
    with pytest.raises(PackError, match="noisy: holds other files and no store"):
        make(pack, noisy, noisy.folder)
    with pytest.raises(PackError, match="codec 'aac': clips are packed as flac or pcm or mp3"):
        make(pack, noisy, tmp_path / "out", codec="aac")
    with pytest.raises(PackError, match="300 splits and 1 classes"):
        make(
            pack,
            source_of(noisy.folder, *(f"0.wav,x,{n}" for n in range(300)), header="path,labels,fold"),
            tmp_path / "out",
        )
    with pytest.raises(PackError, match="must be above 0"):
        make(pack, noisy, tmp_path / "out", clip_seconds=0)
    with pytest.raises(PackError, match=r"clip length 1e\+09 s at \d+ Hz: a clip has 2,147,483,647 samples at most"):
        make(pack, noisy, tmp_path / "out", clip_seconds=1e9)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["huggingface", "passt", "tar", "panns-hdf5"])
def test_stopped_within_a_unit_of_clips_and_continued(form, tmp_path, monkeypatch):
    """In the middle of a row group, of a block of rows: the rest of it is read again, no clip is kept twice."""
    clips = examples()
    holding = {
        "huggingface": lambda: HuggingFaceParquet(
            [huggingface_parquet(tmp_path / "a.parquet", [huggingface_row(c, audio_file(c.samples)) for c in clips], 4)]
        ),
        "passt": lambda: Hdf5Packs([passt_hdf5(tmp_path / "a.hdf", clips)], "mp3"),
        "tar": lambda: Archives([tar(tmp_path / "a.tar", laion_members(clips))]),
        "panns-hdf5": lambda: Hdf5Packs([panns_hdf5(tmp_path / "a.h5", [None, *clips])], "waveform"),
    }[form]()
    options = {"shard_mb": 0.15, "codec": "mp3" if form == "passt" else "flac"}
    _, whole = import_(pack, holding, tmp_path / "whole", **options)
    for number in (0, 2, 3, 1, 2):  # clips after the last stop
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "append", nth_call(number, Journal.append, lambda *_: None))
            with pytest.raises(Stop):
                import_(pack, holding, tmp_path / "killed", **options)
    _, report = import_(pack, holding, tmp_path / "killed", **options)
    assert same_folders(tmp_path / "whole" / "store", tmp_path / "killed" / "store")
    assert report.counts == whole.counts


def test_row_groups_killed_and_continued(tmp_path):
    ids, whole, out = [f"{number:011d}" for number in range(36)], tmp_path / "whole", tmp_path / "out"
    write_segments(tmp_path / "eval_segments.csv", [Segment(clip_id, 0, 10, ("/m/04rlf",)) for clip_id in ids])
    payload = audio_file(noise(240000), 48000, subtype="PCM_24")
    rows = [huggingface_row(Example(clip_id, ("/m/04rlf",), noise(1)), payload) for clip_id in ids]
    huggingface_parquet(tmp_path / "data" / "eval.parquet", rows, row_group_size=12)
    form = ["huggingface", "--segments", str(tmp_path / "eval_segments.csv"), "--files", str(tmp_path / "data")]
    command = [sys.executable, "-m", "panns.cli", "pack", *form, "--jobs", "2", "--shard-mb", "2", "--out"]
    process = subprocess.Popen([*command, str(out)], stderr=subprocess.PIPE, start_new_session=True)
    wait_for(lambda: (out / "journal.jsonl").exists() and (out / "journal.jsonl").read_bytes().count(b"\n") > 5)
    process.kill()
    process.communicate(timeout=30)
    assert 5 < (out / "journal.jsonl").read_bytes().count(b"\n") < 36
    for folder in (out, whole):
        subprocess.run([*command, str(folder)], check=True, capture_output=True)
    assert same_folders(whole, out)
    assert len(ClipStore.open(out)) == 36


def test_containers_are_known_again_by_their_sizes(tmp_path):
    path = tar(tmp_path / "a.tar", laion_members(examples("eval")))
    import_(pack, Archives([path]), tmp_path)
    import_(pack, Archives([path]), tmp_path)
    tar(path, laion_members(examples("eval", "balanced_train")))  # fetched again, now whole
    with pytest.raises(PackError, match=r"finished store made otherwise.*audio was '1 files of .* bytes"):
        import_(pack, Archives([path]), tmp_path)
