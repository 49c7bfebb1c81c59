"""Packing and indexing: faithful audio, every fault counted, the same bytes however often stopped."""

import errno
import filecmp
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from panns.cli import main
from panns.data import packing
from panns.data.importers import Esc50Source, ManifestSource
from panns.data.journal import Journal, JournalError
from panns.data.labels import Segment, write_segments
from panns.data.packing import PackError, index, pack
from panns.data.report import ImportReport, read_report
from panns.data.shards import ShardWriter
from panns.data.store import ClipStore

ESC10 = Path(__file__).parents[3] / "shared" / "audio" / "esc10"
RATE, SECONDS, LENGTH = 16000, 1.0, 16000


def noise(frames: int, seed: int = 0, channels: int = 1) -> np.ndarray:
    waveform = np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels))
    return waveform[:, 0] if channels == 1 else waveform


def tone(frequency: float, rate: int, seconds: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def source_of(folder: Path, *rows: str, header: str = "path,labels") -> ManifestSource:
    """A manifest of these rows, or of all WAV files in the folder."""
    rows = rows or tuple(f"{path.name},dog" for path in sorted(folder.glob("*.wav")))
    (folder / "own.csv").write_text("\n".join([header, *rows]) + "\n")
    return ManifestSource(folder / "own.csv")


def make(command, source, out: Path, **options) -> tuple[ClipStore, ImportReport]:
    options = {"sample_rate": RATE, "clip_seconds": SECONDS, "jobs": 1, "show_progress": False} | options
    report = command(source, out, **options)
    return ClipStore.open(out), report


def kinds(report: ImportReport) -> dict[str, int]:
    return {what: count for what, count in report.counts.items() if count}


def same_folders(one: Path, other: Path) -> bool:
    names = sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file())
    others = sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file())
    return names == others and filecmp.cmpfiles(one, other, names, shallow=False)[1:] == ([], [])


# Audio


@pytest.mark.parametrize("codec", ["flac", "pcm"])
def test_audio_at_the_rate_is_kept_sample_by_sample(codec, tmp_path):
    samples = (noise(LENGTH) * 32768).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    store, report = make(pack, source_of(tmp_path), tmp_path / "store", codec=codec)
    np.testing.assert_array_equal(store.read(0), samples)
    assert kinds(report) == {"packed": 1}


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 192000])
def test_resampling_keeps_time_and_level(rate, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(1000, rate, SECONDS), rate, subtype="FLOAT")
    store, report = make(pack, source_of(tmp_path), tmp_path / "store")
    samples = store.read(0) / 32768
    assert len(samples) == LENGTH
    inside = slice(1000, -1000)  # the ends ring
    np.testing.assert_allclose(samples[inside], tone(1000, RATE, SECONDS)[inside], atol=2e-4)
    assert kinds(report) == {"packed": 1} | ({"upsampled": 1} if rate < RATE else {})


def test_resampling_lets_nothing_fold_back(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(10000, 48000, SECONDS), 48000, subtype="FLOAT")  # above 8 kHz
    soundfile.write(tmp_path / "b.wav", tone(1000, 48000, SECONDS), 48000)
    store, _ = make(pack, source_of(tmp_path), tmp_path / "store")
    assert np.abs(store.read(0)[1000:-1000]).max() <= 2
    assert np.abs(store.read(1)[1000:-1000]).max() > 16000


def test_channels_are_averaged(tmp_path):
    channels = noise(LENGTH, channels=8)
    soundfile.write(tmp_path / "a.wav", channels, RATE, subtype="DOUBLE")
    store, _ = make(pack, source_of(tmp_path), tmp_path / "store")
    np.testing.assert_allclose(store.read(0) / 32768, channels.mean(axis=1), atol=1 / 32768)


@pytest.mark.parametrize("command", [pack, index])
def test_samples_beyond_full_scale_are_limited(command, tmp_path):
    loud = 4 * tone(100, RATE, SECONDS)  # up to 2.0
    soundfile.write(tmp_path / "a.wav", loud, RATE, subtype="FLOAT")
    store, report = make(command, source_of(tmp_path), tmp_path / "store")
    np.testing.assert_allclose(store.read(0) / 32768, np.clip(loud, -1, 1), atol=1 / 32768)
    assert kinds(report) == {"packed": 1, "clipped": 1}


