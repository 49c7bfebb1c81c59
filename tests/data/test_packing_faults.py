"""Packing and indexing: every fault counted, none of them the end."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from packs import LENGTH, RATE, kinds, make, noise, source_of
from panns.data.clip_audio import LeftOut, open_audio
from panns.data.manifest import ManifestSource
from panns.data.packing import PackError, index, pack
from panns.data.report import read_report


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
    soundfile.write(folder / "dc.wav", np.full(LENGTH, 0.5), RATE)
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
        ("dc.wav", "constant"),
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
        "constant": 1,
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


def test_a_format_that_soundfile_does_not_read_is_told_with_the_way_to_convert_it(tmp_path):
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(4000))
    with pytest.raises(LeftOut, match=r"unreadable.*Convert it first: ffmpeg -i IN OUT\.flac"):
        open_audio(str(tmp_path / "a.m4a"))


@pytest.mark.parametrize("form", ["OGG", "AIFF", "AU", "W64"])
@pytest.mark.parametrize("whole", [True, False])
def test_forms_that_soundfile_reads_short_are_told(form, whole, tmp_path):
    soundfile.write(path := tmp_path / "a.audio", noise(RATE), RATE, format=form)
    content = path.read_bytes()
    path.write_bytes(content if whole else content[: len(content) // 2])
    for audio in (str(path), path.read_bytes()):
        if whole:
            assert open_audio(audio).frames > 0.9 * RATE
        else:
            with pytest.raises(LeftOut, match="truncated: "):
                open_audio(audio)
