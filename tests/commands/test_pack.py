"""`panns pack`, `panns index` and `panns info` as a user types them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from packs import RATE, make, noise
from panns.cli import main
from panns.data.esc50 import Esc50Source
from panns.data.labels import Segment, write_segments
from panns.data.packing import pack
from panns.data.store import ClipStore

ESC10 = Path(__file__).parents[3] / "shared" / "audio" / "esc10"


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


@pytest.mark.parametrize(
    "command", [["pack", "csv", "--manifest", "a.csv"], ["merge", "a", "b"], ["verify", "a"], ["demo"], ["report", "a"]]
)
def test_a_url_is_no_folder_to_write_to(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main([*command, "--out", "s3://bucket/store"])
    assert caught.value.code == 2
    assert "argument --out: s3://bucket/store: give a folder on a disk" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    ("out", "says"),
    [("/proc/x", "/proc/x: No such file or directory; choose a folder"), ("{file}/x", "/x: Not a directory; choose a")],
)
def test_a_folder_that_cannot_be_made_is_not_called_a_full_disk(out, says, tmp_path, capsys):
    make_clip(tmp_path)
    out = out.format(file=tmp_path / "a.csv")
    assert main(["pack", "csv", "--manifest", str(tmp_path / "a.csv"), "--out", out, "--jobs", "1"]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "make room" not in error


@pytest.mark.parametrize(
    "command", ["info {store}", "verify {store} --jobs 1 2>/dev/null", "--help", "pack csv --help"]
)
def test_a_reader_that_has_enough_is_no_error(command, tmp_path):
    make_clip(tmp_path)
    store = tmp_path / "store"
    assert main(["pack", "csv", "--manifest", str(tmp_path / "a.csv"), "--out", str(store), "--jobs", "1"]) == 0
    command = f"{sys.executable} -m panns.cli {command.format(store=store)} | true; echo ${{PIPESTATUS[0]}}"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env=env)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_only_what_was_found_is_counted(tmp_path, capsys):
    make_clip(tmp_path)
    main(["pack", "csv", "--manifest", str(tmp_path / "a.csv"), "--out", str(tmp_path / "store"), "--jobs", "1"])
    table = [line.split()[:3] for line in capsys.readouterr().out.splitlines() if line.startswith((" ", "  "))]
    assert ["packed", "1", "clips"] in table
    assert ["left", "out", "1"] in table
    assert ["missing", "1", "listed,"] in table
    assert ["short", "1", "shorter"] in table
    assert not any(row[0] in ("silent", "clipped", "unchecked") for row in table)


def test_a_class_whose_clips_are_all_left_out_is_named(tmp_path, capsys):
    make_clip(tmp_path)
    (tmp_path / "a.csv").write_text("path,labels\na.wav,dog\na.wav,cat\ngone.wav,cow\n")
    assert main(["pack", "csv", "--manifest", str(tmp_path / "a.csv"), "--out", str(tmp_path / "s"), "--jobs=1"]) == 0
    assert main(["info", str(tmp_path / "s")]) == 0
    said = capsys.readouterr().out
    assert "1 clips (train 1), 3 classes (2 without a clip: cat; cow); names in" in said
    assert "classes      3 (2 without a clip: cat; cow), several classes a clip" in said


def make_clip(folder):
    """A manifest of a short clip and of one that is not there."""
    soundfile.write(folder / "a.wav", noise(2 * RATE), 2 * RATE)
    (folder / "a.csv").write_text("path,labels\na.wav,dog\ngone.wav,dog\n")
