"""Packing and indexing: faithful audio, where it was and where it lies."""

import io

import numpy as np
import pytest
import soundfile

from packs import LENGTH, RATE, SECONDS, kinds, make, noise, source_of, tone
from panns.data import packing
from panns.data.packing import index, pack


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
    store, report = make(pack, source_of(tmp_path), tmp_path / "store", allow_upsampling=True)
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
