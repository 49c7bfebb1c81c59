import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr
import torch

from panns import create_model, load
from panns.audio import AudioError, read_mono
from panns.cli import main
from panns.commands.tag import tag, windows
from runs import checkpoint


def whole(path):
    """All of a file at 32 kHz."""
    return np.concatenate(list(read_mono(path, 32000)))


def test_any_rate_and_channels_are_heard_at_the_models_rate(tmp_path):
    time = np.arange(44100) / 44100
    wave = 0.5 * np.sin(2 * np.pi * 1000 * time)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, 0 * wave], 1), 44100)
    heard = whole(tmp_path / "a.wav")
    assert heard.shape == (32000,)
    spectrum = np.abs(np.fft.rfft(heard[8000:24000] * np.hanning(16000)))
    assert spectrum.argmax() == 500  # 1000 Hz in bins of 2 Hz
    assert np.abs(heard[8000:24000]).max() == pytest.approx(0.25, abs=0.005)  # the mean of both channels


def test_a_window_counts_by_its_highest_score(tmp_path):
    checkpoint(tmp_path / "a.ckpt")
    model = load(tmp_path / "a.ckpt")
    noise = 0.1 * torch.randn(80000).numpy()
    with torch.inference_mode():
        parts = [model.probabilities(torch.from_numpy(noise[a:b])[None])[0] for a, b in ((0, 32000), (32000, 80000))]
    heard = tag(model, np.array_split(noise, [1000, 1001, 70000]), 32000)
    np.testing.assert_allclose(heard.scores, torch.stack(parts).amax(0).numpy(), atol=1e-6)
    assert heard.samples == 80000
    assert heard.peak == pytest.approx(np.abs(noise).max())


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [(4, [4]), (9, [9]), (15, [15]), (16, [10, 6]), (25, [10, 15]), (26, [10, 10, 6]), (40, [10, 10, 10, 10])],
)
@pytest.mark.parametrize("piece", [1, 3, 17, 100])
def test_windows_follow_each_other_and_a_short_rest_goes_to_the_last(samples, lengths, piece):
    wave = np.arange(samples, dtype=np.float32)
    parts = list(windows((wave[k : k + piece] for k in range(0, samples, piece)), 10))
    assert [len(part) for part in parts] == lengths
    assert np.array_equal(np.concatenate(parts), wave)


@pytest.mark.parametrize("rate", [8000, 22050, 32000, 44100])
def test_a_long_file_is_read_in_pieces_as_if_at_once(rate, tmp_path):
    noise = (0.1 * np.random.default_rng(0).standard_normal((31 * rate + 17, 2))).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, rate, subtype="FLOAT")
    pieces = list(read_mono(tmp_path / "a.wav", 32000))
    assert max(map(len, pieces)) < 12 * 32000
    expected = soxr.resample(noise.mean(1), rate, 32000, quality="HQ")
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-6)


def test_samples_of_another_scale_are_said_or_refused(tmp_path, capsys):
    checkpoint(tmp_path / "a.ckpt")
    noise = np.random.default_rng(0).standard_normal(32000).clip(-1, 1).astype(np.float32)
    for name, scale in (("a", 32768), ("b", 1.9), ("c", 1e30)):
        soundfile.write(tmp_path / f"{name}.wav", scale * noise, 32000, subtype="FLOAT")
    files = [str(tmp_path / f"{name}.wav") for name in "abc"]
    assert main(["tag", str(tmp_path / "a.ckpt"), *files, "--top", "1"]) == 2
    said = capsys.readouterr()
    assert "a.wav (1.0 s, beyond full scale: samples to 3.28e+04 where 1 is the most)" in said.out
    assert "b.wav (1.0 s)" in said.out
    assert "c.wav: too far beyond full scale, 1e+30 times; export it again" in said.err
    assert "nan" not in said.out


def test_a_file_of_which_nothing_is_left_at_the_models_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(1, 0.5), 192000)
    with pytest.raises(AudioError, match=r"a\.wav: too short: not one sample at 32000 Hz"):
        whole(tmp_path / "a.wav")