@pytest.mark.parametrize("command", [pack, index])
def test_cuts_within_a_longer_file(command, tmp_path):
    samples = (noise(5 * RATE) * 32768).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    rows = ["a.wav,dog,0.5,1.25", "a.wav,dog,4.5,9", "a.wav,dog,2,", "a.wav,dog,5,6", "a.wav,dog,1,2"]
    store, report = make(command, source_of(tmp_path, *rows, header="path,labels,start,end"), tmp_path / "store")
    cuts = {store.id[row].decode(): store.read(row) for row in range(len(store))}
    assert sorted(cuts) == ["a_1000", "a_2000", "a_4500", "a_500"]
    np.testing.assert_array_equal(cuts["a_500"], samples[RATE // 2 : RATE * 5 // 4])
    np.testing.assert_array_equal(cuts["a_4500"], samples[RATE * 9 // 2 :])
    np.testing.assert_array_equal(cuts["a_2000"], samples[2 * RATE : 3 * RATE])
    np.testing.assert_array_equal(cuts["a_1000"], samples[RATE : 2 * RATE])
    assert store.start_ms.tolist() == [500, 4500, 2000, 1000]
    assert kinds(report) == {"packed": 4, "short": 2, "long": 1, "empty": 1}


# Faults


@pytest.fixture
def faulty(tmp_path) -> Path:
    """One file of every kind that people have."""
    folder = tmp_path / "faulty"
    folder.mkdir()
    good = noise(LENGTH)
    for name in ("good", "truncated", "eight_channels"):
        soundfile.write(folder / f"{name}.wav", noise(LENGTH, channels=8) if "eight" in name else good, RATE)
    soundfile.write(folder / "truncated.flac", good, RATE)
    for name in ("truncated.wav", "truncated.flac"):
        os.truncate(folder / name, (folder / name).stat().st_size // 2)
    (folder / "empty.wav").touch()
    soundfile.write(folder / "header_only.wav", np.zeros(0), RATE)
    (folder / "text.wav").write_text("this is no audio\n" * 100)
    soundfile.write(folder / "zeros.wav", np.zeros(LENGTH), RATE)
    soundfile.write(folder / "short.wav", noise(RATE // 10), RATE)
    soundfile.write(folder / "long.wav", noise(3 * RATE), RATE)
    soundfile.write(folder / "clipped.wav", np.clip(good * 3, -1, 1), RATE)
    soundfile.write(folder / "8khz.wav", noise(8000), 8000)
    soundfile.write(folder / "192khz.wav", noise(192000), 192000)
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        soundfile.write(folder / f"{name}.wav", np.where(np.arange(LENGTH) == 99, value, good), RATE, subtype="FLOAT")
    (folder / "folder.wav").mkdir()
    return folder


def faulty_source(folder: Path) -> ManifestSource:
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix in (".wav", ".flac"))
    rows = [f"{name},dog" for name in [*names, "absent.wav", "folder.wav", "good.wav"]]
    return source_of(folder, *rows)


def test_pack_counts_every_fault(faulty, tmp_path):
    (faulty / "truncated.wav").rename(faulty / "truncated_wav.wav")
    store, report = make(pack, faulty_source(faulty), tmp_path / "store")
    what = {(Path(finding.path).name, finding.what) for finding in report.findings}
    assert what == {
        ("truncated_wav.wav", "unreadable"), ("truncated.flac", "unreadable"), ("text.wav", "unreadable"),
        ("empty.wav", "empty"), ("header_only.wav", "empty"), ("zeros.wav", "silent"), ("nan.wav", "non_finite"),
        ("inf.wav", "non_finite"), ("absent.wav", "missing"), ("folder.wav", "missing"), ("good.wav", "duplicate"),
        ("short.wav", "short"), ("long.wav", "long"), ("clipped.wav", "clipped"), ("8khz.wav", "upsampled"),
    }  # fmt: skip
    kept = {"192khz", "8khz", "clipped", "eight_channels", "good", "long", "short"}
    assert {name.decode() for name in store.id} == kept
    assert report.packed == 7
    assert store.frames[store.id.tolist().index(b"short")] == RATE // 10
    assert kinds(report) == {"packed": 7, **Counter(finding.what for finding in report.findings)}
    assert store.meta["counts"] == report.counts
    assert sorted(read_report(tmp_path / "store" / "report.csv").findings) == sorted(report.findings)


def test_index_counts_every_fault(faulty, tmp_path):
    (faulty / "truncated.wav").rename(faulty / "truncated_wav.wav")
    store, report = make(index, faulty_source(faulty), tmp_path / "store")
    what = {(Path(finding.path).name, finding.what): finding.detail for finding in report.findings}
    assert {name.decode() for name in store.id} == {"clipped", "good", "long", "short"}
    assert what["8khz.wav", "needs_pack"] == "8000 Hz where the store has 16000 Hz"
    assert what["eight_channels.wav", "needs_pack"] == "8 channels"
    assert "truncated" in what["truncated_wav.wav", "unreadable"]
    assert "truncated" in what["truncated.flac", "unreadable"]
    left_out = {
        "missing": 2,
        "unreadable": 3,
        "empty": 2,
        "silent": 1,
        "non_finite": 2,
        "duplicate": 1,
        "needs_pack": 3,
    }
    assert kinds(report) == {"packed": 4, "short": 1, "long": 1, "clipped": 1} | left_out


def test_nothing_to_pack_is_one_error_and_the_next_call_starts_anew(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(LENGTH), RATE)
    with pytest.raises(PackError, match=r"not one clip to pack \(1 silent\); .*report\.csv names them"):
        make(pack, source_of(tmp_path), tmp_path / "store")
    soundfile.write(tmp_path / "a.wav", noise(LENGTH), RATE)
    store, report = make(pack, source_of(tmp_path), tmp_path / "store")
    assert kinds(report) == {"packed": len(store)} == {"packed": 1}


# Files in place


@pytest.mark.parametrize(
    ("suffix", "options", "codec"),
    [
        ("wav", {}, "s16le"),
        ("wav", {"subtype": "FLOAT"}, "soundfile"),
        ("wav", {"subtype": "PCM_24"}, "soundfile"),
        ("flac", {}, "flac"),
        ("mp3", {}, "mp3"),
        ("ogg", {}, "vorbis"),
        ("aiff", {}, "soundfile"),
    ],
)
def test_index_reads_files_where_they_lie(suffix, options, codec, tmp_path):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(440, RATE, SECONDS), RATE, **options)
    store, report = make(index, source_of(tmp_path, f"{path.name},dog"), tmp_path / "store")
    truth = soundfile.read(path, dtype="float32")[0]
    np.testing.assert_allclose(store.read(0)[:LENGTH] / 32768, truth[:LENGTH], atol=2 / 32768)
    assert packing.CODECS[store.codec[0]] == codec
    assert kinds(report) in ({"packed": 1}, {"packed": 1, "long": 1})  # MP3 padding may exceed 0.1 s
    assert [p.name for p in (tmp_path / "store").iterdir() if p.name not in ("index", "meta.json", "report.csv")] == []


def test_wav_with_chunks_before_the_samples(tmp_path):
    samples = (noise(LENGTH) * 32768).astype("<i2")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV")
    data = buffer.getvalue()
    odd = b"LIST" + (5).to_bytes(4, "little") + b"INFOx" + b"\0"  # padded to an even length
    for name, header in (("list", data[:36] + odd), ("pipe", data[:36])):
        size = len(samples.tobytes()) if name == "list" else 0xFFFFFFFF  # ffmpeg's length when it writes to a pipe
        (tmp_path / f"{name}.wav").write_bytes(header + b"data" + size.to_bytes(4, "little") + samples.tobytes())
    store, report = make(index, source_of(tmp_path), tmp_path / "store")
    assert kinds(report) == {"packed": 2}
    assert store.offset.tolist() == [58, 44]
    for row in range(2):
        np.testing.assert_array_equal(store.read(row), samples)


def test_compressed_file_much_longer_than_a_clip_needs_packing(tmp_path):
    soundfile.write(tmp_path / "a.flac", noise(3 * RATE), RATE)
    soundfile.write(tmp_path / "b.flac", noise(LENGTH), RATE)
    rows = ("a.flac,dog,,", "b.flac,dog,,", "b.flac,dog,0.5,1")
    _, report = make(index, source_of(tmp_path, *rows, header="path,labels,start,end"), tmp_path / "store")
    assert kinds(report) == {"packed": 1, "needs_pack": 2}


# Interruption


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
    out, worked, work = tmp_path / "out", [], packing.pack_clip
    monkeypatch.setattr(packing, "pack_clip", lambda form, clip: worked.append(clip.id) or work(form, clip))
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
    make_stopped(monkeypatch, packing, "_finish", stopped, noisy, tmp_path / "out")
    shards = sorted((tmp_path / "out" / "shards").iterdir())
    os.truncate(shards[-2], 5000)
    make(pack, noisy, tmp_path / "out", **SMALL)
    assert same_folders(tmp_path / "whole", tmp_path / "out")


def test_stopped_while_the_index_is_written(noisy, tmp_path, monkeypatch):
    make(pack, noisy, tmp_path / "whole", **SMALL)
    rename = Path.rename
    for name in ("index.tmp", "meta.json.tmp"):
        stop = partial(lambda last, path, to: stopped() if path.name == last else rename(path, to), name)
        make_stopped(monkeypatch, Path, "rename", lambda path, to, stop=stop: stop(path, to), noisy, tmp_path / "out")
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
        patch.setattr(packing, "pack_clip", die)
        with pytest.raises(PackError, match=r"a worker process died, .*run the same command again"):
            make(pack, noisy, tmp_path / "out", jobs=2)
    store, _ = make(pack, noisy, tmp_path / "out")
    assert len(store) == 22


# What is there already


def test_finished_store_is_not_made_twice(noisy, tmp_path, monkeypatch):
    _, first = make(pack, noisy, tmp_path / "out")
    monkeypatch.setattr(packing, "pack_clip", stopped)
    _, again = make(pack, noisy, tmp_path / "out")
    assert again.counts == first.counts
    with pytest.raises(PackError, match=r"finished store made otherwise.*codec was 'flac', is 'pcm'"):
        make(pack, noisy, tmp_path / "out", codec="pcm")
    noisy.manifest.write_text(noisy.manifest.read_text() + "x.wav,dog\n")
    with pytest.raises(PackError, match=r"finished store made otherwise.*lists was"):
        make(pack, noisy, tmp_path / "out")


def test_unfinished_store_refuses_other_settings_and_a_second_process(noisy, tmp_path, monkeypatch):
    make_stopped(monkeypatch, packing, "_finish", stopped, noisy, tmp_path / "out")
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
        make(pack, noisy, noisy.audio)
    with pytest.raises(PackError, match="codec 'aac': clips are packed as flac or pcm"):
        make(pack, noisy, tmp_path / "out", codec="aac")
    with pytest.raises(PackError, match="300 splits and 1 classes"):
        make(
            pack,
            source_of(noisy.audio, *(f"0.wav,x,{n}" for n in range(300)), header="path,labels,fold"),
            tmp_path / "out",
        )
    with pytest.raises(PackError, match="must be above 0"):
        make(pack, noisy, tmp_path / "out", clip_seconds=0)
    assert not (tmp_path / "out").exists()


# The commands


def test_commands_end_to_end(tmp_path, capsys):
    folder = tmp_path / "audio"
    folder.mkdir()
    segments = [Segment("-_abc_12345", 30, 40, ("/m/09x0r",)), Segment("gone_234567", 0, 10, ("/m/04rlf",))]
    write_segments(tmp_path / "eval_segments.csv", segments)
    soundfile.write(folder / "Y-_abc_12345.flac", noise(10 * RATE), RATE)
    arguments = ["audioset", "--segments", str(tmp_path / "eval_segments.csv"), "--audio", str(folder)]
    for command, codec in (("pack", "flac"), ("index", "flac")):
        out = str(tmp_path / command)
        assert main([command, *arguments, "--out", out, "--sample-rate", str(RATE), "--jobs", "1"]) == 0
        assert main(["info", out]) == 0
        text = capsys.readouterr().out
        for part in ("1 clips (eval 1), 527 classes", f"codecs       {codec} 1", "made by"):
            assert part in text
        assert re.search(r"missing +1 ", text)
    assert ClipStore.open(tmp_path / "pack").start_ms.tolist() == [30000]


def test_mistakes_are_one_line_and_exit_code_2(tmp_path, capsys):
    assert main(["info", str(tmp_path / "nowhere")]) == 2
    assert main(["pack", "csv", "--manifest", str(tmp_path / "gone.csv"), "--out", str(tmp_path / "out")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("panns info: ")
    assert "gone.csv: no such file; check the path" in errors[1]
    with pytest.raises(SystemExit) as caught:
        main(["bake"])
    assert caught.value.code == 2


def test_commands_are_imported_only_when_called():
    code = "import sys, panns.cli; panns.cli._parser('info'); print([m for m in sys.modules if m.startswith('panns.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "panns.commands.pack" not in loaded
    assert "panns.commands.info" in loaded


@pytest.mark.skipif(not ESC10.is_dir(), reason="ESC-10 is not beside the project")
def test_esc10_real_recordings(tmp_path):
    store, report = make(pack, Esc50Source(ESC10), tmp_path / "esc10", sample_rate=32000, clip_seconds=None, jobs=2)
    assert (len(store), store.clip_samples, store.single_label) == (400, 160000, True)
    assert store.class_counts(store.rows(["fold3"])).tolist() == [8] * 10
    assert report.counts["missing"] == report.counts["unreadable"] == report.counts["upsampled"] == 0
    row = store.id.tolist().index(b"4-164064-C-1")
    rate, truth = 44100, soundfile.read(ESC10 / "audio" / "4-164064-C-1.ogg", dtype="float32")[0]
    spectrum = [
        np.abs(np.fft.rfft(x[:n], n))[: 5 * 10000] / n
        for x, n in ((store.read(row) / 32768, 160000), (truth, 5 * rate))
    ]
    np.testing.assert_allclose(spectrum[0], spectrum[1], atol=1e-5)  # the same below 10 kHz