@pytest.mark.parametrize("dial", ["refuse", "zeros", "repeat"])
def test_a_clip_shorter_than_the_model_takes_is_filled_up_as_the_model_says(dial, tmp_path, capsys):
    checkpoint(tmp_path / "a.ckpt", short_clips=dial)
    model = load(tmp_path / "a.ckpt")
    short = (0.1 * np.random.default_rng(0).standard_normal(100)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", short, 32000, subtype="FLOAT")
    filled = np.resize(short, model.min_samples)
    if dial != "repeat":
        filled[100:] = 0
    with torch.inference_mode():
        best = model.probabilities(torch.from_numpy(filled)[None])[0].max()
    assert main(["tag", str(tmp_path / "a.ckpt"), str(tmp_path / "a.wav"), "--top", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert float(said[1].split()[0]) == pytest.approx(float(best), abs=6e-4)
    filled_up = "repeated" if dial == "repeat" else "filled up with silence"
    assert said[0].endswith(
        f"a.wav (0.00313 s, {filled_up} to the {model.min_samples / 32000:.3g} s that the model needs)"
    )


def test_silence_is_said_beside_the_name(tmp_path, capsys):
    checkpoint(tmp_path / "a.ckpt")
    soundfile.write(tmp_path / "a.wav", np.zeros(44100), 44100)
    assert main(["tag", str(tmp_path / "a.ckpt"), str(tmp_path / "a.wav"), "--top", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("a.wav (1.0 s, silent: every sample is zero)")


def test_a_window_shorter_than_the_model_takes_is_refused(tmp_path, capsys):
    checkpoint(tmp_path / "a.ckpt")
    assert main(["tag", str(tmp_path / "a.ckpt"), "a.wav", "--window", "0.001"]) == 2
    needed = load(tmp_path / "a.ckpt").min_samples / 32000
    assert (
        capsys.readouterr().err
        == f"panns tag: --window 0.001: this model needs {needed:.3g} s at least to hear anything\n"
    )


def test_the_command_prints_classes_by_score(tmp_path, capsys):
    checkpoint(tmp_path / "a.ckpt")
    soundfile.write(tmp_path / "a.flac", 0.1 * np.random.default_rng(0).standard_normal(16000), 16000)
    assert main(["tag", str(tmp_path / "a.ckpt"), str(tmp_path / "a.flac"), "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("a.flac (1.0 s)")
    assert len(lines) == 3
    assert float(lines[1].split()[0]) >= float(lines[2].split()[0])


def test_a_released_model_by_its_name(tmp_path, reference, released, capsys):
    torch.save(reference.checkpoint("LeeNet11"), tmp_path / "a.pth")
    released("leenet11", (tmp_path / "a.pth").read_bytes())
    noise = (0.1 * np.random.default_rng(0).standard_normal(32000)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, 32000, subtype="FLOAT")
    assert main(["tag", "leenet11", str(tmp_path / "a.wav"), "--top", "1"]) == 0
    model = create_model("leenet11", checkpoint=tmp_path / "a.pth")
    with torch.no_grad():
        scores = model.probabilities(torch.from_numpy(noise)[None])[0]
    assert capsys.readouterr().out.split("\n")[1] == f"  {scores.max():.3f}  {model.classes[scores.argmax()]}"
    weights = (tmp_path / "a.pth").rename(tmp_path / "LeeNet11_mAP=0.266.pth")
    assert main(["tag", str(weights), str(tmp_path / "a.wav"), "--top", "1"]) == 0
    assert capsys.readouterr().out.split("\n")[1] == f"  {scores.max():.3f}  {model.classes[scores.argmax()]}"
    assert main(["tag", "cnn14_mel32", str(tmp_path / "a.wav")]) == 2
    assert "No weights were released for cnn14_mel32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"), [(None, "no such file"), (b"", "not readable"), (b"just text", "not readable as audio")]
)
def test_files_without_audio_are_named(tmp_path, content, says, capsys):
    checkpoint(tmp_path / "a.ckpt")
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    assert main(["tag", str(tmp_path / "a.ckpt"), str(path)]) == 2
    error = capsys.readouterr().err
    assert "bad.wav" in error
    assert says in error


def test_the_files_after_a_bad_one_are_heard_too(tmp_path, capsys):
    checkpoint(tmp_path / "a.ckpt")
    (tmp_path / "bad.wav").write_bytes(b"just text")
    soundfile.write(tmp_path / "good.wav", 0.1 * np.random.default_rng(0).standard_normal(32000), 32000)
    files = [str(tmp_path / name) for name in ("bad.wav", "good.wav", "missing.wav")]
    assert main(["tag", str(tmp_path / "a.ckpt"), *files]) == 2
    said = capsys.readouterr()
    assert "good.wav (1.0 s)" in said.out
    assert "2 of 3 files could not be heard" in said.err


def test_a_name_that_cannot_be_shown_keeps_no_other_file_from_being_heard(tmp_path):
    checkpoint(tmp_path / "a.ckpt")
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(32000), 32000)
    odd = os.fsencode(tmp_path) + b"/\xff.wav"
    shutil.copyfile(tmp_path / "a.wav", odd)
    command = [sys.executable, "-m", "panns.cli", "tag", str(tmp_path / "a.ckpt"), odd, str(tmp_path / "a.wav")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "/\\udcff.wav (1.0 s)" in done.stdout
    assert "/a.wav (1.0 s)" in done.stdout


def test_samples_that_are_not_finite_are_refused(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan, np.float32), 32000, subtype="FLOAT")
    with pytest.raises(AudioError, match="NaN"):
        whole(tmp_path / "nan.wav")


@pytest.mark.parametrize(
    ("subtype", "says"), [("VORBIS", r"truncated: its last page lacks \d+ bytes"), ("OPUS", "(truncated|.* malformed)")]
)
def test_an_ogg_file_that_ends_too_early(subtype, says, tmp_path):
    soundfile.write(tmp_path / "a.ogg", 0.1 * np.random.default_rng(0).standard_normal(96000), 48000, subtype=subtype)
    content = (tmp_path / "a.ogg").read_bytes()
    assert len(whole(tmp_path / "a.ogg")) == pytest.approx(64000, abs=500)
    for length in (len(content) - 1, len(content) // 2):
        (tmp_path / "a.ogg").write_bytes(content[:length])
        with pytest.raises(AudioError, match=rf"a\.ogg: not readable as audio \({says}"):
            whole(tmp_path / "a.ogg")
    (tmp_path / "a.ogg").write_bytes(content + bytes(100_000))
    assert len(whole(tmp_path / "a.ogg")) == pytest.approx(64000, abs=500)


@pytest.mark.parametrize(
    ("form", "says"),
    [("AIFF", "the header says 2[0-9]{3} bytes"), ("AU", "the header says"), ("W64", "the header says")],
)
@pytest.mark.parametrize("samples", [1000, 1001])
def test_files_of_other_forms_that_end_too_early(form, says, samples, tmp_path):
    path = tmp_path / "a.audio"
    soundfile.write(path, np.full(samples, 0.1), 32000, format=form, subtype="PCM_16")
    assert len(whole(path)) == samples
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(AudioError, match=rf"a\.audio: not readable as audio \(truncated: {says}"):
        whole(path)


def test_an_mp3_file_that_ends_too_early(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(64000)
    soundfile.write(tmp_path / "a.mp3", noise, 32000, format="MP3", subtype="MPEG_LAYER_III")
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"a\.mp3: truncated or damaged: \d+ of 64000 samples could be read"):
        whole(tmp_path / "a.mp3")


def test_a_wav_file_that_ends_too_early_and_a_folder(tmp_path):
    soundfile.write(tmp_path / "cut.wav", np.full(1000, 0.1, np.float32), 32000)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:1000])
    with pytest.raises(AudioError, match=r"cut\.wav: not readable as audio \(truncated: the header says 2000 bytes"):
        whole(tmp_path / "cut.wav")
    with pytest.raises(AudioError, match="a folder: name the files in it"):
        whole(tmp_path)
